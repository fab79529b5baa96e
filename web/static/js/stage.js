/**
 * The tiles on the screen: where each one is, which of them play, which one is selected, which one is large.
 *
 * Tiles never move within the page, because a video that is moved stops; they are placed by grid lines, and told their
 * place in words. Whatever is not on the page lets go of its stream.
 */
import { arrange, GAP_PX, isPhonePortrait, neighbour, pageOf, WIDE, wrapped } from "./layout.js";
import { preferenceFor } from "./playback.js";

/** A glance at one camera must not restart all others: so long they go on behind it. */
const BEHIND_FOCUS_MS = 8000;

export class Stage {
  #grid;
  #area;
  #tiles = new Map();
  #wanted = { ids: [], layout: "auto", page: 0, focus: null, aspect: WIDE };
  #arrangement = null;
  #pageIds = [];
  /** First camera of the page that somebody chose: a phone that is turned there and back shows that page again. */
  #anchor = null;
  #selected = null;
  #focused = null;
  #haltTimer = null;
  #behindOf = null;
  #suspended = false;
  #onArranged;

  /** `onArranged()` is called whenever the arrangement may have changed by itself, as after a resize. */
  constructor(grid, area, onArranged) {
    this.#grid = grid;
    this.#area = area;
    this.#onArranged = onArranged;
    grid.addEventListener("focusin", (event) => {
      const id = event.target.closest(".tile")?.dataset.camera;
      if (id) this.#markSelected(id);
    });
    new ResizeObserver(() => {
      this.#arrange(this.#anchor);
      this.#onArranged();
    }).observe(area);
  }

  /** All tiles, in the order of the configuration, keyed by camera id. */
  set tiles(tiles) {
    for (const [id, tile] of this.#tiles) if (!tiles.has(id)) tile.dispose();
    this.#tiles = tiles;
    for (const { element } of tiles.values()) {
      if (element.isConnected) continue;
      element.tabIndex = -1;
      element.hidden = true;
      element.setAttribute("role", "listitem");
      this.#grid.append(element);
    }
  }

  /** The tiles on the screen, in order. */
  get shown() {
    const ids = this.#focused ? [this.#focused] : this.#pageIds;
    return ids.map((id) => this.#tiles.get(id)).filter(Boolean);
  }

  get page() {
    return this.#wanted.page;
  }

  /** It is known how many pages there are: not before the first report, nor while there is no room for a tile. */
  get arranged() {
    return this.#arrangement !== null && this.#arrangement !== undefined;
  }

  get pages() {
    return this.#arrangement?.pages ?? 1;
  }

  get selected() {
    return this.#tiles.get(this.#selected) ?? null;
  }

  get focused() {
    return this.#tiles.get(this.#focused) ?? null;
  }

  get oneColumn() {
    return isPhonePortrait(this.#area.clientWidth, this.#area.clientHeight);
  }

  /**
   * Shows page `page` of the cameras `ids`, or one of them large.
   *
   * @param {{ids: string[], layout: string, page: number, focus: string|null, aspect: number}} wanted
   */
  show(wanted) {
    const before = this.#wanted;
    this.#wanted = { ...wanted, ids: wanted.ids.filter((id) => this.#tiles.has(id)) };
    const same = before.page === wanted.page && before.layout === wanted.layout && before.ids.join() === this.#wanted.ids.join();
    if (!same) this.#anchor = null;
    this.#arrange();
  }

  /** The page on which a camera is. */
  pageWith(id) {
    return pageOf(this.#wanted.ids.indexOf(id), this.#arrangement?.perPage ?? 1);
  }

  /** Gives a tile of this page the selection, and the keyboard's focus. */
  select(id) {
    if (!this.#pageIds.includes(id)) return;
    this.#markSelected(id);
    this.#tiles.get(id).element.focus({ preventScroll: true });
  }

  /** Moves the selection with an arrow key. */
  step(key) {
    if (this.#pageIds.length === 0) return;
    const index = this.#pageIds.indexOf(this.#selected);
    // The first press shows where the selection is.
    if (index < 0 || !this.#grid.contains(document.activeElement)) {
      this.select(this.#pageIds[Math.max(0, index)]);
      return;
    }
    this.select(this.#pageIds[neighbour(index, key, this.#arrangement.cells, this.#pageIds.length)]);
  }

  /** The camera an arrow key leads to from the selected one; null at an edge. */
  besides(key) {
    const index = this.#pageIds.indexOf(this.#selected);
    if (index < 0) return null;
    const target = neighbour(index, key, this.#arrangement.cells, this.#pageIds.length);
    return target === index ? null : this.#pageIds[target];
  }

  /** Nobody sees the page: everything lets go of its stream, until `resume`. */
  suspend() {
    this.#suspended = true;
    clearTimeout(this.#haltTimer);
    this.#behindOf = null;
    for (const tile of this.#tiles.values()) tile.halt();
  }

  resume() {
    this.#suspended = false;
    this.#play();
  }

  /** `anchor` is a camera whose page is to be shown, or null for the page that is wanted. */
  #arrange(anchor = null) {
    const { ids, layout, aspect } = this.#wanted;
    const style = getComputedStyle(this.#area);
    const width = this.#area.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = this.#area.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const arrangement = arrange(layout, ids.length, width, height, { aspect });
    this.#arrangement = arrangement;
    if (!arrangement) {
      this.#pageIds = [];
      this.#focused = null;
    } else {
      const { pages, perPage } = arrangement;
      if (ids.includes(anchor)) this.#wanted.page = pageOf(ids.indexOf(anchor), perPage);
      this.#wanted.page = wrapped(Math.min(this.#wanted.page, pages - 1), pages);
      const first = this.#wanted.page * perPage;
      this.#pageIds = ids.slice(first, first + perPage);
      this.#anchor ??= this.#pageIds[0] ?? null;
      this.#focused = ids.includes(this.#wanted.focus) ? this.#wanted.focus : null;
      this.#draw(arrangement);
    }
    this.#place();
    this.#play();
  }

  #draw({ columns, rows, cellWidth, cellHeight }) {
    const { style } = this.#grid;
    style.setProperty("--columns", String(columns));
    style.setProperty("--rows", String(rows));
    style.setProperty("--cell-width", `${cellWidth}px`);
    style.setProperty("--cell-height", `${cellHeight}px`);
    style.setProperty("--gap", `${GAP_PX}px`);
  }

  #place() {
    const cells = this.#arrangement?.cells ?? [];
    const count = this.#pageIds.length;
    for (const [id, tile] of this.#tiles) {
      const index = this.#pageIds.indexOf(id);
      const { element } = tile;
      const large = id === this.#focused;
      element.hidden = index < 0 && !large;
      element.inert = this.#focused !== null && !large;
      element.classList.toggle("focused", large);
      tile.focus(large);
      if (index < 0) continue;
      const { column, row, span } = cells[index];
      element.style.gridArea = `${row + 1} / ${column + 1} / span ${span} / span ${span}`;
      element.setAttribute("aria-posinset", String(index + 1));
      element.setAttribute("aria-setsize", String(count));
      // The one large cell of a layout has room for the main stream, as has a camera that is alone.
      tile.preference = preferenceFor(span > 1 ? 1 : count);
    }
    this.#placeEmpty(cells.slice(count));
    this.#area.toggleAttribute("data-focus", this.#focused !== null);
    if (!this.#pageIds.includes(this.#selected)) this.#markSelected(this.#focused ?? this.#pageIds[0] ?? null);
  }

  /** Frames where a fixed layout has no camera to show. */
  #placeEmpty(cells) {
    for (const old of this.#grid.querySelectorAll(".cell")) old.remove();
    for (const { column, row, span } of cells) {
      const cell = document.createElement("div");
      cell.className = "cell";
      cell.setAttribute("aria-hidden", "true");
      cell.style.gridArea = `${row + 1} / ${column + 1} / span ${span} / span ${span}`;
      this.#grid.append(cell);
    }
  }

  /** Streams for what is on the screen, and for nothing else. */
  #play() {
    if (this.#suspended) return;
    const shown = new Set(this.shown);
    const behind = new Set(this.#focused ? this.#pageIds.map((id) => this.#tiles.get(id)) : []);
    for (const tile of this.#tiles.values()) {
      if (shown.has(tile)) tile.run();
      else if (!behind.has(tile)) tile.halt();
    }
    // Reports come more often than the time is long: it runs from when the picture became large, not from the last report.
    if (this.#behindOf === this.#focused) return;
    this.#behindOf = this.#focused;
    clearTimeout(this.#haltTimer);
    if (!this.#focused) return;
    this.#haltTimer = setTimeout(() => {
      for (const tile of this.#tiles.values()) if (!this.shown.includes(tile)) tile.halt();
    }, BEHIND_FOCUS_MS);
  }

  #markSelected(id) {
    if (this.#selected === id) return;
    const before = this.#tiles.get(this.#selected);
    if (before) before.element.tabIndex = -1;
    this.#selected = id;
    const tile = this.#tiles.get(id);
    if (tile) tile.element.tabIndex = 0;
  }
}
