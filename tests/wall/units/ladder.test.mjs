import assert from "node:assert/strict";
import test from "node:test";
import { plans, videoCodec, Way } from "../../../web/static/js/ladder.js";

const ALL = { socket: true, webcodecs: true, mseVideo: true, mseBoth: true, hls: true, native: false };
const NONE = { socket: false, webcodecs: false, mseVideo: false, mseBoth: false, hls: false, native: false };
const ways = (reach, sound = false) => plans(reach, sound).map(({ way, format }) => `${way} ${format}`.trim());

test("a silent tile goes over WebCodecs, and down from there", () => {
  assert.deepEqual(ways(ALL), ["ws-webcodecs frames", "ws-mse fmp4", "hls"]);
});

test("on plain http there is no WebCodecs", () => {
  assert.deepEqual(ways({ ...ALL, webcodecs: false }), ["ws-mse fmp4", "hls"]);
});

test("sound goes over Media Source; a picture without it is better than none", () => {
  assert.deepEqual(ways(ALL, true), ["ws-mse fmp4-audio", "hls", "ws-webcodecs frames", "ws-mse fmp4"]);
  assert.deepEqual(ways({ ...ALL, mseBoth: false }, true), ["ws-webcodecs frames", "ws-mse fmp4"]);
});

test("behind a proxy without WebSockets HLS remains", () => {
  assert.deepEqual(ways({ ...ALL, socket: false }), ["hls"]);
  assert.deepEqual(ways({ ...NONE, native: true }), ["native-hls"]);
});

test("a codec the browser knows nowhere has no way", () => {
  assert.deepEqual(ways({ ...NONE, socket: true, hls: true }), []);
  assert.deepEqual(ways({ ...NONE, socket: true, webcodecs: true, hls: true }), [`${Way.WEBCODECS} frames`]);
});

test("the video codec is the first of the list", () => {
  assert.equal(videoCodec("hvc1.1.6.L93.B0, mp4a.40.2"), "hvc1.1.6.L93.B0");
  assert.equal(videoCodec(""), "");
});
