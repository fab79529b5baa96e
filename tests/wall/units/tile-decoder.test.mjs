import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { TileDecoder } from "../../../web/static/js/tile-decoder.js";

/** A decoder under the test's hands: it puts out what it is told to. */
class Codec {
  static made = [];
  static supports = () => true;
  static refusesSetUp = () => false;
  static isConfigSupported = async (config) => ({ supported: Codec.supports(config) });
  state = "unconfigured";
  decodeQueueSize = 0;
  chunks = [];

  constructor({ output, error }) {
    this.output = output;
    this.error = error;
    Codec.made.push(this);
  }

  configure(config) {
    if (Codec.refusesSetUp(config)) throw new Error("no such hardware");
    this.config = config;
    this.state = "configured";
  }

  decode(chunk) {
    this.chunks.push(chunk);
  }

  close() {
    this.state = "closed";
  }

  puts(timestamp, width = 320) {
    const frame = { timestamp, displayWidth: width, displayHeight: 180, closed: false, close() { frame.closed = true; } };
    frames.push(frame);
    this.output(frame);
    return frame;
  }

  breaks() {
    this.state = "closed";
    this.error(new Error("decoding failed"));
  }
}

class Chunk {
  constructor(fields) {
    Object.assign(this, fields);
  }
}

let now;
let told;
let frames;
let canvas;
const CONFIG = { codec: "avc1.64000C", description: new Uint8Array([1]) };
const newest = () => Codec.made.at(-1);
const shown = () => told.filter(([what]) => what === "presented").map(([, { wallMs }]) => wallMs);

async function decoder() {
  const tell = (what) => (value) => told.push([what, value]);
  const made = new TileDecoder(canvas, { presented: tell("presented"), dropped: tell("dropped"), failed: tell("failed") }, {
    Decoder: Codec, Chunk, now: () => now, date: () => now,
  });
  made.configure(CONFIG);
  return made;
}

const picture = (number, fields = {}) => ({
  key: false, past: false, ptsMs: number * 40, wallMs: number, receivedAt: now, data: new Uint8Array(1), ...fields,
});

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  Codec.made = [];
  Codec.supports = () => true;
  now = 1000;
  told = [];
  frames = [];
  const context = {
    drawImage: () => {
      if (canvas.fails) throw new Error("drawing failed");
      canvas.drawn += 1;
    },
    isContextLost: () => canvas.lost,
  };
  canvas = { width: 0, height: 0, drawn: 0, fails: false, lost: false, getContext: () => context };
});

afterEach(() => {
  mock.timers.reset();
  assert.ok(frames.every((frame) => frame.closed), "every frame is given back");
});

test("pictures are decoded from a keyframe on and shown; those that came before it count as lost", async () => {
  const made = await decoder();
  await made.decode(picture(0));
  await made.decode(picture(1, { key: true }));
  await made.decode(picture(2));
  assert.deepEqual(newest().chunks.map(({ type, timestamp }) => [type, timestamp]), [["key", 40000], ["delta", 80000]]);
  newest().puts(40000);
  assert.deepEqual(told, [["dropped", 1], ["presented", { wallMs: 1, width: 320, height: 180 }]]);
});

test("what comes while the decoder is being set up is not lost", async () => {
  const made = await decoder();
  await Promise.all([made.decode(picture(0, { key: true })), made.decode(picture(1)), made.decode(picture(2))]);
  assert.equal(newest().chunks.length, 3);
});

test("the past is decoded and not shown", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true, past: true }));
  await made.decode(picture(1, { past: true }));
  await made.decode(picture(2));
  newest().puts(0);
  newest().puts(40000);
  newest().puts(80000);
  assert.deepEqual(shown(), [2]);
});

test("of pictures that come in a burst only the newest is shown", async () => {
  const made = await decoder();
  for (let number = 0; number < 5; number += 1) await made.decode(picture(number, { key: number === 0 }));
  newest().puts(0);
  now += 1000;
  for (let number = 1; number < 5; number += 1) newest().puts(number * 40000);
  mock.timers.tick(200);
  now += 200;
  mock.timers.tick(200);
  assert.equal(shown()[0], 0);
  assert.equal(shown().at(-1), 4);
});

test("a picture that is early waits for its time", async () => {
  const made = await decoder();
  for (let number = 0; number < 3; number += 1) await made.decode(picture(number, { key: number === 0 }));
  newest().puts(0);
  now += 80; // 40 ms late: from now on the others are held back a little
  newest().puts(40000);
  assert.deepEqual(shown(), [0, 1]);
  newest().puts(80000);
  assert.deepEqual(shown(), [0, 1]);
  now += 20;
  mock.timers.tick(20);
  assert.deepEqual(shown(), [0, 1, 2]);
});

test("the canvas follows the size of the picture", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  await made.decode(picture(1, { key: true }));
  newest().puts(0, 320);
  now += 40;
  newest().puts(40000, 640);
  assert.equal(canvas.width, 640);
  assert.equal(told.at(-1)[1].width, 640);
});

test("after an error the next keyframe is decoded by another decoder", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  const first = newest();
  assert.equal(first.config.hardwareAcceleration, "prefer-hardware");
  first.breaks();
  await made.decode(picture(1));
  await made.decode(picture(2, { key: true }));
  assert.notEqual(newest(), first);
  assert.equal(newest().config.hardwareAcceleration, "no-preference");
  assert.deepEqual(newest().chunks.map(({ timestamp }) => timestamp), [80000]);
  assert.equal(told.filter(([what]) => what === "failed").length, 0);
});

test("a decoder that breaks again and again is reported", async () => {
  const made = await decoder();
  for (let count = 0; count < 3; count += 1) {
    await made.decode(picture(count, { key: true }));
    newest().breaks();
  }
  assert.deepEqual(told.at(-1), ["failed", "decoding failed"]);
});

test("without hardware the software decodes; without either the reason is told", async () => {
  Codec.supports = ({ hardwareAcceleration }) => hardwareAcceleration !== "prefer-hardware";
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  assert.equal(newest().config.hardwareAcceleration, "no-preference");
  Codec.supports = () => false;
  made.configure({ ...CONFIG, codec: "hvc1.1.6.L93.B0" });
  await made.decode(picture(1, { key: true }));
  assert.equal(told.at(-1)[0], "failed");
  assert.match(told.at(-1)[1], /hvc1/);
});

test("a decoder that cannot follow goes on with the next keyframe", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  newest().puts(0);
  newest().decodeQueueSize = 41;
  await made.decode(picture(1));
  newest().decodeQueueSize = 0;
  await made.decode(picture(2));
  await made.decode(picture(3, { key: true }));
  assert.deepEqual(newest().chunks.map(({ timestamp }) => timestamp), [0, 120000]);
  assert.equal(told.filter(([what]) => what === "dropped").length, 2);
});

test("on a busy machine pictures that waited too long are left out to the next keyframe", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  newest().puts(0);
  await made.decode(picture(1, { receivedAt: now - 700 }));
  await made.decode(picture(2));
  await made.decode(picture(3, { key: true }));
  assert.deepEqual(newest().chunks.map(({ timestamp }) => timestamp), [0, 120000]);
});

test("a decoder with a queue is too slow when the queue is old, one that holds pictures back is not", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  newest().puts(0);
  await made.decode(picture(1));
  now += 700;
  newest().decodeQueueSize = 3;
  await made.decode(picture(2));
  newest().decodeQueueSize = 9;
  await made.decode(picture(3));
  assert.deepEqual(newest().chunks.map(({ timestamp }) => timestamp), [0, 40000, 80000]);
});

test("the past of a long GOP may fill the queue", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true, past: true }));
  newest().decodeQueueSize = 200;
  await made.decode(picture(1, { past: true }));
  assert.equal(newest().chunks.length, 2);
});

test("nothing happens after the end", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  const last = newest();
  made.close();
  last.puts(0);
  await made.decode(picture(1, { key: true }));
  assert.deepEqual(told, []);
});

test("damaged pictures that never come out are forgotten: they must not pile up for days, nor make the decoder seem slow", async () => {
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  newest().puts(0);
  await made.decode(picture(1)); // is swallowed
  for (let number = 2; number < 900; number += 1) {
    now += 40;
    await made.decode(picture(number));
    newest().puts(number * 40000);
  }
  told = [];
  newest().decodeQueueSize = 9;
  await made.decode(picture(900));
  assert.deepEqual(told, []);
  assert.equal(newest().chunks.at(-1).timestamp, 900 * 40000);
});

test("a picture that cannot be drawn costs the decoder, not the worker, and is given back", async () => {
  const made = await decoder();
  const first = newest();
  await made.decode(picture(0, { key: true }));
  canvas.fails = true;
  first.puts(0);
  await made.decode(picture(1, { key: true }));
  assert.notEqual(newest(), first);
  assert.deepEqual(shown(), []);
  canvas.fails = false;
  newest().puts(40000);
  assert.deepEqual(shown(), [1]);
});

test("what is drawn on a canvas that the graphics driver has lost is not called shown", async () => {
  const made = await decoder();
  canvas.lost = true;
  await made.decode(picture(0, { key: true }));
  newest().puts(0);
  assert.deepEqual(shown(), []);
  canvas.lost = false;
  await made.decode(picture(1));
  newest().puts(40000);
  assert.deepEqual(shown(), [1]);
});

test("a decoder that cannot be set up although it said so is followed by the next kind", async () => {
  Codec.refusesSetUp = ({ hardwareAcceleration }) => hardwareAcceleration === "prefer-hardware";
  const made = await decoder();
  await made.decode(picture(0, { key: true }));
  Codec.refusesSetUp = () => false;
  newest().puts(0);
  assert.equal(newest().config.hardwareAcceleration, "no-preference");
  assert.deepEqual(shown(), [0]);
});
