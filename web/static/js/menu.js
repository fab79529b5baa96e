/** A drop-down menu below a button, for mouse, touch and keys (WAI-ARIA menu button pattern). */
import { icon } from "./icons.js";

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {string} [icon]
 * @property {Node} [drawing] instead of an icon
 * @property {string} [hint] small text at the end
 * @property {boolean} [checked] of a choice; leave it out for an action
 * @property {boolean} [rule] a line above it
 * @property {() => void} action
 */
export class Menu {
  #button;
  #items;
  #panel = null;
  #onOutside = (event) => {
    if (!this.#panel.contains(event.target) && !this.#button.contains(event.target)) this.close(false);
  };

  /** `items()` is asked for the `MenuItem`s at every opening. */
  constructor(button, items) {
    this.#button = button;
    this.#items = items;
    button.setAttribute("aria-haspopup", "menu");
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => (this.#panel ? this.close() : this.open()));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" || this.#panel) return;
      event.preventDefault();
      event.stopPropagation(); // the wall's own arrow keys would take the focus out of the menu
      this.open();
    });
  }

  open() {
    const panel = document.createElement("div");
    panel.className = "menu";
    panel.setAttribute("role", "menu");
    panel.setAttribute("aria-label", this.#button.getAttribute("aria-label") ?? this.#button.textContent.trim());
    panel.append(...this.#items().map((item) => this.#row(item)));
    panel.addEventListener("keydown", (event) => this.#onKey(event));
    document.body.append(panel);
    this.#panel = panel;
    this.#button.setAttribute("aria-expanded", "true");
    this.#place();
    (panel.querySelector("[aria-checked=true]") ?? panel.firstElementChild)?.focus();
    document.addEventListener("pointerdown", this.#onOutside, true);
    window.addEventListener("resize", this.#onResize);
  }

  close(returnFocus = true) {
    if (!this.#panel) return;
    document.removeEventListener("pointerdown", this.#onOutside, true);
    window.removeEventListener("resize", this.#onResize);
    this.#panel.remove();
    this.#panel = null;
    this.#button.setAttribute("aria-expanded", "false");
    if (returnFocus) this.#button.focus();
  }

  /** A phone's browser hides and shows its own bars at any moment. */
  #onResize = () => this.#place();

  #row(item) {
    const row = document.createElement("button");
    row.type = "button";
    row.className = item.rule ? "menu-item ruled" : "menu-item";
    row.tabIndex = -1;
    const choice = item.checked !== undefined;
    row.setAttribute("role", choice ? "menuitemradio" : "menuitem");
    if (choice) row.setAttribute("aria-checked", String(item.checked));
    row.append(item.drawing ?? icon(item.icon ?? "check"));
    const label = document.createElement("span");
    label.className = "menu-label";
    label.textContent = item.label;
    row.append(label);
    if (item.hint) {
      const hint = document.createElement("span");
      hint.className = "menu-hint";
      hint.textContent = item.hint;
      row.append(hint);
    }
    row.addEventListener("click", () => {
      this.close();
      item.action();
    });
    return row;
  }

  #place() {
    const anchor = this.#button.getBoundingClientRect();
    const margin = 6;
    const left = Math.min(anchor.left, window.innerWidth - this.#panel.offsetWidth - margin);
    this.#panel.style.left = `${Math.max(margin, left)}px`;
    this.#panel.style.top = `${anchor.bottom + margin}px`;
    this.#panel.style.maxHeight = `${window.innerHeight - anchor.bottom - 2 * margin}px`;
  }

  #onKey(event) {
    event.stopPropagation(); // the wall has keys of the same names
    const rows = [...this.#panel.children];
    const at = rows.indexOf(document.activeElement);
    const to = { ArrowDown: (at + 1) % rows.length, ArrowUp: (at - 1 + rows.length) % rows.length, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      rows[to].focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (event.key === "Tab") {
      this.close();
    }
  }
}
