/**
 * What a tile may claim. Joins the server's word on a camera with what this browser has really shown.
 *
 * A presented frame is the only proof of a live picture; without one the tile says so, whatever the server reports.
 * Pure: the tile collects the facts several times a second and shows the verdict.
 */

export const TileState = Object.freeze({
  CONNECTING: "connecting",
  LIVE: "live",
  LATE: "late",
  STALLED: "stalled",
  OFFLINE: "offline",
  DISABLED: "disabled",
  UNPLAYABLE: "unplayable",
  PAUSED: "paused",
});

/** Without a new frame for this long a picture is no longer called live. */
export const FRESH_MS = 2000;
/** A connection that is back so soon was never missed. */
export const LOST_GRACE_MS = 500;
/** Still pictures come every few seconds; one that has not been renewed for so long must look old. */
export const OLD_STILL_MS = 20000;
/** From here on the interruption is not a hiccup. */
export const STALLED_AFTER_MS = 6000;
/** Frames keep coming, but show what was so long ago: late. Plain HLS at two-second segments stays below it. */
export const OLD_PICTURE_MS = 6000;
/** The live connection is never so far behind, unless something is wrong. */
export const OLD_LIVE_PICTURE_MS = 2000;
/** A late picture must have caught up by so much before it is called live again, or the tile would flicker. */
const CAUGHT_UP_SHARE = 0.8;
/** Opening a camera and waiting for its next keyframe may take this long before it is worth a complaint. */
export const START_GRACE_MS = 10000;
/** Cameras below one frame per second exist; two and a half frame intervals are no interruption. */
const FRAME_INTERVALS = 2.5;
const SERVER_TROUBLE = new Set([TileState.OFFLINE, TileState.STALLED, TileState.LATE]);

/** Longest pause between two frames that is normal at `fps`, in milliseconds beyond `FRESH_MS`. */
export function normalGap(fps) {
  return fps > 0 ? Math.max(0, (FRAME_INTERVALS * 1000) / fps - FRESH_MS) : 0;
}

/** True while the server has pictures of the camera, so that their absence here is this browser's own trouble. */
export function pictureExpected(camera) {
  return camera.state === TileState.LIVE || camera.state === TileState.LATE;
}

/**
 * @typedef {object} Facts
 * @property {object} camera the camera as the API describes it
 * @property {object|null} stream the stream being played, as the API describes it
 * @property {boolean} linkUp the gateway answers
 * @property {number|null} lostMs since the live connection broke; null when a picture has come that is newer than that
 * @property {number|null} quietMs since the last presented frame; null if there never was one
 * @property {number|null} takenAt Unix seconds at which the last presented frame was taken; null if unknown
 * @property {number} waitedMs since playback was last begun (page load, return to the tab, other stream)
 * @property {number|null} ageMs how long ago the last presented frame was taken; null if unknown
 * @property {number} oldMs from which age on a picture of this transport is late
 * @property {number} gapMs `normalGap` of the stream
 * @property {boolean} wasBehind the last verdict was a moving picture that is late
 * @property {{key: string, params: object}|null} unplayable why video cannot be played in this browser
 * @property {boolean} blocked the browser wants a click before it plays
 *
 * @typedef {object} Verdict
 * @property {string} state a `TileState`
 * @property {boolean} frozen the picture on the tile stands still and must look so
 * @property {boolean} behind the picture moves, but is late
 * @property {{key?: string, params?: object, text?: string, code?: string}|null} reason
 * @property {number|null} since Unix seconds, only with the server's states
 * @property {number|null} nextRetry Unix seconds
 */

/** The verdict on one tile. @param {Facts} facts @returns {Verdict} */
export function judge(facts) {
  const { camera, quietMs, ageMs, gapMs } = facts;
  if (camera.state === TileState.DISABLED) return byServer(camera);
  const trouble = SERVER_TROUBLE.has(camera.state) && facts.linkUp;
  if (facts.unplayable) {
    if (trouble) return byServer(camera);
    const old = quietMs === null || quietMs > OLD_STILL_MS;
    return facts.linkUp ? verdict(TileState.UNPLAYABLE, facts.unplayable, old) : gatewayLost();
  }
  const fresh = quietMs !== null && quietMs <= FRESH_MS + gapMs;
  // What was taken before the camera went away proves nothing, however late it is shown.
  if (facts.lostMs !== null && facts.lostMs > LOST_GRACE_MS) return gatewayLost();
  if (trouble && fresh && facts.takenAt !== null && facts.takenAt < camera.since) return byServer(camera);
  if (fresh && ageMs !== null && ageMs > facts.oldMs * (facts.wasBehind ? CAUGHT_UP_SHARE : 1) + gapMs) {
    const reason = { key: "reason.behind", params: { seconds: Math.round(ageMs / 1000) } };
    return { ...verdict(TileState.LATE, reason, false), behind: true };
  }
  if (fresh) return verdict(TileState.LIVE, null, false);
  if (trouble) return byServer(camera);
  if (!facts.linkUp) return gatewayLost();
  if (facts.blocked) return verdict(TileState.CONNECTING, { key: "reason.click_to_play" });
  if (camera.state === TileState.CONNECTING) return byServer(camera);
  return withoutFrames(facts);
}

/** The server calls the camera live, but this browser shows nothing new. */
function withoutFrames({ stream, quietMs, waitedMs, gapMs }) {
  const shownThisTime = quietMs !== null && quietMs <= waitedMs;
  if (!shownThisTime && waitedMs < START_GRACE_MS + gapMs) {
    const starting = stream?.on_demand && stream.state !== TileState.LIVE;
    return verdict(TileState.CONNECTING, starting ? { key: "reason.starting_sub" } : null);
  }
  if (stream && SERVER_TROUBLE.has(stream.state) && stream.reason) {
    return verdict(stream.state, { text: stream.reason, code: stream.code });
  }
  if (!shownThisTime) return verdict(TileState.STALLED, { key: "reason.no_picture_here" });
  const state = quietMs < STALLED_AFTER_MS + gapMs ? TileState.LATE : TileState.STALLED;
  return verdict(state, { key: "reason.no_frames_here" });
}

function byServer(camera) {
  return {
    state: camera.state,
    frozen: true,
    behind: false,
    reason: camera.reason ? { text: camera.reason, code: camera.code } : null,
    since: camera.since ?? null,
    nextRetry: camera.next_retry ?? null,
  };
}

function gatewayLost() {
  return verdict(TileState.STALLED, { key: "reason.gateway_lost" });
}

function verdict(state, reason = null, frozen = true) {
  return { state, frozen, behind: false, reason, since: null, nextRetry: null };
}
