/**
 * What a tile has really shown: how many pictures, when the last one came, and when it was taken. Pure.
 *
 * This is all a tile's honesty rests on. Pictures that were shown before prove nothing and must not turn the clock back; after
 * an interruption only a picture that was taken later counts. Times `now` are of the page's monotonic clock, `server` of the
 * gateway's, both milliseconds.
 */
import { FrameRate } from "./frames.js";

/** A frame dated further in the future than this has a wrong date (clock estimate, a publisher's clock). */
const FUTURE_MS = 2000;
/** A new player on a stopped stream shows its last seconds again. Further back it is a clock that was set. */
const REPLAY_MS = 30000;
/** Two players date the same frame so much differently. */
const DATE_SLACK_MS = 300;

export class Presented {
  #rate = new FrameRate();
  #frameAt = null;
  #seenUntil = null;
  #lost = null;

  /** Pictures so far. */
  frames = 0;
  /** When the newest one was taken, by the gateway's clock; when it came, if it has no date. Null before the first. */
  wallMs = null;
  /** Whether `wallMs` is the picture's own date. */
  dated = false;

  /** There was a picture since `forget`. */
  get any() {
    return this.#frameAt !== null;
  }

  /** A moving picture was presented; `wallMs` is its date, null if it has none. */
  moving(wallMs, now, server) {
    this.#add(wallMs, now);
    this.dated = wallMs !== null && wallMs - server < FUTURE_MS;
    this.wallMs = this.dated ? wallMs : server;
  }

  /** A still picture was shown; `takenMs` is when it was taken, null if unknown. */
  still(takenMs, now, server) {
    this.#add(null, now);
    this.dated = false;
    this.wallMs = takenMs ?? server;
  }

  /** However soon there is another picture: the last one is then from before the break. */
  forget() {
    this.#frameAt = null;
    this.#lost = null;
  }

  /** The connection to the gateway broke: what was taken before that is no news any more. */
  lose(now, server) {
    if (this.#frameAt !== null) this.#lost ??= { at: now, wall: server };
  }

  /** Before playback jumps: whatever has been shown so far will not be news when it comes again. */
  markSeen() {
    this.#seenUntil = this.dated ? this.wallMs + DATE_SLACK_MS : null;
  }

  /** A player that goes on beside the last one repeats nothing. */
  expectNew() {
    this.#seenUntil = null;
  }

  /** True for a picture that has been on the tile before: it proves nothing. */
  isReplay(wallMs) {
    if (this.#seenUntil === null || wallMs === null) return false;
    const ahead = this.#seenUntil - wallMs;
    return ahead >= 0 && ahead < REPLAY_MS;
  }

  /** Since the last picture; null if there was none. */
  quietMs(now) {
    return this.#frameAt === null ? null : now - this.#frameAt;
  }

  /** Since the connection broke; null when a picture has come that is newer than that. */
  lostMs(now) {
    return this.#lost ? now - this.#lost.at : null;
  }

  /** How long ago the last picture was taken; null if unknown. */
  ageMs(server) {
    return this.dated ? server - this.wallMs : null;
  }

  /** How old the last picture was when it was presented; null if unknown. */
  latencyMs(now, server) {
    if (!this.dated || this.#frameAt === null) return null;
    return server - this.wallMs - (now - this.#frameAt);
  }

  /** Pictures per second, over the last seconds. */
  perSecond(now) {
    return this.#rate.perSecond(now);
  }

  #add(wallMs, now) {
    this.frames += 1;
    this.#rate.add(now);
    this.#frameAt = now;
    if (this.#lost && (wallMs === null || wallMs >= this.#lost.wall)) this.#lost = null;
  }
}
