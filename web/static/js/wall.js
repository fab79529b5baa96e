/**
 * The wall: puts camera reports, tiles, navigation, keys, tour, language and page visibility together. Entry point of the
 * page.
 */
import { Announcer } from "./announcer.js";
import { Bar } from "./bar.js";
import { CameraFeed } from "./cameras.js";
import { ServerClock } from "./clock.js";
import { onDrag } from "./drag.js";
import { LargePicture } from "./focus.js";
import { toggleFullscreen } from "./fullscreen.js";
import { showHelp } from "./help.js";
import { browserI18n } from "./i18n.js";
import { commandFor, NumberInput, typesText } from "./keyboard.js";
import { isKiosk, Kiosk } from "./kiosk.js";
import { Navigation } from "./navigation.js";
import { PageLife } from "./page-life.js";
import { browserStorage, Settings } from "./settings.js";
import { Stage } from "./stage.js";
import { onSwipe } from "./swipe.js";
import { audible, TileCommands } from "./tile-commands.js";
import { Tile } from "./tile.js";
import { TileTools } from "./tools.js";
import { Tour } from "./tour.js";
import { browserTransports } from "./transport.js";
import { editView } from "./view-editor.js";
import { ALL } from "./views.js";
import { WallStatus } from "./wall-status.js";

const TICK_MS = 250;
const STATS_EVERY_TICKS = 4;
/** The hand that has just started the tour takes the mouse away. */
const TOUR_CALM_MS = 2500;

const byId = (id) => document.getElementById(id);

class Wall {
  #grid = byId("grid");
  #i18n = browserI18n();
  #clock;
  #settings = new Settings(browserStorage());
  #announcer = new Announcer(byId("announcements"), byId("notice"));
  #status;
  #tour = new Tour();
  #stage = new Stage(this.#grid, byId("stage"), () => this.#navigation.settled());
  #navigation = new Navigation(this.#stage, this.#settings, {
    onChange: () => this.#onShown(),
    onTour: (seconds) => this.#setTour(seconds),
  });
  #commands;
  #tools = new TileTools(this.#grid, this.#i18n, (command, id) => this.#run(command, id));
  #bar = new Bar(this.#i18n, {
    view: (id) => this.#navigation.chooseView(id),
    layout: (layout) => this.#navigation.chooseLayout(layout),
    tour: (seconds) => this.#setTour(seconds),
    newView: () => this.#editView(null),
    editView: () => this.#editView(this.#navigation.view),
    resetOrder: () => this.#navigation.resetOrder(),
    copyView: () => this.#copyView(),
    command: (command) => this.#run(command),
  });
  #numbers = new NumberInput((number) => this.#chooseNumber(number));
  #kiosk = isKiosk(window.location.search) ? new Kiosk(browserStorage(), byId("signed-out")) : null;
  #life = new PageLife({
    hide: () => {
      this.#feed.stop();
      this.#stage.suspend();
    },
    show: () => {
      this.#feed.start();
      this.#stage.resume();
    },
    slept: () => {
      this.#feed.poke();
      for (const tile of this.#tiles.values()) tile.restart();
    },
  });
  #feed;
  #transports;
  #cameras = [];
  #siteViews = [];
  #tiles = new Map();
  #large = null;
  #site = document.body.dataset.site ?? "";
  #ticks = 0;
  #tourStartedAt = 0;
  /** It was a tour of one page that made the picture large; there may be more pages by now. */
  #tourEnlarged = false;

  constructor(transports, clock) {
    this.#transports = transports;
    this.#clock = clock;
    this.#status = new WallStatus(this.#i18n, clock, this.#announcer, (id) => this.#navigation.reveal(id));
    this.#commands = new TileCommands({ i18n: this.#i18n, announcer: this.#announcer, clock });
    this.#feed = new CameraFeed({
      clock,
      callbacks: {
        onReport: (report) => this.#onReport(report),
        onLink: (up) => this.#onLink(up),
        onSignedOut: () => this.#onSignedOut(),
      },
    });
  }

  start() {
    this.#kiosk?.start();
    this.#navigation.begin();
    this.#i18n.apply(document);
    this.#i18n.bindSwitch(byId("languages"));
    this.#i18n.addEventListener("change", () => {
      this.#i18n.apply(document);
      this.#navigation.refresh();
      this.#status.showCounts(this.#tiles, this.#site);
    });
    document.addEventListener("keydown", (event) => this.#onKey(event));
    this.#grid.addEventListener("dblclick", (event) => this.#onDoubleClick(event));
    onDrag(this.#grid, () => !this.#navigation.enlarged && !this.#kiosk, (id, target) => this.#navigation.move(id, target));
    onSwipe(this.#grid, () => !this.#large?.picture.zoomed, (way) => this.#navigation.turn(way));
    byId("show-all").addEventListener("click", () => this.#navigation.chooseView(ALL));
    for (const name of ["pointerdown", "pointermove", "wheel", "keydown"]) {
      document.addEventListener(name, (event) => this.#onInteraction(event), { capture: true, passive: true });
    }
    window.addEventListener("online", () => this.#feed.poke());
    this.#feed.start();
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** One plain object per tile, in the order of the configuration. */
  get tiles() {
    return [...this.#tiles.values()].map((tile) => tile.diagnostics());
  }

  get linkUp() {
    return this.#feed.linkUp;
  }

  /** The `Tile` of a camera, for tests and for people who look into a wall. */
  tile(id) {
    return this.#tiles.get(id);
  }

  /** What the wall shows, for the same. */
  get state() {
    const { view, layout } = this.#navigation;
    return {
      view: view?.id ?? null,
      cameras: view?.cameras ?? [],
      layout,
      page: this.#stage.page,
      pages: this.#stage.pages,
      shown: this.#stage.shown.map((tile) => tile.id),
      selected: this.#stage.selected?.id ?? null,
      focused: this.#stage.focused?.id ?? null,
      heard: this.#commands.heard?.id ?? null,
      zoom: Number(this.#stage.focused?.element.style.getPropertyValue("--zoom") || 1),
      tour: this.#tour.running ? this.#tour.countdown(performance.now()) : null,
    };
  }

  #onReport({ site, version, cameras, views }) {
    this.#site = site ?? this.#site;
    this.#cameras = cameras;
    this.#siteViews = views ?? this.#siteViews;
    this.#kiosk?.answered(version);
    this.#tiles = new Map(cameras.map((camera) => [camera.id, this.#tileFor(camera)]));
    this.#stage.tiles = this.#tiles;
    this.#navigation.update(cameras, this.#siteViews);
    if (this.#large) this.#large.picture.update(this.#camera(this.#large.tile.id));
    byId("loading").hidden = true;
    byId("empty").hidden = cameras.length > 0;
    byId("controls").hidden = byId("tour-menu").hidden = cameras.length === 0;
    if (cameras.length === 0) {
      this.#grid.hidden = true;
      byId("empty-view").hidden = true;
    }
    this.#status.showCounts(this.#tiles, this.#site);
  }

  #tileFor(camera) {
    const tile = this.#tiles.get(camera.id);
    if (!tile) {
      return new Tile({
        camera, preference: "sub", transports: this.#transports, clock: this.#clock, i18n: this.#i18n,
        onAuth: () => this.#feed.poke(),
      });
    }
    tile.update(camera);
    return tile;
  }

  /** What is on the screen may have changed. */
  #onShown() {
    const { focused, shown } = this.#stage;
    const empty = this.#navigation.view.cameras.length === 0;
    byId("empty-view").hidden = !empty;
    this.#grid.hidden = empty; // before anything is measured
    if ((this.#large?.tile ?? null) !== focused) this.#showLarge(focused);
    this.#large?.picture.resize();
    this.#commands.follow(shown);
    this.#showTools();
    this.#bar.render({
      views: this.#navigation.views,
      view: this.#navigation.view,
      reordered: this.#navigation.reordered,
      layout: this.#navigation.layout,
      oneColumn: this.#stage.oneColumn,
      page: this.#stage.page,
      pages: this.#stage.pages,
      stats: this.#commands.showsStats,
      tourSeconds: this.#settings.tourSeconds,
      touring: this.#tour.running,
    });
    // A tour that the address asked for could not know yet that there is only one page.
    if (this.#tour.running && this.#stage.arranged && this.#stage.pages < 2) this.#tourOfOnePage();
  }

  #showLarge(tile) {
    this.#large?.picture.remove();
    this.#large = null;
    this.#tools.zoom = 1;
    if (!tile) {
      this.#tourEnlarged = false;
      return;
    }
    const picture = new LargePicture(tile, this.#camera(tile.id), this.#i18n, (scale) => {
      this.#tools.zoom = scale;
    });
    this.#large = { tile, picture };
  }

  #camera(id) {
    return this.#cameras.find((camera) => camera.id === id);
  }

  #editView(view) {
    const save = ({ name, cameras }) => {
      this.#navigation.saveView(view?.id ?? null, name, cameras);
      this.#announcer.tell(this.#i18n.t("announce.view_saved", { name }));
    };
    const remove = view ? () => this.#navigation.removeView(view.id) : null;
    const chosen = view ? view.cameras : this.#stage.shown.map((tile) => tile.id);
    editView({ view, cameras: this.#cameras, chosen, i18n: this.#i18n, save, remove });
  }

  async #copyView() {
    try {
      await navigator.clipboard.writeText(window.location.href);
      this.#announcer.tell(this.#i18n.t("share.copied"));
    } catch {
      this.#announcer.tell(this.#i18n.t("announce.copy_from_bar")); // no clipboard without encryption
    }
  }

  #chooseNumber(number) {
    const id = this.#navigation.view?.cameras[number - 1];
    if (number === 0) {
      this.#navigation.leave();
    } else if (id && this.#navigation.goTo(id)) {
      this.#announcer.tell(`${number} · ${this.#tiles.get(id).name}`);
    } else {
      this.#announcer.tell(this.#i18n.t("announce.no_number", { number }));
    }
  }

  #onKey(event) {
    if (typesText(event.target)) return;
    const command = commandFor(event);
    if (!this.#navigation.view && command !== "help") return;
    if (!command || (command === "focus" && event.target.closest("button, a"))) return;
    event.preventDefault();
    if (command === "number") this.#numbers.press(event.key, this.#navigation.view.cameras.length);
    else if (command === "select") this.#arrow(event.key);
    else if (command === "move") this.#moveSelected(event.key);
    else this.#run(command);
  }

  #arrow(key) {
    if (!this.#large) this.#stage.step(key);
    else if (this.#large.picture.pan(key)) return;
    else if (key === "ArrowRight" || key === "ArrowDown") this.#navigation.turn(1);
    else if (key === "ArrowLeft" || key === "ArrowUp") this.#navigation.turn(-1);
  }

  #moveSelected(key) {
    const { selected } = this.#stage;
    const target = selected && !this.#large ? this.#stage.besides(key) : null;
    if (!target) return;
    this.#navigation.move(selected.id, target);
    this.#navigation.goTo(selected.id);
    const { cameras } = this.#navigation.view;
    const place = cameras.indexOf(selected.id) + 1;
    this.#announcer.tell(this.#i18n.t("announce.moved", { name: selected.name, place, n: cameras.length }));
  }

  #onDoubleClick(event) {
    const id = event.target.closest(".tile")?.dataset.camera;
    if (!id || event.target.closest("button, .ptz-host")) return;
    this.#stage.select(id);
    this.#run("focus", id);
  }

  /** Carries out a command of a key or button; `id` is the camera it is for, else the large or selected one. */
  #run(command, id = this.#stage.focused?.id ?? this.#stage.selected?.id) {
    const tile = this.#tiles.get(id);
    const ofTile = {
      focus: () => {
        tile.element.click(); // where the browser waits for a click before it plays
        if (this.#navigation.enlarged) ofWall.back();
        else {
          this.#tourEnlarged = false;
          this.#navigation.enlarge(id);
        }
      },
      mute: () => {
        this.#commands.toggleSound(tile, this.#camera(id));
        this.#showTools();
      },
      snapshot: () => this.#commands.savePicture(tile),
      share: () => this.#commands.share(this.#camera(id)),
    };
    const ofWall = {
      back: () => {
        // In a tour of pages somebody who has looked at one camera gives the wall back to the tour.
        if (this.#tour.running && !this.#heldByPicture) this.#setTour(0);
        this.#navigation.leave();
      },
      pageBack: () => this.#turn(-1),
      pageOn: () => this.#turn(1),
      tour: () => this.#setTour(this.#tour.running ? 0 : this.#settings.tourSeconds),
      fullscreen: async () => {
        if (!(await toggleFullscreen())) this.#announcer.tell(this.#i18n.t("announce.no_fullscreen"));
      },
      stats: () => {
        this.#commands.toggleStats(this.#stage.shown);
        this.#navigation.settled();
      },
      zoomIn: () => this.#large?.picture.zoomIn(),
      zoomOut: () => this.#large?.picture.zoomOut(),
      zoomReset: () => this.#large?.picture.resetZoom(),
      help: () => showHelp(this.#i18n),
    };
    if (tile) ofTile[command]?.();
    ofWall[command]?.();
  }

  /** A picture that somebody has made large stands in the way of a tour of pages: it may be what is being watched. */
  get #heldByPicture() {
    return this.#large !== null && this.#stage.pages > 1 && !this.#tourEnlarged && !this.#kiosk;
  }

  #turn(way) {
    const turned = this.#navigation.turn(way);
    if (!turned || this.#large) return;
    this.#announcer.whisper(this.#i18n.t("bar.page_of", { page: this.#stage.page + 1, pages: this.#stage.pages }));
  }

  #showTools() {
    const tile = this.#tiles.get(this.#tools.cameraId) ?? this.#stage.selected;
    if (!tile) return;
    const muted = this.#commands.heard !== tile;
    const camera = this.#camera(tile.id);
    // Where a camera is pulled from is told to the admin only, and so is its page for the admin only.
    const page = typeof camera?.source === "string" ? `/cameras/${camera.id}` : null;
    this.#tools.render({ audible: audible(camera), muted, large: this.#stage.focused === tile, page });
  }

  /** Seconds per page; 0 ends the tour. */
  #setTour(seconds) {
    const now = performance.now();
    if (seconds > 0) {
      this.#tour.start(seconds, now);
      this.#tourStartedAt = now;
      this.#settings.tourSeconds = seconds;
    } else {
      this.#tour.stop();
    }
    this.#navigation.tourSeconds = seconds;
    this.#navigation.settled();
  }

  /** Where everything is on one page there is nothing to turn: then every camera gets its moment. */
  #tourOfOnePage() {
    this.#tourEnlarged = true;
    if (!this.#navigation.enlarged) this.#navigation.enlarge(this.#navigation.view.cameras[0]);
  }

  #onInteraction(event) {
    const now = performance.now();
    const meant = event.type !== "pointermove" || (now - this.#tourStartedAt > TOUR_CALM_MS && this.#grid.contains(event.target));
    if (meant) this.#tour.interact(now);
  }

  async #onSignedOut() {
    if (!this.#kiosk) {
      const { pathname, search, hash } = window.location;
      window.location.assign(`/login?next=${encodeURIComponent(pathname + search + hash)}`);
      return;
    }
    await this.#kiosk.renewSession();
    this.#feed.start();
  }

  #onLink(up) {
    byId("gateway-lost").hidden = up;
    for (const tile of this.#tiles.values()) tile.linkUp = up;
    this.#status.showCounts(this.#tiles, this.#site);
  }

  #tick() {
    this.#ticks += 1;
    this.#life.tick();
    for (const tile of this.#tiles.values()) tile.tick();
    const now = performance.now();
    if (this.#heldByPicture) this.#tour.interact(now);
    if (this.#navigation.view && this.#tour.tick(now)) this.#navigation.turn(1);
    this.#bar.renderTour(this.#tour.running ? this.#tour.countdown(now) : null);
    this.#showTools();
    if (this.#ticks % STATS_EVERY_TICKS === 0) this.#commands.updateStats(this.#stage.shown);
    this.#status.tick(this.#tiles, this.#site);
  }
}

const clock = new ServerClock();
const wall = new Wall(await browserTransports(clock), clock);
window.__wall = wall;
wall.start();
