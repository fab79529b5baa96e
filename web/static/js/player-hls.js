/**
 * LL-HLS in a tile: through hls.js, or through the browser's own player where there is no Media Source (old iPhones).
 *
 * Both are `Transport`s (see transport.js). They play and report; whether the picture is live is not theirs to judge.
 */
import { VideoTransport } from "./player-video.js";

/** Further behind the wanted position than this, playing a little faster takes too long: jump. */
const JUMP_WHEN_BEHIND_S = 3;
/** A jump needs a moment to show; hls.js must not be seeked on every tick. */
const JUMP_PAUSE_MS = 2000;

const RETRY = {
  maxNumRetry: 1000,
  retryDelayMs: 500,
  maxRetryDelayMs: 2000,
  // A gateway that restarts refuses connections (status 0); a stream that does not exist (4xx) will not come by asking.
  shouldRetry: (policy, count, _isTimeout, response, retry) => {
    return retry || (response?.code === 0 && count < policy.maxNumRetry);
  },
};
const LOAD_POLICY = {
  default: {
    maxTimeToFirstByteMs: 20000, // a stream that starts is waited for 18 s, and a blocked reload for three target durations
    maxLoadTimeMs: 30000,
    timeoutRetry: { maxNumRetry: 1000, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: RETRY,
  },
};

const HLS_CONFIG = {
  lowLatencyMode: true,
  maxLiveSyncPlaybackRate: 1.5,
  liveSyncOnStallIncrease: 0.25, // the default adds a second of delay with each stall and never takes it back
  // Keep everything: each trim of the back buffer clears the `loaded` mark of parts being appended (hls.js 1.7.4), and a
  // player of a stream with sound then stands still for 3 s, several times a minute. The watchdog's RENEW_AFTER_MS bounds the memory.
  backBufferLength: Infinity,
  maxBufferLength: 6,
  maxMaxBufferLength: 12,
  maxBufferSize: 8e6,
  enableWorker: false, // fMP4 passes through untouched; 36 workers would only cost memory
  startLevel: 0,
  testBandwidth: false,
  enableInterstitialPlayback: false,
  manifestLoadPolicy: LOAD_POLICY,
  playlistLoadPolicy: LOAD_POLICY,
  fragLoadPolicy: LOAD_POLICY,
};

const CODEC_ERRORS = new Set([
  "manifestIncompatibleCodecsError", "bufferAddCodecError", "bufferIncompatibleCodecsError",
]);

/** True if the browser itself plays HLS. */
export function nativeHlsPlayable() {
  return document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "";
}

export class HlsPlayer extends VideoTransport {
  kind = "hls";
  /** It keeps all it played (see HLS_CONFIG), so it must be renewed from time to time. */
  hoards = true;
  #Hls;
  #hls = null;
  #url;
  #jumpedAt = 0;
  #edge = 0;

  constructor(Hls, url, events) {
    super(events);
    this.#Hls = Hls;
    this.#url = url;
  }

  attach() {
    const { Events } = this.#Hls;
    const hls = new this.#Hls(HLS_CONFIG);
    this.#hls = hls;
    hls.on(Events.ERROR, (_name, data) => this.#onError(data));
    hls.on(Events.LEVEL_UPDATED, (_name, { details }) => {
      if (this.#edge > 0 && details.edge > this.#edge) this.events.onMedia();
      this.#edge = details.edge;
    });
    hls.loadSource(this.#url);
    hls.attachMedia(this.element);
  }

  detach() {
    this.#hls?.destroy();
    this.#hls = null;
  }

  /** After a gap in the timeline hls.js waits for ever for the old position; starting over at the edge frees it. */
  resync() {
    this.#hls?.stopLoad();
    this.#hls?.startLoad(-1);
    this.play();
  }

  catchUp() {
    const details = this.#hls?.latestLevelDetails;
    const wanted = this.#hls?.targetLatency;
    if (!details || typeof wanted !== "number" || this.element.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const now = performance.now();
    if (details.edge - this.element.currentTime <= wanted + JUMP_WHEN_BEHIND_S) return;
    if (now - this.#jumpedAt < JUMP_PAUSE_MS) return;
    this.#jumpedAt = now;
    this.element.currentTime = details.edge - wanted;
  }

  /** When the frame at `mediaTime` was taken, from EXT-X-PROGRAM-DATE-TIME of the segment it lies in. */
  wallTime(mediaTime) {
    const details = this.#hls?.latestLevelDetails;
    if (!details) return null;
    // From the end: the frame on the screen is nearly always in the newest segments.
    const hint = details.fragmentHint;
    if (hint && covers(hint, mediaTime)) return dated(hint, mediaTime);
    for (let index = details.fragments.length - 1; index >= 0; index -= 1) {
      const fragment = details.fragments[index];
      if (covers(fragment, mediaTime)) return dated(fragment, mediaTime);
    }
    return this.#hls.playingDate?.getTime() ?? null;
  }

  #onError(data) {
    if (data.response?.code === 401 || data.response?.code === 403) {
      this.events.onProblem({ kind: "auth", detail: data.details });
    }
    if (!data.fatal) return;
    this.events.onProblem({ kind: CODEC_ERRORS.has(data.details) ? "codec" : "fatal", detail: data.details });
  }
}

export class NativeHlsPlayer extends VideoTransport {
  kind = "native-hls";
  #url;

  constructor(url, events) {
    super(events);
    this.#url = url;
  }

  attach() {
    const video = this.element;
    video.addEventListener("error", () => {
      const { code = 0, message = "" } = video.error ?? {};
      const kind = code === MediaError.MEDIA_ERR_DECODE ? "codec" : "fatal";
      this.events.onProblem({ kind, detail: message || `media error ${code}` });
    });
    video.addEventListener("progress", () => this.events.onMedia());
    video.src = this.#url;
  }

  detach() {}

  resync() {
    this.#toEdge(0);
    this.play();
  }

  catchUp() {
    this.#toEdge(JUMP_WHEN_BEHIND_S);
  }

  wallTime(mediaTime) {
    const start = this.element.getStartDate?.().getTime();
    return Number.isFinite(start) ? start + mediaTime * 1000 : null;
  }

  #toEdge(tolerance) {
    const { seekable, currentTime } = this.element;
    if (!seekable.length) return;
    const edge = seekable.end(seekable.length - 1);
    if (edge - currentTime > tolerance) this.element.currentTime = edge;
  }
}

function covers(fragment, mediaTime) {
  return fragment.programDateTime !== null && fragment.start <= mediaTime + 0.02;
}

function dated(fragment, mediaTime) {
  return fragment.programDateTime + (mediaTime - fragment.start) * 1000;
}
