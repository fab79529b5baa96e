/**
 * The bar above the wall: views, layouts, pages, tour, and the buttons of the wall's commands.
 *
 * It shows what it is given and reports what is wanted; it decides nothing.
 */
import { layoutDrawing } from "./layout-drawing.js";
import { LAYOUT_IDS } from "./layout.js";
import { Menu } from "./menu.js";
import { TOUR_SECONDS } from "./settings.js";

const VIEW_ICONS = { all: "views", group: "views", site: "views", own: "edit", linked: "share" };

/**
 * @typedef {object} BarState
 * @property {import("./views.js").View[]} views
 * @property {import("./views.js").View} view
 * @property {boolean} reordered the view's order was changed on this device
 * @property {string} layout
 * @property {boolean} oneColumn the screen takes no other layout
 * @property {number} page
 * @property {number} pages
 * @property {boolean} stats
 * @property {number} tourSeconds last chosen
 * @property {boolean} touring
 */
export class Bar {
  #i18n;
  #state = null;
  #on;
  #viewButton = document.getElementById("view-menu");
  #layoutButton = document.getElementById("layout-menu");
  #tourButton = document.getElementById("tour-menu");
  #pager = document.getElementById("pager");
  #pageNumber = document.getElementById("page-number");
  #more = document.getElementById("more");
  #extra = document.getElementById("bar-extra");

  /** @param {{view, layout, tour, newView, editView, resetOrder, copyView, command}} on what to call */
  constructor(i18n, on) {
    this.#i18n = i18n;
    this.#on = on;
    new Menu(this.#viewButton, () => this.#viewItems());
    new Menu(this.#layoutButton, () => this.#layoutItems());
    new Menu(this.#tourButton, () => this.#tourItems());
    for (const button of document.querySelectorAll(".bar [data-command]")) {
      button.addEventListener("click", () => on.command(button.dataset.command));
    }
    this.#more.addEventListener("click", () => this.#open(!this.#isOpen));
    document.addEventListener("pointerdown", (event) => {
      if (this.#isOpen && !this.#extra.contains(event.target) && !this.#more.contains(event.target)) this.#open(false);
    });
    this.#extra.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#isOpen) return;
      event.stopPropagation();
      this.#open(false);
      this.#more.focus();
    });
  }

  /** @param {BarState} state */
  render(state) {
    this.#state = state;
    this.#viewButton.querySelector(".pick-text").textContent = this.#nameOf(state.view);
    this.#viewButton.dataset.kind = state.view.kind;
    this.#layoutButton.querySelector(".pick-text").textContent = this.#layoutName(state.layout);
    this.#layoutButton.querySelector(".icon").replaceWith(layoutDrawing(state.layout));
    this.#layoutButton.hidden = state.oneColumn;
    this.#pager.hidden = state.pages < 2;
    this.#pageNumber.textContent = `${state.page + 1} / ${state.pages}`;
    this.#pageNumber.setAttribute("aria-label", this.#i18n.t("bar.page_of", { page: state.page + 1, pages: state.pages }));
    document.querySelector(".bar [data-command=stats]").setAttribute("aria-pressed", String(state.stats));
    this.#tourButton.classList.toggle("active", state.touring);
  }

  /** @param {{paused: boolean, left: number, share: number}|null} countdown null while there is no tour */
  renderTour(countdown) {
    const text = this.#tourButton.querySelector(".pick-text");
    const words = !countdown ? this.#i18n.t("tour.name")
      : countdown.paused ? this.#i18n.t("tour.paused") : this.#i18n.t("tour.left", { seconds: countdown.left });
    if (text.textContent !== words) text.textContent = words;
    this.#tourButton.classList.toggle("paused", Boolean(countdown?.paused));
    this.#tourButton.style.setProperty("--left", String(countdown?.share ?? 0));
  }

  get #isOpen() {
    return this.#extra.classList.contains("open");
  }

  #open(open) {
    this.#extra.classList.toggle("open", open);
    this.#more.setAttribute("aria-expanded", String(open));
    if (open) this.#extra.querySelector("button")?.focus();
  }

  #nameOf(view) {
    return view.name ?? this.#i18n.t(`view.${view.kind}`);
  }

  #layoutName(layout) {
    return layout === "auto" ? this.#i18n.t("layout.auto") : layout.replace("x", " × ").replace("+", " + ");
  }

  #viewItems() {
    const { views, view, reordered } = this.#state;
    const items = views.map((one) => ({
      label: this.#nameOf(one),
      icon: VIEW_ICONS[one.kind],
      hint: String(one.cameras.length),
      checked: one.id === view.id,
      action: () => this.#on.view(one.id),
    }));
    const t = (key) => this.#i18n.t(key);
    items.push({ label: t("view.new"), icon: "add", rule: true, action: () => this.#on.newView() });
    if (view.kind === "own") items.push({ label: t("view.change"), icon: "edit", action: () => this.#on.editView() });
    if (reordered) items.push({ label: t("view.reset_order"), icon: "reset", action: () => this.#on.resetOrder() });
    items.push({ label: t("view.copy"), icon: "share", action: () => this.#on.copyView() });
    return items;
  }

  #layoutItems() {
    return LAYOUT_IDS.map((layout) => ({
      label: this.#layoutName(layout),
      drawing: layoutDrawing(layout),
      checked: layout === this.#state.layout,
      action: () => this.#on.layout(layout),
    }));
  }

  #tourItems() {
    const { touring, tourSeconds } = this.#state;
    const off = { label: this.#i18n.t("tour.off"), icon: "close", checked: !touring, action: () => this.#on.tour(0) };
    return [off, ...TOUR_SECONDS.map((seconds) => ({
      label: this.#i18n.t("tour.every", { seconds }),
      icon: "tour",
      checked: touring && seconds === tourSeconds,
      action: () => this.#on.tour(seconds),
    }))];
  }
}
