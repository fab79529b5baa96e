/**
 * Refreshed still pictures for streams this browser cannot play, as a `Transport` (see transport.js).
 *
 * Asks for the next picture only after the last one has come, so a slow network sees fewer pictures and never a queue.
 */
import { drawStill } from "./frames.js";

const REFRESH_MS = 2000;
/** After a failed picture (none decoded yet, gateway away). */
const RETRY_MS = 5000;
const DEFAULT_WIDTH_PX = 640;
const WIDEST_PX = 1920;
/** Widths are rounded up to a multiple, so that tiles of nearly equal size share the server's work. */
const WIDTH_STEP_PX = 160;

export class SnapshotPlayer {
  kind = "snapshot";
  moving = false;
  #url;
  #events;
  #shown = null;
  #timer = null;
  #stopped = false;

  constructor(url, events) {
    this.#url = url;
    this.#events = events;
    this.element = document.createElement("div");
  }

  start() {
    this.#load();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.element.remove();
  }

  resync() {
    clearTimeout(this.#timer);
    this.#load();
  }

  keepUp() {}

  play() {}

  setMuted() {}

  stats() {
    return this.#shown ? { width: this.#shown.naturalWidth, height: this.#shown.naturalHeight, codec: "jpeg", bitrate: 0 } : {};
  }

  capture(canvas) {
    const picture = this.#shown;
    return picture !== null && drawStill(picture, picture.naturalWidth, picture.naturalHeight, canvas);
  }

  #load() {
    const picture = new Image();
    picture.alt = "";
    // The picture goes into the page only when it is complete: a failed one must not replace a good one.
    picture.addEventListener("load", () => {
      if (this.#stopped) return;
      this.#shown = picture;
      this.element.replaceChildren(picture);
      this.#events.onFrame(null);
      this.#again(REFRESH_MS);
    });
    picture.addEventListener("error", () => this.#again(RETRY_MS));
    const separator = this.#url.includes("?") ? "&" : "?";
    picture.src = `${this.#url}${separator}width=${this.#width()}&t=${Date.now()}`; // t: a cache must not answer with an old one
  }

  #again(delay) {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => this.#load(), delay);
  }

  #width() {
    const pixels = (this.element.clientWidth || DEFAULT_WIDTH_PX) * Math.min(2, window.devicePixelRatio);
    return Math.min(WIDEST_PX, Math.ceil(pixels / WIDTH_STEP_PX) * WIDTH_STEP_PX);
  }
}
