/**
 * What of the wall's state stands behind the # of its address, so that a reload, a bookmark and a sent link show the same.
 *
 * Pure. Pages count from 1 there, because people read it.
 */
import { LAYOUTS } from "./layout.js";

const LONGEST = 4000;

/**
 * @typedef {object} Address
 * @property {string|null} view id of a view; null if the address does not say
 * @property {string[]|null} cameras of a view that only its author's browser knows
 * @property {string|null} layout
 * @property {number|null} page from 0
 * @property {string|null} focus id of the enlarged camera
 * @property {number|null} tour seconds per page; null for no tour
 */

/** Reads an address's hash, with or without `#`. Nonsense is left out. @returns {Address} */
export function parseAddress(hash) {
  const read = new URLSearchParams(hash.replace(/^#/, "").slice(0, LONGEST));
  const text = (name) => read.get(name) || null;
  const layout = text("layout");
  const page = whole(read.get("page"));
  const cameras = (text("cameras") ?? "").split(",").filter(Boolean);
  return {
    view: text("view"),
    cameras: cameras.length ? [...new Set(cameras)] : null,
    layout: layout && Object.hasOwn(LAYOUTS, layout) ? layout : null,
    page: page === null ? null : Math.max(0, page - 1),
    focus: text("focus"),
    tour: whole(read.get("tour")),
  };
}

/** The hash for a state, empty for the ordinary one. @param {Partial<Address>} state */
export function formatAddress({ view, cameras, layout, page, focus, tour }) {
  const written = new URLSearchParams();
  if (view) written.set("view", view);
  if (cameras?.length) written.set("cameras", cameras.join(","));
  if (layout) written.set("layout", layout);
  if (page) written.set("page", String(page + 1));
  if (focus) written.set("focus", focus);
  if (tour) written.set("tour", String(tour));
  // Commas, colons and a layout's plus sign need no escape behind a #; people copy these addresses by hand.
  const text = written.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text && `#${text}`;
}

function whole(text) {
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) : null;
}
