/**
 * Wheel, two fingers and dragging on the large picture, for `Zoom`.
 *
 * The picture follows through CSS variables on the tile (`--zoom`, `--pan-x`, `--pan-y`), so that no player has to know.
 */
import { Zoom } from "./zoom.js";

const WHEEL_STEP = 1.0015;
/** A drag shorter than this is a click. */
const SLOP_PX = 4;

export class ZoomGestures {
  zoom = new Zoom();
  #element;
  #onChange;
  #pointers = new Map();
  #dragged = false;
  #abort = new AbortController();

  /** `onChange(scale)` is called after every change. */
  constructor(element, onChange) {
    this.#element = element;
    this.#onChange = onChange;
    const options = { signal: this.#abort.signal };
    element.addEventListener("wheel", (event) => this.#onWheel(event), { ...options, passive: false });
    element.addEventListener("pointerdown", (event) => this.#onDown(event), options);
    element.addEventListener("pointermove", (event) => this.#onMove(event), options);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, (event) => this.#onUp(event), options);
    // What ends a drag is no click on the picture.
    element.addEventListener("click", (event) => this.#dragged && event.stopPropagation(), { ...options, capture: true });
    this.resize();
  }

  resize() {
    this.zoom.resize(this.#element.clientWidth, this.#element.clientHeight);
    this.#show();
  }

  by(factor) {
    this.zoom.by(factor);
    this.#show();
  }

  pan(dx, dy) {
    this.zoom.pan(dx, dy);
    this.#show();
  }

  reset() {
    this.zoom.reset();
    this.#show();
  }

  remove() {
    this.#abort.abort();
    this.zoom.reset();
    this.#show();
  }

  #onWheel(event) {
    if (onControl(event)) return;
    event.preventDefault();
    const at = this.#fromMiddle(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoom.by(WHEEL_STEP ** (-event.deltaY * lines), at.x, at.y);
    this.#show();
  }

  #onDown(event) {
    if (onControl(event) || event.button > 0) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, travelled: 0 });
    this.#dragged = false;
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const grown = distance(now, other) / Math.max(1, distance(before, other));
      const middle = this.#fromMiddle({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
      this.zoom.by(grown, middle.x, middle.y);
      this.zoom.pan(dx / 2, dy / 2);
    } else if (this.zoom.zoomed) {
      this.zoom.pan(dx, dy);
    }
    const travelled = before.travelled + Math.hypot(dx, dy);
    this.#pointers.set(event.pointerId, { ...now, travelled });
    if (travelled > SLOP_PX && (other || this.zoom.zoomed)) {
      // Captured only now: from the start it would turn clicks on the tile's buttons into clicks on the tile.
      if (!this.#dragged) this.#element.setPointerCapture?.(event.pointerId);
      this.#dragged = true;
    }
    this.#show();
  }

  #onUp(event) {
    this.#pointers.delete(event.pointerId);
  }

  #fromMiddle({ clientX, clientY }) {
    const box = this.#element.getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  }

  #show() {
    const { scale, x, y, zoomed } = this.zoom;
    const { style } = this.#element;
    for (const [name, value] of [["--zoom", scale], ["--pan-x", `${x}px`], ["--pan-y", `${y}px`]]) {
      if (zoomed) style.setProperty(name, String(value));
      else style.removeProperty(name);
    }
    this.#element.toggleAttribute("data-zoomed", zoomed);
    this.#onChange(scale);
  }
}

function onControl(event) {
  return Boolean(event.target.closest("button, a, input, select, .ptz-host"));
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
