/**
 * Decodes one tile's pictures with WebCodecs and draws them onto a canvas at their time. Runs in `decode-worker.js`.
 *
 * Pictures marked as past are decoded and not drawn, but for the last of them, which is the newest there is. Whatever
 * goes wrong is mended at the next keyframe; a decoder that fails again and again is reported.
 */
import { JitterBuffer } from "./jitter.js";

/** So many pictures before a running decoder mean that it cannot follow: go on with the next keyframe. */
const MAX_QUEUE = 40;
/** A decoder that starts is given the past of its stream all at once, 20 s of it at most. */
const MAX_START_QUEUE = 1200;
/** A picture that has waited this long in the page is past: so a busy machine shows fewer pictures, and no old ones. */
const MAX_WAIT_MS = 600;
/** Some decoders hold a few pictures back by their nature; only a longer queue says that they are too slow. */
const NATURAL_QUEUE = 8;
/** A decoder that fails so often without showing a good run in between is none. */
const MAX_FAILURES = 3;
const GOOD_RUN = 100;
/** Below this a timer would come later than the picture should. */
const TIMER_FLOOR_MS = 3;
/** A picture that has not come out of a running decoder for so long never will: it was damaged. */
const FORGET_MS = 30000;
const PREFERENCES = ["prefer-hardware", "no-preference", "prefer-software"];

export class TileDecoder {
  #canvas;
  #context;
  #events;
  #Decoder;
  #Chunk;
  #now;
  #date;
  #decoder = null;
  #config = null;
  #preference = 0;
  #waitForKey = true;
  #started = false;
  #inFlight = new Map();
  #pending = [];
  #timer = null;
  #jitter = new JitterBuffer();
  #failures = 0;
  #run = 0;
  #settingUp = null;
  #closed = false;

  /**
   * `events`: `presented({wallMs, width, height})`, `dropped(pictures)`, `failed(detail)` when this decoder cannot play
   * the stream.
   */
  constructor(canvas, events, { Decoder = VideoDecoder, Chunk = EncodedVideoChunk, now = () => performance.now(), date = Date.now } = {}) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false, desynchronized: true });
    this.#events = events;
    this.#Decoder = Decoder;
    this.#Chunk = Chunk;
    this.#now = now;
    this.#date = date;
  }

  /** How much later than at the earliest possible time pictures are shown, milliseconds. */
  get delay() {
    return this.#jitter.delay;
  }

  /** `config`: codec, description (bytes). Whatever is decoded next begins with a keyframe. */
  configure(config) {
    this.#config = config;
    this.#preference = 0;
    this.#failures = 0;
    this.#reset();
    this.#settingUp = this.#setUp();
  }

  /**
   * `picture`: key, past, ptsMs, wallMs, data (bytes), receivedAt (`Date.now()` of the page). Of those that come while the decoder is being set up none is
   * lost.
   */
  async decode(picture) {
    if (this.#settingUp) {
      await this.#settingUp;
    }
    this.#decodeNow(picture);
  }

  close() {
    this.#closed = true;
    this.#reset();
    this.#release();
  }

  #decodeNow({ key, past, ptsMs, wallMs, data, receivedAt }) {
    if (this.#closed || this.#decoder?.state !== "configured") return;
    if (this.#waitForKey && !key) {
      if (!past) this.#events.dropped(1);
      return;
    }
    if (this.#isOverrun() || (this.#started && !past && this.#date() - receivedAt > MAX_WAIT_MS)) {
      this.#waitForKey = true;
      this.#events.dropped(1);
      return;
    }
    this.#waitForKey = false;
    const timestamp = Math.round(ptsMs * 1000);
    this.#inFlight.set(timestamp, { past, wallMs, at: this.#now() });
    try {
      this.#decoder.decode(new this.#Chunk({ type: key ? "key" : "delta", timestamp, data }));
    } catch (error) {
      this.#onError(error);
    }
  }

  #isOverrun() {
    const queued = this.#decoder.decodeQueueSize;
    if (!this.#started) return queued > MAX_START_QUEUE;
    const [oldest] = this.#inFlight.values();
    const waited = oldest ? this.#now() - oldest.at : 0;
    return queued > MAX_QUEUE || (queued > NATURAL_QUEUE && waited > MAX_WAIT_MS);
  }

  async #setUp() {
    const config = this.#config;
    for (; this.#preference < PREFERENCES.length; this.#preference += 1) {
      const wanted = {
        codec: config.codec, description: config.description, optimizeForLatency: true,
        hardwareAcceleration: PREFERENCES[this.#preference],
      };
      let supported = false;
      try {
        ({ supported } = await this.#Decoder.isConfigSupported(wanted));
      } catch {
        // A codec string it does not even know.
      }
      if (this.#closed || this.#config !== config) return;
      if (!supported) continue;
      this.#release();
      const decoder = new this.#Decoder({
        output: (frame) => this.#onOutput(decoder, frame),
        error: (error) => {
          if (decoder === this.#decoder) this.#onError(error);
        },
      });
      this.#decoder = decoder;
      try {
        decoder.configure(wanted);
      } catch {
        continue; // it said that it could
      }
      this.#settingUp = null;
      return;
    }
    this.#settingUp = null;
    this.#events.failed(`${config.codec} is not decoded by this browser`);
  }

  #onOutput(decoder, frame) {
    const known = this.#inFlight.get(frame.timestamp);
    this.#inFlight.delete(frame.timestamp);
    this.#forgetLost();
    if (decoder !== this.#decoder || !known || known.past) {
      frame.close();
      return;
    }
    this.#started = true;
    this.#run += 1;
    if (this.#run >= GOOD_RUN) this.#failures = 0;
    const due = this.#jitter.due(frame.timestamp / 1000, this.#now());
    this.#pending.push({ frame, due, wallMs: known.wallMs });
    this.#show();
  }

  /** Draws the newest picture that is due; older ones have been overtaken. */
  #show() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const now = this.#now() + TIMER_FLOOR_MS;
    while (this.#pending.length > 1 && this.#pending[1].due <= now) this.#pending.shift().frame.close();
    const [first] = this.#pending;
    if (first && first.due <= now) {
      this.#pending.shift();
      this.#draw(first);
    }
    if (this.#pending.length) this.#timer = setTimeout(() => this.#show(), Math.max(0, this.#pending[0].due - this.#now()));
  }

  #draw({ frame, wallMs }) {
    const { displayWidth: width, displayHeight: height } = frame;
    try {
      if (this.#canvas.width !== width || this.#canvas.height !== height) {
        this.#canvas.width = width;
        this.#canvas.height = height;
      }
      this.#context.drawImage(frame, 0, 0, width, height);
    } catch (error) {
      this.#onError(error);
      return;
    } finally {
      frame.close();
    }
    // After a fault of the graphics driver a canvas takes everything and shows nothing, until the browser has mended it.
    if (this.#context.isContextLost?.()) return;
    this.#events.presented({ wallMs, width, height });
  }

  #forgetLost() {
    for (const [timestamp, { at }] of this.#inFlight) {
      if (this.#now() - at < FORGET_MS) break;
      this.#inFlight.delete(timestamp);
    }
  }

  #onError(error) {
    this.#failures += 1;
    this.#run = 0;
    this.#reset();
    if (this.#failures >= MAX_FAILURES) {
      this.#release();
      this.#events.failed(error.message);
      return;
    }
    // A decoder that fails at once is likely the hardware's; the next one tries without.
    this.#preference = Math.min(this.#preference + 1, PREFERENCES.length - 1);
    this.#settingUp = this.#setUp();
  }

  #reset() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#waitForKey = true;
    this.#started = false;
    this.#inFlight.clear();
    for (const { frame } of this.#pending) frame.close();
    this.#pending = [];
    this.#jitter.reset();
  }

  #release() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
  }
}
