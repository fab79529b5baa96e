/**
 * The ways in which a picture can come to a tile, best first, and which of them are open for a stream. Pure.
 *
 * What the browser says of the stream's real codecs decides. WebCodecs exists only in a secure context (https, or this
 * very machine), so a wall on plain http goes over Media Source.
 */

export const Way = Object.freeze({
  WEBCODECS: "ws-webcodecs",
  MSE: "ws-mse",
  HLS: "hls",
  NATIVE_HLS: "native-hls",
});

/**
 * @typedef {object} Reach what the browser and the network allow for one stream
 * @property {boolean} socket WebSockets reach the gateway, as far as is known
 * @property {boolean} webcodecs decodes the video, as far as is known
 * @property {boolean} mseVideo Media Source takes the video alone
 * @property {boolean} mseBoth Media Source takes video and sound
 * @property {boolean} hls hls.js is there
 * @property {boolean} native the browser plays HLS itself
 *
 * @typedef {object} Plan
 * @property {string} way a `Way`
 * @property {string} format what the WebSocket sends, empty for the others
 */

/**
 * The plans for a stream, best first; empty if nothing plays it.
 *
 * `sound` is what the user asked for and the stream has. Without it nothing but pictures is sent.
 * @param {Reach} reach @param {boolean} sound @returns {Plan[]}
 */
export function plans(reach, sound) {
  const found = [];
  if (reach.socket) {
    if (sound && reach.mseBoth) found.push({ way: Way.MSE, format: "fmp4-audio" });
    if (!sound && reach.webcodecs) found.push({ way: Way.WEBCODECS, format: "frames" });
    if (!sound && reach.mseVideo) found.push({ way: Way.MSE, format: "fmp4" });
  }
  if (reach.hls && reach.mseBoth) found.push({ way: Way.HLS, format: "" });
  if (reach.native) found.push({ way: Way.NATIVE_HLS, format: "" });
  if (reach.socket && sound) {
    // Better a silent picture than none.
    if (reach.webcodecs) found.push({ way: Way.WEBCODECS, format: "frames" });
    if (reach.mseVideo) found.push({ way: Way.MSE, format: "fmp4" });
  }
  return found;
}

/** Splits an RFC 6381 list: the video codec first, as the API writes it. */
export function videoCodec(codecs) {
  return codecs.split(",")[0].trim();
}
