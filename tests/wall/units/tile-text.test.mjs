import assert from "node:assert/strict";
import { test } from "node:test";
import { TileState } from "../../../web/static/js/state.js";
import { clockLabel, sinceText, streamText } from "../../../web/static/js/tile-text.js";

const i18n = { t: (key, params = {}) => [key, ...Object.values(params)].join(" "), duration: (ms) => `${ms} ms` };
const MAIN = { id: "yard", width: 1280, height: 720, fps: 24.9 };
const YARD = { streams: [MAIN, { id: "yard.sub" }] };

test("a try whose time has come is not counted below zero", () => {
  assert.equal(sinceText({ since: null, nextRetry: 12.2 }, 10_000, i18n), "tile.next_try 3");
  assert.equal(sinceText({ since: null, nextRetry: 9 }, 10_000, i18n), "tile.trying_now");
});

test("a state that began in the future, by a clock that was set, has lasted no time", () => {
  assert.match(sinceText({ since: 20, nextRetry: null }, 10_000, i18n), / 0 ms$/);
});

test("a past picture is called so and a live one needs no word", () => {
  assert.equal(clockLabel({ state: TileState.OFFLINE, frozen: true }, true, i18n), "tile.last_picture");
  assert.equal(clockLabel({ state: TileState.LIVE, frozen: false }, true, i18n), "");
  assert.equal(clockLabel({ state: TileState.OFFLINE, frozen: true }, false, i18n), "tile.no_picture_yet");
  assert.equal(clockLabel({ state: TileState.DISABLED, frozen: true }, false, i18n), "");
});

test("the stream is told with its size, and its delay only where there is one", () => {
  assert.equal(streamText(YARD, MAIN, 87, i18n), "tile.main  ·  1280×720  ·  25 fps  ·  tile.behind 0.1");
  assert.equal(streamText(YARD, YARD.streams[1], null, i18n), "tile.sub");
  assert.equal(streamText(YARD, undefined, null, i18n), "tile.snapshots");
});
