/**
 * When a page is seen: hidden tabs let go of their decoders after a grace, and a machine that slept is noticed.
 */

/** Flicking through tabs must not restart a wall; a tab left for longer gives its decoders back. */
const HIDDEN_GRACE_MS = 5000;
/** Timers that stood still for so long mean that the machine slept. */
const SLEPT_MS = 10000;

export class PageLife {
  #on;
  #timer = null;
  #hidden = false;
  #tickedAt = Date.now();

  /** @param {{hide: () => void, show: () => void, slept: () => void}} on what to call */
  constructor(on) {
    this.#on = on;
    document.addEventListener("visibilitychange", () => this.#onVisibility());
  }

  /** To be called several times a second. */
  tick() {
    const now = Date.now();
    const slept = now - this.#tickedAt > SLEPT_MS && !document.hidden;
    this.#tickedAt = now;
    if (slept) this.#on.slept();
  }

  #onVisibility() {
    clearTimeout(this.#timer);
    if (document.hidden) {
      this.#timer = setTimeout(() => {
        this.#hidden = true;
        this.#on.hide();
      }, HIDDEN_GRACE_MS);
      return;
    }
    this.#tickedAt = Date.now();
    if (!this.#hidden) return;
    this.#hidden = false;
    this.#on.show();
  }
}
