/**
 * The DOM of one tile: media, the last picture behind it, badge, name, clock, and the veil that says what is wrong.
 *
 * All texts of a good picture are at its lower edge: most cameras burn their own clock into the upper left corner.
 * Knows nothing of cameras or players; `Tile` hands it finished texts. Writes to the page only what has changed,
 * because it is called several times a second for every tile.
 */
import { timeOfDay } from "./clock.js";
import { PushBadge } from "./push-badge.js";

const SVG = "http://www.w3.org/2000/svg";
/** Shapes, not only colours, tell the states apart. 24 × 24, stroked. */
const ICONS = {
  connecting: "M12 3a9 9 0 1 0 9 9",
  late: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z",
  stalled: "M9 8v8M15 8v8M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z",
  offline: "M3 3l18 18M10 6h5a2 2 0 0 1 2 2v3l4-3v9M17 17H5a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h1",
  disabled: "M12 4v8M7 7a7 7 0 1 0 10 0",
  paused: "M9 7v10M15 7v10",
  unplayable: "M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM10 9l4 6M14 9l-4 6",
};

/**
 * @typedef {object} Face
 * @property {string} state
 * @property {boolean} frozen
 * @property {string} name
 * @property {string} stateText
 * @property {string} reason
 * @property {string} meta since when, and the next try
 * @property {string} note
 * @property {string} detail stream and delay, shown on hover and focus
 * @property {string} clockLabel words before the clock; empty while live
 * @property {string} label accessible name
 * @property {{state: string, text: string}} push what the camera is sent to: see `pushFace`
 */

export class TileView {
  #parts = {};
  #written = new Map();
  #second = null;
  #push = new PushBadge();

  constructor(id) {
    const root = element("div", "tile");
    root.tabIndex = 0;
    root.dataset.camera = id;
    root.setAttribute("role", "group");
    const still = element("canvas", "tile-still");
    still.width = 0;
    const media = element("div", "tile-media");
    const veil = element("div", "tile-veil");
    const icon = svgIcon("tile-icon");
    const title = element("p", "tile-title");
    const reason = element("p", "tile-reason");
    const meta = element("p", "tile-meta");
    veil.append(icon, title, reason, meta);
    const detail = element("span", "tile-detail");
    const bottom = element("div", "tile-bottom");
    const note = element("p", "tile-note");
    const bar = element("div", "tile-bar");
    const name = element("span", "tile-name");
    const badge = element("span", "tile-badge");
    const when = element("span", "tile-when");
    const clockLabel = element("span", "tile-clock-label");
    const clock = element("time", "tile-clock");
    when.append(clockLabel, clock);
    bar.append(element("i", "tile-dot"), name, badge, this.#push.element, when);
    bottom.append(note, bar);
    root.append(still, media, veil, detail, bottom);
    this.root = root;
    this.still = still;
    this.media = media;
    this.#parts = { icon: icon.firstChild, title, reason, meta, badge, detail, note, name, clockLabel, clock };
  }

  /** Shows the time of a presented picture, milliseconds; null for none. Moves only when called. */
  showClock(wallMs) {
    const second = wallMs === null ? null : Math.floor(wallMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#parts.clock.textContent = second === null ? "" : timeOfDay(wallMs);
    this.#parts.clock.dateTime = second === null ? "" : new Date(wallMs).toISOString();
  }

  /** The media layer covers the still picture once it has one of its own. */
  mediaHasPicture(has) {
    this.#once("picture", has, () => this.root.toggleAttribute("data-picture", has));
  }

  /** @param {Face} face */
  render(face) {
    const { root } = this;
    this.#once("state", face.state, (state) => {
      root.dataset.state = state;
      this.#parts.icon.setAttribute("d", ICONS[state] ?? "");
    });
    this.#once("frozen", face.frozen, (frozen) => root.toggleAttribute("data-frozen", frozen));
    this.#once("label", face.label, (label) => root.setAttribute("aria-label", label));
    this.#text("name", face.name);
    this.#once("title of name", face.name, (name) => this.#parts.name.setAttribute("title", name));
    this.#text("title", face.stateText);
    this.#text("badge", face.stateText);
    this.#text("reason", face.reason);
    this.#text("meta", face.meta);
    this.#text("note", face.note);
    this.#text("detail", face.detail);
    this.#text("clockLabel", face.clockLabel);
    this.#push.show(face.push);
  }

  #text(part, text) {
    this.#once(part, text, (value) => {
      this.#parts[part].textContent = value;
    });
  }

  #once(key, value, write) {
    if (this.#written.get(key) === value) return;
    this.#written.set(key, value);
    write(value);
  }
}

function element(tag, className) {
  const node = document.createElement(tag);
  node.className = className;
  return node;
}

function svgIcon(className) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  return svg;
}
