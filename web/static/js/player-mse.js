/**
 * Live pictures of the wall's WebSocket through Media Source, with sound if wanted; a `Transport` (see transport.js).
 *
 * Every frame comes as a fragment of its own and is appended at once. The player keeps a few tenths of a second behind
 * the newest one, by its rate or, when far behind, by a jump.
 */
import { LivePace } from "./live-pace.js";
import { readConfig, RecordKind } from "./live-messages.js";
import { VideoTransport } from "./player-video.js";
import { ByteRate } from "./frames.js";

/** Played media is kept so long, for the browser's own sake; more only costs memory. */
const KEEP_S = 6;
const TRIM_EVERY_MS = 4000;
/** Looking at the buffer with every frame would cost more than it helps. */
const PACE_EVERY_MS = 100;
/** Appends that wait for the browser; beyond this it does not follow, and the stream is started anew. */
const MAX_QUEUED_BYTES = 24 * 1024 * 1024;
/** Frames within so much of each other are the same one. */
const SAME_FRAME_S = 0.01;

export class MsePlayer extends VideoTransport {
  kind = "ws-mse";
  #socket;
  #plan;
  #subscription = null;
  #source = null;
  #buffer = null;
  #objectUrl = null;
  #mime = "";
  #codec = "";
  #clock = 90000;
  #queue = [];
  #queuedBytes = 0;
  #dates = [];
  #pace = new LivePace();
  #pacedAt = 0;
  #trimmedAt = 0;
  #placed = false;
  #catchUp = 0;
  #lost = false;
  #dropped = 0;
  #rate = new ByteRate();

  /** `plan`: stream (id), format, focused. */
  constructor(socket, plan, events) {
    super(events);
    this.#socket = socket;
    this.#plan = plan;
  }

  attach() {
    const managed = "ManagedMediaSource" in window;
    this.#source = managed ? new window.ManagedMediaSource() : new MediaSource();
    this.#source.addEventListener("sourceopen", () => this.#pump());
    this.#objectUrl = URL.createObjectURL(this.#source);
    this.element.src = this.#objectUrl;
    this.element.addEventListener("error", () => this.#onMediaError());
    this.element.addEventListener("waiting", () => {
      if (!this.element.seeking) this.#pace.stalled(performance.now());
    });
    const { stream, format, focused } = this.#plan;
    this.#subscription = this.#socket.subscribe(stream, format, focused, {
      onSubscribed: (catchUp) => this.#onSubscribed(catchUp),
      onRecord: (record) => this.#onRecord(record),
      onState: (status) => this.events.onState(status),
      onDropped: (frames) => {
        this.#dropped += frames;
      },
      onRefused: ({ code, reason }) => {
        if (code === "unknown-stream") return; // a gateway that has just started; it begins when it knows the stream
        this.events.onProblem({ kind: code === "unplayable" ? "way" : "fatal", detail: reason });
      },
      onLost: () => this.#onLost(),
    });
  }

  detach() {
    this.#subscription?.close();
    this.#subscription = null;
    this.#queue = [];
    this.#buffer = null;
    this.#source = null;
    if (this.#objectUrl) URL.revokeObjectURL(this.#objectUrl);
  }

  resync() {
    this.#subscription?.restart();
    this.#placed = false;
    this.play();
  }

  /** Called once a second; what is urgent happens with every append. */
  catchUp() {
    this.#steer(performance.now());
  }

  stats() {
    const lost = super.stats().dropped ?? 0;
    return {
      ...super.stats(), codec: this.#codec, bitrate: this.#rate.bitsPerSecond(performance.now()), dropped: lost + this.#dropped,
    };
  }

  /** Also the word that a frame was presented. */
  wallTime(mediaTime) {
    this.#pace.started(performance.now());
    const dates = this.#dates;
    for (let index = dates.length - 1; index >= 0; index -= 1) {
      const { at, wallMs } = dates[index];
      if (at <= mediaTime + SAME_FRAME_S) return wallMs + (mediaTime - at) * 1000;
    }
    return null;
  }

  #onSubscribed(catchUp) {
    this.#catchUp = catchUp;
    // After a break the gateway may be another one, whose timeline has nothing to do with what is in the buffer.
    if (this.#lost) this.events.onProblem({ kind: "renew", detail: "the connection was lost" });
  }

  #onLost() {
    this.#lost = true;
    this.events.onLost();
    if (this.#socket.hopeless) this.events.onProblem({ kind: "way", detail: "no WebSocket gets through" });
  }

  #onRecord({ kind, audio, pts, wallMs, payload }) {
    if (this.#lost || !this.#source) return;
    this.#rate.add(payload.byteLength, performance.now());
    if (kind === RecordKind.CONFIG) {
      this.#configure(readConfig(payload));
      return;
    }
    if (!audio) {
      if (this.#catchUp > 0) this.#catchUp -= 1;
      else this.events.onMedia();
      const at = pts / this.#clock;
      if (this.#dates.length && at < this.#dates.at(-1).at - KEEP_S) this.#dates = [];
      this.#dates.push({ at, wallMs });
      while (this.#dates.length > 1 && at - this.#dates[0].at > KEEP_S * 2) this.#dates.shift();
      this.#dates.sort((one, other) => one.at - other.at); // B-frames come out of order; nearly sorted is cheap to sort
    }
    this.#append(payload);
  }

  #configure({ mime, video, blob }) {
    this.#clock = video.clock;
    this.#codec = video.codec;
    if (mime !== this.#mime) {
      this.#queue.push({ mime });
      this.#mime = mime;
    }
    this.#append(blob);
  }

  #append(data) {
    this.#queue.push({ data });
    this.#queuedBytes += data.byteLength;
    if (this.#queuedBytes > MAX_QUEUED_BYTES) {
      this.events.onProblem({ kind: "fatal", detail: "the browser takes no more media" });
      return;
    }
    this.#pump();
  }

  #pump() {
    if (this.#source?.readyState !== "open" || this.#buffer?.updating || !this.#queue.length) return;
    try {
      if (this.#queue[0].mime) this.#changeType(this.#queue.shift().mime);
      const parts = [];
      let size = 0;
      while (this.#queue.length && this.#queue[0].data) {
        const { data } = this.#queue.shift();
        parts.push(data);
        size += data.byteLength;
      }
      this.#queuedBytes -= size;
      if (size) this.#buffer.appendBuffer(parts.length === 1 ? parts[0] : joined(parts, size));
    } catch (error) {
      this.#onAppendError(error);
    }
  }

  #changeType(mime) {
    if (this.#buffer) {
      this.#buffer.changeType(mime);
      return;
    }
    this.#buffer = this.#source.addSourceBuffer(mime);
    this.#buffer.addEventListener("updateend", () => this.#onAppended());
  }

  #onAppended() {
    if (!this.#buffer) return;
    const now = performance.now();
    if (now - this.#pacedAt >= PACE_EVERY_MS || !this.#placed) this.#steer(now);
    if (now - this.#trimmedAt >= TRIM_EVERY_MS) this.#trim(now, KEEP_S);
    this.#pump();
  }

  #steer(now) {
    const { element } = this;
    const ranges = element.buffered;
    if (!this.#buffer || !ranges.length) return;
    this.#pacedAt = now;
    const start = ranges.start(ranges.length - 1);
    const end = ranges.end(ranges.length - 1);
    const near = Math.max(start, end - this.#pace.target);
    if (!this.#placed) {
      if (this.#catchUp > 1) return; // the past still comes in: one jump to its end is enough
      this.#placed = true;
      element.currentTime = near;
      return;
    }
    // A lost stretch leaves a hole that nothing fills; the player would wait before it for ever.
    const inHole = element.currentTime < start && !covers(ranges, element.currentTime);
    const { jump, rate } = this.#pace.advise(end - element.currentTime, now);
    if (jump || inHole) {
      if (!element.seeking) element.currentTime = near;
    }
    if (element.playbackRate !== rate) element.playbackRate = rate;
  }

  #trim(now, keep) {
    this.#trimmedAt = now;
    const ranges = this.#buffer.buffered;
    const before = this.element.currentTime - keep;
    if (ranges.length && ranges.start(0) < before && !this.#buffer.updating) this.#buffer.remove(0, before);
  }

  #onAppendError(error) {
    if (error.name === "QuotaExceededError") {
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#mime = "";
      this.#trim(performance.now(), 1);
      this.resync();
    } else if (error.name === "NotSupportedError") {
      this.events.onProblem({ kind: "codec", detail: error.message });
    } else {
      this.events.onProblem({ kind: "fatal", detail: error.message });
    }
  }

  #onMediaError() {
    const { code = 0, message = "" } = this.element.error ?? {};
    if (!this.#source) return; // of its own `detach`
    this.events.onProblem({ kind: "broken", detail: message || `media error ${code}` });
  }
}

function covers(ranges, time) {
  for (let index = 0; index < ranges.length; index += 1) {
    if (time >= ranges.start(index) && time < ranges.end(index)) return true;
  }
  return false;
}

function joined(parts, size) {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
