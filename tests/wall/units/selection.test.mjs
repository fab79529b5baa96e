/** Which stream plays, and by which way, after some have failed. */
import assert from "node:assert/strict";
import test from "node:test";
import { Selection } from "../../../web/static/js/selection.js";

const stream = (id, codec = "h264") => ({ id, codec, codecs: "avc1.64000C", audio: null, fps: 25 });
const CAMERA = { id: "gate", streams: [stream("gate"), stream("gate.sub")] };
const WAYS = [{ way: "ws-webcodecs", format: "frames" }, { way: "hls", format: "" }];
const TRANSPORTS = { capabilities: { video: true, problem: null, refuses: () => null }, plans: () => WAYS };

test("only another stream or another way is a change", () => {
  const chosen = new Selection(TRANSPORTS);
  assert.equal(chosen.choose(CAMERA, "sub", false, 0), true);
  assert.deepEqual([chosen.stream.id, chosen.plan.way, chosen.overSocket], ["gate.sub", "ws-webcodecs", true]);
  assert.equal(chosen.choose(structuredClone(CAMERA), "sub", false, 0), false);
  assert.equal(chosen.choose(CAMERA, "main", false, 0), true);
});

test("a closed way gives way to the next, all closed to the other stream, and all is tried again after a time", () => {
  const chosen = new Selection(TRANSPORTS);
  const next = () => {
    chosen.closeWay(0);
    chosen.choose(CAMERA, "sub", false, 0);
    return `${chosen.stream?.id} ${chosen.plan?.way}`;
  };
  chosen.choose(CAMERA, "sub", false, 0);
  assert.deepEqual([next(), next(), next(), next()],
    ["gate.sub hls", "gate ws-webcodecs", "gate hls", "undefined undefined"]);
  assert.equal(chosen.choice.kind, "snapshot");
  assert.equal(chosen.choice.note.key, "problem.no_picture");
  assert.equal(chosen.closeWay(0), false, "still pictures have no way to close");
  assert.equal(chosen.expire(299999), false);
  assert.equal(chosen.expire(300000), true);
  chosen.choose(CAMERA, "sub", false, 300000);
  assert.equal(chosen.stream.id, "gate.sub");
});

test("a codec that is refused is named", () => {
  const chosen = new Selection(TRANSPORTS);
  const camera = { id: "roof", streams: [stream("roof", "h265")] };
  chosen.choose(camera, "main", false, 0);
  chosen.refuse(camera.streams[0], 0, { codec: true });
  chosen.choose(camera, "main", false, 0);
  assert.deepEqual(chosen.choice.note, { key: "problem.codec", params: { codec: "H.265" } });
  assert.equal(chosen.isRefused(camera.streams[0]), true);
});
