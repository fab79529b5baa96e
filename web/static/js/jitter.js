/**
 * When to show a decoded picture: even motion for as little delay as the line allows. Pure; times in milliseconds.
 *
 * A picture is never early, only late. The smallest distance between a picture's own time and the time it was ready
 * is what the way costs at least; how late the others are is the jitter, and most of it is waited for.
 */

/** More delay than this is worse than a picture that comes a little late. */
const LONGEST_DELAY_MS = 80;
/** The delay grows quickly and shrinks slowly, which makes it that of the later pictures, not of the average one. */
const GROWTH = 0.25;
const DECAY = 0.02;
/** The smallest distance is that of the last one or two of these: clocks drift, and routes change. */
const WINDOW_MS = 10000;

export class JitterBuffer {
  #current = Infinity;
  #previous = Infinity;
  #windowAt = null;
  #delay = 0;

  /** How much later than at the earliest possible time pictures are shown. */
  get delay() {
    return this.#delay;
  }

  /** The picture of time `pts` is ready at `now`: when to show it. A time in the past means at once. */
  due(pts, now) {
    const distance = now - pts;
    if (this.#windowAt === null || now - this.#windowAt >= WINDOW_MS) {
      this.#previous = this.#current;
      this.#current = Infinity;
      this.#windowAt = now;
    }
    this.#current = Math.min(this.#current, distance);
    const base = Math.min(this.#current, this.#previous);
    const late = Math.min(distance - base, LONGEST_DELAY_MS);
    this.#delay += (late > this.#delay ? GROWTH : DECAY) * (late - this.#delay);
    return pts + base + this.#delay;
  }

  /** The times of what follows have nothing to do with those before. */
  reset() {
    this.#current = this.#previous = Infinity;
    this.#windowAt = null;
  }
}
