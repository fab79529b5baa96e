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
import { ForAWhile } from "./for-a-while.js";
import { FrameRate } from "./frames.js";
import { choosePlayback, REFUSED_FOR_MS } from "./playback.js";
import { pushFace } from "./push-badge.js";
import { judge, normalGap, OLD_LIVE_PICTURE_MS, OLD_PICTURE_MS, pictureExpected, TileState } from "./state.js";
import { clockLabel, sinceText, streamText } from "./tile-text.js";
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
/** A running player stays on the tile until the next one shows something, but not for ever. */
const HANDOVER_MS = 8000;
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
  #refused = new ForAWhile(REFUSED_FOR_MS);
  #closedWays = new ForAWhile(REFUSED_FOR_MS);
  #brokeAt = -Infinity;
  #choice = null;
  #plan = null;
  #transport = null;
  #showing = false;
  #outgoing = null;
  #outgoingUntil = 0;
  #running = false;
  #outOfSight = false;
  #focused = false;
  #wanted = null;
  #muted = true;
  #paused = false;
  #rate = new FrameRate();
  #linkUp = true;
  #blocked = false;
  #begunAt = 0;
  #keptUpAt = 0;
  #lost = null;
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
    this.#mark = new EventMark(this.#view.root, i18n);
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
    this.#transport?.setMuted(on);
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
    const shown = this.#showing ? this.#transport : this.#outgoing;
    if (shown?.capture(canvas)) return toPng(canvas);
    return this.#view.still.width ? toPng(this.#view.still) : null;
  }

  /** @returns {TileStats} */
  stats() {
    const stream = this.#choice?.stream;
    const own = this.#transport?.stats?.() ?? {};
    return {
      transport: this.#transport?.kind ?? null,
      stream: stream?.id ?? null,
      codec: own.codec ?? stream?.codecs ?? "",
      audio: stream?.audio ?? null,
      width: own.width ?? stream?.width ?? 0,
      height: own.height ?? stream?.height ?? 0,
      fps: this.#rate.perSecond(performance.now()),
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
      frames: this.#frames,
      lastFrameAt: this.#frameWall,
      quietMs: this.#frameAt === null ? null : now - this.#frameAt,
      latencyMs: this.#latency(),
      restarts: this.#restarts,
      resyncs: this.#resyncs,
      transport: this.#transport?.kind ?? null,
      stream: this.#choice?.stream?.id ?? null,
      note: this.#choice?.note?.key ?? null,
    };
  }

  #care(now) {
    this.#forgetRefusals(now);
    this.#giveUpSilentStream(now);
    this.#giveUpLostSocket();
    if (this.#outgoing && now >= this.#outgoingUntil) this.#dismissOutgoing();
    if (now - this.#keptUpAt >= KEEP_UP_MS) {
      this.#keptUpAt = now;
      this.#transport?.keepUp();
    }
    if (this.#choice?.kind === "video") this.#help(now);
  }

  /** Whatever a player throws is this tile's trouble alone: the others, and the verdict on this one, go on. */
  #onDefect(error) {
    console.error(`the player of ${this.id} failed`, error);
    this.#watchdog.failed(performance.now());
  }

  #stop() {
    this.#running = false;
    this.#close();
    this.#choice = null;
    // However soon the tile runs again: this picture is then from before the break.
    this.#frameAt = null;
    this.#lost = null;
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
      if (this.#transport) this.#close();
      this.#choice = null;
      return;
    }
    const choice = choosePlayback(this.#camera, this.#wish(), this.#transports.capabilities, this.#refused);
    const plan = choice.kind === "video" ? this.#planFor(choice.stream) : null;
    if (choice.kind === "video" && plan === null) {
      this.#refuse(choice.stream, { key: "problem.no_picture", params: {} });
      return;
    }
    const same = this.#choice && choice.kind === this.#choice.kind && choice.url === this.#choice.url
      && plan?.way === this.#plan?.way && plan?.format === this.#plan?.format;
    this.#choice = choice;
    this.#plan = plan;
    this.#watchdog.normalGap = normalGap(choice.stream?.fps ?? 0);
    if (same) return;
    this.#begunAt = performance.now();
    this.#tryOpen();
  }

  #tryOpen() {
    try {
      this.#open();
    } catch (error) {
      this.#onDefect(error);
    }
  }

  #wish() {
    return this.#wanted ?? (this.#focused ? "main" : this.#preference);
  }

  /** The best way to a stream that has not turned out to be closed; null if all are. */
  #planFor(stream) {
    const sound = !this.#muted && Boolean(stream.audio);
    return this.#transports.plans(stream, sound).find((plan) => !this.#closedWays.has(wayKey(stream, plan))) ?? null;
  }

  #closeWay() {
    const { stream } = this.#choice;
    if (!stream) return;
    this.#closedWays.set(wayKey(stream, this.#plan), true, performance.now());
    this.#choose();
  }

  #open() {
    const handover = this.#showing && !this.#verdict.frozen && this.#running;
    if (handover) this.#handOver();
    else this.#close();
    this.#blocked = false;
    this.#seenUntil = null;
    if (!handover) this.#markSeen();
    let transport = null;
    // Words of a transport that has been replaced no longer count; its pictures do as long as they are shown.
    const current = (handler) => (value) => {
      if (transport === this.#transport) handler(value);
    };
    transport = this.#transports.open(this.#choice, this.#plan, this.#focused, {
      onFrame: (wallMs) => {
        if (transport === this.#transport) this.#onFrame(wallMs);
        else if (transport === this.#outgoing) this.#onShown(wallMs);
      },
      onMedia: current(() => this.#watchdog.media(performance.now())),
      onLost: current(() => {
        if (this.#frameAt !== null) this.#lost ??= { at: performance.now(), wall: this.#clock.now() };
      }),
      onState: current((status) => this.#onState(status)),
      onProblem: current((problem) => this.#onProblem(problem)),
    });
    this.#transport = transport;
    this.#showing = false;
    transport.element.style.opacity = handover ? "0" : "";
    this.#view.media.append(transport.element);
    this.#watchdog.begin(performance.now(), transport.hoards === true);
    transport.setMuted(this.#muted);
    transport.start();
  }

  /** The player that runs goes on until the next one shows its first picture: no black, no gap. */
  #handOver() {
    this.#dismissOutgoing();
    this.#outgoing = this.#transport;
    this.#outgoing.setMuted(true);
    this.#outgoingUntil = performance.now() + HANDOVER_MS;
    this.#transport = null;
  }

  #dismissOutgoing() {
    const outgoing = this.#outgoing;
    if (!outgoing) return;
    this.#outgoing = null;
    if (!this.#showing) {
      outgoing.capture(this.#view.still);
      this.#view.mediaHasPicture(false);
      if (this.#transport) this.#transport.element.style.opacity = "";
    }
    outgoing.stop();
  }

  /** Stops the player; its last picture stays on the tile, behind whatever comes next. */
  #close() {
    this.#dismissOutgoing();
    if (!this.#transport) return;
    if (this.#showing) this.#transport.capture(this.#view.still);
    this.#view.mediaHasPicture(false);
    const transport = this.#transport;
    this.#transport = null;
    this.#showing = false;
    transport.stop();
  }

  #onFrame(wallMs) {
    if (this.#isReplay(wallMs)) return;
    if (!this.#showing) {
      this.#showing = true;
      this.#transport.element.style.opacity = "";
      this.#view.mediaHasPicture(true);
      this.#dismissOutgoing();
    }
    this.#onShown(wallMs);
    if (this.#choice.kind !== "snapshot") this.#watchdog.frame(performance.now());
    // The picture is back: that is said at once, not at the next tick.
    if (this.#verdict.frozen) this.tick();
  }

  #onShown(wallMs) {
    const now = performance.now();
    const server = this.#clock.now();
    this.#frames += 1;
    this.#rate.add(now);
    this.#frameAt = now;
    this.#blocked = false;
    if (this.#lost && (wallMs === null || wallMs >= this.#lost.wall)) this.#lost = null;
    if (this.#choice.kind === "snapshot") {
      this.#dated = false;
      this.#frameWall = this.#camera.picture_at ? this.#camera.picture_at * 1000 : server;
    } else {
      this.#dated = wallMs !== null && wallMs - server < FUTURE_MS;
      this.#frameWall = this.#dated ? wallMs : server;
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

  /** The gateway's newest word, long before the next report. */
  #onState({ stream, state, since, reason, code, next_retry: nextRetry }) {
    const status = { state, since, reason, code, next_retry: nextRetry };
    const streams = this.#camera.streams.map((known) => (known.id === stream ? { ...known, ...status } : known));
    this.update({ ...this.#camera, ...(stream === this.#camera.id ? status : {}), streams });
    this.tick();
  }

  #onProblem(problem) {
    const overSocket = Boolean(this.#plan?.format);
    if (problem.kind === "blocked") {
      this.#blocked = true;
    } else if (problem.kind === "renew") {
      this.#tryOpen();
    } else if (problem.kind === "way" || (problem.kind === "codec" && overSocket)) {
      this.#closeWay();
    } else if (problem.kind === "broken" && performance.now() - this.#brokeAt < BROKEN_AGAIN_MS) {
      this.#closeWay();
    } else if (problem.kind === "broken") {
      this.#brokeAt = performance.now();
      this.#watchdog.failed(this.#brokeAt);
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
    this.#refused.set(stream.id, problem, performance.now());
    this.#choose();
  }

  #forgetRefusals(now) {
    const [streams, ways] = [this.#refused.expire(now), this.#closedWays.expire(now)];
    if (streams || ways) this.#choose();
  }

  /** A proxy may let WebSockets die that it once let through. */
  #giveUpLostSocket() {
    if (!this.#plan?.format || !this.#linkUp) return;
    if (this.#transports.socket.lostForMs > SOCKET_LOST_MS) this.#closeWay();
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
      this.#transport?.resync();
    } else if (help === Help.REBUILD) {
      this.#restarts += 1;
      this.#tryOpen();
    }
  }

  #facts(now) {
    const choice = this.#choice;
    const moving = choice?.kind === "video";
    return {
      camera: this.#camera,
      stream: choice?.stream && this.#camera.streams.find((stream) => stream.id === choice.stream.id),
      linkUp: this.#linkUp,
      lostMs: this.#lost ? now - this.#lost.at : null,
      quietMs: this.#frameAt === null ? null : now - this.#frameAt,
      takenAt: this.#dated ? this.#frameWall / 1000 : null,
      waitedMs: now - this.#begunAt,
      ageMs: this.#dated ? this.#clock.now() - this.#frameWall : null,
      oldMs: this.#plan?.format ? OLD_LIVE_PICTURE_MS : OLD_PICTURE_MS,
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
      meta: sinceText(this.#verdict, this.#clock.now(), i18n),
      note: inNote ? i18n.reason(reason) : i18n.reason(this.#transport?.moving ? this.#choice?.note : null),
      detail: this.#transport ? streamText(this.#camera, this.#choice?.stream, this.#liveLatency(), i18n) : "",
      clockLabel: clockLabel(this.#verdict, this.#frameWall !== null, i18n),
      label: i18n.t("tile.label", { name: this.#camera.name, state: stateText }),
      push: pushFace(this.#camera.pushes, i18n),
    });
    this.#mark.update(this.#camera.events);
  }

  #liveLatency() {
    return this.#verdict.state === TileState.LIVE ? this.#latency() : null;
  }

  /** How old the picture was when it was presented. */
  #latency() {
    if (!this.#dated || this.#frameAt === null) return null;
    return this.#clock.now() - this.#frameWall - (performance.now() - this.#frameAt);
  }
}

function wayKey(stream, { way, format }) {
  return `${stream.id} ${way} ${format}`;
}

function toPng(canvas) {
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}
