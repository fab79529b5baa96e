/**
 * The server's word on all cameras, by polling the API. Replaceable by a push transport with the same callbacks.
 *
 * Callbacks: `onReport({site, cameras})` with every answer, `onLink(up)` when the gateway stops or starts answering,
 * `onSignedOut()` when the session has ended. That ends the questions, unless the feed is `patient`: a page in a frame
 * cannot lead to a login, and one refusal (a session renewed elsewhere, a gateway in the middle of its start) must not
 * leave a dead picture on somebody's web site for ever.
 */

/** A camera that returns is noticed within this time, whatever the player sees. */
const INTERVAL_MS = 2000;
/** While something is wrong the answer changes sooner, and someone is looking at it. */
const TROUBLE_INTERVAL_MS = 1000;
const LONGEST_INTERVAL_MS = 10000;
/** The API answers within 3 s or not at all. */
const REQUEST_TIMEOUT_MS = 5000;
/** A patient feed that was refused asks again soon, then ever more rarely. */
const REFUSED_INTERVAL_MS = 3000;
const LONGEST_REFUSED_INTERVAL_MS = 60000;
/** One lost answer is a hiccup; two are an outage. */
const LOST_AFTER_FAILURES = 2;
const JITTER = 0.2;

export class CameraFeed {
  #url;
  #clock;
  #callbacks;
  #fetch;
  #patient;
  #refusals = 0;
  #timer = null;
  #running = false;
  #failures = 0;
  #linkUp = true;
  #request = null;

  constructor({ url = "/api/v1/cameras", clock, callbacks, fetch = window.fetch.bind(window), patient = false }) {
    this.#patient = patient;
    this.#url = url;
    this.#clock = clock;
    this.#callbacks = callbacks;
    this.#fetch = fetch;
  }

  get linkUp() {
    return this.#linkUp;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.poke();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  /** Asks now instead of at the next turn. */
  poke() {
    if (!this.#running || this.#request) return;
    clearTimeout(this.#timer);
    this.#poll();
  }

  async #poll() {
    let interval = INTERVAL_MS;
    try {
      interval = await this.#ask();
    } catch {
      // Refused, timed out, or not JSON: to the user all are a gateway that does not answer.
      this.#failures += 1;
      if (this.#failures >= LOST_AFTER_FAILURES) this.#link(false);
      interval = Math.min(LONGEST_INTERVAL_MS, TROUBLE_INTERVAL_MS * 2 ** (this.#failures - 1));
    } finally {
      this.#request = null;
    }
    if (!this.#running) return;
    this.#timer = setTimeout(() => this.#poll(), interval * (1 + JITTER * (Math.random() - 0.5)));
  }

  async #ask() {
    this.#request = new AbortController();
    const deadline = setTimeout(() => this.#request?.abort(), REQUEST_TIMEOUT_MS);
    try {
      const sent = Date.now();
      const response = await this.#fetch(this.#url, {
        signal: this.#request.signal, cache: "no-store", headers: { Accept: "application/json" },
      });
      const received = Date.now();
      if (response.status === 401 || response.redirected) {
        if (!this.#patient) this.stop();
        this.#callbacks.onSignedOut();
        this.#refusals += 1;
        return Math.min(LONGEST_REFUSED_INTERVAL_MS, REFUSED_INTERVAL_MS * 2 ** (this.#refusals - 1));
      }
      if (!response.ok) throw new Error(`status ${response.status}`);
      const report = await response.json();
      if (typeof report.now === "number") this.#clock.observe(report.now * 1000, sent, received);
      this.#failures = this.#refusals = 0;
      this.#link(true);
      this.#tell(report);
      return report.cameras.every((camera) => camera.state === "live") ? INTERVAL_MS : TROUBLE_INTERVAL_MS;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** A defect of the page is no silence of the gateway. */
  #tell(report) {
    try {
      this.#callbacks.onReport(report);
    } catch (error) {
      console.error("the page could not show the report", error);
    }
  }

  #link(up) {
    if (up === this.#linkUp) return;
    this.#linkUp = up;
    this.#callbacks.onLink(up);
  }
}
