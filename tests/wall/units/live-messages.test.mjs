import assert from "node:assert/strict";
import test from "node:test";
import { readConfig, readRecords, RecordKind } from "../../../web/static/js/live-messages.js";

/** A record as gateway/live/messages.py packs it. */
function record({ kind = 2, flags = 0, channel = 1, epoch = 1, dts = 0n, offset = 0, duration = 3600, wallMs = 0, payload = [] }) {
  const buffer = new ArrayBuffer(36 + payload.length);
  const view = new DataView(buffer);
  view.setUint8(0, kind);
  view.setUint8(1, flags);
  view.setUint16(2, channel);
  view.setUint32(4, payload.length);
  view.setUint32(8, epoch);
  view.setBigInt64(12, dts);
  view.setInt32(20, offset);
  view.setUint32(24, duration);
  view.setFloat64(28, wallMs);
  new Uint8Array(buffer, 36).set(payload);
  return new Uint8Array(buffer);
}

function message(...records) {
  return new Uint8Array(records.flatMap((bytes) => [...bytes])).buffer;
}

test("several records in one message are read with all their fields", () => {
  const first = record({ flags: 1, channel: 7, epoch: 9, dts: 2n ** 40n, offset: 7200, wallMs: 1.7e12, payload: [1, 2, 3] });
  const second = record({ flags: 4 | 2, offset: -5 });
  const [one, other] = readRecords(message(first, second));
  assert.equal(one.kind, RecordKind.FRAME);
  assert.deepEqual([one.keyframe, one.discontinuity, one.audio], [true, false, false]);
  assert.deepEqual([one.channel, one.epoch, one.dts, one.pts], [7, 9, 2 ** 40, 2 ** 40 + 7200]);
  assert.equal(one.wallMs, 1.7e12);
  assert.deepEqual([...one.payload], [1, 2, 3]);
  assert.deepEqual([other.keyframe, other.discontinuity, other.audio, other.pts], [false, true, true, -5]);
});

test("a message that is cut off is an error, not an endless loop", () => {
  const whole = message(record({ payload: [1, 2, 3, 4] }));
  for (let length = 1; length < whole.byteLength; length += 1) {
    assert.throws(() => readRecords(whole.slice(0, length)), RangeError);
  }
  assert.deepEqual(readRecords(new ArrayBuffer(0)), []);
});

test("a configuration is its JSON and the bytes behind it", () => {
  const text = new TextEncoder().encode('{"mime":"video/mp4","video":{"codec":"avc1.64000C","clock":90000},"audio":null}');
  const bytes = [0, 0, 0, text.length, ...text, 9, 8, 7];
  const [{ payload }] = readRecords(message(record({ kind: 1, payload: bytes })));
  const config = readConfig(payload);
  assert.equal(config.video.codec, "avc1.64000C");
  assert.deepEqual([...config.blob], [9, 8, 7]);
});
