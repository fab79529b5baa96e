import assert from "node:assert/strict";
import test from "node:test";
import { ServerClock } from "../../../web/static/js/clock.js";
import { CameraFeed } from "../../../web/static/js/cameras.js";

const LIVE = { site: "s", now: 1000, cameras: [{ id: "gate", state: "live" }] };
const answer = (status, body) => ({ status, ok: status === 200, redirected: false, json: async () => body });

/** Runs a feed on the given answers, turn by turn, with node's mocked timers. */
async function run(t, answers, turns, options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => 0.5);
  const log = [];
  const queue = [...answers];
  const feed = new CameraFeed({
    ...options,
    clock: new ServerClock(),
    callbacks: {
      onReport: (report) => log.push(["report", report.cameras.length]),
      onLink: (up) => log.push(["link", up]),
      onSignedOut: () => log.push(["signed out"]),
    },
    fetch: async () => {
      const next = queue.length > 1 ? queue.shift() : queue[0];
      log.push(["ask"]);
      if (next instanceof Error) throw next;
      return next;
    },
  });
  feed.start();
  for (const milliseconds of turns) {
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(milliseconds);
  }
  await new Promise((resolve) => setImmediate(resolve));
  feed.stop();
  return log;
}

test("all is well: one question in two seconds", async (t) => {
  const log = await run(t, [answer(200, LIVE)], [1999, 1, 2000]);
  assert.equal(log.filter(([what]) => what === "ask").length, 3);
});

test("a lost answer is forgiven, two are an outage, and the questions back off", async (t) => {
  const answers = [answer(200, LIVE), new Error("refused"), answer(502), new Error("reset"), answer(200, LIVE)];
  const log = await run(t, answers, [2000, 1000, 2000, 4000]);
  assert.deepEqual(log.filter(([what]) => what === "link"), [["link", false], ["link", true]]);
  assert.deepEqual(log.slice(0, 5).map(([what]) => what), ["ask", "report", "ask", "ask", "link"]);
});

test("401 ends the polling and sends the user to the login", async (t) => {
  const log = await run(t, [answer(401, {})], [60000]);
  assert.deepEqual(log, [["ask"], ["signed out"]]);
});

test("a patient feed goes on asking after 401, ever more rarely, and reports again", async (t) => {
  const answers = [answer(200, LIVE), answer(401, {}), answer(401, {}), answer(401, {}), answer(200, LIVE)];
  const log = await run(t, answers, [2000, 3000, 6000, 11999, 1], { patient: true });
  assert.deepEqual(log.map(([what]) => what), [
    "ask", "report", "ask", "signed out", "ask", "signed out", "ask", "signed out", "ask", "report",
  ]);
});

test("a defect of the page is not shown as a gateway that does not answer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const printed = t.mock.method(console, "error", () => {});
  const links = [];
  const feed = new CameraFeed({
    clock: new ServerClock(),
    callbacks: {
      onReport: () => { throw new TypeError("no such tile"); },
      onLink: (up) => links.push(up),
      onSignedOut: () => {},
    },
    fetch: async () => answer(200, LIVE),
  });
  feed.start();
  for (let turn = 0; turn < 4; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(3000);
  }
  feed.stop();
  assert.deepEqual(links, []);
  assert.ok(printed.mock.callCount() > 1);
});
