/** What the health page says about numbers. */
import assert from "node:assert/strict";
import test from "node:test";
import { TABLES } from "../../../web/static/js/i18n.js";
import { BAD, boxFacts, bytes, FINE, percent, streamFacts, todayFacts, uptimeLevel, WARNING, worstFirst } from "../../../web/static/js/health-text.js";

const HEALTH = {
  box: {
    disk: { free: 5e9, size: 30e9 }, memory: { available: 2e9, size: 4e9 }, load: 0.5, temperatures: [], undervolted: null,
    throttled: null, clock: { synchronised: true, error: 0.01 },
  },
  process: { memory: 150e6, cpu: 0.2, loop_lag: 0.002 },
  journal: null,
};
const box = (changes, process = {}) => boxFacts({ ...HEALTH, box: { ...HEALTH.box, ...changes }, process: { ...HEALTH.process, ...process } });
const level = (facts, label) => facts.find((one) => one.label === label).level;

test("an uptime is never rounded up to all of it", () => {
  assert.equal(percent(1), "100 %");
  assert.equal(percent(0.99999), "99.99 %");
  assert.equal(percent(0.9849), "98.4 %");
  assert.equal(percent(0), "0.0 %");
  assert.equal(percent(null), "–");
  assert.deepEqual([1, 0.9995, 0.99, 0.5, null].map(uptimeLevel), [FINE, FINE, WARNING, BAD, FINE]);
});

test("a box that is well has no colour, and each trouble has its own", () => {
  assert.ok(boxFacts(HEALTH).every((one) => one.level === FINE));
  assert.equal(level(box({ disk: { free: 1e8, size: 30e9 } }), "health.disk"), BAD);
  assert.equal(level(box({ memory: { available: 1e8, size: 4e9 } }), "health.memory"), WARNING);
  assert.equal(level(box({ load: 1.5 }), "health.cpu"), WARNING);
  assert.equal(level(box({ temperatures: [{ sensor: "cpu", celsius: 81 }] }), "health.temperature"), BAD);
  assert.equal(level(box({ undervolted: true }), "health.power"), BAD);
  assert.equal(level(box({ clock: { synchronised: false, error: 16 } }), "health.clock"), WARNING);
  assert.equal(level(box({}, { loop_lag: 0.2 }), "health.lag"), WARNING);
});

test("what a box does not tell is left out", () => {
  const nothing = { disk: { free: null, size: null }, memory: { available: null, size: null }, load: null, clock: null };
  assert.deepEqual(box(nothing).map((one) => one.label), ["health.cpu", "health.lag"]);
});

test("every text exists in both languages", () => {
  const keys = box({ undervolted: false }).flatMap((one) => [one.label, one.key]).filter(Boolean);
  const stream = { today: { interruptions: 1, lost_packets: 2, repairs: 3 } };
  keys.push(...todayFacts(stream).map((one) => one.key));
  for (const table of Object.values(TABLES)) for (const key of keys) assert.ok(key in table, key);
});

test("a quiet day and a stream without picture say nothing", () => {
  assert.deepEqual(todayFacts({ today: { interruptions: 0, lost_packets: null, repairs: 0 } }), []);
  assert.deepEqual(todayFacts({ today: null }), []);
  assert.equal(streamFacts({ codec: "h264", fps: 0 }), "");
  const stream = { codec: "h265", fps: 25, width: 1920, height: 1080, bitrate: 4120000 };
  assert.equal(streamFacts(stream), "H.265 1920×1080 · 25.0/s · 4.1 Mbit/s");
  assert.equal(bytes(320e6), "320 MB");
});

test("cameras without a picture come first and the others keep their order", () => {
  const cameras = ["live", "offline", "live", "late"].map((state, id) => ({ state, id }));
  assert.deepEqual(worstFirst(cameras).map((one) => one.id), [1, 3, 0, 2]);
});
