import assert from "node:assert/strict";
import test from "node:test";
import { JitterBuffer } from "../../../web/static/js/jitter.js";

/** Distances between showing and readiness of pictures that are ready `late(n)` after their earliest possible time. */
function waits(buffer, count, late, { start = 0, base = 500 } = {}) {
  const found = [];
  for (let index = 0; index < count; index += 1) {
    const pts = start + index * 40;
    const ready = pts + base + late(index);
    found.push(buffer.due(pts, ready) - ready);
  }
  return found;
}

test("on an even line nothing waits", () => {
  assert.ok(waits(new JitterBuffer(), 100, () => 0).every((wait) => wait === 0));
});

test("uneven pictures are shown evenly once the jitter is known", () => {
  const found = waits(new JitterBuffer(), 500, (index) => (index % 3) * 10).slice(100);
  const late = found.filter((wait) => wait < 0).length;
  assert.ok(late < found.length / 2);
  assert.ok(Math.min(...found) > -12);
  assert.ok(Math.max(...found) < 25);
});

test("the delay is bounded however late the pictures come, and is given back", () => {
  const buffer = new JitterBuffer();
  waits(buffer, 200, (index) => (index % 2 ? 0 : 1000));
  assert.ok(buffer.delay <= 80);
  waits(buffer, 600, () => 0, { start: 200 * 40 });
  assert.ok(buffer.delay < 5);
});

test("after the line has become longer for good the pictures are soon even again", () => {
  const buffer = new JitterBuffer();
  waits(buffer, 100, () => 0);
  const found = waits(buffer, 800, () => 0, { start: 100 * 40, base: 3000 });
  assert.ok(found.slice(-100).every((wait) => wait >= 0 && wait < 5), `${found.slice(-3)}`);
});

test("a new timeline begins afresh", () => {
  const buffer = new JitterBuffer();
  waits(buffer, 100, () => 0, { start: 1e9 });
  buffer.reset();
  assert.ok(waits(buffer, 10, () => 0).every((wait) => Math.abs(wait) < 5));
});
