import assert from "node:assert/strict";
import test from "node:test";
import { Help, Watchdog } from "../../../web/static/js/watchdog.js";

const STEP_MS = 250;

/** A watchdog without jitter that has shown frames until `until`. */
function playing(until = 20000) {
  const dog = new Watchdog(() => 0.5);
  dog.begin(0);
  for (let now = 0; now <= until; now += 100) dog.frame(now);
  return dog;
}

/** All helps between two times, as [time, help]; a rebuild begins a new attempt as the tile does. */
function helps(dog, from, to, { expected = true, each = () => {}, hoards = false } = {}) {
  const given = [];
  for (let now = from; now <= to; now += STEP_MS) {
    each(now);
    const help = dog.tick(now, expected);
    if (help) given.push([now, help]);
    if (help === Help.REBUILD) dog.begin(now, hoards);
  }
  return given;
}

test("steady frames need no help", () => {
  const dog = new Watchdog(() => 0.5);
  dog.begin(0);
  assert.deepEqual(helps(dog, 0, 60000, { each: (now) => dog.frame(now) }), []);
});

test("a freeze is resynced after 3 s and rebuilt after 6 s", () => {
  const dog = playing(20000);
  assert.deepEqual(helps(dog, 20000, 26500), [[23000, Help.RESYNC], [26000, Help.REBUILD]]);
});

test("rebuilds back off and never come further apart than half a minute", () => {
  const dog = playing(20000);
  const rebuilds = helps(dog, 20000, 200000).filter(([, help]) => help === Help.REBUILD).map(([now]) => now);
  const pauses = rebuilds.slice(1).map((now, index) => now - rebuilds[index]);
  assert.deepEqual(pauses.slice(0, 3), [12000, 24000, 30000]);
  assert.ok(pauses.every((pause) => pause <= 30250));
});

test("jitter keeps a wall of tiles from coming back in step", () => {
  const times = [0, 0.3, 0.7, 1].map((random) => {
    const dog = new Watchdog(() => random);
    dog.begin(0);
    dog.frame(0);
    dog.begin(100);
    return helps(dog, 0, 20000).find(([, help]) => help === Help.REBUILD)[0];
  });
  assert.equal(new Set(times).size, times.length);
});

test("one frame does not reset the back-off, ten seconds of frames do", () => {
  const dog = playing(20000);
  helps(dog, 20000, 26500);
  assert.equal(dog.failures, 1);
  dog.frame(27000);
  assert.equal(dog.failures, 1);
  for (let now = 27000; now <= 37500; now += 100) dog.frame(now);
  assert.equal(dog.failures, 0);
});

test("media that arrives but is never shown after a gap is a hang, found before the 3 s", () => {
  const dog = playing(20000);
  const given = helps(dog, 20000, 22750, { each: (now) => now >= 21500 && dog.media(now) });
  assert.deepEqual(given, [[22000, Help.RESYNC]]);
});

test("a return told by the server resyncs at once and rebuilds if that was not enough", () => {
  const dog = playing(20000);
  assert.deepEqual(helps(dog, 20000, 40000, { expected: false }), []);
  dog.returned(40000);
  dog.begin(40000 - 5000);
  dog.frame(36000);
  dog.returned(40000);
  const given = helps(dog, 40000, 42500);
  assert.deepEqual(given.map(([, help]) => help), [Help.RESYNC, Help.REBUILD]);
  assert.ok(given[0][0] <= 40500 && given[1][0] <= 42500);
});

test("a return is ignored if frames already flow", () => {
  const dog = playing(20000);
  dog.returned(20000);
  assert.deepEqual(helps(dog, 20000, 30000, { each: (now) => dog.frame(now) }), []);
});

test("without a picture to be had a player is left in peace but for one try in half a minute", () => {
  const dog = playing(20000);
  assert.deepEqual(helps(dog, 20000, 85000, { expected: false }), [[50000, Help.REBUILD], [80000, Help.REBUILD]]);
});

test("a player that failed is remade after a second, then ever later", () => {
  const dog = playing(20000);
  dog.failed(20000);
  assert.deepEqual(helps(dog, 20000, 21500), [[21000, Help.REBUILD]]);
  dog.failed(21500);
  assert.deepEqual(helps(dog, 21500, 23750), [[23500, Help.REBUILD]]);
});

test("a failed player does not wait out its back-off when the source returns", () => {
  const dog = playing(20000);
  for (let round = 0; round < 5; round += 1) {
    dog.failed(20000);
    helps(dog, 20000, 60000);
  }
  dog.failed(60000);
  dog.returned(60500);
  assert.equal(helps(dog, 60500, 61500)[0][1], Help.REBUILD);
});

test("the first picture may take a camera's long keyframe interval", () => {
  const dog = new Watchdog(() => 0.5);
  dog.begin(0);
  assert.deepEqual(helps(dog, 0, 9750), []);
  assert.deepEqual(helps(dog, 10000, 10000), [[10000, Help.REBUILD]]);
});

test("a camera of one frame in four seconds is not restarted for it", () => {
  const dog = playing(20000);
  dog.normalGap = 8000;
  assert.deepEqual(helps(dog, 20000, 60000, { each: (now) => now % 4000 === 0 && dog.frame(now) }), []);
});

test("a new player that hangs on a returned stream is helped before its long patience ends", () => {
  const dog = playing(20000);
  assert.equal(helps(dog, 20000, 26000).at(-1)[1], Help.REBUILD);
  const given = helps(dog, 26250, 33000, { each: (now) => now >= 28000 && dog.media(now) });
  assert.deepEqual(given, [[31000, Help.RESYNC]]);
});

test("a slow link is not helped again and again while it loads", () => {
  const dog = playing(20000);
  const given = helps(dog, 20000, 25750, { each: (now) => now >= 21000 && dog.media(now) });
  assert.deepEqual(given, [[21500, Help.RESYNC]]);
});

test("a healthy player that keeps all it played is renewed before what it keeps fills the memory, and only then", () => {
  const dog = new Watchdog(() => 0.5);
  dog.begin(0, true);
  const given = helps(dog, 0, 1000000, { each: (now) => dog.frame(now), hoards: true });
  assert.deepEqual(given, [[480000, Help.REBUILD], [960000, Help.REBUILD]]);
});
