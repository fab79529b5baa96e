/**
 * Where on the wall the user is: view, layout, page, large picture. Keeps the address in step, and the device's memory.
 *
 * The stage is told what to show; `onChange` is called after everything that may have changed what is seen.
 */
import { formatAddress, parseAddress } from "./address.js";
import { commonAspect, wrapped } from "./layout.js";
import { ALL, catalogue, findView, LINKED, moved, newViewId, ordered } from "./views.js";

export class Navigation {
  #stage;
  #settings;
  #onChange;
  #onTour;
  #cameras = [];
  #siteViews = [];
  #views = [];
  #view = null;
  #wanted = { view: null, layout: null, page: 0, focus: null, linked: null };
  /** The layout that this device remembered for the view when it was chosen; another window may change that. */
  #remembered = { view: null, layout: null };
  #tourSeconds = 0;
  #returning = false;

  /** `onTour(seconds)` is called when an address asks for a tour. */
  constructor(stage, settings, { onChange, onTour }) {
    this.#stage = stage;
    this.#settings = settings;
    this.#onChange = onChange;
    this.#onTour = onTour;
    for (const name of ["popstate", "hashchange"]) window.addEventListener(name, () => this.#onAddress());
  }

  /** Takes the state from the address, and what it does not say from the device's memory. */
  begin() {
    const changed = this.#follow(parseAddress(window.location.hash));
    this.#wanted.view ??= this.#settings.view;
    if (changed) this.#onTour(this.#tourSeconds);
  }

  /** @returns {import("./views.js").View[]} */
  get views() {
    return this.#views;
  }

  /** The view on the screen; null before the first report. @returns {import("./views.js").View|null} */
  get view() {
    return this.#view;
  }

  get layout() {
    return this.#wanted.layout ?? this.#remembered.layout ?? this.#view?.layout ?? "auto";
  }

  /** Whether the order of the view was changed on this device. */
  get reordered() {
    return this.#view.id in this.#settings.orders;
  }

  get enlarged() {
    return this.#wanted.focus !== null;
  }

  /** A report has come: cameras, and the views of the configuration, as the API describes them. */
  update(cameras, siteViews) {
    this.#cameras = cameras;
    this.#siteViews = siteViews;
    this.refresh();
  }

  /** Brings the stage up to date with the cameras and with what is wanted. */
  refresh() {
    if (this.#cameras.length === 0) {
      this.#view = null;
      return;
    }
    const { linked, page } = this.#wanted;
    this.#views = catalogue(this.#cameras, this.#siteViews, this.#settings.ownViews, this.#settings.orders, linked);
    this.#view = findView(this.#views, this.#wanted.view);
    const { id, cameras: ids } = this.#view;
    if (this.#remembered.view !== id) this.#remembered = { view: id, layout: this.#settings.layoutOf(id) };
    // A camera that was taken away, or that this user may not see, is not large: else the keys would be those of a large picture.
    const focus = ids.includes(this.#wanted.focus) ? this.#wanted.focus : null;
    this.#wanted.focus = focus;
    const aspect = commonAspect(this.#cameras.filter((one) => ids.includes(one.id)).map((one) => one.streams[0] ?? {}));
    this.#stage.show({ ids, layout: this.layout, page, focus, aspect });
    this.settled();
  }

  /** The stage has placed its tiles, perhaps by itself after a resize. */
  settled() {
    if (!this.#view) return;
    this.#wanted.page = this.#stage.page;
    this.#writeAddress();
    this.#onChange();
  }

  chooseView(id) {
    this.#wanted = { ...this.#wanted, view: id, layout: null, page: 0, focus: null };
    this.#remembered.view = null;
    this.#settings.view = id === LINKED ? null : id;
    this.refresh();
  }

  /** Goes on with the selected camera, wherever the new layout puts it. */
  chooseLayout(layout) {
    const selected = this.#stage.selected?.id;
    this.#settings.setLayout(this.#view.id, layout);
    this.#remembered = { view: this.#view.id, layout };
    this.#wanted = { ...this.#wanted, layout, focus: null };
    this.refresh();
    this.goTo(selected);
  }

  /** Turns to the page with a camera and selects it; enlarges it where one is enlarged. False if it is not in the view. */
  goTo(id) {
    if (!this.#view?.cameras.includes(id)) return false;
    if (this.enlarged) {
      this.enlarge(id);
    } else {
      this.#wanted.page = this.#stage.pageWith(id);
      this.refresh();
      this.#stage.select(id);
    }
    return true;
  }

  /** Goes to a camera in this view if it is there, else among all. */
  reveal(id) {
    if (this.goTo(id)) return;
    this.chooseView(ALL);
    this.goTo(id);
  }

  /** To the next page (1) or the one before (-1); with a large picture, to the next camera. False if there is only one. */
  turn(way) {
    if (this.enlarged) {
      const { cameras } = this.#view;
      this.enlarge(cameras[wrapped(cameras.indexOf(this.#wanted.focus) + way, cameras.length)]);
      return cameras.length > 1;
    }
    if (this.#stage.pages < 2) return false;
    this.#wanted.page = wrapped(this.#stage.page + way, this.#stage.pages);
    const hadFocus = document.activeElement?.closest(".tile") !== null;
    this.refresh();
    const [first] = this.#stage.shown;
    if (hadFocus && first) this.#stage.select(first.id);
    return true;
  }

  enlarge(id) {
    if (!this.#view?.cameras.includes(id)) return;
    const entering = !this.enlarged;
    this.#wanted.focus = id;
    this.#wanted.page = this.#stage.pageWith(id);
    // So that "back" on a phone leads back to the wall.
    if (entering) history.pushState({ enlarged: true }, "", window.location.href);
    this.refresh();
    this.#stage.select(id);
  }

  /** Back from the large picture; its tile keeps the selection. */
  leave() {
    const id = this.#wanted.focus;
    if (!id) return;
    this.#wanted.focus = null;
    if (history.state?.enlarged) {
      this.#returning = true;
      history.back();
    }
    this.refresh();
    this.#stage.select(id);
  }

  /** Puts camera `id` where `target` is. */
  move(id, target) {
    this.#setOrder(moved(this.#view.cameras, id, target));
  }

  resetOrder() {
    this.#settings.setOrder(this.#view.id, null);
    this.refresh();
  }

  /** Keeps a view of this device: `id` null makes a new one. */
  saveView(id, name, cameras) {
    const own = this.#settings.ownViews;
    const away = (own.find((one) => one.id === id)?.cameras ?? []).filter((other) => !this.#cameras.some((one) => one.id === other));
    const saved = { id: id ?? newViewId(own), name, cameras: [...cameras, ...away] };
    const known = own.some((one) => one.id === id); // another window may have removed it meanwhile
    this.#settings.ownViews = known ? own.map((one) => (one.id === id ? saved : one)) : [...own, saved];
    this.chooseView(saved.id);
  }

  removeView(id) {
    this.#settings.removeView(id);
    this.chooseView(ALL);
  }

  /** The tour belongs into the address; 0 for none. */
  set tourSeconds(seconds) {
    this.#tourSeconds = seconds;
    if (this.#view) this.#writeAddress();
  }

  #setOrder(ids) {
    const { id, kind } = this.#view;
    // Cameras that are not there at the moment keep their places.
    if (kind === "own") {
      const reordered = (own) => ({ ...own, cameras: ordered(own.cameras, ids) });
      this.#settings.ownViews = this.#settings.ownViews.map((own) => (own.id === id ? reordered(own) : own));
    } else if (kind === "linked") {
      this.#wanted.linked = ordered(this.#wanted.linked, ids);
    } else {
      this.#settings.setOrder(id, ids);
    }
    this.refresh();
  }

  #onAddress() {
    if (this.#returning) {
      this.#returning = false;
      this.#writeAddress();
      return;
    }
    const wasEnlarged = this.enlarged;
    const changed = this.#follow(parseAddress(window.location.hash));
    // A tour of one page goes from large picture to large picture: who goes back from one wants none.
    if (wasEnlarged && !this.enlarged && this.#tourSeconds > 0 && this.#stage.pages < 2) this.#onTour(0);
    this.refresh();
    // Only now it is known how many pages there are to be turned.
    if (changed) this.#onTour(this.#tourSeconds);
  }

  /** True if the tour is another than before. */
  #follow({ view, cameras, layout, page, focus, tour }) {
    const own = this.#settings.ownViews.find((one) => one.id === view);
    // Numbers of own views repeat from device to device; the cameras tell whether it is the one that was meant.
    const linked = cameras && own?.cameras.join() !== cameras.join() ? cameras : null;
    this.#wanted = { view: linked ? LINKED : view, layout, page: page ?? 0, focus, linked };
    const before = this.#tourSeconds;
    this.#tourSeconds = tour ?? 0;
    return this.#tourSeconds !== before;
  }

  #writeAddress() {
    if (this.#returning) return; // the address is about to become an older one
    const { id, kind, layout: proposed } = this.#view;
    const own = kind === "own" ? this.#settings.ownViews.find((one) => one.id === id)?.cameras : null;
    const hash = formatAddress({
      view: id,
      cameras: kind === "linked" ? this.#wanted.linked : own,
      // Who is sent the address remembers another one; what the configuration proposes may change there, and is followed.
      layout: this.layout === proposed ? null : this.layout,
      page: this.#stage.page,
      focus: this.#stage.focused?.id,
      tour: this.#tourSeconds,
    });
    if (hash === window.location.hash) return;
    history.replaceState(history.state, "", `${window.location.pathname}${window.location.search}${hash}`);
  }
}
