/**
 * Reads the binary messages of the wall's WebSocket (design/live-transport.md). Pure; used by the page and its tests.
 */

export const RecordKind = Object.freeze({ CONFIG: 1, FRAME: 2 });

const HEAD_BYTES = 36;
const KEYFRAME = 1;
const DISCONTINUITY = 2;
const AUDIO = 4;

/**
 * @typedef {object} LiveRecord
 * @property {number} kind a `RecordKind`
 * @property {number} channel
 * @property {number} epoch of the configuration it belongs to
 * @property {boolean} keyframe
 * @property {boolean} discontinuity
 * @property {boolean} audio
 * @property {number} dts ticks of the track's clock
 * @property {number} pts
 * @property {number} duration
 * @property {number} wallMs when it was taken, Unix milliseconds of the gateway
 * @property {Uint8Array} payload a view of the message
 */

/** The records of one message. Throws RangeError for a message that is cut off. @returns {LiveRecord[]} */
export function readRecords(buffer) {
  const view = new DataView(buffer);
  const records = [];
  let at = 0;
  while (at < buffer.byteLength) {
    const flags = view.getUint8(at + 1);
    const length = view.getUint32(at + 4);
    const dts = Number(view.getBigInt64(at + 12));
    records.push({
      kind: view.getUint8(at),
      keyframe: (flags & KEYFRAME) !== 0,
      discontinuity: (flags & DISCONTINUITY) !== 0,
      audio: (flags & AUDIO) !== 0,
      channel: view.getUint16(at + 2),
      epoch: view.getUint32(at + 8),
      dts,
      pts: dts + view.getInt32(at + 20),
      duration: view.getUint32(at + 24),
      wallMs: view.getFloat64(at + 28),
      payload: new Uint8Array(buffer, at + HEAD_BYTES, length),
    });
    at += HEAD_BYTES + length;
  }
  return records;
}

/**
 * @typedef {object} LiveConfig
 * @property {string} mime with codecs, for Media Source
 * @property {{codec: string, clock: number, width: number, height: number}} video
 * @property {{codec: string, clock: number, channels: number}|null} audio
 * @property {Uint8Array} blob decoder configuration record (format `frames`) or init segment (the others)
 */

/** The payload of a configuration record. @returns {LiveConfig} */
export function readConfig(payload) {
  const length = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
  const text = new TextDecoder().decode(payload.subarray(4, 4 + length));
  return { ...JSON.parse(text), blob: payload.subarray(4 + length) };
}
