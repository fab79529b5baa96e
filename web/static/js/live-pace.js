/**
 * How fast a Media Source player should play to stay close behind live without running dry. Pure; seconds.
 *
 * The wanted distance begins small, grows with every stall, and shrinks again while all goes well.
 */

/** Media Source shows nothing of what it has less of than this, at 25 pictures per second. */
const CLOSEST_S = 0.15;
const FARTHEST_S = 0.4;
const FIRST_S = 0.2;
const STALL_STEP_S = 0.06;
const CALM_STEP_S = 0.01;
const CALM_AFTER_MS = 5000;
/** Slower and faster than this is heard, and seen in moving traffic. */
const SLOWEST = 0.95;
const FASTEST = 1.1;
/** Rate per second of distance too much. */
const GAIN = 1;
/** So close to the wanted distance nothing is done: every change of rate costs the browser something. */
const DEAD_BAND_S = 0.03;
/** Too far behind to be caught up by playing faster. */
const JUMP_S = 0.8;

export class LivePace {
  #target = FIRST_S;
  #calmSince = null;

  /** Wanted distance between the picture shown and the newest one. */
  get target() {
    return this.#target;
  }

  /** The player has run dry at `now` (milliseconds). */
  stalled(now) {
    this.#target = Math.min(FARTHEST_S, this.#target + STALL_STEP_S);
    this.#calmSince = now;
  }

  /**
   * What to do at `now` (milliseconds) with `distance` seconds between the picture shown and the end of the buffer.
   * @returns {{jump: boolean, rate: number}} `jump`: go to `target` before the end
   */
  advise(distance, now) {
    this.#calmSince ??= now;
    if (now - this.#calmSince >= CALM_AFTER_MS) {
      this.#calmSince = now;
      this.#target = Math.max(CLOSEST_S, this.#target - CALM_STEP_S);
    }
    const excess = distance - this.#target;
    if (excess > JUMP_S) return { jump: true, rate: 1 };
    if (Math.abs(excess) <= DEAD_BAND_S) return { jump: false, rate: 1 };
    return { jump: false, rate: Math.min(FASTEST, Math.max(SLOWEST, 1 + excess * GAIN)) };
  }
}
