/**
 * What the large picture can do that the small ones cannot: zoom, and turn the camera where it can be turned.
 *
 * The controls for turning are a module of their own, fetched when a camera first needs them.
 */
import { ZoomGestures } from "./zoom-gestures.js";

const PTZ_MODULE = "./ptz.js";
const PTZ_STYLE = "/static/css/ptz.css";
const KEY_ZOOM = 1.5;
const KEY_PAN_PX = 120;
const PAN = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class LargePicture {
  #tile;
  #i18n;
  #gestures;
  #host = null;
  #pad = null;
  #mounting = false;
  #gone = false;

  /** `onZoom(scale)` is told of every change. `camera` is as the API describes it. */
  constructor(tile, camera, i18n, onZoom) {
    this.#tile = tile;
    this.#i18n = i18n;
    this.#gestures = new ZoomGestures(tile.element, onZoom);
    this.update(camera);
  }

  /** The camera's newest report: what it can do is known only some time after a start. */
  update(camera) {
    if (!camera?.ptz || this.#mounting) return;
    this.#mounting = true;
    this.#mountPtz(camera);
  }

  get zoomed() {
    return this.#gestures.zoom.zoomed;
  }

  resize() {
    this.#gestures.resize();
  }

  zoomIn() {
    this.#gestures.by(KEY_ZOOM);
  }

  zoomOut() {
    this.#gestures.by(1 / KEY_ZOOM);
  }

  resetZoom() {
    this.#gestures.reset();
  }

  /** Moves a zoomed picture with an arrow key; false if it is not zoomed or the key is another one. */
  pan(key) {
    const step = PAN[key];
    if (!this.zoomed || !step) return false;
    this.#gestures.pan(step[0] * KEY_PAN_PX, step[1] * KEY_PAN_PX);
    return true;
  }

  remove() {
    this.#gone = true;
    this.#gestures.remove();
    this.#pad?.destroy();
    this.#host?.remove();
  }

  async #mountPtz(camera) {
    let PtzPad;
    try {
      ({ PtzPad } = await import(PTZ_MODULE));
    } catch {
      return; // the picture is as good without
    }
    if (this.#gone) return;
    addStyle(PTZ_STYLE);
    this.#host = document.createElement("div");
    this.#host.className = "ptz-host";
    this.#tile.element.append(this.#host);
    this.#pad = new PtzPad(this.#host, camera.id, null, { i18n: this.#i18n }); // it asks for what the camera can do
  }
}

function addStyle(href) {
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}
