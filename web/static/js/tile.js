/**
 * One camera on the wall: chooses what to play, keeps it playing, and says honestly what is seen.
 *
 * The wall calls `update` with every report of the server, `tick` several times a second, and `run`/`halt` as the tile
 * comes into view and leaves it. Which transport brings the picture is decided behind `transports.open`.
 *
 * What a page may ask of a tile besides:
 *
 *   tile.focus(on)          the tile is the large one (or no longer): it shows the main stream, and is served first
 *   tile.setStream(which)   "main" or "sub" whatever the focus says; null leaves it to focus and `preference` again
 *   tile.mute(on)           mute(false) plays the sound too, if there is any; call it from a click, or browsers refuse
 *   tile.muted              true at first
 *   tile.pause()            hold the picture and let go of the stream; the tile says so
 *   tile.resume()           back to live
 *   tile.paused
 *   tile.snapshot()         promise of a PNG `Blob` of the picture shown now, in the stream's own size; null without one
 *   tile.stats()            what is playing, see `TileStats`
 *   tile.element            the DOM of the tile, besides id, name, and state (a `TileState`)
 *
 * @typedef {object} TileStats
 * @property {string|null} transport `ws-webcodecs`, `ws-mse`, `hls`, `native-hls`, `snapshot`; null while nothing plays
 * @property {string|null} stream id of the stream being played
 * @property {string} codec RFC 6381, empty until known
 * @property {string|null} audio codec of the stream's sound, null if it has none; whether it is heard is `muted`
 * @property {number} width of the picture shown, pixels; 0 until there is one
 * @property {number} height
 * @property {number} fps pictures presented per second, over the last seconds
 * @property {number} bitrate bits per second received by this tile; where the transport cannot tell, as the server reports
 * @property {number|null} latency_ms age of the picture shown, against the gateway's clock; null if unknown
 * @property {number} dropped pictures this viewer lost since playback began: by the server, the network, or the decoder
 */
import { EventMark } from "./event-mark.js";
import { Presented } from "./presented.js";
import { pushFace } from "./push-badge.js";
import { Selection } from "./selection.js";
import { judge, normalGap, OLD_LIVE_PICTURE_MS, OLD_PICTURE_MS, pictureExpected, TileState } from "./state.js";
import { clockLabel, sinceText, streamText } from "./tile-text.js";
import { TilePlayers } from "./tile-players.js";
import { TileView } from "./tile-view.js";
import { Help, Watchdog } from "./watchdog.js";

const KEEP_UP_MS = 1000;
/** With another stream to turn to, a stream that gives no first picture for this long is given up for a while. */
const NO_PICTURE_MS = 15000;
/** While the gateway answers otherwise, a live connection that does not come back is kept out by something in between. */
const SOCKET_LOST_MS = 8000;
/** A decoder that breaks twice in so short a time will break again. */
const BROKEN_AGAIN_MS = 60000;

export class Tile {
  #camera;
  #preference;
  #transports;
  #clock;
  #i18n;
  #onAuth;
  #view;
  #mark;
  #watchdog = new Watchdog();
  #selection;
  #players;
  #presented = new Presented();
  #brokeAt = -Infinity;
  #running = false;
  #outOfSight = false;
  #focused = false;
  #wanted = null;
  #muted = true;
  #paused = false;
  #linkUp = true;
  #blocked = false;
  #begunAt = 0;
  #keptUpAt = 0;
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
    this.#selection = new Selection(transports);
    this.#view = new TileView(camera.id);
    this.#players = new TilePlayers(this.#view);
    this.#mark = new EventMark(this.#view.root, i18n);
    this.element.addEventListener("click", () => this.#players.current?.play());
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

  focus(on) {
    if (on === this.#focused) return;
    this.#focused = on;
    if (this.#running) this.#choose();
  }

  /** @param {"main"|"sub"|null} which */
  setStream(which) {
    if (which === this.#wanted) return;
    this.#wanted = which;
    if (this.#running) this.#choose();
  }

  mute(on) {
    this.#muted = on;
    this.#players.current?.setMuted(on);
    if (this.#running) this.#choose();
  }

  get muted() {
    return this.#muted;
  }

  /** The browser wants a click on the tile before it plays. */
  get blocked() {
    return this.#blocked;
  }

  pause() {
    if (this.#paused) return;
    this.#paused = true;
    if (this.#running) this.#stop();
    else this.#rest();
  }

  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#outOfSight) this.#rest();
    else this.run();
  }

  get paused() {
    return this.#paused;
  }

  /** @returns {Promise<Blob|null>} */
  async snapshot() {
    const canvas = document.createElement("canvas");
    if (this.#players.capture(canvas)) return toPng(canvas);
    return this.#view.still.width ? toPng(this.#view.still) : null;
  }

  /** @returns {TileStats} */
  stats() {
    const { stream } = this.#selection;
    const player = this.#players.current;
    const own = player?.stats?.() ?? {};
    return {
      transport: player?.kind ?? null,
      stream: stream?.id ?? null,
      codec: own.codec ?? stream?.codecs ?? "",
      audio: stream?.audio ?? null,
      width: own.width ?? stream?.width ?? 0,
      height: own.height ?? stream?.height ?? 0,
      fps: this.#presented.perSecond(performance.now()),
      bitrate: own.bitrate ?? stream?.bitrate ?? 0,
      latency_ms: this.#latency(),
      dropped: own.dropped ?? 0,
    };
  }

  /** There should be pictures again: help the player soon if it does not find them by itself. */
  sourceReturned() {
    this.#watchdog.returned(performance.now());
  }

  /** The tile has come into view. */
  run() {
    this.#outOfSight = false;
    if (this.#running || this.#paused) return;
    this.#running = true;
    this.#choose();
  }

  /** The tile is out of sight: let go of decoder, connections, and an on-demand stream. */
  halt() {
    this.#outOfSight = true;
    if (this.#running) this.#stop();
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
    try {
      this.#care(now);
    } catch (error) {
      this.#onDefect(error);
    }
    this.#verdict = judge(this.#facts(now));
    this.#render();
  }

  /** Facts for tests and for people who look into a wall: see `window.__wall`. */
  diagnostics() {
    const now = performance.now();
    return {
      id: this.id,
      state: this.#verdict.state,
      frames: this.#presented.frames,
      lastFrameAt: this.#presented.wallMs,
      quietMs: this.#presented.quietMs(now),
      latencyMs: this.#latency(),
      restarts: this.#restarts,
      resyncs: this.#resyncs,
      transport: this.#players.current?.kind ?? null,
      stream: this.#selection.stream?.id ?? null,
      note: this.#selection.choice?.note?.key ?? null,
    };
  }

  #care(now) {
    if (this.#selection.expire(now)) this.#choose();
    this.#giveUpSilentStream(now);
    this.#giveUpLostSocket();
    this.#players.tick(now);
    if (now - this.#keptUpAt >= KEEP_UP_MS) {
      this.#keptUpAt = now;
      this.#players.current?.keepUp();
    }
    if (this.#selection.choice?.kind === "video") this.#help(now);
  }

  /** Whatever a player throws is this tile's trouble alone: the others, and the verdict on this one, go on. */
  #onDefect(error) {
    console.error(`the player of ${this.id} failed`, error);
    this.#watchdog.failed(performance.now());
  }

  #stop() {
    this.#running = false;
    this.#players.close();
    this.#selection.clear();
    this.#presented.forget();
    this.#rest();
  }

  /** What is said while nothing runs. */
  #rest() {
    const state = this.#paused ? TileState.PAUSED : TileState.CONNECTING;
    this.#verdict = { ...this.#verdict, state, frozen: true, behind: false, reason: null };
    this.#render();
  }

  #choose() {
    if (this.#camera.state === TileState.DISABLED) {
      this.#players.close();
      this.#selection.clear();
      return;
    }
    const wish = this.#wanted ?? (this.#focused ? "main" : this.#preference);
    const now = performance.now();
    const changed = this.#selection.choose(this.#camera, wish, !this.#muted, now);
    this.#watchdog.normalGap = normalGap(this.#selection.stream?.fps ?? 0);
    if (!changed) return;
    this.#begunAt = now;
    this.#tryOpen();
  }

  #tryOpen() {
    try {
      this.#open();
    } catch (error) {
      this.#onDefect(error);
    }
  }

  #open() {
    const handover = this.#players.showing && !this.#verdict.frozen && this.#running;
    this.#players.makeRoom(handover, performance.now());
    this.#blocked = false;
    if (handover) this.#presented.expectNew();
    else this.#presented.markSeen();
    let player = null;
    const current = (handler) => (value) => {
      if (player === this.#players.current) handler(value);
    };
    player = this.#transports.open(this.#selection.choice, this.#selection.plan, this.#focused, {
      onFrame: (wallMs) => {
        if (player === this.#players.current) this.#onFrame(wallMs);
        else if (this.#players.isOutgoing(player)) this.#onShown(wallMs);
      },
      onMedia: current(() => this.#watchdog.media(performance.now())),
      onLost: current(() => this.#presented.lose(performance.now(), this.#clock.now())),
      onState: current((status) => this.#onState(status)),
      onProblem: current((problem) => this.#onProblem(problem)),
    });
    this.#players.put(player);
    this.#watchdog.begin(performance.now(), player.hoards === true);
    player.setMuted(this.#muted);
    player.start();
  }

  #onFrame(wallMs) {
    if (this.#presented.isReplay(wallMs)) return;
    this.#players.shown();
    this.#onShown(wallMs);
    if (this.#selection.choice.kind !== "snapshot") this.#watchdog.frame(performance.now());
    // The picture is back: that is said at once, not at the next tick.
    if (this.#verdict.frozen) this.tick();
  }

  #onShown(wallMs) {
    const now = performance.now();
    this.#blocked = false;
    if (this.#selection.choice.kind === "snapshot") {
      const taken = this.#camera.picture_at;
      this.#presented.still(taken ? taken * 1000 : null, now, this.#clock.now());
    } else {
      this.#presented.moving(wallMs, now, this.#clock.now());
    }
    this.#view.showClock(this.#presented.wallMs);
  }

  /** The gateway's newest word, long before the next report. */
  #onState({ stream, state, since, reason, code, next_retry: nextRetry }) {
    const status = { state, since, reason, code, next_retry: nextRetry };
    const streams = this.#camera.streams.map((known) => (known.id === stream ? { ...known, ...status } : known));
    this.update({ ...this.#camera, ...(stream === this.#camera.id ? status : {}), streams });
    this.tick();
  }

  #onProblem(problem) {
    const now = performance.now();
    if (problem.kind === "blocked") {
      this.#blocked = true;
    } else if (problem.kind === "renew") {
      this.#tryOpen();
    } else if (problem.kind === "way" || (problem.kind === "codec" && this.#selection.overSocket)) {
      this.#closeWay();
    } else if (problem.kind === "broken" && now - this.#brokeAt < BROKEN_AGAIN_MS) {
      this.#closeWay();
    } else if (problem.kind === "broken") {
      this.#brokeAt = now;
      this.#watchdog.failed(now);
    } else if (problem.kind === "codec" && this.#selection.stream) {
      this.#selection.refuse(this.#selection.stream, now, { codec: true });
      this.#choose();
    } else {
      if (problem.kind === "auth") this.#onAuth();
      this.#watchdog.failed(now);
    }
  }

  #closeWay() {
    if (this.#selection.closeWay(performance.now())) this.#choose();
  }

  /** A proxy may let WebSockets die that it once let through. */
  #giveUpLostSocket() {
    if (!this.#selection.overSocket || !this.#linkUp) return;
    if (this.#transports.socket.lostForMs > SOCKET_LOST_MS) this.#closeWay();
  }

  /** A sub stream that is configured but dead must not hide a main stream that works. */
  #giveUpSilentStream(now) {
    const { stream } = this.#selection;
    if (!stream || !this.#linkUp || this.#camera.state !== TileState.LIVE) return;
    const waiting = Math.min(now - this.#begunAt, this.#presented.quietMs(now) ?? Infinity);
    const alternative = this.#camera.streams.some((other) => {
      return other.id !== stream.id && !this.#selection.isRefused(other) && other.state === TileState.LIVE;
    });
    if (!alternative || waiting <= NO_PICTURE_MS) return;
    this.#selection.refuse(stream, now);
    this.#choose();
  }

  #help(now) {
    const expected = !this.#linkUp || pictureExpected(this.#camera);
    const help = this.#watchdog.tick(now, expected);
    if (help === Help.RESYNC) {
      this.#resyncs += 1;
      this.#presented.markSeen();
      this.#players.current?.resync();
    } else if (help === Help.REBUILD) {
      this.#restarts += 1;
      this.#tryOpen();
    }
  }

  #facts(now) {
    const { choice, stream } = this.#selection;
    const presented = this.#presented;
    const moving = choice?.kind === "video";
    return {
      camera: this.#camera,
      stream: stream && this.#camera.streams.find((known) => known.id === stream.id),
      linkUp: this.#linkUp,
      lostMs: presented.lostMs(now),
      quietMs: presented.quietMs(now),
      takenAt: presented.dated ? presented.wallMs / 1000 : null,
      waitedMs: now - this.#begunAt,
      ageMs: presented.ageMs(this.#clock.now()),
      oldMs: this.#selection.overSocket ? OLD_LIVE_PICTURE_MS : OLD_PICTURE_MS,
      gapMs: normalGap(stream?.fps ?? 0),
      unplayable: choice && !moving ? choice.note ?? { key: "problem.no_picture", params: {} } : null,
      wasBehind: this.#verdict.behind,
      blocked: this.#blocked,
    };
  }

  #render() {
    const { state, frozen, behind, reason } = this.#verdict;
    const i18n = this.#i18n;
    const player = this.#players.current;
    const { choice, stream } = this.#selection;
    const stateText = i18n.t(`state.${state}`);
    // With a good picture on the tile the reason stands at its edge, not across it.
    const inNote = state === TileState.UNPLAYABLE || behind;
    this.#view.render({
      state,
      frozen,
      name: this.#camera.name,
      stateText,
      reason: i18n.reason(reason),
      meta: sinceText(this.#verdict, this.#clock.now(), i18n),
      note: inNote ? i18n.reason(reason) : i18n.reason(player?.moving ? choice?.note : null),
      detail: player ? streamText(this.#camera, stream, this.#liveLatency(), i18n) : "",
      clockLabel: clockLabel(this.#verdict, this.#presented.wallMs !== null, i18n),
      label: i18n.t("tile.label", { name: this.#camera.name, state: stateText }),
      push: pushFace(this.#camera.pushes, i18n),
    });
    this.#mark.update(this.#camera.events);
  }

  #liveLatency() {
    return this.#verdict.state === TileState.LIVE ? this.#latency() : null;
  }

  #latency() {
    return this.#presented.latencyMs(performance.now(), this.#clock.now());
  }
}

function toPng(canvas) {
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}
