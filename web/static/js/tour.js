/**
 * The tour: turns to the next page every few seconds, and waits while somebody is busy with the wall.
 *
 * Pure; `tick` is called several times a second with the time in milliseconds and says when to turn.
 */

/** After the last touch of mouse, keys or screen the tour waits so long before it goes on. */
export const RESUME_AFTER_MS = 20000;

export class Tour {
  #seconds = 0;
  #dueAt = 0;
  #touchedAt = null;
  #leftMs = 0;

  get running() {
    return this.#seconds > 0;
  }

  /** Seconds per page; 0 while there is no tour. */
  get seconds() {
    return this.#seconds;
  }

  start(seconds, now) {
    this.#seconds = seconds;
    this.#touchedAt = null;
    this.#dueAt = now + seconds * 1000;
  }

  stop() {
    this.#seconds = 0;
  }

  /** Somebody does something: wait. */
  interact(now) {
    if (!this.running) return;
    if (this.#touchedAt === null) this.#leftMs = Math.max(0, this.#dueAt - now);
    this.#touchedAt = now;
  }

  /** True when it is time to turn; the next turn is then due a whole interval later. */
  tick(now) {
    if (!this.running) return false;
    if (this.#touchedAt !== null) {
      if (now - this.#touchedAt < RESUME_AFTER_MS) return false;
      this.#touchedAt = null;
      this.#dueAt = now + Math.max(this.#leftMs, 1000); // nobody is to be surprised by a turn at once
    }
    if (now < this.#dueAt) return false;
    this.#dueAt = now + this.#seconds * 1000;
    return true;
  }

  /** What the countdown shows. @returns {{paused: boolean, left: number, share: number}} seconds, and 1 to 0 */
  countdown(now) {
    const paused = this.#touchedAt !== null;
    const leftMs = paused ? this.#leftMs : Math.max(0, this.#dueAt - now);
    return { paused, left: Math.ceil(leftMs / 1000), share: this.running ? Math.min(1, leftMs / (this.#seconds * 1000)) : 0 };
  }
}
