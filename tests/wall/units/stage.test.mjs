/** Which tiles play: those on the screen, and for a moment those behind a large picture. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Stage } from "../../../web/static/js/stage.js";

const node = () => ({
  dataset: {}, style: { setProperty() {} }, classList: { toggle() {} }, clientWidth: 1600, clientHeight: 900, isConnected: true,
  addEventListener() {}, setAttribute() {}, toggleAttribute() {}, append() {}, querySelectorAll: () => [],
});

class FakeTile {
  element = node();
  playing = false;
  preference = "sub";

  run() {
    this.playing = true;
  }

  halt() {
    this.playing = false;
  }

  focus() {}
}

const IDS = ["a", "b", "c", "d"];
const GLOBALS = {
  ResizeObserver: class { observe() {} },
  getComputedStyle: () => ({ paddingLeft: "0", paddingRight: "0", paddingTop: "0", paddingBottom: "0" }),
};
let tiles;
let stage;
const playing = () => [...tiles].filter(([, tile]) => tile.playing).map(([id]) => id);
/** A report of the server comes: the wall shows what it showed. */
const report = (focus) => stage.show({ ids: IDS, layout: "2x2", page: 0, focus, aspect: 16 / 9 });

/** `seconds` with the reports that come in them. */
function pass(seconds, focus) {
  for (let second = 0; second < seconds; second += 1) {
    mock.timers.tick(1000);
    report(focus);
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.assign(globalThis, GLOBALS);
  tiles = new Map(IDS.map((id) => [id, new FakeTile()]));
  stage = new Stage(node(), node(), () => {});
  stage.tiles = tiles;
  report(null);
});

afterEach(() => {
  mock.timers.reset();
  for (const name of Object.keys(GLOBALS)) delete globalThis[name];
});

test("tiles behind a large picture let go after some seconds, however often reports come", () => {
  assert.deepEqual(playing(), IDS);
  report("b");
  pass(5, "b");
  assert.deepEqual(playing(), IDS, "a glance restarts nothing");
  pass(4, "b");
  assert.deepEqual(playing(), ["b"]);
  report("c");
  assert.deepEqual(playing(), ["b", "c"]);
  pass(9, "c");
  assert.deepEqual(playing(), ["c"]);
  report(null);
  assert.deepEqual(playing(), IDS);
  pass(20, null);
  assert.deepEqual(playing(), IDS);
});

test("a hidden page plays nothing, and goes on with the large picture alone", () => {
  report("b");
  stage.suspend();
  pass(20, "b");
  assert.deepEqual(playing(), []);
  stage.resume();
  assert.deepEqual(playing(), ["b"]);
});
