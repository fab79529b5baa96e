import assert from "node:assert/strict";
import test from "node:test";
import { LivePace } from "../../../web/static/js/live-pace.js";

test("close to the wanted distance the rate stays one", () => {
  const pace = new LivePace();
  assert.deepEqual(pace.advise(pace.target, 0), { jump: false, rate: 1 });
  assert.deepEqual(pace.advise(pace.target + 0.02, 0), { jump: false, rate: 1 });
});

test("the rate stays within what nobody notices", () => {
  const pace = new LivePace();
  assert.equal(pace.advise(pace.target + 0.4, 0).rate, 1.1);
  assert.equal(pace.advise(0, 0).rate, 0.95);
});

test("far behind it jumps", () => {
  const pace = new LivePace();
  assert.equal(pace.advise(pace.target + 5, 0).jump, true);
});

test("after a start that landed too far behind it jumps once more", () => {
  const pace = new LivePace();
  pace.started(0);
  assert.equal(pace.advise(pace.target + 0.3, 100).jump, true);
  assert.equal(pace.advise(pace.target + 0.3, 200).jump, false);
});

test("every stall widens the distance up to its bound, calm narrows it again", () => {
  const pace = new LivePace();
  const first = pace.target;
  pace.stalled(0);
  pace.started(0);
  pace.stalled(1000);
  assert.equal(pace.target, first, "a start is no stall");
  pace.stalled(3000);
  pace.stalled(3100);
  assert.ok(Math.abs(pace.target - first - 0.06) < 1e-9, "one hiccup counts once");
  for (let count = 4; count < 20; count += 1) pace.stalled(count * 1000);
  assert.equal(pace.target, 0.4);
  for (let now = 0; now < 600000; now += 100) pace.advise(pace.target, now);
  assert.ok(pace.target < first);
  assert.ok(pace.target >= 0.15);
});
