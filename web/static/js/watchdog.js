/**
 * Decides when a tile's playback has to be helped, from presented frames alone.
 *
 * Player events promise much: after an outage a player keeps loading playlists happily and never shows a picture
 * again. Only a frame on the screen counts. Pure logic: the tile calls it with the time in milliseconds (monotonic)
 * and carries out what `tick` answers.
 */

/** No frame for this long: reload from the live edge. It resumes within 0.1 s if the server is there. */
const RESYNC_AFTER_MS = 3000;
/** No frame for this long: throw the player away and make a new one. */
const REBUILD_AFTER_MS = 6000;
/** The first picture of all may wait for a camera to be opened and for its next keyframe (some send one in 10 s). */
const FIRST_PICTURE_MS = 10000;
/** Media arrives or the camera is back, yet nothing was shown for this long: playback hangs at the gap. */
const RETURNED_QUIET_MS = 1500;
/** So long a helped player may take before the next help. */
const HELP_GRACE_MS = 2000;
/** New media must have been there this long unshown, or an ordinary decode delay would count as a hang. */
const UNSHOWN_MEDIA_MS = 500;
/** A new player first has to load something; a slow link needs its time for that. */
const UNSHOWN_AT_START_MS = 3000;
/** A player that failed at once is not remade at once. */
const FAILED_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30000;
/** Frames for this long prove that playback works, and the back-off starts over. */
const PROVEN_AFTER_MS = 10000;
/** A healthy player that keeps all it played (see player-hls.js) is renewed this often: 30 MB of a usual sub stream. */
const RENEW_AFTER_MS = 480000;
/** All tiles of a wall lose the gateway in the same instant; they must not come back in the same instant. */
const JITTER = 0.25;
const RETURN_SPREAD_MS = 400;

export const Help = Object.freeze({ RESYNC: "resync", REBUILD: "rebuild" });

export class Watchdog {
  #random;
  #gap = 0;
  #everShown = false;
  #failures = 0;
  #attemptAt = 0;
  #frameAt = null;
  #flowingSince = null;
  #mediaAt = null;
  #helpedAt = null;
  #returnedAt = null;
  #remakeAt = null;
  #renewAt = Infinity;
  #patience = FIRST_PICTURE_MS;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** How often `tick` has asked for a new player since the last proof that playback works. */
  get failures() {
    return this.#failures;
  }

  /** Longest pause between two frames that is normal for this camera; stretches every limit for slow cameras. */
  set normalGap(milliseconds) {
    this.#gap = milliseconds;
  }

  /** A player was made at `now`; if it `hoards`, it is replaced after a while even when all is well. */
  begin(now, hoards = false) {
    this.#attemptAt = now;
    this.#frameAt = null;
    this.#flowingSince = null;
    this.#mediaAt = null;
    this.#helpedAt = null;
    this.#returnedAt = null;
    this.#remakeAt = null;
    this.#renewAt = hoards ? now + RENEW_AFTER_MS * (1 + JITTER * (this.#random() * 2 - 1)) : Infinity;
    const base = this.#everShown ? REBUILD_AFTER_MS : FIRST_PICTURE_MS;
    this.#patience = this.#backedOff(base);
  }

  /** A frame was presented. */
  frame(now) {
    this.#everShown = true;
    if (this.#frameAt === null || now - this.#frameAt > RETURNED_QUIET_MS + this.#gap) this.#flowingSince = now;
    this.#frameAt = now;
    this.#mediaAt = null;
    this.#helpedAt = null;
    this.#returnedAt = null;
    this.#remakeAt = null;
    this.#patience = REBUILD_AFTER_MS;
    if (now - this.#flowingSince >= PROVEN_AFTER_MS) this.#failures = 0;
  }

  /** The stream has moved on: newer media than before is there to be loaded, shown or not. */
  media(now) {
    this.#mediaAt ??= now;
  }

  /** The player gave up by itself. */
  failed(now) {
    this.#remakeAt ??= now + this.#backedOff(FAILED_DELAY_MS);
  }

  /** The server says that the camera's picture is back, or the server itself is. */
  returned(now) {
    this.#returnedAt = now + this.#random() * RETURN_SPREAD_MS;
    this.#failures = 0;
    if (this.#remakeAt !== null) this.#remakeAt = Math.min(this.#remakeAt, this.#returnedAt);
  }

  /**
   * What to do now: nothing (null), `Help.RESYNC`, or `Help.REBUILD`.
   *
   * `expected` is false while the server says that there is no picture to be had: then only a rare attempt is made,
   * in case the server's word no longer reaches us.
   */
  tick(now, expected = true) {
    const quiet = now - (this.#frameAt ?? this.#attemptAt);
    if (expected && now >= this.#renewAt) return Help.REBUILD;
    if (this.#remakeAt !== null) return now >= this.#remakeAt ? this.#rebuild() : null;
    if (!expected) return quiet >= LONGEST_DELAY_MS ? this.#rebuild() : null;
    if (quiet >= this.#patience + this.#gap) return this.#rebuild();
    const rested = this.#helpedAt === null || now - this.#helpedAt >= HELP_GRACE_MS;
    if (!rested) return null;
    if (this.#returnedAt !== null && now >= this.#returnedAt && quiet >= RETURNED_QUIET_MS + this.#gap) {
      // Once for the gap in the timeline; if that did not do, the player is not worth keeping.
      return this.#helpedAt === null ? this.#resync(now) : this.#rebuild();
    }
    if (this.#hangsAtGap(now) && quiet >= RETURNED_QUIET_MS + this.#gap) return this.#resync(now);
    if (this.#frameAt === null) return null;
    if (quiet >= RESYNC_AFTER_MS + this.#gap && this.#helpedAt === null) return this.#resync(now);
    return null;
  }

  /** Once for each return of media: on a slow link more help would only abort what is being loaded. */
  #hangsAtGap(now) {
    if (this.#mediaAt === null || !this.#everShown) return false;
    if (this.#helpedAt !== null && this.#helpedAt >= this.#mediaAt) return false;
    return now - this.#mediaAt >= (this.#frameAt === null ? UNSHOWN_AT_START_MS : UNSHOWN_MEDIA_MS);
  }

  #resync(now) {
    this.#helpedAt = now;
    return Help.RESYNC;
  }

  #rebuild() {
    this.#failures += 1;
    return Help.REBUILD;
  }

  #backedOff(base) {
    const delay = Math.min(LONGEST_DELAY_MS, base * 2 ** this.#failures);
    return delay * (1 + JITTER * (this.#random() * 2 - 1));
  }
}
