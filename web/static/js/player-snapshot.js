/**
 * Refreshed still pictures for streams this browser cannot play, as a `Transport` (see transport.js).
 *
 * Asks for the next picture only after the last one has come, so a slow network sees fewer pictures and never a queue.
 */
import { drawStill } from "./frames.js";

const REFRESH_MS = 2000;
/** After a failed picture (none decoded yet, gateway away). */
const RETRY_MS = 5000;
/** All tiles fail in the same instant; they must not ask again in the same instant. */
const JITTER = 0.25;
/** A picture can wait for a line that died without a word; nothing tells of that but the time. */
const LOAD_DEADLINE_MS = 10000;
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
  #loading = null;
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
    this.#loading = null;
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
    this.#loading = picture;
    picture.alt = "";
    // The picture goes into the page only when it is complete: a failed one must not replace a good one.
    picture.addEventListener("load", () => {
      if (picture !== this.#loading) return;
      this.#shown = picture;
      this.element.replaceChildren(picture);
      this.#events.onFrame(null);
      this.#again(REFRESH_MS);
    });
    const failed = () => {
      if (picture !== this.#loading) return;
      this.#loading = null;
      picture.removeAttribute("src");
      this.#again(RETRY_MS * (1 + JITTER * (Math.random() * 2 - 1)));
    };
    picture.addEventListener("error", failed);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(failed, LOAD_DEADLINE_MS);
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
