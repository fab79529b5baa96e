/**
 * The addresses of one camera, as they are given to other programs and sites. Pure.
 */

/** Where an address leads is the user's own network, so `origin` is how this browser reached the gateway. */
const WIDTH_PX = 640;
const HEIGHT_PX = 360;

/**
 * @typedef {object} CameraAddress
 * @property {"watch"|"hls"|"rtmp"|"rtsp"|"embed"} kind
 * @property {string} text
 * @property {boolean} code true if a phone can open it from a QR code
 */

/**
 * Addresses of `camera` (as the API describes it), in the order in which people need them.
 *
 * `sub` asks for those of the small stream. `token` goes into each; null leaves the player to ask for a login.
 * @returns {CameraAddress[]}
 */
export function cameraAddresses(camera, origin, { sub = false, token = null } = {}) {
  const suffix = sub ? "_sub" : "";
  const page = `${origin}/watch/${camera.id}${sub ? ".sub" : ""}`;
  const found = [{ kind: "watch", text: withToken(page, token), code: true }];
  for (const kind of ["rtmp", "hls", "rtsp"]) {
    const url = camera.urls?.[kind + suffix];
    if (url) found.push({ kind, text: withToken(url.startsWith("/") ? origin + url : url, token), code: true });
  }
  found.push({ kind: "embed", text: embedCode(withToken(page, token), camera.name), code: false });
  return found;
}

function withToken(url, token) {
  if (!token) return url;
  return `${url}${url.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
}

function embedCode(url, title) {
  const size = `width="${WIDTH_PX}" height="${HEIGHT_PX}"`;
  return `<iframe src="${escaped(url)}" ${size} title="${escaped(title)}" allow="autoplay; fullscreen" style="border:0"></iframe>`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
