/**
 * Live pictures of the wall's WebSocket through WebCodecs onto a canvas, without sound; a `Transport` (see transport.js).
 *
 * Decoding and drawing happen in one worker for the whole page; this side subscribes and passes the bytes on.
 */
import { ByteRate, drawStill } from "./frames.js";
import { readConfig, RecordKind } from "./live-messages.js";

const WORKER = new URL("./decode-worker.js", import.meta.url);

/** The page's worker and who listens to it. */
export class DecodeWorker {
  #worker = null;
  #listeners = new Map();
  #ids = 0;

  /** Shows on `canvas` what is sent to the returned id. `listener`: onPresented, onDropped, onFailed. */
  open(canvas, listener) {
    this.#worker ??= this.#start();
    this.#ids += 1;
    const id = this.#ids;
    this.#listeners.set(id, listener);
    const offscreen = canvas.transferControlToOffscreen();
    this.#worker.postMessage({ type: "open", id, canvas: offscreen }, [offscreen]);
    return id;
  }

  post(message, transfer = []) {
    this.#worker?.postMessage(message, transfer);
  }

  close(id) {
    this.#listeners.delete(id);
    this.post({ type: "close", id });
  }

  #start() {
    const worker = new Worker(WORKER, { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      if (data.type === "presented") for (const shown of data.shown) this.#listeners.get(shown.id)?.onPresented(shown);
      else if (data.type === "dropped") this.#listeners.get(data.id)?.onDropped(data.pictures);
      else if (data.type === "failed") this.#listeners.get(data.id)?.onFailed(data.detail);
    });
    worker.addEventListener("error", (event) => {
      // The worker's script was not loaded (a gateway in the middle of its restart), or has a defect. It is of no use any
      // more; the next tile that wants one starts a new one.
      event.preventDefault();
      if (worker !== this.#worker) return;
      worker.terminate();
      this.#worker = null;
      const listeners = [...this.#listeners.values()];
      this.#listeners.clear();
      for (const listener of listeners) listener.onFailed(event.message ?? "the decoder's worker failed");
    });
    return worker;
  }
}

export class CanvasPlayer {
  kind = "ws-webcodecs";
  moving = true;
  #socket;
  #worker;
  #plan;
  #events;
  #id = null;
  #subscription = null;
  #clock = 90000;
  #codec = "";
  #size = null;
  #past = 0;
  #waiting = true;
  #dropped = 0;
  #rate = new ByteRate();

  /** `plan`: stream (id), format, focused. */
  constructor(socket, worker, plan, events) {
    this.#socket = socket;
    this.#worker = worker;
    this.#plan = plan;
    this.#events = events;
    this.element = document.createElement("canvas");
    this.element.setAttribute("aria-hidden", "true");
  }

  start() {
    this.#id = this.#worker.open(this.element, {
      onPresented: ({ wallMs, width, height }) => {
        this.#size = { width, height };
        this.#events.onFrame(wallMs);
      },
      onDropped: (pictures) => {
        this.#dropped += pictures;
      },
      onFailed: (detail) => this.#events.onProblem({ kind: "way", detail }),
    });
    const { stream, format, focused } = this.#plan;
    this.#subscription = this.#socket.subscribe(stream, format, focused, {
      onSubscribed: (catchUp) => {
        this.#past = catchUp;
        this.#waiting = true;
      },
      onRecord: (record, buffer, alone) => this.#onRecord(record, buffer, alone),
      onState: (status) => this.#events.onState(status),
      onDropped: (frames) => {
        this.#dropped += frames;
      },
      onRefused: ({ code, reason }) => {
        if (code === "unknown-stream") return; // a gateway that has just started; it begins when it knows the stream
        this.#events.onProblem({ kind: code === "unplayable" ? "way" : "fatal", detail: reason });
      },
      onLost: () => {
        this.#events.onLost();
        if (this.#socket.hopeless) this.#events.onProblem({ kind: "way", detail: "no WebSocket gets through" });
      },
    });
  }

  stop() {
    this.#subscription?.close();
    this.#subscription = null;
    if (this.#id !== null) this.#worker.close(this.#id);
    this.#id = null;
    this.element.remove();
  }

  resync() {
    this.#subscription?.restart();
  }

  keepUp() {}

  play() {}

  setMuted() {}

  capture(canvas) {
    return this.#size !== null && drawStill(this.element, this.#size.width, this.#size.height, canvas);
  }

  stats() {
    return {
      ...this.#size, codec: this.#codec, dropped: this.#dropped, bitrate: this.#rate.bitsPerSecond(performance.now()),
    };
  }

  #onRecord(record, buffer, alone) {
    const { kind, keyframe, pts, wallMs, payload } = record;
    this.#rate.add(payload.byteLength, performance.now());
    if (kind === RecordKind.CONFIG) {
      const { video, blob } = readConfig(payload);
      this.#clock = video.clock;
      this.#codec = video.codec;
      this.#waiting = true;
      const config = { codec: video.codec, description: blob.slice() };
      this.#worker.post({ type: "config", id: this.#id, config }, [config.description.buffer]);
      return;
    }
    if (this.#waiting && !keyframe) return;
    this.#waiting = false;
    // The last picture of the past is the newest there is: it is shown, the others only lead to it.
    const past = this.#past > 1;
    if (this.#past > 0) this.#past -= 1;
    else this.#events.onMedia();
    const data = alone ? payload : payload.slice();
    const picture = {
      key: keyframe, past, ptsMs: (pts * 1000) / this.#clock, wallMs, receivedAt: Date.now(),
      buffer: data.buffer, offset: data.byteOffset, length: data.byteLength,
    };
    this.#worker.post({ type: "frame", id: this.#id, picture }, [data.buffer]);
  }
}
