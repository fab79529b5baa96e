/** One tile without a browser: what goes wrong in its player stays with it, and is said. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { I18n } from "../../../web/static/js/i18n.js";
import { TileState } from "../../../web/static/js/state.js";
import { Tile } from "../../../web/static/js/tile.js";

/** As much of an element as a tile writes to. */
class Node {
  children = [];
  dataset = {};
  style = {};

  get firstChild() {
    return this.children[0];
  }

  append(...nodes) {
    this.children.push(...nodes);
  }

  querySelector() {
    return new Node();
  }

  insertBefore() {}
  addEventListener() {}
  setAttribute() {}
  toggleAttribute() {}
  remove() {}
}

class Player {
  kind = "ws-webcodecs";
  moving = true;
  element = new Node();
  stopped = false;

  constructor(events) {
    this.events = events;
  }

  start() {
    if (breaksAtStart) throw new Error("no more decoders");
  }

  stop() {
    this.stopped = true;
  }

  keepUp() {
    if (breaksLater) throw new Error("the element is gone");
  }

  resync() {}
  setMuted() {}
  capture() {
    return false;
  }
}

const CAMERA = {
  id: "gate", name: "Gate", state: "live", since: 1, reason: "", code: "", next_retry: null, pushes: [], events: null,
  streams: [{ id: "gate", codecs: "avc1.64000C", fps: 25, state: "live", reason: "", on_demand: false }],
};
let breaksAtStart;
let breaksLater;
let now;
let players;
let tile;

const pass = (ms) => {
  for (let passed = 0; passed < ms; passed += 250) {
    now += 250;
    tile.tick();
  }
};

beforeEach(() => {
  mock.method(performance, "now", () => now);
  mock.method(console, "error", () => {});
  globalThis.document = { createElement: () => new Node(), createElementNS: () => new Node() };
  [breaksAtStart, breaksLater, now, players] = [false, false, 1000, []];
  tile = new Tile({
    camera: CAMERA, preference: "main", clock: { now: () => now }, i18n: new I18n(), onAuth() {},
    transports: {
      capabilities: { video: true, problem: null, refuses: () => null },
      plans: () => [{ way: "ws-webcodecs", format: "frames" }],
      open: (choice, plan, focused, events) => {
        players.push(new Player(events));
        return players.at(-1);
      },
      socket: { lostForMs: 0 },
    },
  });
});

afterEach(() => {
  mock.restoreAll();
  delete globalThis.document;
});

test("a player that cannot start is tried again, and nothing is called live meanwhile", () => {
  breaksAtStart = true;
  tile.run();
  assert.equal(tile.state, TileState.CONNECTING);
  pass(1500);
  assert.equal(players.length, 2);
  assert.equal(players[0].stopped, true);
  breaksAtStart = false;
  pass(4000);
  players.at(-1).events.onFrame(now);
  assert.equal(tile.state, TileState.LIVE);
});

test("a player that throws with every turn does not keep a frozen picture live", () => {
  tile.run();
  players[0].events.onFrame(now);
  assert.equal(tile.state, TileState.LIVE);
  breaksLater = true;
  now += 3000;
  tile.tick();
  assert.equal(tile.state, TileState.LATE);
  pass(2500);
  assert.ok(players.length > 1, "and it is replaced");
});

test("a player that stands still becomes late, then stalled, and is replaced", () => {
  tile.run();
  players[0].events.onFrame(now);
  pass(3000);
  assert.equal(tile.state, TileState.LATE);
  pass(5000);
  assert.equal(tile.state, TileState.STALLED);
  assert.ok(players.length > 1);
});

test("hidden or paused, a tile holds no player, and shows no old picture as live when it comes back", () => {
  tile.run();
  players[0].events.onFrame(now);
  tile.halt();
  assert.equal(players[0].stopped, true);
  tile.pause();
  tile.run();
  assert.equal(players.length, 1);
  assert.equal(tile.state, TileState.PAUSED);
  tile.resume();
  assert.equal(players.length, 2);
  pass(500);
  assert.equal(tile.state, TileState.CONNECTING);
});
