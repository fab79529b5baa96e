import assert from "node:assert/strict";
import test from "node:test";
import { choosePlayback, codecName, preferenceFor, refuserFrom } from "../../../web/static/js/playback.js";

const H264 = "avc1.64001F,mp4a.40.2";
const H265 = "hvc1.1.6.L153.B0";
const noH265 = { video: true, refuses: refuserFrom((type) => !/hvc1|opus/.test(type)) };
const camera = (...codecs) => ({
  id: "gate", streams: codecs.map((list, index) => ({ id: index ? "gate.sub" : "gate", codecs: list })),
});

test("one camera plays its main stream, a grid the sub streams", () => {
  assert.equal(preferenceFor(1), "main");
  assert.equal(preferenceFor(2), "sub");
  assert.equal(choosePlayback(camera(H264, H264), "sub", noH265).url, "/hls/gate.sub/index.m3u8");
  assert.equal(choosePlayback(camera(H264, H264), "main", noH265).url, "/hls/gate/index.m3u8");
});

test("a camera without a sub stream plays main and has nothing to explain", () => {
  const choice = choosePlayback(camera(H264), "sub", noH265);
  assert.equal(choice.stream.id, "gate");
  assert.equal(choice.note, null);
});

test("an H.265 stream gives way to the playable other one, and the tile says so", () => {
  const sub = choosePlayback(camera(H265, H264), "main", noH265);
  assert.equal(sub.stream.id, "gate.sub");
  assert.deepEqual(sub.note, { key: "note.sub_instead_of_codec", params: { codec: "H.265" } });
  const main = choosePlayback(camera(H264, H265), "sub", noH265);
  assert.equal(main.stream.id, "gate");
  assert.equal(main.note.key, "note.main_instead_of_codec");
});

test("nothing playable means still pictures and the name of the codec", () => {
  const choice = choosePlayback(camera(H265, H265), "sub", noH265);
  assert.equal(choice.kind, "snapshot");
  assert.equal(choice.url, "/api/v1/cameras/gate/snapshot.jpg");
  assert.deepEqual(choice.note, { key: "problem.codec", params: { codec: "H.265" } });
});

test("a stream whose codec is not known yet is tried", () => {
  assert.equal(choosePlayback(camera(H264, ""), "sub", noH265).stream.id, "gate.sub");
});

test("a stream that failed in practice is passed over", () => {
  const refused = new Map([["gate.sub", { key: "problem.no_picture", params: {} }]]);
  const choice = choosePlayback(camera(H264, H264), "sub", noH265, refused);
  assert.equal(choice.stream.id, "gate");
  assert.equal(choice.note.key, "note.main_instead");
});

test("a browser without any player shows still pictures", () => {
  const choice = choosePlayback(camera(H264), "sub", { video: false, problem: "problem.no_player", refuses: () => null });
  assert.equal(choice.kind, "snapshot");
  assert.equal(choice.note.key, "problem.no_player");
});

test("the refused part of a codec list is named, sound included", () => {
  assert.equal(noH265.refuses(H264), null);
  assert.equal(noH265.refuses("avc1.64001F,opus"), "Opus");
  assert.equal(noH265.refuses("hvc1.1.6.L153.B0,mp4a.40.2"), "H.265");
  assert.equal(codecName("hev1.2.4.L120"), "H.265");
  assert.equal(codecName("av01.0.04M.08"), "AV1");
  assert.equal(codecName("ac-3"), "ac-3");
});
