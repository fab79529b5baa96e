/**
 * The pad with which a camera is steered: pointer or finger, keyboard, zoom, presets.
 *
 * `new PtzPad(host, cameraId, capabilities)` puts it into `host`; `destroy()` stops the camera and takes it away.
 * `capabilities` is the answer of `GET /api/v1/cameras/<id>/ptz`, or null to have it asked for. The camera moves only
 * while a key or the pointer is held: release, loss of focus, a hidden tab and a closed page all stop it.
 * The page needs `css/ptz.css`.
 */
import { browserI18n } from "./i18n.js";
import { typesText } from "./keyboard.js";
import { PtzSender } from "./ptz-sender.js";
import { fromKeys, fromPointer, steers } from "./ptz-vector.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  in: "M12 5v14M5 12h14",
  out: "M5 12h14",
  home: "M4 11l8-7 8 7M6.5 9.5V20h11V9.5",
  stop: "M7 7h10v10H7z",
  presets: "M6 4h12v16l-6-4.5L6 20z",
  save: "M12 5v14M5 12h14",
  remove: "M6 6l12 12M18 6L6 18",
};
const MESSAGES = { 0: "ptz.no_gateway", 401: "ptz.signed_out", 403: "ptz.not_allowed", 404: "ptz.not_here", 503: "ptz.slow" };
/** The knob follows the pointer this part of the way, so that it stays inside the pad. */
const KNOB_WAY = 0.6;
const STILL = { pan: 0, tilt: 0, zoom: 0 };

export class PtzPad {
  #root = element("div", "ptz");
  #stick;
  #knob;
  #trouble;
  #menu;
  #list;
  #name;
  #buttons = {};
  #i18n;
  #sender;
  #keys = new Set();
  #slow = false;
  #pointer = null;
  #zoom = 0;
  #presets = [];
  #can = null;
  #problem = null;
  #ends = new AbortController();

  constructor(host, cameraId, capabilities = null, { i18n = browserI18n(), fetch = undefined } = {}) {
    this.#i18n = i18n;
    this.#sender = new PtzSender(cameraId, { onTrouble: (problem) => this.#show(problem), ...(fetch && { fetch }) });
    this.#build();
    this.#listen();
    host.append(this.#root);
    if (capabilities) this.#take(capabilities);
    else this.#load();
  }

  /** Stops the camera and removes the pad. */
  destroy() {
    if (this.#ends.signal.aborted) return;
    this.#ends.abort();
    this.#keys.clear();
    this.#sender.close();
    this.#root.remove();
  }

  get element() {
    return this.#root;
  }

  async #load() {
    try {
      this.#take(await this.#sender.abilities());
    } catch (problem) {
      this.#show(problem);
    }
  }

  #take(can) {
    this.#can = can;
    this.#stick.hidden = !can.pan_tilt || !can.continuous;
    this.#buttons.in.parentElement.hidden = !can.zoom || !can.continuous;
    this.#buttons.home.hidden = !can.home;
    this.#buttons.presets.hidden = !can.max_presets;
    this.#presets = can.presets ?? [];
    if (can.trouble) this.#show({ status: 502, message: can.trouble });
    this.#listPresets();
  }

  // What it looks like

  #build() {
    const root = this.#root;
    root.setAttribute("role", "group");
    this.#stick = element("div", "ptz-stick");
    this.#stick.hidden = true;
    this.#stick.tabIndex = 0;
    this.#stick.setAttribute("role", "application");
    for (const side of ["up", "right", "down", "left"]) this.#stick.append(element("i", `ptz-arrow ptz-${side}`));
    this.#knob = element("span", "ptz-knob");
    this.#stick.append(this.#knob);
    const zoom = element("div", "ptz-zoom");
    zoom.hidden = true;
    zoom.append(this.#button("in"), this.#button("out"));
    const more = element("div", "ptz-more");
    more.append(this.#button("presets"), this.#button("home"), this.#button("stop"));
    this.#menu = element("div", "ptz-menu");
    this.#menu.hidden = true;
    this.#list = element("ol", "ptz-presets");
    const form = element("form", "ptz-save");
    this.#name = element("input", "ptz-name");
    this.#name.maxLength = 64;
    this.#name.required = true;
    const save = this.#button("save");
    save.type = "submit";
    form.append(this.#name, save);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(this.#name.value.trim());
    });
    this.#menu.append(this.#list, form);
    this.#trouble = element("p", "ptz-trouble");
    this.#trouble.setAttribute("role", "status");
    const controls = element("div", "ptz-controls");
    controls.append(this.#stick, zoom, more);
    root.append(this.#menu, controls, this.#trouble);
    this.#buttons.home.hidden = this.#buttons.presets.hidden = true;
    this.#buttons.presets.setAttribute("aria-expanded", "false");
    this.#label();
  }

  #button(name) {
    const button = element("button", `ptz-button ptz-do-${name}`);
    button.type = "button";
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    button.append(svg);
    this.#buttons[name] = button;
    return button;
  }

  #label() {
    const t = (key) => this.#i18n.t(`ptz.${key}`);
    this.#root.setAttribute("aria-label", t("label"));
    this.#stick.setAttribute("aria-label", t("stick"));
    for (const [name, button] of Object.entries(this.#buttons)) {
      button.title = t(name);
      button.setAttribute("aria-label", t(name));
    }
    this.#name.placeholder = t("new_name");
    this.#name.setAttribute("aria-label", t("new_name"));
    this.#listPresets();
    this.#show(this.#problem);
  }

  #listPresets() {
    const rows = this.#presets.map((preset, index) => {
      const row = element("li", "ptz-preset");
      const go = element("button", "ptz-go");
      go.type = "button";
      const number = element("kbd", "ptz-number");
      number.textContent = index < 9 ? String(index + 1) : "";
      const name = element("span", "ptz-preset-name");
      name.textContent = preset.name;
      go.append(number, name);
      go.addEventListener("click", () => this.#goTo(preset));
      const remove = element("button", "ptz-forget");
      remove.type = "button";
      remove.textContent = "×";
      remove.title = this.#i18n.t("ptz.remove", { name: preset.name });
      remove.setAttribute("aria-label", remove.title);
      remove.addEventListener("click", () => this.#remove(preset, remove));
      row.append(go, remove);
      return row;
    });
    if (!rows.length) {
      const none = element("li", "ptz-none");
      none.textContent = this.#i18n.t("ptz.no_presets");
      rows.push(none);
    }
    this.#list.replaceChildren(...rows);
  }

  /** `problem` is what the sender reports; null takes the message away. */
  #show(problem) {
    this.#problem = problem;
    const key = problem && MESSAGES[problem.status];
    // The camera's own words are English and know more.
    const text = !problem ? "" : key ? this.#i18n.t(key) : this.#i18n.t("ptz.refused", { reason: problem.message });
    if (this.#trouble.textContent !== text) this.#trouble.textContent = text;
  }

  // What it listens to

  #listen() {
    const { signal } = this.#ends;
    const options = { signal };
    this.#stick.addEventListener("pointerdown", (event) => this.#grab(event), options);
    this.#stick.addEventListener("pointermove", (event) => this.#drag(event), options);
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.#stick.addEventListener(type, (event) => this.#drop(event), options);
    }
    this.#hold(this.#buttons.in, 1);
    this.#hold(this.#buttons.out, -1);
    this.#buttons.stop.addEventListener("click", () => this.#sender.stop(), options);
    this.#buttons.home.addEventListener("click", () => this.#command({ action: "home" }), options);
    this.#buttons.presets.addEventListener("click", () => this.#toggle(), options);
    // Before the wall, which moves the focus with the same keys.
    document.addEventListener("keydown", (event) => this.#onKey(event), { signal, capture: true });
    document.addEventListener("keyup", (event) => this.#onKeyUp(event), { signal, capture: true });
    window.addEventListener("blur", () => this.#release(), options);
    window.addEventListener("pagehide", () => this.#release(), options);
    document.addEventListener("visibilitychange", () => document.hidden && this.#release(), options);
    this.#root.addEventListener("click", (event) => event.stopPropagation(), options);
    this.#root.addEventListener("dblclick", (event) => event.stopPropagation(), options);
    this.#i18n.addEventListener("change", () => this.#label(), options);
  }

  #hold(button, direction) {
    const { signal } = this.#ends;
    const end = () => {
      if (this.#zoom !== direction) return;
      this.#zoom = 0;
      this.#steer();
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.#zoom = direction;
      this.#steer();
    }, { signal });
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(type, end, { signal });
    // Space and Enter on the focused button; the browser repeats keydown by itself.
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      this.#zoom = direction;
      this.#steer();
    }, { signal });
    button.addEventListener("keyup", end, { signal });
    button.addEventListener("blur", end, { signal });
  }

  #grab(event) {
    if (event.button !== 0 || this.#pointer) return;
    event.preventDefault();
    this.#stick.focus({ preventScroll: true });
    this.#stick.setPointerCapture(event.pointerId);
    this.#pointer = { id: event.pointerId, pan: 0, tilt: 0 };
    this.#drag(event);
  }

  #drag(event) {
    if (event.pointerId !== this.#pointer?.id) return;
    const box = this.#stick.getBoundingClientRect();
    const radius = box.width / 2;
    const dx = event.clientX - box.left - radius;
    const dy = event.clientY - box.top - box.height / 2;
    Object.assign(this.#pointer, fromPointer(dx, dy, radius));
    const shorter = KNOB_WAY / Math.max(1, Math.hypot(dx, dy) / radius);
    this.#knob.style.transform = `translate(${dx * shorter}px, ${dy * shorter}px)`;
    this.#steer();
  }

  #drop(event) {
    if (event.pointerId !== this.#pointer?.id) return;
    this.#pointer = null;
    this.#knob.style.transform = "";
    this.#steer();
  }

  #release() {
    this.#keys.clear();
    this.#zoom = 0;
    this.#pointer = null;
    this.#knob.style.transform = "";
    this.#steer();
  }

  #onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || typesText(event.target) || opensMenu(event.target)) {
      // While Cmd is held a Mac does not tell when other keys are let go of: a camera must not turn on.
      if (this.#keys.size) this.#release();
      return;
    }
    const preset = /^[1-9]$/.test(event.key) ? this.#presets[Number(event.key) - 1] : null;
    if (steers(event.key, this.#can)) {
      this.#keys.add(event.key);
      this.#slow = event.shiftKey && event.key.startsWith("Arrow");
      this.#steer();
    } else if (event.key === "Home" && this.#can?.home) {
      this.#command({ action: "home" });
    } else if (event.key === "Escape" && !this.#menu.hidden) {
      this.#toggle(false);
    } else if (preset && !event.repeat) {
      this.#goTo(preset);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #onKeyUp(event) {
    if (event.key === "Shift") this.#slow = false;
    // `+` released after Shift arrives as `=`: both ends of such a pair count.
    for (const key of { "+": "+=", "=": "+=", "-": "-_", _: "-_" }[event.key] ?? [event.key]) this.#keys.delete(key);
    this.#steer();
  }

  #steer() {
    const wish = fromKeys(this.#keys, this.#slow);
    if (this.#pointer) Object.assign(wish, { pan: this.#pointer.pan, tilt: this.#pointer.tilt });
    if (this.#zoom) wish.zoom = this.#zoom * 0.7;
    if (!this.#can?.continuous) return;
    if (!this.#can.pan_tilt) wish.pan = wish.tilt = 0;
    if (!this.#can.zoom) wish.zoom = 0;
    this.#root.toggleAttribute("data-moving", Object.keys(STILL).some((axis) => wish[axis] !== 0));
    this.#sender.move(wish);
  }

  // Presets

  #toggle(open = this.#menu.hidden) {
    this.#menu.hidden = !open;
    this.#buttons.presets.setAttribute("aria-expanded", String(open));
    if (!open && this.#root.contains(document.activeElement)) this.#buttons.presets.focus();
  }

  #goTo(preset) {
    this.#command({ action: "preset", preset: preset.token });
  }

  async #save(name) {
    if (name && (await this.#command({ action: "set_preset", name }))) this.#name.value = "";
  }

  /** Asks by a second press: a preset that took an hour to set up must not go by a slip. */
  #remove(preset, button) {
    if (button.dataset.sure) {
      this.#command({ action: "remove_preset", preset: preset.token });
      return;
    }
    button.dataset.sure = "yes";
    button.textContent = this.#i18n.t("ptz.sure");
    button.addEventListener("blur", () => this.#listPresets(), { once: true });
  }

  async #command(body) {
    try {
      const answer = await this.#sender.command(body);
      if (answer.presets) {
        this.#presets = answer.presets;
        this.#listPresets();
      }
      return true;
    } catch (problem) {
      this.#show(problem);
      return false;
    }
  }
}

/** A button of the bar that opens a menu with the arrow keys. */
function opensMenu(target) {
  return Boolean(target?.closest?.("[aria-haspopup]"));
}

function element(tag, className) {
  const node = document.createElement(tag);
  node.className = className;
  return node;
}
