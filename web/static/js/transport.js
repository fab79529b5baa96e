/**
 * The ways a picture can come into a tile, behind one interface, and which of them this browser has.
 *
 * A transport is made for one attempt and thrown away after it:
 *
 * @typedef {object} Transport
 * @property {string} kind short name for diagnostics: `ws-webcodecs`, `ws-mse`, `hls`, `native-hls`, `snapshot`
 * @property {HTMLElement} element goes into the tile
 * @property {boolean} moving true if it presents video; false if single pictures
 * @property {boolean} [hoards] it keeps what it played and must be renewed from time to time
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
 * @property {(status: object) => void} onState the gateway told the state of a stream, with the fields of the API
 * @property {() => void} onLost the connection to the gateway broke; the transport makes it anew by itself
 * @property {(problem: Problem) => void} onProblem
 *
 * @typedef {{kind: "fatal"|"broken"|"renew"|"way"|"codec"|"auth"|"blocked", detail: string}} Problem
 * `fatal`: make a new one. `broken`: the same, and if it happens again, go another way. `renew`: make a new one at once,
 * nothing is wrong with this one. `way`: this way is closed, take another. `codec`: this browser cannot play the stream.
 * `auth`: the session may have ended. `blocked`: the browser wants a click first.
 */
import { plans, videoCodec, Way } from "./ladder.js";
import { LiveSocket } from "./live-socket.js";
import { refuserFrom } from "./playback.js";
import { HlsPlayer, NativeHlsPlayer, nativeHlsPlayable } from "./player-hls.js";
import { MsePlayer } from "./player-mse.js";
import { SnapshotPlayer } from "./player-snapshot.js";
import { CanvasPlayer, DecodeWorker } from "./player-ws-webcodecs.js";

const HLS_LIBRARY = "../vendor/hls.light.min.mjs";
const LIVE_PATH = "/live";
/** `?transport=hls` in the wall's address allows only that way: to compare them, and to find out where a fault lies. */
const ONLY_PARAMETER = "transport";

/**
 * Finds out what this browser plays. `clock` is the page's `ServerClock`: the live connection keeps it right. `address`
 * turns every path that is fetched into the address to fetch.
 *
 * hls.js comes before native HLS wherever Media Source exists: its latency is a fraction of what native players do, and
 * it can be watched. Native HLS is for iPhones before iOS 17.1.
 * @returns {Promise<Transports>}
 */
export async function browserTransports(clock, address = (path) => path) {
  const { Hls, problem } = await loadHls();
  const socket = liveSocket(clock, address(LIVE_PATH));
  const check = () => {
    if (!document.hidden) socket?.check();
  };
  document.addEventListener("visibilitychange", check);
  window.addEventListener("online", check);
  return new Transports({ Hls, problem, native: !Hls && nativeHlsPlayable(), socket, address });
}

export class Transports {
  #Hls;
  #native;
  #socket;
  #address;
  #worker = new DecodeWorker();
  #mediaTypes = new Map();
  #decodable = new Map();
  #webcodecs = typeof VideoDecoder === "function" && typeof OffscreenCanvas === "function" && typeof Worker === "function";

  constructor({ Hls, problem, native, socket, address }) {
    this.#Hls = Hls;
    this.#native = native;
    this.#socket = socket;
    this.#address = address;
    const mse = this.#mseClass !== undefined;
    this.capabilities = {
      video: Boolean(Hls) || native || Boolean(socket && (mse || this.#webcodecs)),
      problem,
      refuses: (codecs) => (this.plans({ codecs }, false).length ? null : this.#guilty(codecs)),
    };
  }

  /** The live connection, null where there is none. */
  get socket() {
    return this.#socket;
  }

  /** The plans for a stream of the API, best first; see ladder.js. */
  plans({ codecs }, sound) {
    const video = videoCodec(codecs);
    const found = plans({
      socket: this.#socket !== null && !this.#socket.hopeless,
      webcodecs: this.#webcodecs && this.#decodes(video),
      mseVideo: this.#mseTakes(video),
      mseBoth: this.#mseTakes(codecs),
      hls: Boolean(this.#Hls),
      native: this.#native && this.#nativeTakes(codecs),
    }, sound);
    const only = new URLSearchParams(window.location.search).get(ONLY_PARAMETER);
    return only === null ? found : found.filter(({ way }) => way === only);
  }

  /** Makes the transport for a choice (playback.js) by a plan; for snapshots there is no plan. */
  open(choice, plan, focused, events) {
    if (choice.kind === "snapshot") return new SnapshotPlayer(this.#address(choice.url), events);
    const wanted = { stream: choice.stream.id, format: plan.format, focused };
    switch (plan.way) {
      case Way.WEBCODECS:
        return new CanvasPlayer(this.#socket, this.#worker, wanted, events);
      case Way.MSE:
        return new MsePlayer(this.#socket, wanted, events);
      case Way.HLS:
        return new HlsPlayer(this.#Hls, this.#address(choice.url), events);
      default:
        return new NativeHlsPlayer(this.#address(choice.url), events);
    }
  }

  get #mseClass() {
    return window.ManagedMediaSource ?? window.MediaSource;
  }

  /** Before the first picture nothing is known of the codecs (an empty string): only trying will tell. */
  #mseTakes(codecs) {
    if (!this.#mseClass) return false;
    if (codecs === "") return true;
    if (!this.#mediaTypes.has(codecs)) {
      this.#mediaTypes.set(codecs, this.#mseClass.isTypeSupported(`video/mp4; codecs="${codecs}"`));
    }
    return this.#mediaTypes.get(codecs);
  }

  #nativeTakes(codecs) {
    return codecs === "" || document.createElement("video").canPlayType(`video/mp4; codecs="${codecs}"`) !== "";
  }

  #guilty(codecs) {
    return refuserFrom((type) => Boolean(this.#mseClass?.isTypeSupported(type)))(codecs) ?? codecs;
  }

  /** The answer comes later, and tiles ask again with every report of the server. Until then Media Source's word is taken, which is nearly always the same. */
  #decodes(codec) {
    if (codec === "") return true;
    const known = this.#decodable.get(codec);
    if (known !== undefined) return known;
    const guess = this.#mseTakes(codec);
    this.#decodable.set(codec, guess);
    VideoDecoder.isConfigSupported({ codec }).catch(() => ({ supported: false })).then(({ supported }) => {
      this.#decodable.set(codec, supported);
    });
    return guess;
  }
}

function liveSocket(clock, address) {
  if (typeof WebSocket !== "function") return null;
  const url = new URL(address, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new LiveSocket({ url: url.href, clock });
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
