/**
 * The keys of the wall, once: what they do and what the help says of them.
 *
 * `commandFor` is pure; `NumberInput` collects the digits of a camera's number with an injected clock.
 */

/** In the order of the help. `keys` are `KeyboardEvent.key`; `shown` is what the help prints, where that differs. */
export const KEYS = Object.freeze([
  { command: "select", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"], shown: ["←", "→", "↑", "↓"] },
  { command: "number", keys: [..."0123456789"], shown: ["1", "…", "36"] },
  { command: "focus", keys: ["Enter"], shown: ["Enter"] },
  { command: "back", keys: ["Escape"], shown: ["Esc"] },
  { command: "pageBack", keys: ["PageUp", "["], shown: ["Page ↑"] },
  { command: "pageOn", keys: ["PageDown", "]"], shown: ["Page ↓"] },
  { command: "move", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], shift: true, shown: ["Shift", "← →"] },
  { command: "tour", keys: ["t"], shown: ["T"] },
  { command: "fullscreen", keys: ["f"], shown: ["F"] },
  { command: "mute", keys: ["m"], shown: ["M"] },
  { command: "snapshot", keys: ["s"], shown: ["S"] },
  { command: "stats", keys: ["i"], shown: ["I"] },
  { command: "zoomIn", keys: ["+", "="], shown: ["+"] },
  { command: "zoomOut", keys: ["-", "_"], shown: ["−"] },
  { command: "share", keys: ["c"], shown: ["C"] },
  { command: "help", keys: ["?", "h"], shown: ["?"] },
]);

/** Digits that follow each other this quickly are one number. */
export const NUMBER_PAUSE_MS = 700;

/** The command of a key press, or null. Keys with Ctrl, Alt or Cmd belong to the browser. */
export function commandFor({ key, shiftKey, ctrlKey, altKey, metaKey }) {
  if (ctrlKey || altKey || metaKey) return null;
  const name = key.length === 1 ? key.toLowerCase() : key;
  const fits = (entry) => entry.keys.includes(name) && (key.length === 1 || Boolean(entry.shift) === shiftKey);
  return KEYS.find(fits)?.command ?? null;
}

/** True where keys write text or work a control, and must be left to it. */
export function typesText(element) {
  return Boolean(element?.closest?.("input, select, textarea, dialog, [role=menu], [contenteditable]"));
}

export class NumberInput {
  #choose;
  #digits = "";
  #timer = null;
  #setTimer;
  #clearTimer;

  /** `choose(number)` is called when the number is complete. */
  constructor(choose, setTimer = setTimeout, clearTimer = clearTimeout) {
    this.#choose = choose;
    this.#setTimer = (...args) => setTimer(...args);
    this.#clearTimer = (timer) => clearTimer(timer);
  }

  /** A digit; `highest` is the largest number there is. Returns the digits so far. */
  press(digit, highest) {
    this.#clearTimer(this.#timer);
    this.#digits += digit;
    const digits = this.#digits;
    const canGrow = Number(digits) > 0 && digits.length < 2 && Number(digits) * 10 <= highest;
    if (canGrow) this.#timer = this.#setTimer(() => this.#finish(), NUMBER_PAUSE_MS);
    else this.#finish();
    return digits;
  }

  #finish() {
    const number = Number(this.#digits);
    this.#digits = "";
    this.#choose(number);
  }
}
