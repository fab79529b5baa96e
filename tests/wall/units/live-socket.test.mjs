import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { LiveSocket } from "../../../web/static/js/live-socket.js";

/** A WebSocket under the test's hands. */
class Line extends EventTarget {
  static made = [];
  readyState = 0;
  sent = [];
  closed = false;

  constructor(url) {
    super();
    this.url = url;
    Line.made.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  says(message) {
    const data = message instanceof ArrayBuffer ? message : JSON.stringify(message);
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  opens() {
    this.readyState = 1;
    this.says({ type: "hello", version: 1, now: 0, heartbeat_ms: 2000 });
  }

  breaks() {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }

  asked(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

let now;
let told;
const clock = { observe: (...times) => told.push(["clock", ...times]) };
const newest = () => Line.made.at(-1);

function consumer(name = "") {
  const tell = (what) => (...args) => told.push([`${name}${what}`, ...args]);
  return {
    onSubscribed: tell("subscribed"), onRecord: (record) => told.push([`${name}record`, record.pts]), onState: tell("state"),
    onDropped: tell("dropped"), onRefused: tell("refused"), onLost: tell("lost"),
  };
}

function frame(channel, pts, payload = 4) {
  const buffer = new ArrayBuffer(36 + payload);
  const view = new DataView(buffer);
  view.setUint8(0, 2);
  view.setUint16(2, channel);
  view.setUint32(4, payload);
  view.setBigInt64(12, BigInt(pts));
  return buffer;
}

function socket(options = {}) {
  return new LiveSocket({
    url: "ws://box/live", clock, WebSocketClass: Line, fetch: async () => {}, random: () => 0, now: () => now, ...options,
  });
}

/** Lets time pass in steps, so that every timer sees the time it fires at. */
function pass(milliseconds, step = 50) {
  for (let gone = 0; gone < milliseconds; gone += step) {
    now += step;
    mock.timers.tick(step);
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  Line.made = [];
  now = 1000;
  told = [];
});

afterEach(() => mock.timers.reset());

test("one connection carries all tiles and is made for the first of them", () => {
  const live = socket();
  assert.equal(Line.made.length, 0);
  live.subscribe("yard", "frames", false, consumer("yard "));
  live.subscribe("gate", "fmp4", true, consumer("gate "));
  assert.equal(Line.made.length, 1);
  newest().opens();
  assert.deepEqual(newest().asked("subscribe"), [
    { type: "subscribe", stream: "yard", format: "frames", focused: false },
    { type: "subscribe", stream: "gate", format: "fmp4", focused: true },
  ]);
  newest().says({ type: "subscribed", stream: "yard", format: "frames", channel: 4, catch_up: 2 });
  newest().says(frame(4, 7));
  newest().says(frame(5, 8));
  assert.deepEqual(told, [["yard subscribed", 2], ["yard record", 7]]);
});

test("what arrived is acknowledged, at once when it is much", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  newest().says(frame(1, 0, 964));
  assert.deepEqual(newest().asked("ack"), []);
  pass(50);
  newest().says(frame(1, 0, 40000 - 36));
  assert.deepEqual(newest().asked("ack").map(({ bytes }) => bytes), [1000, 41000]);
});

test("a broken line is told, made anew, and everything is asked for again", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  newest().breaks();
  assert.deepEqual(told, [["lost"]]);
  assert.equal(live.open, false);
  pass(200);
  assert.equal(Line.made.length, 2);
  newest().opens();
  assert.equal(newest().asked("subscribe").length, 1);
  newest().says(frame(1, 0, 64));
  pass(50);
  assert.deepEqual(newest().asked("ack"), [{ type: "ack", bytes: 100 }], "counted from the new connection on");
});

test("a gateway that is away is asked for about every second over HTTP, and less often after a minute", async () => {
  let asked = 0;
  let away = true;
  const fetch = async () => {
    asked += 1;
    if (away) throw new TypeError("refused");
  };
  const live = socket({ fetch });
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  newest().breaks();
  const tries = async (milliseconds) => {
    const before = asked;
    for (let gone = 0; gone < milliseconds; gone += 50) {
      if (newest().readyState === 0) newest().breaks();
      pass(50);
      for (let turn = 0; turn < 5; turn += 1) await null;
    }
    return asked - before;
  };
  assert.ok(await tries(10000) >= 8);
  await tries(60000);
  assert.ok(await tries(20000) <= 6);
  assert.ok(Line.made.length <= 3, "many failed WebSockets would make the browser hold the next one back");
  away = false;
  const before = Line.made.length;
  for (let gone = 0; gone < 5000 && Line.made.length === before; gone += 50) {
    pass(50);
    for (let turn = 0; turn < 5; turn += 1) await null;
  }
  assert.equal(Line.made.length, before + 1);
});

test("walls that lost the gateway together come back apart", () => {
  const delays = [0, 0.5, 1].map((value) => {
    Line.made = [];
    const live = socket({ random: () => value });
    live.subscribe("yard", "frames", false, consumer());
    newest().opens();
    newest().breaks();
    const from = now;
    while (Line.made.length < 2) pass(10, 10);
    return now - from;
  });
  assert.equal(new Set(delays).size, 3);
});

test("a line that died without a word is noticed and given up", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  pass(4000);
  newest().says({ type: "ping", now: 0 });
  pass(4000);
  assert.equal(Line.made.length, 1);
  pass(2000);
  assert.equal(Line.made[0].closed, true);
  assert.equal(Line.made.length, 2);
  Line.made[0].says({ type: "state", stream: "yard", state: "live" });
  assert.ok(!told.some(([what]) => what === "state"), "nothing is heard of it any more");
});

test("a connection attempt that gets no answer is not waited for for ever", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  pass(6000);
  assert.ok(Line.made.length >= 2);
});

test("after sleep the line must prove itself within a second", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  pass(1000);
  now += 600000;
  mock.timers.tick(500);
  pass(2000);
  assert.equal(Line.made.length, 2);
});

test("after sleep what has piled up is thrown away and every stream starts anew", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  newest().says({ type: "subscribed", stream: "yard", format: "frames", channel: 4, catch_up: 0 });
  newest().says(frame(4, 1));
  now += 600000;
  newest().says(frame(4, 2));
  newest().says(frame(4, 3));
  assert.equal(newest().asked("subscribe").length, 2);
  newest().says({ type: "subscribed", stream: "yard", format: "frames", channel: 4, catch_up: 0 });
  newest().says(frame(4, 4));
  assert.deepEqual(told.filter(([what]) => what === "record"), [["record", 1], ["record", 4]]);
  pass(2000);
  assert.equal(Line.made.length, 1, "a line that spoke has proved itself");
});

test("a page that is shown again asks, and keeps a line that answers", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  pass(1000);
  live.check();
  newest().says({ type: "time", t: 1, now: 2 });
  pass(2000);
  assert.equal(Line.made.length, 1);
  assert.equal(told.filter(([what]) => what === "clock").length, 1);
});

test("states go to the tiles of the camera, in either size", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer("main "));
  live.subscribe("yard.sub", "frames", false, consumer("sub "));
  live.subscribe("yard2", "frames", false, consumer("other "));
  newest().opens();
  newest().says({ type: "state", stream: "yard", state: "offline" });
  assert.deepEqual(told.map(([what]) => what), ["main state", "sub state"]);
  told = [];
  newest().says({ type: "state", stream: "yard.sub", state: "live" });
  assert.deepEqual(told.map(([what]) => what), ["sub state"]);
});

test("two players of one stream share it, and the last one ends it", () => {
  const live = socket();
  const one = live.subscribe("yard", "frames", false, consumer("one "));
  newest().opens();
  const other = live.subscribe("yard", "frames", false, consumer("other "));
  assert.equal(newest().asked("subscribe").length, 2, "the second begins with a keyframe");
  newest().says({ type: "subscribed", stream: "yard", format: "frames", channel: 4, catch_up: 0 });
  newest().says(frame(4, 7));
  one.close();
  newest().says(frame(4, 8));
  assert.deepEqual(told.filter(([what]) => what.endsWith("record")), [["one record", 7], ["other record", 7], ["other record", 8]]);
  assert.equal(newest().asked("unsubscribe").length, 0);
  other.close();
  assert.equal(newest().asked("unsubscribe").length, 1);
});

test("a wall without tiles lets its connection go, but not at once", () => {
  const live = socket();
  const one = live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  one.close();
  pass(2000);
  live.subscribe("gate", "frames", false, consumer()).close();
  newest().says({ type: "ping", now: 0 });
  pass(3500);
  assert.equal(Line.made.length, 1);
  assert.equal(newest().closed, false);
  newest().says({ type: "ping", now: 0 });
  pass(3000);
  assert.equal(newest().closed, true);
  live.subscribe("yard", "frames", false, consumer());
  assert.equal(Line.made.length, 2);
});

test("where no WebSocket ever gets through that is known after two attempts, for a while", () => {
  const live = socket();
  live.subscribe("yard", "frames", false, consumer());
  newest().breaks();
  assert.equal(live.hopeless, false);
  pass(400);
  newest().breaks();
  assert.equal(live.hopeless, true);
  now += 400000;
  assert.equal(live.hopeless, false);
});

test("an ended session is told to the page", () => {
  let ended = 0;
  const live = socket({ onAuth: () => { ended += 1; } });
  live.subscribe("yard", "frames", false, consumer());
  newest().opens();
  newest().says({ type: "bye", code: "protocol" });
  newest().says({ type: "bye", code: "session-ended" });
  assert.equal(ended, 1);
});

test("a tile that cannot digest a record costs neither the others their pictures nor the page its connection", (t) => {
  const printed = t.mock.method(console, "error", () => {});
  const line = socket();
  const broken = consumer("broken ");
  for (const name of ["onRecord", "onLost"]) broken[name] = () => { throw new TypeError("no decoder"); };
  line.subscribe("gate", "frames", false, broken);
  line.subscribe("gate", "frames", false, consumer("good "));
  newest().opens();
  newest().says({ type: "subscribed", stream: "gate", format: "frames", channel: 1, catch_up: 0 });
  newest().says(frame(1, 90));
  assert.ok(told.some(([what, pts]) => what === "good record" && pts === 90));
  const before = Line.made.length;
  newest().breaks();
  assert.ok(told.some(([what]) => what === "good lost"));
  pass(1000);
  assert.equal(Line.made.length, before + 1);
  assert.equal(printed.mock.callCount(), 2);
});

test("tiles that try again in an outage do not undo the pauses between the attempts", () => {
  const line = socket();
  line.subscribe("gate", "frames", false, consumer());
  newest().opens();
  newest().breaks();
  const before = Line.made.length;
  for (let number = 0; number < 20; number += 1) line.subscribe("yard", "frames", false, consumer()).close();
  assert.equal(Line.made.length, before);
  pass(1000);
  assert.equal(Line.made.length, before + 1, "the attempt that was planned is made");
});

test("a wall that is left in an outage and opened again connects at once", () => {
  const line = socket();
  const first = line.subscribe("gate", "frames", false, consumer());
  newest().opens();
  newest().breaks();
  first.close();
  pass(6000);
  const before = Line.made.length;
  line.subscribe("gate", "frames", false, consumer());
  assert.equal(Line.made.length, before + 1);
});

test("a tile that leaves while the gateway is asked for, and another that comes before the page gives up, are connected", async () => {
  const live = socket();
  const first = live.subscribe("gate", "frames", false, consumer());
  newest().opens();
  for (let failure = 0; failure < 3; failure += 1) {
    newest().breaks();
    pass(1000);
    await Promise.resolve();
    await Promise.resolve();
  }
  newest().breaks();
  first.close();
  pass(1000); // the next attempt was due, and nobody was there to want it
  await Promise.resolve();
  await Promise.resolve();
  const before = Line.made.length;
  live.subscribe("gate", "frames", false, consumer());
  assert.equal(Line.made.length, before + 1);
});
