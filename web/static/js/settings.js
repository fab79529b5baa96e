/**
 * What this device remembers of its wall: the view shown last, a layout per view, orders, views of its own, the tour.
 *
 * In localStorage, because a wall screen, a desk and a phone want different things under one login. It is read anew each time:
 * another window of this browser may have written meanwhile, and what it has saved must not be written over. Damaged or
 * foreign content is dropped; a browser without storage forgets at the next load, and nothing else.
 */
import { LAYOUTS } from "./layout.js";

const KEY = "gateway.wall";
export const TOUR_SECONDS = Object.freeze([5, 10, 15, 30, 60]);
const DEFAULT_TOUR_S = 10;
const MOST_OWN_VIEWS = 50;

export class Settings {
  #storage;
  #text = null;
  #known = checked({});

  /** `storage` is localStorage or anything like it, or null. */
  constructor(storage) {
    this.#storage = storage;
  }

  get view() {
    return this.#values.view;
  }

  set view(id) {
    this.#change({ view: id });
  }

  /** @returns {{id: string, name: string, cameras: string[]}[]} */
  get ownViews() {
    return this.#values.ownViews;
  }

  set ownViews(views) {
    this.#change({ ownViews: views.slice(0, MOST_OWN_VIEWS) });
  }

  /** @returns {Record<string, string[]>} */
  get orders() {
    return this.#values.orders;
  }

  get tourSeconds() {
    return this.#values.tourSeconds;
  }

  set tourSeconds(seconds) {
    this.#change({ tourSeconds: seconds });
  }

  layoutOf(viewId) {
    return this.#values.layouts[viewId] ?? null;
  }

  setLayout(viewId, layout) {
    this.#change({ layouts: { ...this.#values.layouts, [viewId]: layout } });
  }

  /** `ids` null: the order of the view itself again. */
  setOrder(viewId, ids) {
    const { [viewId]: _old, ...others } = this.#values.orders;
    this.#change({ orders: ids ? { ...others, [viewId]: ids } : others });
  }

  /** A view of this device is gone, and its number free for another one. */
  removeView(viewId) {
    const { [viewId]: _order, ...orders } = this.#values.orders;
    const { [viewId]: _layout, ...layouts } = this.#values.layouts;
    this.#change({ orders, layouts, ownViews: this.ownViews.filter((view) => view.id !== viewId) });
  }

  get #values() {
    const text = read(this.#storage);
    if (text !== this.#text) {
      this.#text = text;
      this.#known = checked(parsed(text));
    }
    return this.#known;
  }

  #change(values) {
    this.#known = { ...this.#values, ...values };
    try {
      this.#storage?.setItem(KEY, JSON.stringify(this.#known));
      this.#text = read(this.#storage);
    } catch {
      // Full or forbidden: the choice holds until the page is left.
    }
  }
}

/** The storage of this browser; null where it is forbidden. */
export function browserStorage() {
  try {
    return window.localStorage;
  } catch {
    return null; // some kiosk and private modes throw on mere access
  }
}

function read(storage) {
  try {
    return storage?.getItem(KEY) ?? null;
  } catch {
    return null;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text ?? "{}");
  } catch {
    return {};
  }
}

function checked(raw) {
  const values = isRecord(raw) ? raw : {};
  const own = Array.isArray(values.ownViews) ? values.ownViews : [];
  const entries = (record, good) => Object.fromEntries(Object.entries(isRecord(record) ? record : {}).filter(([, v]) => good(v)));
  return {
    view: typeof values.view === "string" ? values.view : null,
    layouts: entries(values.layouts, (layout) => Object.hasOwn(LAYOUTS, layout)),
    orders: entries(values.orders, isIds),
    ownViews: own.filter((view) => isRecord(view) && [view.id, view.name].every(isText) && isIds(view.cameras)),
    tourSeconds: TOUR_SECONDS.includes(values.tourSeconds) ? values.tourSeconds : DEFAULT_TOUR_S,
  };
}

const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === "string" && value !== "";
const isIds = (value) => Array.isArray(value) && value.every((id) => typeof id === "string");
