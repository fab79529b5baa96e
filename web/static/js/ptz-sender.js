/**
 * Sends a camera's movements to the gateway: the newest wish only, one request at a time, again and again while it holds.
 *
 * The gateway stops a camera that it hears nothing of for a second, so a wish is repeated; and a stop goes out at once,
 * past whatever is under way. Knows no page: fetch and timers are passed in by tests.
 */

/** A wish is repeated so often. Three may be lost before the gateway stops the camera. */
export const REPEAT_MS = 250;
/** New wishes are not sent more often than this, however fast the pointer moves. */
export const SHORTEST_MS = 80;
const REQUEST_TIMEOUT_MS = 2500;

const STILL = Object.freeze({ pan: 0, tilt: 0, zoom: 0 });

export class PtzSender {
  #url;
  #fetch;
  #onTrouble;
  #wish = STILL;
  #sent = STILL;
  #sentAt = -Infinity;
  #timer = null;
  #underWay = false;
  #overtaken = false;
  /** Settles when everything sent so far was answered; never rejects. */
  #answered = Promise.resolve();
  #now;

  /** `onTrouble(error)` gets `{status, message}` when something goes wrong, and null when it goes well again. */
  constructor(cameraId, { onTrouble = () => {}, fetch = globalThis.fetch?.bind(globalThis), now = () => performance.now() } = {}) {
    this.#url = `/api/v1/cameras/${encodeURIComponent(cameraId)}/ptz`;
    this.#fetch = fetch;
    this.#onTrouble = onTrouble;
    this.#now = now;
  }

  /** Something is being asked for right now. */
  get moving() {
    return !same(this.#wish, STILL);
  }

  /** Move like this from now on; all zero stops. */
  move(wish) {
    const rounded = { pan: round(wish.pan), tilt: round(wish.tilt), zoom: round(wish.zoom) };
    if (same(rounded, this.#wish)) return;
    const stops = same(rounded, STILL);
    this.#wish = rounded;
    if (stops) this.#stop();
    else this.#schedule();
  }

  /** Stop whatever the camera does, a way to a preset included. */
  stop() {
    this.#wish = STILL;
    this.#stop();
  }

  /** What the camera can do, with its presets. Rejects with `{status, message}`. */
  abilities() {
    return this.#ask("GET");
  }

  /** Any other command; resolves with the answer, rejects with `{status, message}`. */
  async command(body) {
    this.#wish = STILL;
    clearTimeout(this.#timer);
    this.#overtaken = false;
    // A move or stop that is under way must not arrive after the command: the camera would leave the way to its preset.
    await this.#answered;
    const answer = await this.#ask("POST", body);
    this.#sent = STILL;
    this.#onTrouble(null);
    return answer;
  }

  /** For good; what moves is stopped. */
  close() {
    if (this.moving || !same(this.#sent, STILL)) this.stop();
    clearTimeout(this.#timer);
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (!this.moving) return;
    const since = this.#now() - this.#sentAt;
    const wait = (same(this.#wish, this.#sent) ? REPEAT_MS : SHORTEST_MS) - since;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, wait));
  }

  async #tick() {
    if (this.#underWay || !this.moving) return;
    this.#sent = this.#wish;
    this.#sentAt = this.#now();
    this.#underWay = true;
    try {
      const asked = this.#ask("POST", { action: "move", ...this.#sent });
      this.#answered = Promise.allSettled([this.#answered, asked]);
      const answer = await asked;
      this.#onTrouble(answer.trouble ? { status: 502, message: answer.trouble } : null);
    } catch (error) {
      this.#onTrouble(error);
    }
    this.#underWay = false;
    // The stop may have overtaken this move on its way: the last word must be stop.
    if (this.#overtaken && !this.moving) this.#stop();
    else this.#schedule();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#overtaken = this.#underWay;
    this.#sent = STILL;
    this.#sentAt = this.#now();
    // keepalive: it goes out although the page is being closed
    const asked = this.#ask("POST", { action: "stop" }, true).catch((error) => this.#onTrouble(error));
    this.#answered = Promise.allSettled([this.#answered, asked]);
  }

  async #ask(method, body = undefined, keepalive = false) {
    const abort = new AbortController();
    const deadline = setTimeout(() => abort.abort(), REQUEST_TIMEOUT_MS + (method === "GET" ? 2000 : 0));
    try {
      const response = await this.#fetch(this.#url, {
        method, keepalive, signal: abort.signal, cache: "no-store",
        headers: body ? { Accept: "application/json", "Content-Type": "application/json" } : { Accept: "application/json" },
        body: body && JSON.stringify(body),
      });
      const answer = await response.json().catch(() => ({}));
      if (!response.ok) throw { status: response.status, message: answer.error?.message ?? "" };
      return answer;
    } catch (error) {
      throw typeof error.status === "number" ? error : { status: 0, message: "" };
    } finally {
      clearTimeout(deadline);
    }
  }
}

function round(value) {
  const rounded = Math.round(Math.max(-1, Math.min(1, Number(value) || 0)) * 50) / 50;
  return rounded === 0 ? 0 : rounded;
}

function same(a, b) {
  return a.pan === b.pan && a.tilt === b.tilt && a.zoom === b.zoom;
}
