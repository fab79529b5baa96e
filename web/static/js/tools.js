/**
 * The buttons on a tile: sound, picture to keep, address, large or small. One set for the whole wall, which goes to the tile
 * under the pointer or, without one, to the selected tile.
 */
import { icon, setIcon } from "./icons.js";

/** Without a movement for so long the buttons and the pointer leave a large picture alone. */
const IDLE_MS = 4000;
const BUTTONS = [
  ["zoomReset", null], ["mute", "sound-off"], ["snapshot", "snapshot"], ["share", "share"], ["focus", "expand"],
];

export class TileTools {
  #bar = document.createElement("div");
  #buttons = new Map();
  #page = document.createElement("a");
  #i18n;
  #tile = null;
  #idleTimer = null;

  /** `onCommand(name, id)` is called for a pressed button. */
  constructor(grid, i18n, onCommand) {
    this.#i18n = i18n;
    this.#bar.className = "tile-tools";
    for (const [command, sign] of BUTTONS) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "tool";
      button.dataset.command = command;
      if (sign) button.append(icon(sign));
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        if (this.#tile) onCommand(command, this.#tile.dataset.camera);
      });
      button.addEventListener("dblclick", (event) => event.stopPropagation());
      this.#buttons.set(command, button);
      this.#bar.append(button);
    }
    this.#page.className = "tool";
    this.#page.append(icon("about"));
    for (const name of ["click", "dblclick"]) this.#page.addEventListener(name, (event) => event.stopPropagation());
    this.#bar.insertBefore(this.#page, this.#buttons.get("focus"));
    this.zoom = 1;
    grid.addEventListener("pointerover", (event) => this.#goTo(event.target.closest(".tile")));
    grid.addEventListener("focusin", (event) => this.#goTo(event.target.closest(".tile")));
    for (const name of ["pointermove", "pointerdown", "keydown"]) {
      document.addEventListener(name, () => this.#wake(), { passive: true });
    }
    this.#wake();
  }

  /** How far the large picture is zoomed in; 1 for not at all. */
  set zoom(scale) {
    const button = this.#buttons.get("zoomReset");
    button.hidden = scale <= 1;
    button.textContent = `${scale.toFixed(1)}×`;
  }

  /** Brings signs and words up to date. `audible`: its sound can be heard. `page`: address of the camera's page, or null. */
  render({ audible, muted, large, page }) {
    setIcon(this.#buttons.get("mute").firstChild, muted ? "sound-off" : "sound-on");
    setIcon(this.#buttons.get("focus").firstChild, large ? "shrink" : "expand");
    this.#buttons.get("mute").hidden = !audible;
    this.#buttons.get("mute").setAttribute("aria-pressed", String(!muted));
    const words = {
      zoomReset: "tools.zoom_reset", mute: muted ? "tools.unmute" : "tools.mute", snapshot: "tools.snapshot", share: "tools.share",
      focus: large ? "tools.small" : "tools.large",
    };
    for (const [command, key] of Object.entries(words)) name(this.#buttons.get(command), this.#i18n.t(key));
    this.#page.hidden = page === null;
    if (page !== null && this.#page.getAttribute("href") !== page) this.#page.setAttribute("href", page);
    name(this.#page, this.#i18n.t("tools.page"));
  }

  /** The id of the camera whose tile has the buttons. */
  get cameraId() {
    return this.#tile?.dataset.camera ?? null;
  }

  #goTo(tile) {
    if (!tile || tile === this.#tile) return;
    this.#tile = tile;
    this.#page.hidden = true; // it still leads to the camera before
    tile.append(this.#bar);
  }

  #wake() {
    document.body.classList.remove("idle");
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => document.body.classList.add("idle"), IDLE_MS);
  }
}

function name(control, text) {
  if (control.title === text) return;
  control.title = text;
  control.setAttribute("aria-label", text);
}
