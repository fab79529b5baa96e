/**
 * The wall: puts tiles, camera reports, layout, language and page visibility together. Entry point of the page.
 */
import { CameraFeed } from "./cameras.js";
import { ServerClock, timeOfDay } from "./clock.js";
import { browserI18n } from "./i18n.js";
import { automaticGrid, GAP_PX, neighbour } from "./layout.js";
import { preferenceFor } from "./playback.js";
import { TileState } from "./state.js";
import { Tile } from "./tile.js";
import { browserTransports } from "./transport.js";

const TICK_MS = 250;
/** Flicking through tabs must not restart a wall; a tab left for longer gives its decoders back. */
const HIDDEN_GRACE_MS = 5000;
/** Timers that stood still for so long mean that the machine slept. */
const SLEPT_MS = 10000;
/** Tiles this far outside the visible area already play, so that scrolling does not show them starting. */
const NEAR_VIEW_PX = 200;

class Wall {
  #grid = document.getElementById("grid");
  #stage = document.getElementById("stage");
  #empty = document.getElementById("empty");
  #loading = document.getElementById("loading");
  #counts = document.getElementById("counts");
  #lost = document.getElementById("gateway-lost");
  #bell = document.getElementById("announcements");
  #time = document.getElementById("clock");
  #i18n = browserI18n();
  #clock;
  #tiles = new Map();
  #near = new Set();
  #announced = new Map();
  #transports;
  #feed;
  #sight;
  #columns = 1;
  #site = document.body.dataset.site ?? "";
  #hiddenTimer = null;
  #suspended = false;
  #tickedAt = Date.now();

  constructor(transports, clock) {
    this.#transports = transports;
    this.#clock = clock;
    this.#feed = new CameraFeed({
      clock: this.#clock,
      callbacks: {
        onReport: (report) => this.#onReport(report),
        onLink: (up) => this.#onLink(up),
        onSignedOut: () => window.location.assign("/login?next=/"),
      },
    });
    this.#sight = new IntersectionObserver((entries) => this.#onSight(entries), {
      root: this.#stage, rootMargin: `${NEAR_VIEW_PX}px`,
    });
  }

  start() {
    this.#i18n.apply(document);
    this.#i18n.bindSwitch(document.getElementById("languages"));
    this.#i18n.addEventListener("change", () => {
      this.#i18n.apply(document);
      this.#showCounts();
    });
    new ResizeObserver(() => this.#arrange()).observe(this.#stage);
    this.#grid.addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    window.addEventListener("online", () => this.#feed.poke());
    this.#feed.start();
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** One plain object per tile, in the order of the wall. */
  get tiles() {
    return [...this.#tiles.values()].map((tile) => tile.diagnostics());
  }

  /** The `Tile` of a camera, for tests and for people who look into a wall. */
  tile(id) {
    return this.#tiles.get(id);
  }

  get linkUp() {
    return this.#feed.linkUp;
  }

  #onReport({ site, cameras }) {
    this.#site = site ?? this.#site;
    const preference = preferenceFor(cameras.length);
    const known = new Set(cameras.map((camera) => camera.id));
    for (const [id, tile] of this.#tiles) {
      if (known.has(id)) continue;
      this.#sight.unobserve(tile.element);
      this.#near.delete(id);
      tile.dispose();
      this.#tiles.delete(id);
    }
    const ordered = new Map();
    for (const camera of cameras) ordered.set(camera.id, this.#tileFor(camera, preference));
    const changed = [...ordered.keys()].join() !== [...this.#tiles.keys()].join();
    this.#tiles = ordered;
    if (changed) this.#place();
    this.#loading.hidden = true;
    this.#empty.hidden = cameras.length > 0;
    this.#grid.hidden = cameras.length === 0;
    this.#showCounts();
  }

  #tileFor(camera, preference) {
    let tile = this.#tiles.get(camera.id);
    if (tile) {
      tile.preference = preference;
      tile.update(camera);
      return tile;
    }
    tile = new Tile({
      camera, preference, transports: this.#transports, clock: this.#clock, i18n: this.#i18n,
      onAuth: () => this.#feed.poke(),
    });
    return tile;
  }

  /** Puts the tiles into the order of the configuration without touching those that are in their place. */
  #place() {
    let position = 0;
    for (const tile of this.#tiles.values()) {
      const there = this.#grid.children[position];
      // Moving a playing video stops it; only what is out of place is moved.
      if (there !== tile.element) this.#grid.insertBefore(tile.element, there ?? null);
      this.#sight.observe(tile.element);
      position += 1;
    }
    this.#grid.hidden = this.#tiles.size === 0;
    this.#arrange();
  }

  #arrange() {
    const style = getComputedStyle(this.#stage);
    const width = this.#stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = this.#stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const grid = automaticGrid(this.#tiles.size, width, height);
    this.#columns = Math.max(1, grid.columns);
    this.#grid.style.setProperty("--columns", String(grid.columns));
    this.#grid.style.setProperty("--tile-width", `${grid.tileWidth}px`);
    this.#grid.style.setProperty("--tile-height", `${grid.tileHeight}px`);
    this.#grid.style.setProperty("--gap", `${GAP_PX}px`);
    this.#stage.classList.toggle("scrolls", grid.scroll);
  }

  #onSight(entries) {
    for (const { target, isIntersecting } of entries) {
      const id = target.dataset.camera;
      if (isIntersecting) this.#near.add(id);
      else this.#near.delete(id);
      if (this.#suspended) continue;
      if (isIntersecting) this.#tiles.get(id)?.run();
      else this.#tiles.get(id)?.halt();
    }
  }

  #onVisibility() {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) {
      this.#hiddenTimer = setTimeout(() => this.#suspend(), HIDDEN_GRACE_MS);
    } else {
      this.#resume();
    }
  }

  #suspend() {
    this.#suspended = true;
    this.#feed.stop();
    for (const tile of this.#tiles.values()) tile.halt();
  }

  #resume() {
    this.#tickedAt = Date.now();
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#feed.start();
    for (const [id, tile] of this.#tiles) if (this.#near.has(id)) tile.run();
  }

  #onLink(up) {
    this.#lost.hidden = up;
    for (const tile of this.#tiles.values()) tile.linkUp = up;
    this.#showCounts();
  }

  #tick() {
    const now = Date.now();
    const slept = now - this.#tickedAt > SLEPT_MS && !document.hidden;
    this.#tickedAt = now;
    if (slept) {
      this.#feed.poke();
      for (const tile of this.#tiles.values()) tile.restart();
    }
    for (const tile of this.#tiles.values()) tile.tick();
    this.#showCounts();
    const time = timeOfDay(this.#clock.now());
    if (this.#time.textContent === time) return;
    this.#time.textContent = time;
    this.#announce();
  }

  #showCounts() {
    const total = this.#tiles.size;
    const live = [...this.#tiles.values()].filter((tile) => tile.state === TileState.LIVE).length;
    const title = total === 0 ? this.#site : `${live}/${total} · ${this.#site}`;
    const long = this.#i18n.t("bar.live_count", { live, total });
    if (document.title === title && this.#counts.firstElementChild.textContent === long) return;
    document.title = title;
    this.#counts.hidden = total === 0;
    this.#counts.querySelector(".long").textContent = long;
    this.#counts.querySelector(".short").textContent = `${live}/${total}`;
    this.#counts.classList.toggle("all-live", live === total);
  }

  /** Tells screen readers of cameras that were lost or came back; not of every hiccup. */
  #announce() {
    const texts = [];
    for (const [id, tile] of this.#tiles) {
      const { state } = tile;
      const settled = state !== TileState.CONNECTING && state !== TileState.LATE;
      if (!settled || this.#announced.get(id) === state) continue;
      if (this.#announced.has(id) || state !== TileState.LIVE) {
        texts.push(this.#i18n.t("wall.announce", { name: tile.name, state: this.#i18n.t(`state.${state}`) }));
      }
      this.#announced.set(id, state);
    }
    if (texts.length) this.#bell.textContent = texts.join(". ");
  }

  #onKey(event) {
    const tiles = [...this.#grid.children];
    const index = tiles.indexOf(document.activeElement);
    if (index < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") tiles[index].click();
    const target = neighbour(index, event.key, tiles.length, this.#columns);
    if (target === index) return;
    event.preventDefault();
    tiles[target].focus();
  }
}

const clock = new ServerClock();
const wall = new Wall(await browserTransports(clock), clock);
window.__wall = wall;
wall.start();
