/**
 * One camera on the wall: chooses what to play, keeps it playing, and says honestly what is seen.
 *
 * The wall calls `update` with every report of the server, `tick` several times a second, and `run`/`halt` as the tile
 * comes into view and leaves it. Which transport brings the picture is decided behind `transports.open`.
 */
import { timeStamp } from "./clock.js";
import { choosePlayback, REFUSED_FOR_MS } from "./playback.js";
import { pushFace } from "./push-badge.js";
import { judge, normalGap, pictureExpected, TileState } from "./state.js";
import { TileView } from "./tile-view.js";
import { Help, Watchdog } from "./watchdog.js";

const KEEP_UP_MS = 1000;
/** With another stream to turn to, a stream that gives no first picture for this long is given up for a while. */
const NO_PICTURE_MS = 15000;
/** A frame dated further in the future than this has a wrong date (clock estimate, a publisher's clock). */
const FUTURE_MS = 2000;
/** A new player on a stopped stream shows its last seconds again. Further back it is a clock that was set. */
const REPLAY_MS = 30000;
/** Two players date the same frame so much differently. */
const DATE_SLACK_MS = 300;

export class Tile {
  #camera;
  #preference;
  #transports;
  #clock;
  #i18n;
  #onAuth;
  #view;
  #watchdog = new Watchdog();
  #refused = new Map();
  #choice = null;
  #transport = null;
  #running = false;
  #outOfSight = false;
  #linkUp = true;
  #blocked = false;
  #begunAt = 0;
  #keptUpAt = 0;
  #frameAt = null;
  #frameWall = null;
  #dated = false;
  #seenUntil = null;
  #frames = 0;
  #restarts = 0;
  #resyncs = 0;
  #verdict = { state: TileState.CONNECTING, frozen: true, behind: false, reason: null, since: null, nextRetry: null };

  /** `onAuth` is called when a media request was refused for want of a session. */
  constructor({ camera, preference, transports, clock, i18n, onAuth }) {
    this.#camera = camera;
    this.#preference = preference;
    this.#transports = transports;
    this.#clock = clock;
    this.#i18n = i18n;
    this.#onAuth = onAuth;
    this.#view = new TileView(camera.id);
    this.element.addEventListener("click", () => this.#transport?.play());
    this.#render();
  }

  get element() {
    return this.#view.root;
  }

  get id() {
    return this.#camera.id;
  }

  get name() {
    return this.#camera.name;
  }

  /** What the tile shows; while it is out of sight, what the server says. */
  get state() {
    return this.#outOfSight ? this.#camera.state : this.#verdict.state;
  }

  /** The server's newest word on the camera. */
  update(camera) {
    const returned = camera.state === TileState.LIVE && this.#camera.state !== TileState.LIVE;
    this.#camera = camera;
    if (returned) this.sourceReturned();
    if (this.#running) this.#choose();
  }

  /** Whether the gateway answers at all. */
  set linkUp(up) {
    if (up && !this.#linkUp) this.sourceReturned();
    this.#linkUp = up;
  }

  set preference(preference) {
    if (preference === this.#preference) return;
    this.#preference = preference;
    if (this.#running) this.#choose();
  }

  /** There should be pictures again: help the player soon if it does not find them by itself. */
  sourceReturned() {
    this.#watchdog.returned(performance.now());
  }

  /** The tile has come into view. */
  run() {
    this.#outOfSight = false;
    if (this.#running) return;
    this.#running = true;
    this.#choose();
  }

  /** The tile is out of sight: let go of decoder, connections, and an on-demand stream. */
  halt() {
    this.#outOfSight = true;
    if (!this.#running) return;
    this.#running = false;
    this.#close();
    this.#choice = null;
    this.#verdict = { ...this.#verdict, state: TileState.CONNECTING, frozen: true, behind: false, reason: null };
    this.#render();
  }

  /** The page slept: what the player holds is old, and it may not know. */
  restart() {
    if (!this.#running) return;
    this.halt();
    this.run();
  }

  dispose() {
    this.halt();
    this.element.remove();
  }

  tick() {
    if (!this.#running) return;
    const now = performance.now();
    this.#forgetRefusals(now);
    this.#giveUpSilentStream(now);
    if (now - this.#keptUpAt >= KEEP_UP_MS) {
      this.#keptUpAt = now;
      this.#transport?.keepUp();
    }
    if (this.#choice?.kind === "video") this.#help(now);
    this.#verdict = judge(this.#facts(now));
    this.#render();
  }

  /** Facts for tests and for people who look into a wall: see `window.__wall`. */
  diagnostics() {
    const now = performance.now();
    return {
      id: this.id,
      state: this.#verdict.state,
      frames: this.#frames,
      lastFrameAt: this.#frameWall,
      quietMs: this.#frameAt === null ? null : now - this.#frameAt,
      latencyMs: this.#dated ? this.#clock.now() - this.#frameWall - (now - this.#frameAt) : null,
      restarts: this.#restarts,
      resyncs: this.#resyncs,
      transport: this.#transport?.kind ?? null,
      stream: this.#choice?.stream?.id ?? null,
      note: this.#choice?.note?.key ?? null,
    };
  }

  #choose() {
    if (this.#camera.state === TileState.DISABLED) {
      if (this.#transport) this.#close();
      this.#choice = null;
      return;
    }
    const choice = choosePlayback(this.#camera, this.#preference, this.#transports.capabilities, this.#refused);
    const same = this.#choice && choice.kind === this.#choice.kind && choice.url === this.#choice.url;
    this.#choice = choice;
    this.#watchdog.normalGap = normalGap(choice.stream?.fps ?? 0);
    if (same) return;
    this.#begunAt = performance.now();
    this.#open();
  }

  #open() {
    this.#close();
    this.#blocked = false;
    this.#markSeen();
    let transport = null;
    // Words of a transport that has been replaced no longer count.
    const current = (handler) => (value) => {
      if (transport === this.#transport) handler(value);
    };
    transport = this.#transports.open(this.#choice, {
      onFrame: current((wallMs) => this.#onFrame(wallMs)),
      onMedia: current(() => this.#watchdog.media(performance.now())),
      onProblem: current((problem) => this.#onProblem(problem)),
    });
    this.#transport = transport;
    this.#view.media.replaceChildren(transport.element);
    this.#watchdog.begin(performance.now());
    transport.start();
  }

  /** Stops the player; its last picture stays on the tile, behind whatever comes next. */
  #close() {
    if (!this.#transport) return;
    this.#transport.capture(this.#view.still);
    this.#view.mediaHasPicture(false);
    const transport = this.#transport;
    this.#transport = null;
    transport.stop();
  }

  #onFrame(wallMs) {
    const now = performance.now();
    const server = this.#clock.now();
    if (this.#isReplay(wallMs)) return;
    this.#view.mediaHasPicture(true);
    this.#frames += 1;
    this.#frameAt = now;
    this.#blocked = false;
    if (this.#choice.kind === "snapshot") {
      this.#dated = false;
      this.#frameWall = this.#camera.picture_at ? this.#camera.picture_at * 1000 : server;
    } else {
      this.#dated = wallMs !== null && wallMs - server < FUTURE_MS;
      this.#frameWall = this.#dated ? wallMs : server;
      this.#watchdog.frame(now);
    }
    this.#view.showClock(this.#frameWall);
  }

  /** Before playback jumps: whatever has been shown so far will not be news when it comes again. */
  #markSeen() {
    this.#seenUntil = this.#dated ? this.#frameWall + DATE_SLACK_MS : null;
  }

  /** True for a picture that has been on the tile before: it proves nothing and must not turn the clock back. */
  #isReplay(wallMs) {
    if (this.#seenUntil === null || wallMs === null) return false;
    const ahead = this.#seenUntil - wallMs;
    return ahead >= 0 && ahead < REPLAY_MS;
  }

  #onProblem(problem) {
    if (problem.kind === "blocked") {
      this.#blocked = true;
    } else if (problem.kind === "codec" && this.#choice.stream) {
      const { stream } = this.#choice;
      const codec = { h264: "H.264", h265: "H.265", av1: "AV1" }[stream.codec] ?? stream.codecs ?? "";
      this.#refuse(stream, { key: "problem.codec", params: { codec } });
    } else {
      if (problem.kind === "auth") this.#onAuth();
      this.#watchdog.failed(performance.now());
    }
  }

  #refuse(stream, problem) {
    this.#refused.set(stream.id, { ...problem, until: performance.now() + REFUSED_FOR_MS });
    this.#choose();
  }

  #forgetRefusals(now) {
    for (const [id, { until }] of this.#refused) {
      if (now < until) continue;
      this.#refused.delete(id);
      this.#choose();
    }
  }

  /** A sub stream that is configured but dead must not hide a main stream that works. */
  #giveUpSilentStream(now) {
    const stream = this.#choice?.stream;
    if (!stream || !this.#linkUp || this.#camera.state !== TileState.LIVE) return;
    const waiting = now - Math.max(this.#begunAt, this.#frameAt ?? 0);
    const alternative = this.#camera.streams.some((other) => {
      return other.id !== stream.id && !this.#refused.has(other.id) && other.state === TileState.LIVE;
    });
    if (alternative && waiting > NO_PICTURE_MS) this.#refuse(stream, { key: "problem.no_picture", params: {} });
  }

  #help(now) {
    const expected = !this.#linkUp || pictureExpected(this.#camera);
    const help = this.#watchdog.tick(now, expected);
    if (help === Help.RESYNC) {
      this.#resyncs += 1;
      this.#markSeen();
      this.#transport.resync();
    } else if (help === Help.REBUILD) {
      this.#restarts += 1;
      this.#open();
    }
  }

  #facts(now) {
    const choice = this.#choice;
    const moving = choice?.kind === "video";
    return {
      camera: this.#camera,
      stream: choice?.stream && this.#camera.streams.find((stream) => stream.id === choice.stream.id),
      linkUp: this.#linkUp,
      quietMs: this.#frameAt === null ? null : now - this.#frameAt,
      waitedMs: now - this.#begunAt,
      ageMs: this.#dated ? this.#clock.now() - this.#frameWall : null,
      gapMs: normalGap(choice?.stream?.fps ?? 0),
      unplayable: choice && !moving ? choice.note ?? { key: "problem.no_picture", params: {} } : null,
      wasBehind: this.#verdict.behind,
      blocked: this.#blocked,
    };
  }

  #render() {
    const { state, frozen, behind, reason } = this.#verdict;
    const i18n = this.#i18n;
    const stateText = i18n.t(`state.${state}`);
    // With a good picture on the tile the reason stands at its edge, not across it.
    const inNote = state === TileState.UNPLAYABLE || behind;
    this.#view.render({
      state,
      frozen,
      name: this.#camera.name,
      stateText,
      reason: i18n.reason(reason),
      meta: this.#meta(),
      note: inNote ? i18n.reason(reason) : i18n.reason(this.#transport?.moving ? this.#choice?.note : null),
      detail: this.#detail(),
      clockLabel: this.#clockLabel(),
      label: i18n.t("tile.label", { name: this.#camera.name, state: stateText }),
      push: pushFace(this.#camera.pushes, i18n),
    });
  }

  #meta() {
    const { since, nextRetry } = this.#verdict;
    const now = this.#clock.now();
    const texts = [];
    if (since !== null) {
      const ago = Math.max(0, now - since * 1000);
      const time = timeStamp(since * 1000, now);
      texts.push(this.#i18n.t("tile.since", { time, duration: this.#i18n.duration(ago) }));
    }
    if (nextRetry !== null) {
      const seconds = Math.ceil(nextRetry - now / 1000);
      texts.push(seconds > 0 ? this.#i18n.t("tile.next_try", { seconds }) : this.#i18n.t("tile.trying_now"));
    }
    return texts.join("\n");
  }

  #clockLabel() {
    const { state, frozen } = this.#verdict;
    if (this.#frameWall === null) return state === TileState.DISABLED ? "" : this.#i18n.t("tile.no_picture_yet");
    const key = frozen ? "tile.last_picture" : state === TileState.UNPLAYABLE ? "tile.snapshot_of" : null;
    return key ? this.#i18n.t(key, { time: "" }).trim() : "";
  }

  #detail() {
    const stream = this.#choice?.stream;
    if (!this.#transport) return "";
    if (!stream) return this.#i18n.t("tile.snapshots");
    const isMain = stream.id === this.#camera.streams[0]?.id;
    const texts = [this.#i18n.t(isMain ? "tile.main" : "tile.sub")];
    if (stream.width) texts.push(`${stream.width}×${stream.height}`);
    if (stream.fps) texts.push(`${Math.round(stream.fps)} fps`);
    const { latencyMs } = this.diagnostics();
    if (this.#verdict.state === TileState.LIVE && latencyMs !== null) {
      texts.push(this.#i18n.t("tile.behind", { seconds: Math.max(0, latencyMs / 1000).toFixed(1) }));
    }
    return texts.join("  ·  ");
  }
}
