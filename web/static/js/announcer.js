/**
 * Tells the user what has just happened: a short notice on the screen, read out by screen readers.
 *
 * `tell` is for answers to what the user did; `whisper` for the cameras' own news, which the tiles show already.
 */

/** Long enough to read a short sentence from the other side of the room. */
const SHOWN_MS = 3500;

export class Announcer {
  #region;
  #notice;
  #timer = null;

  constructor(region, notice) {
    this.#region = region;
    this.#notice = notice;
  }

  tell(text) {
    this.#notice.textContent = text;
    this.#notice.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#notice.hidden = true;
    }, SHOWN_MS);
    this.whisper(text);
  }

  whisper(text) {
    this.#region.textContent = text;
  }
}
