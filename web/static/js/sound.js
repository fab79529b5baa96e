/**
 * Whose sound is heard: nobody's at first, and never that of two cameras at once.
 *
 * `choose` must be called from a click or a key press, or browsers refuse to play sound.
 */
import { icon } from "./icons.js";

export class Sound {
  #tile = null;
  #mark = document.createElement("span");

  constructor() {
    this.#mark.className = "tile-sound";
    this.#mark.append(icon("sound-on"));
  }

  /** The tile that is heard, or null. */
  get tile() {
    return this.#tile;
  }

  /** Lets `tile` be heard and silences the one before it; null silences all. */
  choose(tile) {
    if (this.#tile === tile) return;
    this.#tile?.mute(true);
    this.#mark.remove();
    this.#tile = tile;
    if (!tile) return;
    tile.mute(false);
    tile.element.append(this.#mark);
  }

  /** Sound without its picture frightens: it ends when its tile leaves the screen. `shown` are the tiles on it. */
  keepTo(shown) {
    if (this.#tile && !shown.includes(this.#tile)) this.choose(null);
  }
}
