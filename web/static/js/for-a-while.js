/** A map whose entries hold for a time: what failed is not tried again at once, and not given up for ever. Pure. */
export class ForAWhile {
  #entries = new Map();
  #holdsMs;

  constructor(holdsMs) {
    this.#holdsMs = holdsMs;
  }

  set(key, value, now) {
    this.#entries.set(key, { value, until: now + this.#holdsMs });
  }

  has(key) {
    return this.#entries.has(key);
  }

  get(key) {
    return this.#entries.get(key)?.value;
  }

  /** Forget what has held long enough; whether there was anything. */
  expire(now) {
    const before = this.#entries.size;
    for (const [key, { until }] of this.#entries) {
      if (now >= until) this.#entries.delete(key);
    }
    return this.#entries.size < before;
  }
}
