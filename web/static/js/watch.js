/**
 * `/watch/<stream>`: one camera, for a phone or for a frame in another web site. Entry point of the page.
 *
 * Where there is Media Source the wall's own tile plays. iPhones before 17.1, WeChat and other browsers that only know HLS
 * by themselves get that through the same tile; browsers too old for this script keep the page's plain video element.
 * An address with a token hands it on with everything that is fetched, because frames get no cookies.
 */
import { Announcer } from "./announcer.js";
import { CameraFeed } from "./cameras.js";
import { ServerClock } from "./clock.js";
import { browserI18n } from "./i18n.js";
import { setIcon } from "./icons.js";
import { LargePicture } from "./focus.js";
import { toggleFullscreen } from "./fullscreen.js";
import { commandFor, typesText } from "./keyboard.js";
import { PageLife } from "./page-life.js";
import { savePicture } from "./save-picture.js";
import { showAddresses } from "./share.js";
import { StatsPanel } from "./stats.js";
import { Tile } from "./tile.js";
import { browserTransports } from "./transport.js";
import { credentialsOf, withCredentials } from "./watch-credentials.js";

const TICK_MS = 250;
const STATS_EVERY_MS = 1000;
const IDLE_MS = 4000;

const byId = (id) => document.getElementById(id);

class WatchPage {
  #player = byId("player");
  #tools = byId("watch-tools");
  #start = byId("start");
  #ended = byId("ended");
  #i18n = browserI18n();
  #clock;
  #announcer = new Announcer(byId("announcements"), byId("notice"));
  #credentials;
  #streamId = this.#player.dataset.streamId;
  #transports;
  #feed;
  #camera = null;
  #tile = null;
  #picture = null;
  #panel = null;
  #panelAt = 0;
  #idleTimer = null;
  #life = new PageLife({
    hide: () => {
      this.#feed.stop();
      this.#tile?.halt();
    },
    show: () => {
      this.#feed.start();
      if (this.#ended.hidden) this.#tile?.run(); // not only with a report: where none comes, the tile has to say so
    },
    slept: () => {
      this.#feed.poke();
      this.#tile?.restart();
    },
  });

  /** `credentials` are those of the page's address, as `credentialsOf` finds them. */
  constructor(transports, clock, credentials) {
    this.#transports = transports;
    this.#clock = clock;
    this.#credentials = credentials;
    this.#feed = new CameraFeed({
      url: withCredentials("/api/v1/cameras", credentials),
      clock,
      patient: !this.#leadsToLogin,
      callbacks: {
        onReport: ({ cameras }) => this.#onReport(cameras.find((camera) => camera.id === this.#player.dataset.cameraId)),
        onLink: (up) => {
          if (this.#tile) this.#tile.linkUp = up;
        },
        onSignedOut: () => this.#onSignedOut(),
      },
    });
  }

  start() {
    this.#i18n.apply(document);
    for (const button of this.#tools.querySelectorAll("[data-command]")) {
      button.addEventListener("click", () => this.#run(button.dataset.command));
    }
    this.#start.addEventListener("click", () => {
      this.#tile.element.click();
      this.#start.hidden = true;
    });
    document.addEventListener("keydown", (event) => this.#onKey(event));
    for (const name of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(name, () => this.#wake(), { passive: true });
    window.addEventListener("resize", () => this.#picture?.resize());
    window.addEventListener("online", () => this.#feed.poke());
    this.#wake();
    this.#feed.start();
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** For tests and for people who look into the page. */
  get tile() {
    return this.#tile;
  }

  get #leadsToLogin() {
    return window.top === window && !this.#hasCredentials;
  }

  get #hasCredentials() {
    return this.#credentials.toString() !== "";
  }

  #onReport(report) {
    if (!report) {
      this.#end("watch.gone");
      return;
    }
    this.#ended.hidden = true;
    this.#player.hidden = false;
    // A page for the small stream shows that one and no other.
    const streams = report.streams.filter((stream) => stream.id === this.#streamId);
    this.#camera = { ...report, streams: streams.length ? streams : report.streams };
    if (this.#tile) {
      this.#tile.update(this.#camera);
      if (!this.#hasCredentials) this.#picture.update(report);
      this.#tile.run();
      return;
    }
    this.#tile = new Tile({
      camera: this.#camera, preference: "main", transports: this.#transports, clock: this.#clock, i18n: this.#i18n,
      onAuth: () => this.#feed.poke(),
    });
    this.#tile.focus(true);
    this.#player.replaceChildren(this.#tile.element);
    this.#picture = new LargePicture(this.#tile, this.#hasCredentials ? null : report, this.#i18n, () => {});
    this.#tools.hidden = false;
    this.#tile.run();
  }

  #tick() {
    this.#life.tick();
    if (!this.#tile) return;
    this.#tile.tick();
    this.#start.hidden = !this.#tile.blocked;
    const mute = this.#tools.querySelector("[data-command=mute]");
    mute.hidden = !this.#camera.streams.some((stream) => stream.audio);
    const text = this.#i18n.t(this.#tile.muted ? "tools.unmute" : "tools.mute");
    if (mute.title !== text) {
      mute.title = text;
      mute.setAttribute("aria-label", text);
      setIcon(mute.querySelector("svg"), this.#tile.muted ? "sound-off" : "sound-on");
    }
    const now = performance.now();
    if (this.#panel && now - this.#panelAt >= STATS_EVERY_MS) {
      this.#panelAt = now;
      this.#panel.update();
    }
  }

  #onKey(event) {
    if (typesText(event.target)) return;
    const command = commandFor(event);
    if (command === "select" && this.#picture?.pan(event.key)) event.preventDefault();
    else if (command) this.#run(command);
  }

  #run(command) {
    if (!this.#tile) return;
    const commands = {
      mute: () => this.#tile.mute(!this.#tile.muted),
      snapshot: async () => {
        const name = await savePicture(this.#tile, this.#tile.diagnostics().lastFrameAt ?? this.#clock.now());
        this.#announcer.tell(name ? this.#i18n.t("announce.saved", { name }) : this.#i18n.t("tile.no_picture_yet"));
      },
      stats: () => this.#toggleStats(),
      share: () => showAddresses(this.#camera, { i18n: this.#i18n, announcer: this.#announcer, token: this.#credentials.get("token") }),
      fullscreen: async () => {
        const done = await toggleFullscreen(this.#player.querySelector("video"));
        if (!done) this.#announcer.tell(this.#i18n.t("announce.no_fullscreen"));
      },
      zoomIn: () => this.#picture.zoomIn(),
      zoomOut: () => this.#picture.zoomOut(),
      back: () => this.#picture.resetZoom(),
    };
    commands[command]?.();
  }

  #toggleStats() {
    if (this.#panel) this.#panel.remove();
    this.#panel = this.#panel ? null : new StatsPanel(this.#tile, this.#i18n);
    this.#tools.querySelector("[data-command=stats]").setAttribute("aria-pressed", String(this.#panel !== null));
  }

  /** In a frame a login page would stay empty; there, and where a token was given, words must do. The feed goes on asking. */
  #onSignedOut() {
    if (this.#leadsToLogin) {
      window.location.assign(`/login?next=${encodeURIComponent(window.location.pathname)}`);
      return;
    }
    this.#end("watch.login");
  }

  #end(key) {
    this.#tile?.halt();
    this.#player.hidden = true; // a tile that was halted would say that it is connecting
    this.#ended.textContent = this.#i18n.t(key);
    this.#ended.hidden = false;
  }

  #wake() {
    document.body.classList.remove("idle");
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => document.body.classList.add("idle"), IDLE_MS);
  }
}

const credentials = credentialsOf(window.location.search);
const clock = new ServerClock();
const transports = await browserTransports(clock, (path) => withCredentials(path, credentials));
const page = new WatchPage(transports, clock, credentials);
window.__watch = page;
page.start();
