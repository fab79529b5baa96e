/**
 * The interface in the language of its user: the browser's, or the one chosen with the switch, which is remembered.
 *
 * Pages come from the server in English and work without scripts; elements with `data-i18n` (text) or
 * `data-i18n-label` (accessible name) are translated in place.
 */
import en from "./strings.en.js";
import zh from "./strings.zh.js";
import { durationParts } from "./clock.js";

export const TABLES = Object.freeze({ en, zh });
const DEFAULT_LANGUAGE = "en";
const HTML_LANGUAGE = { en: "en", zh: "zh-Hans" };
const STORAGE_KEY = "gateway.language";

/** The first language we speak of `stored` and then `preferred` (as in `navigator.languages`). */
export function pickLanguage(stored, preferred) {
  for (const tag of [stored, ...preferred]) {
    const language = (tag ?? "").toLowerCase().split("-")[0];
    if (language in TABLES) return language;
  }
  return DEFAULT_LANGUAGE;
}

/** `text` with every `{name}` replaced from `params`. */
export function fill(text, params) {
  return text.replace(/\{(\w+)\}/g, (placeholder, name) => String(params[name] ?? placeholder));
}

export class I18n extends EventTarget {
  #language;
  #storage;

  /** `storage` is localStorage or anything like it; null where the browser forbids it. */
  constructor(storage = null, preferred = []) {
    super();
    this.#storage = storage;
    this.#language = pickLanguage(read(storage), preferred);
  }

  get language() {
    return this.#language;
  }

  /** Switches the language, remembers it, and fires `change`. */
  set language(language) {
    if (!(language in TABLES) || language === this.#language) return;
    this.#language = language;
    try {
      this.#storage?.setItem(STORAGE_KEY, language);
    } catch {
      // A full or forbidden storage costs only the memory of the choice.
    }
    this.dispatchEvent(new Event("change"));
  }

  /** The text for `key`; the key itself if there is none, so that a mistake is seen and not blank. */
  t(key, params = {}) {
    return fill(TABLES[this.#language][key] ?? TABLES[DEFAULT_LANGUAGE][key] ?? key, params);
  }

  has(key) {
    return key in TABLES[this.#language];
  }

  /** `2 h 5 min`. */
  duration(milliseconds) {
    return durationParts(milliseconds).map(([unit, n]) => this.t(`unit.${unit}`, { n })).join(" ");
  }

  /**
   * A reason for the user: `{key, params}` of our own, or `{text, code}` of the server.
   *
   * The server's sentence is English and knows more; in other languages its stable code is translated.
   */
  reason(reason) {
    if (!reason) return "";
    if (reason.key) return this.t(reason.key, reason.params);
    const key = `code.${reason.code}`;
    return this.#language !== DEFAULT_LANGUAGE && this.has(key) ? this.t(key) : reason.text;
  }

  /** Translates a page in place. */
  apply(root) {
    root.documentElement.lang = HTML_LANGUAGE[this.#language];
    for (const element of root.querySelectorAll("[data-i18n]")) {
      element.textContent = this.t(element.dataset.i18n, JSON.parse(element.dataset.i18nParams ?? "{}"));
    }
    for (const element of root.querySelectorAll("[data-i18n-label]")) {
      const text = this.t(element.dataset.i18nLabel);
      element.setAttribute("aria-label", text);
      if (element.matches("button, a")) element.title = text; // a sign alone says too little to a mouse
    }
  }

  /** Makes the buttons in `container` (with `data-language`) switch the language. */
  bindSwitch(container) {
    const buttons = [...container.querySelectorAll("[data-language]")];
    const mark = () => buttons.forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.language === this.#language));
    });
    container.addEventListener("click", (event) => {
      const button = event.target.closest("[data-language]");
      if (button) this.language = button.dataset.language;
    });
    this.addEventListener("change", mark);
    mark();
    container.hidden = false;
  }
}

/** The language of this browser. */
export function browserI18n() {
  let storage = null;
  try {
    storage = window.localStorage;
  } catch {
    // Some kiosk and private modes throw on mere access.
  }
  return new I18n(storage, navigator.languages ?? [navigator.language]);
}

function read(storage) {
  try {
    return storage?.getItem(STORAGE_KEY) ?? null;
  } catch {
    return null;
  }
}
