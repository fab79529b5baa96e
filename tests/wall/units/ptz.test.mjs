/** Steering without a page: what is sent when, and what fingers and keys mean. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { PtzSender, REPEAT_MS, SHORTEST_MS } from "../../../web/static/js/ptz-sender.js";
import { DEAD_ZONE, fromKeys, fromPointer, KEY_SPEED, steers } from "../../../web/static/js/ptz-vector.js";

const RIGHT = { pan: 1, tilt: 0, zoom: 0 };

/** A gateway that answers when told, and a sender whose timers are the test's. */
function bench({ answer = {}, status = 202, hold = false } = {}) {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  const bench = { sent: [], troubles: [], release: [], hold, status, answer };
  const fetch = async (url, { method, body, keepalive }) => {
    const command = body && JSON.parse(body);
    bench.sent.push({ url, method, keepalive, ...command });
    if (bench.hold && command?.action === "move") await new Promise((resolve) => bench.release.push(resolve));
    if (bench.status === 0) throw new TypeError("refused");
    return { ok: bench.status < 300, status: bench.status, json: async () => bench.answer };
  };
  bench.sender = new PtzSender("front door", { fetch, now: () => now, onTrouble: (problem) => bench.troubles.push(problem) });
  bench.pass = async (ms) => {
    for (let passed = 0; passed < ms; passed += 10) {
      now += 10;
      mock.timers.tick(10);
      for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
    }
  };
  bench.actions = () => bench.sent.map(({ action }) => action);
  return bench;
}

test("a wish is repeated while it holds, and one stop ends it", async () => {
  const { sender, pass, sent, actions } = bench();
  sender.move(RIGHT);
  await pass(REPEAT_MS * 4);
  const moves = sent.length;
  assert.ok(moves >= 4 && moves <= 5, `${moves} moves`);
  assert.deepEqual({ ...sent[0], keepalive: false },
    { url: "/api/v1/cameras/front%20door/ptz", method: "POST", keepalive: false, action: "move", ...RIGHT });
  sender.move({ pan: 0, tilt: 0, zoom: 0 });
  await pass(2000);
  assert.deepEqual(actions().slice(moves), ["stop"]);
  assert.equal(sent.at(-1).keepalive, true, "it must go out although the page closes");
});

test("a fast pointer sends no faster than the shortest gap, and the newest wish wins", async () => {
  const { sender, pass, sent } = bench();
  for (let step = 1; step <= 40; step += 1) {
    sender.move({ pan: step / 40, tilt: 0, zoom: 0 });
    await pass(10);
  }
  assert.ok(sent.length <= 400 / SHORTEST_MS + 1, `${sent.length} requests in 400 ms`);
  await pass(REPEAT_MS);
  assert.equal(sent.at(-1).pan, 1);
});

test("one request at a time: a slow gateway gets no queue", async () => {
  const it = bench({ hold: true });
  it.sender.move(RIGHT);
  await it.pass(3000 / 2);
  it.sender.move({ pan: -1, tilt: 0, zoom: 0 });
  await it.pass(500);
  assert.equal(it.sent.length, 1);
  it.release.shift()();
  await it.pass(SHORTEST_MS + 20);
  assert.deepEqual(it.sent.map(({ pan }) => pan), [1, -1]);
});

test("a stop that overtakes a move is said again once the move is through", async () => {
  const it = bench({ hold: true });
  it.sender.move(RIGHT);
  await it.pass(50);
  it.sender.stop();
  await it.pass(50);
  assert.deepEqual(it.actions(), ["move", "stop"]);
  it.release.shift()();
  await it.pass(1000);
  assert.deepEqual(it.actions(), ["move", "stop", "stop"]);
});

test("closing stops what moves and sends nothing otherwise", async () => {
  const idle = bench();
  idle.sender.close();
  await idle.pass(500);
  assert.deepEqual(idle.actions(), []);
  const busy = bench();
  busy.sender.move(RIGHT);
  await busy.pass(50);
  busy.sender.close();
  await busy.pass(2000);
  assert.deepEqual(busy.actions(), ["move", "stop"]);
});

test("going to a preset ends the movement without a stop, which would end the way there, too", async () => {
  const it = bench();
  it.sender.move(RIGHT);
  await it.pass(50);
  await it.sender.command({ action: "preset", preset: "3" });
  await it.pass(2000);
  it.sender.close();
  assert.deepEqual(it.actions(), ["move", "preset"]);
});

test("a preset waits for a move that is under way, which would otherwise turn the camera away again", async () => {
  const it = bench({ hold: true });
  it.sender.move(RIGHT);
  await it.pass(50);
  it.sender.stop();
  const gone = it.sender.command({ action: "preset", preset: "3" });
  await it.pass(500);
  assert.deepEqual(it.actions(), ["move", "stop"]);
  it.release.shift()();
  await it.pass(50);
  await gone;
  await it.pass(2000);
  assert.deepEqual(it.actions(), ["move", "stop", "preset"]);
});

test("trouble is told, and when it is over", async () => {
  const it = bench({ status: 403, answer: { error: { message: "You may not do this." } } });
  it.sender.move(RIGHT);
  await it.pass(50);
  assert.deepEqual(it.troubles.at(-1), { status: 403, message: "You may not do this." });
  Object.assign(it, { status: 202, answer: { trouble: "10.0.0.9: the camera did not answer in time" } });
  await it.pass(REPEAT_MS + 50);
  assert.equal(it.troubles.at(-1).status, 502);
  it.answer = {};
  await it.pass(REPEAT_MS + 50);
  assert.equal(it.troubles.at(-1), null);
  it.status = 0;
  await it.pass(REPEAT_MS + 50);
  assert.deepEqual(it.troubles.at(-1), { status: 0, message: "" });
});

test("keys that are pressed together add up, and against each other cancel", () => {
  assert.deepEqual(fromKeys(["ArrowLeft", "ArrowUp", "+"]), { pan: -KEY_SPEED, tilt: KEY_SPEED, zoom: KEY_SPEED });
  assert.deepEqual(fromKeys(["ArrowLeft", "ArrowRight"]), { pan: 0, tilt: 0, zoom: 0 });
  assert.ok(fromKeys(["ArrowLeft"], true).pan > -KEY_SPEED / 2);
  assert.deepEqual(fromKeys(["q", "toString"]), { pan: 0, tilt: 0, zoom: 0 });
});

test("keys a camera has no use for are left to the wall: pages, digital zoom", () => {
  const can = { continuous: true, pan_tilt: true, zoom: true };
  assert.deepEqual(["ArrowUp", "+", "a"].map((key) => steers(key, can)), [true, true, false]);
  assert.deepEqual(["ArrowUp", "+"].map((key) => steers(key, { ...can, zoom: false })), [true, false]);
  assert.deepEqual(["ArrowUp", "+"].map((key) => steers(key, { ...can, pan_tilt: false })), [false, true]);
  assert.deepEqual([{ ...can, continuous: false }, null].map((known) => steers("ArrowUp", known)), [false, false]);
});

test("a pointer near the middle rests, further out it speeds up, and never beyond full speed", () => {
  assert.deepEqual(fromPointer(DEAD_ZONE * 50, 0, 50), { pan: 0, tilt: 0 });
  const near = fromPointer(20, 0, 50).pan;
  const far = fromPointer(40, 0, 50).pan;
  assert.ok(0 < near && near * 2 < far, `${near} ${far}`);
  const outside = fromPointer(500, -500, 50);
  assert.ok(Math.abs(Math.hypot(outside.pan, outside.tilt) - 1) < 1e-9);
  assert.ok(outside.tilt > 0, "up is up");
});
