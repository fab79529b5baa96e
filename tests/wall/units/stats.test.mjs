import assert from "node:assert/strict";
import { test } from "node:test";
import { bitrate, statsRows } from "../../../web/static/js/stats.js";

const PLAYING = {
  transport: "ws-webcodecs", stream: "gate.sub", codec: "avc1.64001F,mp4a.40.2", audio: "aac", width: 640, height: 360,
  fps: 12.04, bitrate: 640000, latency_ms: 84.6, dropped: 3,
};

test("every figure has its unit", () => {
  assert.deepEqual(Object.fromEntries(statsRows(PLAYING)), {
    "stats.transport": "WebSocket · WebCodecs", "stats.stream": "gate.sub", "stats.codec": "H.264 (avc1.64001F) + AAC",
    "stats.size": "640 × 360", "stats.fps": "12.0 fps", "stats.bitrate": "640 kbit/s", "stats.latency": "85 ms", "stats.dropped": "3",
  });
});

test("what is not known is a dash, never a zero that looks measured", () => {
  const unknown = { transport: "hls", stream: "x", codec: "", audio: null, width: 0, height: 0, fps: 0, bitrate: 0, latency_ms: null, dropped: 0 };
  assert.deepEqual(statsRows(unknown).slice(2, 7).map(([, value]) => value), ["—", "—", "—", "—", "—"]);
  assert.deepEqual(statsRows({ ...PLAYING, transport: null }), [["stats.transport", "—"]]);
  assert.deepEqual(statsRows({ ...PLAYING, transport: "snapshot" }), [["stats.transport", "JPEG"]]);
});

test("delays are never negative, and long ones are seconds", () => {
  const delay = (latency_ms) => statsRows({ ...PLAYING, latency_ms }).find(([key]) => key === "stats.latency")[1];
  assert.deepEqual([delay(-20), delay(2400), delay(12345)], ["0 ms", "2400 ms", "12.3 s"]);
});

test("bit rates", () => {
  assert.deepEqual([0, 999, 640000, 999600, 1840000, 12400000].map(bitrate), ["—", "1 kbit/s", "640 kbit/s", "1.0 Mbit/s", "1.8 Mbit/s", "12 Mbit/s"]);
});
