/**
 * The bar's words on the whole site: how many cameras are live and which are not, the gateway's time, and news for screen
 * readers. A camera that is switched off is not missed.
 */
import { timeOfDay } from "./clock.js";
import { Menu } from "./menu.js";
import { TileState } from "./state.js";

export class WallStatus {
  #i18n;
  #clock;
  #announcer;
  #counts = document.getElementById("counts");
  #time = document.getElementById("clock");
  #announced = new Map();
  #missing = [];

  /** `reveal(id)` is called with the camera that was chosen from those that are not live. */
  constructor(i18n, clock, announcer, reveal) {
    this.#i18n = i18n;
    this.#clock = clock;
    this.#announcer = announcer;
    new Menu(this.#counts, () => this.#missing.map(({ id, name, state }) => ({
      label: name, hint: i18n.t(`state.${state}`), icon: "expand", action: () => reveal(id),
    })));
  }

  /** Several times a second. @param {Map<string, import("./tile.js").Tile>} tiles */
  tick(tiles, site) {
    this.showCounts(tiles, site);
    const time = timeOfDay(this.#clock.now());
    if (this.#time.textContent === time) return;
    this.#time.textContent = time;
    this.#announce(tiles);
  }

  showCounts(tiles, site) {
    const wanted = [...tiles.values()].filter((tile) => tile.state !== TileState.DISABLED);
    this.#missing = wanted.filter((tile) => tile.state !== TileState.LIVE);
    const total = wanted.length;
    const live = total - this.#missing.length;
    const title = total === 0 ? site : `${live}/${total} · ${site}`;
    const long = this.#i18n.t("bar.live_count", { live, total });
    if (document.title === title && this.#counts.firstElementChild.textContent === long) return;
    document.title = title;
    this.#counts.hidden = total === 0;
    this.#counts.querySelector(".long").textContent = long;
    this.#counts.setAttribute("aria-label", long); // a narrow bar shows the numbers alone
    this.#counts.querySelector(".short").textContent = `${live}/${total}`;
    this.#counts.classList.toggle("all-live", live === total);
    this.#counts.disabled = live === total;
  }

  /** Tells screen readers of cameras that were lost or came back; not of every hiccup. */
  #announce(tiles) {
    const texts = [];
    for (const [id, tile] of tiles) {
      const { state } = tile;
      const settled = state !== TileState.CONNECTING && state !== TileState.LATE;
      if (!settled || this.#announced.get(id) === state) continue;
      if (this.#announced.has(id) || state !== TileState.LIVE) {
        texts.push(this.#i18n.t("wall.announce", { name: tile.name, state: this.#i18n.t(`state.${state}`) }));
      }
      this.#announced.set(id, state);
    }
    if (texts.length) this.#announcer.whisper(texts.join(". "));
  }
}
