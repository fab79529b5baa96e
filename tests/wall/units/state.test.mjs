import assert from "node:assert/strict";
import test from "node:test";
import { judge, normalGap, pictureExpected, TileState } from "../../../web/static/js/state.js";

const FACTS = {
  camera: { state: "live", since: 100, reason: "", code: "", next_retry: null },
  stream: { id: "gate", state: "live", reason: "", on_demand: false },
  linkUp: true, lostMs: null, quietMs: 40, takenAt: null, waitedMs: 60000, ageMs: 900, oldMs: 6000, gapMs: 0, unplayable: null, wasBehind: false, blocked: false,
};
const offline = { state: "offline", since: 100, reason: "no route to host", code: "unreachable", next_retry: 130 };
const verdictOn = (changes) => judge({ ...FACTS, ...changes });

test("only a fresh frame makes a tile live", () => {
  assert.equal(verdictOn({}).state, TileState.LIVE);
  assert.equal(verdictOn({}).frozen, false);
  for (const quietMs of [2001, 5000, 60000, null]) {
    const verdict = verdictOn({ quietMs });
    assert.notEqual(verdict.state, TileState.LIVE, `quiet for ${quietMs}`);
    assert.equal(verdict.frozen, true);
  }
});

test("a freeze is late first, then stalled, and says that the camera is not to blame", () => {
  assert.equal(verdictOn({ quietMs: 2500 }).state, TileState.LATE);
  assert.equal(verdictOn({ quietMs: 6500 }).state, TileState.STALLED);
  assert.equal(verdictOn({ quietMs: 6500 }).reason.key, "reason.no_frames_here");
});

test("moving but old pictures are never called live, and do not flicker at the limit", () => {
  const verdict = verdictOn({ ageMs: 7000 });
  assert.equal(verdict.state, TileState.LATE);
  assert.equal(verdict.behind, true);
  assert.equal(verdict.reason.params.seconds, 7);
  assert.equal(verdictOn({ ageMs: 5000, wasBehind: true }).state, TileState.LATE);
  assert.equal(verdictOn({ ageMs: 5000 }).state, TileState.LIVE);
  assert.equal(verdictOn({ ageMs: 4500, wasBehind: true }).state, TileState.LIVE);
});

test("a picture that moves outranks an older word of the server", () => {
  assert.equal(verdictOn({ camera: offline }).state, TileState.LIVE);
});

test("the server's trouble comes with reason, since, and next try", () => {
  const verdict = verdictOn({ camera: offline, quietMs: 3000 });
  assert.deepEqual(verdict, {
    state: "offline", frozen: true, behind: false, since: 100, nextRetry: 130,
    reason: { text: "no route to host", code: "unreachable" },
  });
});

test("without the gateway its last word is not repeated", () => {
  const verdict = verdictOn({ camera: offline, quietMs: 3000, linkUp: false });
  assert.equal(verdict.state, TileState.STALLED);
  assert.equal(verdict.reason.key, "reason.gateway_lost");
  assert.equal(verdictOn({ linkUp: false }).state, TileState.LIVE, "frames still come");
});

test("a disabled camera is disabled, whatever is in the buffer", () => {
  assert.equal(verdictOn({ camera: { ...offline, state: "disabled" } }).state, TileState.DISABLED);
});

test("a start is connecting for a while and then a complaint", () => {
  assert.equal(verdictOn({ quietMs: null, waitedMs: 3000 }).state, TileState.CONNECTING);
  assert.equal(verdictOn({ quietMs: null, waitedMs: 11000 }).state, TileState.STALLED);
  assert.equal(verdictOn({ quietMs: null, waitedMs: 11000 }).reason.key, "reason.no_picture_here");
});

test("back from a hidden tab the old picture is grey until a new one comes", () => {
  const verdict = verdictOn({ quietMs: 500000, waitedMs: 300 });
  assert.equal(verdict.state, TileState.CONNECTING);
  assert.equal(verdict.frozen, true);
});

test("an on-demand sub stream is said to be starting, a dead one says why", () => {
  const starting = { id: "gate.sub", state: "offline", reason: "", on_demand: true };
  assert.equal(verdictOn({ quietMs: null, waitedMs: 900, stream: starting }).reason.key, "reason.starting_sub");
  const dead = { ...starting, reason: "404 Not Found", code: "no-such-path" };
  const verdict = verdictOn({ quietMs: null, waitedMs: 12000, stream: dead });
  assert.deepEqual(verdict.reason, { text: "404 Not Found", code: "no-such-path" });
});

test("a codec that cannot be played is said, unless the camera is offline anyway", () => {
  const unplayable = { key: "problem.codec", params: { codec: "H.265" } };
  const verdict = verdictOn({ unplayable, quietMs: 1000, ageMs: null });
  assert.equal(verdict.state, TileState.UNPLAYABLE);
  assert.equal(verdict.frozen, false);
  assert.equal(verdict.reason, unplayable);
  assert.equal(verdictOn({ unplayable, camera: offline }).state, TileState.OFFLINE);
  assert.equal(verdictOn({ unplayable, linkUp: false }).reason.key, "reason.gateway_lost");
});

test("an unplayable tile without any still picture is not shown as if it had one", () => {
  assert.equal(verdictOn({ unplayable: { key: "problem.codec", params: {} }, quietMs: null }).frozen, true);
});

test("a refused autoplay asks for a click", () => {
  assert.equal(verdictOn({ quietMs: null, waitedMs: 500, blocked: true }).reason.key, "reason.click_to_play");
});

test("slow cameras get the time that their frame rate needs", () => {
  assert.equal(normalGap(25), 0);
  assert.equal(normalGap(0), 0);
  assert.equal(normalGap(0.5), 3000);
  assert.equal(verdictOn({ quietMs: 4500, gapMs: normalGap(0.5) }).state, TileState.LIVE);
});

test("pictures are expected only while the server has some", () => {
  assert.equal(pictureExpected({ state: "live" }), true);
  for (const state of ["offline", "stalled", "connecting", "disabled"]) assert.equal(pictureExpected({ state }), false);
});

test("what was taken before the camera went away is not live, however freshly it is shown", () => {
  const camera = { ...offline, since: 200 };
  assert.equal(verdictOn({ camera, takenAt: 199.9 }).state, TileState.OFFLINE);
  assert.equal(verdictOn({ camera, takenAt: 200.1 }).state, TileState.LIVE, "the server's word is the older one");
  assert.equal(verdictOn({ camera, takenAt: null }).state, TileState.LIVE);
});

test("a broken connection is told at once, a blink of it is not", () => {
  assert.equal(verdictOn({ lostMs: 400 }).state, TileState.LIVE);
  const lost = verdictOn({ lostMs: 600 });
  assert.equal(lost.state, TileState.STALLED);
  assert.equal(lost.reason.key, "reason.gateway_lost");
  assert.equal(lost.frozen, true);
});

test("a still picture that is no longer renewed looks old", () => {
  const unplayable = { key: "problem.codec", params: { codec: "H.265" } };
  assert.equal(verdictOn({ unplayable, quietMs: 3000 }).frozen, false);
  assert.equal(verdictOn({ unplayable, quietMs: 25000 }).frozen, true);
  assert.equal(verdictOn({ unplayable, quietMs: 25000 }).state, TileState.UNPLAYABLE);
});
