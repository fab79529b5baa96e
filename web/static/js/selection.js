/**
 * What a tile plays: which stream, and by which way, of those that have not turned out to be closed. Pure.
 *
 * Streams that gave no picture or cannot be decoded, and ways that failed for a stream, stay closed for five minutes.
 */
import { ForAWhile } from "./for-a-while.js";
import { choosePlayback, REFUSED_FOR_MS } from "./playback.js";

const NO_PICTURE = { key: "problem.no_picture", params: {} };
const CODEC_NAMES = { h264: "H.264", h265: "H.265", av1: "AV1" };

export class Selection {
  #transports;
  #refused = new ForAWhile(REFUSED_FOR_MS);
  #closedWays = new ForAWhile(REFUSED_FOR_MS);

  /** A `Choice` (playback.js), null while there is nothing to play. */
  choice = null;
  /** A `Plan` (ladder.js), null with still pictures. */
  plan = null;

  /** `transports`: see transport.js; its `plans` and `capabilities` are asked. */
  constructor(transports) {
    this.#transports = transports;
  }

  /** The stream that plays; null if none does. */
  get stream() {
    return this.choice?.stream ?? null;
  }

  /** Pictures come over the page's live connection. */
  get overSocket() {
    return Boolean(this.plan?.format);
  }

  /** Nothing is to be played. */
  clear() {
    this.choice = null;
  }

  /**
   * Chooses anew; true if something else is to be played now. `wish` is "main" or "sub", `sound` whether it should be heard.
   */
  choose(camera, wish, sound, now) {
    const before = { choice: this.choice, plan: this.plan };
    this.#pick(camera, wish, sound, now);
    const { choice, plan } = this;
    return !before.choice || choice.kind !== before.choice.kind || choice.url !== before.choice.url
      || plan?.way !== before.plan?.way || plan?.format !== before.plan?.format;
  }

  /** The stream gave no picture, or its codec is not for this browser (`codec` true). Choose anew then. */
  refuse(stream, now, { codec = false } = {}) {
    const name = CODEC_NAMES[stream.codec] ?? stream.codecs ?? "";
    this.#refused.set(stream.id, codec ? { key: "problem.codec", params: { codec: name } } : NO_PICTURE, now);
  }

  isRefused(stream) {
    return this.#refused.has(stream.id);
  }

  /** The present way does not lead to the stream; false if there is none. Choose anew then. */
  closeWay(now) {
    if (!this.stream) return false;
    this.#closedWays.set(wayKey(this.stream, this.plan), true, now);
    return true;
  }

  /** True if something that failed may be tried again. Choose anew then. */
  expire(now) {
    const [streams, ways] = [this.#refused.expire(now), this.#closedWays.expire(now)];
    return streams || ways;
  }

  #pick(camera, wish, sound, now) {
    for (;;) {
      this.choice = choosePlayback(camera, wish, this.#transports.capabilities, this.#refused);
      this.plan = this.choice.kind === "video" ? this.#planFor(this.choice.stream, sound) : null;
      if (this.choice.kind !== "video" || this.plan) return;
      this.refuse(this.choice.stream, now); // all ways to it are closed
    }
  }

  /** The best way to a stream that is open; null if all are closed. */
  #planFor(stream, sound) {
    const plans = this.#transports.plans(stream, sound && Boolean(stream.audio));
    return plans.find((plan) => !this.#closedWays.has(wayKey(stream, plan))) ?? null;
  }
}

function wayKey(stream, { way, format }) {
  return `${stream.id} ${way} ${format}`;
}
