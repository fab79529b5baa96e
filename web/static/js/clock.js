/**
 * Time as the wall shows it: the gateway's clock as seen from this browser, and texts for times of day and durations.
 *
 * A wall PC's own clock is often minutes off; a frame's age must not depend on it.
 */

/** Samples older than this no longer count: clocks drift. */
const SAMPLE_LIFE_MS = 120000;
/** Two measurements of one clock cannot differ by more than their round trips allow, and this: then one was set. */
const DRIFT_MS = 50;

export class ServerClock {
  #offset = 0;
  #roundTrip = Infinity;
  #takenAt = 0;
  #now;

  constructor(now = () => Date.now()) {
    this.#now = now;
  }

  /** The server said `serverMs` in an answer to a request of `sentMs` that came at `receivedMs` (local time). */
  observe(serverMs, sentMs, receivedMs) {
    const roundTrip = receivedMs - sentMs;
    if (roundTrip < 0) return; // this clock was set back in between
    const offset = serverMs - (sentMs + receivedMs) / 2;
    const wasSet = Math.abs(offset - this.#offset) > (roundTrip + this.#roundTrip) / 2 + DRIFT_MS;
    const age = receivedMs - this.#takenAt;
    // The quickest answer says most about the clock; a slow one may have waited anywhere.
    if (roundTrip > this.#roundTrip && age >= 0 && age < SAMPLE_LIFE_MS && !wasSet) return;
    this.#offset = offset;
    this.#roundTrip = roundTrip;
    this.#takenAt = receivedMs;
  }

  /** The server's time now, milliseconds since the epoch. */
  now() {
    return this.#now() + this.#offset;
  }
}

const two = (number) => String(number).padStart(2, "0");

/** `HH:MM:SS` in the time zone of the browser. */
export function timeOfDay(milliseconds) {
  const date = new Date(milliseconds);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `HH:MM:SS`, with the date before it if it was not today. */
export function timeStamp(milliseconds, nowMs) {
  const date = new Date(milliseconds);
  if (date.toDateString() === new Date(nowMs).toDateString()) return timeOfDay(milliseconds);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(milliseconds)}`;
}

/** The two largest units of a duration, as `[unit, number]` pairs: `[["h", 2], ["min", 5]]`. */
export function durationParts(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [
    ["d", Math.floor(seconds / 86400)], ["h", Math.floor(seconds / 3600) % 24],
    ["min", Math.floor(seconds / 60) % 60], ["s", seconds % 60],
  ];
  const first = parts.findIndex(([, number]) => number > 0);
  if (first < 0) return [["s", 0]];
  return parts.slice(first, first + 2).filter(([, number], index) => index === 0 || number > 0);
}
