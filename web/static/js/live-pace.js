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
/** One hiccup makes a player complain several times. */
const STALL_PAUSE_MS = 1000;
const CALM_STEP_S = 0.02;
const CALM_AFTER_MS = 4000;
/** Slower and faster than this is heard, and seen in moving traffic. */
const SLOWEST = 0.95;
const FASTEST = 1.1;
/** Rate per second of distance too much. */
const GAIN = 1;
/** So close to the wanted distance nothing is done: every change of rate costs the browser something. */
const DEAD_BAND_S = 0.03;
/** Too far behind to be caught up by playing faster. */
const JUMP_S = 0.45;
/** At its start a player lands behind by what the jump itself took; once that is known, a second jump lands well. */
const START_MS = 1500;
const START_JUMP_S = 0.12;

export class LivePace {
  #target = FIRST_S;
  #calmSince = null;
  #stalledAt = -Infinity;
  #startedAt = null;
  #tuned = false;

  /** Wanted distance between the picture shown and the newest one. */
  get target() {
    return this.#target;
  }

  /** The first picture was shown at `now` (milliseconds). */
  started(now) {
    this.#startedAt ??= now;
  }

  /** The player has run dry at `now` (milliseconds). */
  stalled(now) {
    this.#calmSince = now;
    // While it starts, every player is dry for a moment.
    if (this.#startedAt === null || now - this.#startedAt < START_MS || now - this.#stalledAt < STALL_PAUSE_MS) return;
    this.#stalledAt = now;
    this.#target = Math.min(FARTHEST_S, this.#target + STALL_STEP_S);
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
    if (!this.#tuned && this.#startedAt !== null && excess > START_JUMP_S && now - this.#startedAt < START_MS) {
      this.#tuned = true;
      return { jump: true, rate: 1 };
    }
    if (excess > JUMP_S) return { jump: true, rate: 1 };
    if (Math.abs(excess) <= DEAD_BAND_S) return { jump: false, rate: 1 };
    return { jump: false, rate: Math.min(FASTEST, Math.max(SLOWEST, 1 + excess * GAIN)) };
  }
}
