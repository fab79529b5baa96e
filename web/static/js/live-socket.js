/**
 * The page's one connection to the gateway for live pictures: every tile subscribes to its stream here.
 *
 * Connects with the first subscription, reconnects for ever, and subscribes anew each time. Notices a line that died
 * without a word (a suspended laptop, an unplugged switch) by the missing heartbeat. Acknowledges what arrives, because
 * the gateway sends no faster than that. Runs on the page's thread; what it gets it hands on without copying.
 *
 * @typedef {object} LiveConsumer what a subscriber is told
 * @property {(catchUp: number) => void} onSubscribed the stream starts (anew); so many pictures are past, not to be shown
 * @property {(record: object, buffer: ArrayBuffer, alone: boolean) => void} onRecord a `LiveRecord`; if it is `alone` in
 *   `buffer`, the buffer may be given away
 * @property {(status: object) => void} onState the state of the stream or of its camera, as the API spells it
 * @property {(frames: number) => void} onDropped the line was too slow for so many pictures
 * @property {(refusal: {code: string, reason: string}) => void} onRefused
 * @property {() => void} onLost the connection broke; it is being made anew
 */
import { readRecords } from "./live-messages.js";

/** All walls lose the gateway in the same instant; they must not come back in the same instant. */
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 1000;
const JITTER = 0.5;
/** After an outage this long nobody waits for the second any more. */
const LONG_OUTAGE_MS = 60000;
const LONG_OUTAGE_RETRY_MS = 4000;
/** From so many failed attempts on it is asked over HTTP first whether the gateway is there: see `#retry`. */
const PROBE_FROM_FAILURES = 2;
const PROBE_PATH = "/healthz";
/** A request that met the gateway in the middle of its start may hang; the next one finds it. */
const PROBE_DEADLINE_MS = 2000;
/** TCP to a box that is gone does not answer at all. */
const CONNECT_DEADLINE_MS = 4000;
/** The gateway sends a ping every two seconds. */
const SILENCE_MS = 4500;
/** After the machine slept the line must prove itself at once. */
const PROOF_MS = 1000;
const TICK_MS = 500;
/** Timers that stood still for so long mean that the machine slept. */
const SLEPT_MS = 3000;
const ACK_MS = 50;
const ACK_BYTES = 32768;
/** A wall that is flicked through keeps its connection. */
const IDLE_CLOSE_MS = 5000;
/** A proxy that lets no WebSocket through is known by now. */
const HOPELESS_AFTER_FAILURES = 2;
/** Proxies are changed, too. */
const HOPELESS_FOR_MS = 300000;

export class LiveSocket {
  #url;
  #clock;
  #onAuth;
  #WebSocketClass;
  #fetch;
  #random;
  #now;
  #socket = null;
  #open = false;
  #subscribers = new Map();
  #channels = new Map();
  #failures = 0;
  #failedAt = 0;
  #everOpen = false;
  #lostAt = null;
  #retryTimer = null;
  #waiting = false;
  #idleTimer = null;
  #ackTimer = null;
  #tickTimer = null;
  #heardAt = 0;
  #tickedAt = 0;
  #proofBy = null;
  #received = 0;
  #acked = 0;

  /** `onAuth` is called when the gateway says that the session has ended. */
  constructor({
    url, clock, onAuth = () => {}, WebSocketClass = WebSocket, fetch = (...request) => window.fetch(...request),
    random = Math.random, now = () => performance.now(),
  }) {
    this.#url = url;
    this.#clock = clock;
    this.#onAuth = onAuth;
    this.#WebSocketClass = WebSocketClass;
    this.#fetch = fetch;
    this.#random = random;
    this.#now = now;
  }

  /** The gateway is connected and heard. */
  get open() {
    return this.#open;
  }

  /** True once it has turned out that WebSockets do not get through to the gateway at all. */
  get hopeless() {
    return !this.#everOpen && this.#failures >= HOPELESS_AFTER_FAILURES && this.#now() - this.#failedAt < HOPELESS_FOR_MS;
  }

  /** For how long there has been no connection; 0 while there is one. */
  get lostForMs() {
    return this.#open || this.#lostAt === null ? 0 : this.#now() - this.#lostAt;
  }

  /**
   * Sends `stream` in `format` to `consumer` until the returned object's `close` is called; `restart` begins anew with
   * the newest keyframe.
   */
  subscribe(stream, format, focused, consumer) {
    const key = keyOf(stream, format);
    let entry = this.#subscribers.get(key);
    if (!entry) {
      entry = { stream, format, focused, consumers: new Set() };
      this.#subscribers.set(key, entry);
    }
    entry.focused = focused;
    entry.consumers.add(consumer);
    clearTimeout(this.#idleTimer);
    if (this.#open) this.#ask(entry);
    else if (!this.#waiting) this.#connect(); // tiles that try again in an outage must not undo the pauses between attempts
    return {
      restart: () => {
        if (this.#open && entry.consumers.has(consumer)) this.#ask(entry);
      },
      close: () => this.#leave(key, entry, consumer),
    };
  }

  /** The page was shown again, or the network came back: make sure that the line is alive, now. */
  check() {
    if (!this.#subscribers.size) return;
    if (this.#open) {
      this.#proofBy ??= this.#now() + PROOF_MS;
      this.#send({ type: "pong", t: Date.now() }); // the gateway answers it
    } else if (!this.#socket) {
      this.#connect();
    }
  }

  #leave(key, entry, consumer) {
    if (!entry.consumers.delete(consumer) || entry.consumers.size) return;
    this.#subscribers.delete(key);
    if (this.#open) this.#send({ type: "unsubscribe", stream: entry.stream, format: entry.format });
    for (const [channel, other] of this.#channels) if (other === entry) this.#channels.delete(channel);
    if (!this.#subscribers.size) {
      clearTimeout(this.#idleTimer);
      this.#idleTimer = setTimeout(() => this.#shut(), IDLE_CLOSE_MS);
    }
  }

  #connect() {
    if (this.#socket) return;
    this.#waiting = false;
    clearTimeout(this.#retryTimer);
    const socket = new this.#WebSocketClass(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#lostAt ??= this.#now();
    const current = (handler) => (event) => {
      if (socket === this.#socket) handler(event);
    };
    socket.addEventListener("message", current(({ data }) => this.#onMessage(data)));
    socket.addEventListener("close", current(() => this.#onClose()));
    this.#heardAt = this.#now();
    this.#tickedAt = this.#heardAt;
    this.#tickTimer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #onOpen() {
    this.#open = true;
    this.#everOpen = true;
    this.#failures = 0;
    this.#lostAt = null;
    this.#received = 0;
    this.#acked = 0;
    for (const entry of this.#subscribers.values()) this.#ask(entry);
    this.#send({ type: "pong", t: Date.now() });
  }

  #onClose() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    this.#socket = null;
    this.#proofBy = null;
    this.#channels.clear();
    if (this.#open) {
      this.#open = false;
      this.#lostAt = this.#now();
    } else {
      this.#failures += 1;
      this.#failedAt = this.#now();
    }
    for (const entry of [...this.#subscribers.values()]) tell(entry, (consumer) => consumer.onLost());
    if (this.#subscribers.size && !this.#socket) this.#retryLater();
    else this.#stopTicking();
  }

  #retryLater() {
    const longOutage = this.#now() - this.#lostAt > LONG_OUTAGE_MS;
    const longest = longOutage ? LONG_OUTAGE_RETRY_MS : LONGEST_RETRY_MS;
    const delay = Math.min(longest, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10));
    this.#waiting = true;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#retry(), delay * (1 - JITTER * this.#random()));
  }

  /**
   * Chromium holds back a WebSocket by up to five seconds after many that failed, and cannot be told that the gateway is
   * back. Requests it does not hold back, so they do the waiting.
   */
  async #retry() {
    if (!this.#everOpen || this.#failures < PROBE_FROM_FAILURES) {
      this.#connect();
      return;
    }
    try {
      await this.#fetch(PROBE_PATH, { cache: "no-store", signal: AbortSignal.timeout(PROBE_DEADLINE_MS) });
    } catch {
      this.#failures += 1;
      if (this.#waiting && this.#subscribers.size) this.#retryLater();
      else this.#waiting = false;
      return;
    }
    if (this.#waiting && this.#subscribers.size) this.#connect();
    else this.#waiting = false;
  }

  /** Gives the connection up; the closing handshake with a dead peer takes half a minute, so nothing waits for it. */
  #abandon() {
    const socket = this.#socket;
    this.#onClose();
    socket.close();
  }

  #shut() {
    this.#waiting = false;
    clearTimeout(this.#retryTimer);
    this.#stopTicking();
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    this.#open = false;
    this.#lostAt = null;
    clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    socket.close();
  }

  #stopTicking() {
    clearInterval(this.#tickTimer);
    this.#tickTimer = null;
  }

  #tick() {
    const now = this.#now();
    if (this.#noticeSleep(now) || !this.#socket) return;
    const limit = this.#open ? SILENCE_MS : CONNECT_DEADLINE_MS;
    const unproven = this.#proofBy !== null && now > this.#proofBy;
    if (unproven || now - this.#heardAt > limit) this.#abandon();
  }

  /** True once after the page stood still. What has piled up in the meantime is thrown away: every stream starts anew. */
  #noticeSleep(now) {
    const slept = now - this.#tickedAt > SLEPT_MS;
    this.#tickedAt = now;
    if (!slept || !this.#open) return false;
    this.#channels.clear();
    for (const entry of this.#subscribers.values()) this.#ask(entry);
    this.check();
    return true;
  }

  #onMessage(data) {
    const now = this.#now();
    // A message may be the first to find the page awake again; otherwise only the timer counts.
    if (now - this.#tickedAt > SLEPT_MS) this.#noticeSleep(now);
    this.#heardAt = now;
    this.#proofBy = null;
    if (typeof data === "string") {
      this.#onText(JSON.parse(data));
      return;
    }
    this.#received += data.byteLength;
    this.#acknowledge();
    const records = readRecords(data);
    for (const record of records) {
      const entry = this.#channels.get(record.channel);
      if (!entry) continue;
      const alone = records.length === 1 && entry.consumers.size === 1;
      tell(entry, (consumer) => consumer.onRecord(record, data, alone));
    }
  }

  #onText(message) {
    switch (message.type) {
      case "hello":
        this.#onOpen();
        break;
      case "ping":
        this.#send({ type: "pong", t: Date.now() });
        break;
      case "time":
        this.#clock.observe(message.now, message.t, Date.now());
        break;
      case "subscribed": {
        const entry = this.#subscribers.get(keyOf(message.stream, message.format));
        if (!entry) break;
        this.#channels.set(message.channel, entry);
        tell(entry, (consumer) => consumer.onSubscribed(message.catch_up));
        break;
      }
      case "refused":
        tell(this.#subscribers.get(keyOf(message.stream, message.format)), (consumer) => consumer.onRefused(message));
        break;
      case "dropped":
        tell(this.#channels.get(message.channel), (consumer) => consumer.onDropped(message.frames));
        break;
      case "state":
        for (const entry of [...this.#subscribers.values()]) {
          const told = entry.stream === message.stream || entry.stream.startsWith(`${message.stream}.`);
          if (told) tell(entry, (consumer) => consumer.onState(message));
        }
        break;
      case "bye":
        if (message.code === "session-ended") this.#onAuth();
        break;
    }
  }

  #acknowledge() {
    if (this.#received - this.#acked >= ACK_BYTES) {
      this.#sendAck();
      return;
    }
    this.#ackTimer ??= setTimeout(() => this.#sendAck(), ACK_MS);
  }

  #sendAck() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    this.#acked = this.#received;
    this.#send({ type: "ack", bytes: this.#received });
  }

  #ask({ stream, format, focused }) {
    this.#send({ type: "subscribe", stream, format, focused });
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }
}

/** What one tile cannot digest must not cost the others their pictures, nor the page its connection. */
function tell(entry, say) {
  for (const consumer of [...(entry?.consumers ?? [])]) {
    try {
      say(consumer);
    } catch (error) {
      console.error(`a tile of ${entry.stream} failed`, error);
    }
  }
}

function keyOf(stream, format) {
  return `${stream} ${format}`;
}
