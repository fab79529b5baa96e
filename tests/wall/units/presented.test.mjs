/** What counts as a picture that was really shown. */
import assert from "node:assert/strict";
import test from "node:test";
import { Presented } from "../../../web/static/js/presented.js";

const SERVER = 1_700_000_000_000;

test("a picture's age and the time it took to the screen", () => {
  const shown = new Presented();
  assert.deepEqual([shown.any, shown.quietMs(5), shown.ageMs(SERVER), shown.latencyMs(5, SERVER)], [false, null, null, null]);
  shown.moving(SERVER - 100, 1000, SERVER);
  assert.deepEqual([shown.any, shown.frames, shown.quietMs(1250)], [true, 1, 250]);
  assert.equal(shown.ageMs(SERVER + 250), 350);
  assert.equal(shown.latencyMs(1250, SERVER + 250), 100, "does not grow while nothing new comes");
});

test("a date in the future is none", () => {
  const shown = new Presented();
  shown.moving(SERVER + 60000, 0, SERVER);
  assert.deepEqual([shown.dated, shown.wallMs, shown.ageMs(SERVER)], [false, SERVER, null]);
});

test("after the connection broke only what was taken later ends the interruption", () => {
  const shown = new Presented();
  shown.lose(0, SERVER);
  assert.equal(shown.lostMs(10), null, "nothing was lost that had not begun");
  shown.moving(SERVER, 0, SERVER);
  shown.lose(100, SERVER + 100);
  shown.lose(900, SERVER + 900);
  shown.moving(SERVER + 50, 1000, SERVER + 1000);
  assert.equal(shown.lostMs(1100), 1000, "counted from the first break, and not ended by an older picture");
  shown.moving(SERVER + 1000, 1200, SERVER + 1200);
  assert.equal(shown.lostMs(1300), null);
});

test("what was shown before a jump is a repetition, a clock that was set back is not", () => {
  const shown = new Presented();
  shown.moving(SERVER, 0, SERVER);
  assert.equal(shown.isReplay(SERVER), false);
  shown.markSeen();
  assert.deepEqual([SERVER - 5000, SERVER + 200, SERVER + 400, SERVER - 60000, null].map((at) => shown.isReplay(at)),
    [true, true, false, false, false]);
  shown.expectNew();
  assert.equal(shown.isReplay(SERVER), false);
});

test("a still picture has a time and no age", () => {
  const shown = new Presented();
  shown.still(SERVER - 4000, 0, SERVER);
  assert.deepEqual([shown.wallMs, shown.ageMs(SERVER)], [SERVER - 4000, null]);
  shown.forget();
  assert.deepEqual([shown.any, shown.frames, shown.wallMs], [false, 1, SERVER - 4000]);
});
