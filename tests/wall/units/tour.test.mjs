import assert from "node:assert/strict";
import { test } from "node:test";
import { RESUME_AFTER_MS, Tour } from "../../../web/static/js/tour.js";

test("a tour turns once per interval and counts down", () => {
  const tour = new Tour();
  assert.equal(tour.tick(0), false);
  tour.start(10, 1000);
  assert.deepEqual(tour.countdown(3500), { paused: false, left: 8, share: 0.75 });
  assert.equal(tour.tick(10999), false);
  assert.equal(tour.tick(11000), true);
  assert.equal(tour.tick(11001), false);
  assert.equal(tour.tick(21000), true);
});

test("it waits while somebody is busy, and goes on by itself with the time that was left", () => {
  const tour = new Tour();
  tour.start(10, 0);
  tour.interact(4000);
  tour.interact(9000);
  assert.deepEqual(tour.countdown(12000), { paused: true, left: 6, share: 0.6 });
  assert.equal(tour.tick(9000 + RESUME_AFTER_MS - 1), false);
  assert.equal(tour.tick(9000 + RESUME_AFTER_MS), false, "not at once");
  assert.equal(tour.tick(9000 + RESUME_AFTER_MS + 6000), true);
});

test("a touch in the last moment leaves a second before the turn", () => {
  const tour = new Tour();
  tour.start(5, 0);
  tour.interact(5000);
  assert.equal(tour.tick(5000 + RESUME_AFTER_MS), false);
  assert.equal(tour.tick(5000 + RESUME_AFTER_MS + 1000), true);
});

test("a stopped tour neither turns nor waits", () => {
  const tour = new Tour();
  tour.start(5, 0);
  tour.stop();
  tour.interact(1000);
  assert.equal(tour.tick(1e6), false);
  assert.deepEqual([tour.running, tour.countdown(0).share], [false, 0]);
});
