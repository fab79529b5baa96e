import assert from "node:assert/strict";
import test from "node:test";
import { durationParts, ServerClock, timeOfDay, timeStamp } from "../../../web/static/js/clock.js";

test("a wall PC an hour off still knows the gateway's time", () => {
  let local = 1000000;
  const clock = new ServerClock(() => local);
  clock.observe(4600050, 1000000, 1000100);
  assert.equal(clock.now(), 4600000);
  local += 500;
  assert.equal(clock.now(), 4600500);
});

test("a slow answer does not spoil a good estimate until that is old", () => {
  const clock = new ServerClock(() => 0);
  clock.observe(5010, 0, 20);
  clock.observe(9000, 1000, 4000);
  assert.equal(clock.now(), 5000);
  clock.observe(306000, 200000, 202000);
  assert.equal(clock.now(), 105000);
});

test("times show seconds, and the date if it is not today's", () => {
  const noon = new Date(2026, 2, 5, 9, 4, 7).getTime();
  assert.equal(timeOfDay(noon), "09:04:07");
  assert.equal(timeStamp(noon, noon + 3600000), "09:04:07");
  assert.equal(timeStamp(noon, noon + 86400000), "2026-03-05 09:04:07");
});

test("durations keep their two largest units", () => {
  assert.deepEqual(durationParts(0), [["s", 0]]);
  assert.deepEqual(durationParts(61000), [["min", 1], ["s", 1]]);
  assert.deepEqual(durationParts(7200000), [["h", 2]]);
  assert.deepEqual(durationParts(90061000), [["d", 1], ["h", 1]]);
});

test("a wall PC whose clock was set does not take every picture for a new one until its old estimate is forgotten", () => {
  let local = 10000000;
  const clock = new ServerClock(() => local);
  clock.observe(10000000.5, local, local + 1);
  local -= 3600000; // an hour back, by NTP or by hand
  clock.observe(10002000, local, local + 5);
  assert.ok(Math.abs(clock.now() - 10002000) < 10, `${clock.now()}`);
  local += 30000; // and a little forward, within the life of the estimate
  clock.observe(10003000, local, local + 8);
  assert.ok(Math.abs(clock.now() - 10003000) < 10, `${clock.now()}`);
});

test("a clock that is set back during a request says nothing", () => {
  const clock = new ServerClock(() => 0);
  clock.observe(5010, 0, 20);
  clock.observe(6000, 5000, 1000);
  assert.equal(clock.now(), 5000);
});
