/**
 * The ways a picture can come into a tile, behind one interface, and which of them this browser has.
 *
 * A transport is made for one attempt and thrown away after it:
 *
 * @typedef {object} Transport
 * @property {string} kind short name for diagnostics: `hls`, `native-hls`, `snapshot`
 * @property {HTMLElement} element goes into the tile
 * @property {boolean} moving true if it presents video; false if single pictures
 * @property {() => void} start
 * @property {() => void} stop releases decoder and connections; the transport cannot be used again
 * @property {() => void} resync go to the live edge without a new player
 * @property {() => void} keepUp called once a second: jump if far behind, play on if paused
 * @property {() => void} play after a click of the user
 * @property {(muted: boolean) => void} setMuted before `start` or any time after it
 * @property {() => object} [stats] what it knows of `TileStats` (see tile.js)
 * @property {(canvas: HTMLCanvasElement) => boolean} capture draw the picture shown now; false if there is none
 *
 * @typedef {object} TransportEvents
 * @property {(wallMs: number|null) => void} onFrame a frame was presented; when it was taken (server clock), if known
 * @property {() => void} onMedia the stream has moved on since it was last looked at
 * @property {(problem: Problem) => void} onProblem
 *
 * @typedef {{kind: "fatal"|"codec"|"auth"|"blocked", detail: string}} Problem
 * `fatal`: make a new one. `codec`: this browser cannot play the stream. `auth`: the session may have ended.
 * `blocked`: the browser wants a click first.
 */
import { HlsPlayer, NativeHlsPlayer, nativeHlsPlayable } from "./player-hls.js";
import { SnapshotPlayer } from "./player-snapshot.js";
import { refuserFrom } from "./playback.js";

const HLS_LIBRARY = "../vendor/hls.light.min.mjs";

/**
 * Finds out what this browser plays.
 *
 * hls.js comes first wherever Media Source exists: its latency is a fraction of what native players do, and it can be
 * watched. Native HLS is for iPhones before iOS 17.1.
 * @returns {Promise<{capabilities: object, open: (choice: object, events: TransportEvents) => Transport}>}
 */
export async function browserTransports() {
  const { Hls, problem } = await loadHls();
  const native = !Hls && nativeHlsPlayable();
  const MediaSourceClass = window.ManagedMediaSource ?? window.MediaSource;
  const probe = document.createElement("video");
  const supported = Hls ? (type) => MediaSourceClass.isTypeSupported(type) : (type) => probe.canPlayType(type) !== "";
  return {
    capabilities: { video: Boolean(Hls) || native, problem, refuses: refuserFrom(supported) },
    open(choice, events) {
      if (choice.kind === "snapshot") return new SnapshotPlayer(choice.url, events);
      return Hls ? new HlsPlayer(Hls, choice.url, events) : new NativeHlsPlayer(choice.url, events);
    },
  };
}

async function loadHls() {
  try {
    const { default: Hls } = await import(HLS_LIBRARY);
    return Hls.isSupported() ? { Hls, problem: null } : { Hls: null, problem: "problem.no_player" };
  } catch (error) {
    console.warn("hls.js could not be loaded from /static/vendor; run the installation again", error);
    return { Hls: null, problem: "problem.player_missing" };
  }
}
