/**
 * Chooses what a tile plays: which of the camera's streams, or refreshed snapshots, and what to tell the user about it.
 *
 * Pure; the tile asks again with every report of the server. H.265 plays only where the browser has a hardware
 * decoder, so the answer differs from viewer to viewer and must never be a black tile. Addresses are made from the ids:
 * those in the API are for other programs and may name another port, which the page's security policy forbids.
 */

/** Which stream a grid shows: the small one saves the viewer's processor and the network. */
export const GRID_PREFERENCE = "sub";
/** A wall of so few cameras has room and power for the main stream. */
export const MAIN_UP_TO_CAMERAS = 1;
/** After this long a stream that gave no picture is tried again. */
export const REFUSED_FOR_MS = 300000;

/**
 * @typedef {object} Choice
 * @property {"video"|"snapshot"} kind
 * @property {object|null} stream the stream to play, as the API describes it
 * @property {string} url path on this origin
 * @property {{key: string, params: object}|null} note what the user should know about the choice
 *
 * @typedef {object} Capabilities
 * @property {boolean} video a video player exists in this browser
 * @property {string|null} problem text key that says why there is none
 * @property {(codecs: string) => string|null} refuses name of the codec it cannot play; null if it can
 */

/** "sub" or "main" for a wall of `count` cameras. */
export function preferenceFor(count) {
  return count <= MAIN_UP_TO_CAMERAS ? "main" : GRID_PREFERENCE;
}

/**
 * What to play of `camera`.
 *
 * `refused` maps stream ids to `{key, params}` for streams that failed in practice.
 * @returns {Choice}
 */
export function choosePlayback(camera, preference, capabilities, refused = new Map()) {
  const [main = null, sub = null] = camera.streams ?? [];
  if (!capabilities.video) return snapshots(camera, { key: capabilities.problem, params: {} });
  const order = (preference === "sub" ? [sub, main] : [main, sub]).filter(Boolean);
  const problems = [];
  for (const stream of order) {
    const problem = problemOf(stream, capabilities, refused);
    if (problem) {
      problems.push(problem);
      continue;
    }
    const note = problems.length ? noteOn(problems[0], stream === main) : null;
    return { kind: "video", stream, url: `/hls/${stream.id}/index.m3u8`, note };
  }
  return snapshots(camera, problems[0] ?? null);
}

function problemOf(stream, capabilities, refused) {
  if (refused.has(stream.id)) return refused.get(stream.id);
  // An empty list means that nothing has come from the camera yet: only trying will tell.
  const codec = stream.codecs ? capabilities.refuses(stream.codecs) : null;
  return codec ? { key: "problem.codec", params: { codec } } : null;
}

function noteOn(problem, playsMain) {
  const which = playsMain ? "main" : "sub";
  if (problem.key === "problem.codec") return { key: `note.${which}_instead_of_codec`, params: problem.params };
  return { key: `note.${which}_instead`, params: {} };
}

function snapshots(camera, note) {
  return { kind: "snapshot", stream: null, url: `/api/v1/cameras/${camera.id}/snapshot.jpg`, note };
}

const CODEC_NAMES = [
  [/^(hvc1|hev1)/i, "H.265"], [/^avc[13]/i, "H.264"], [/^av01/i, "AV1"], [/^(vp09|vp9)/i, "VP9"],
  [/^mp4a/i, "AAC"], [/^opus/i, "Opus"],
];

/** The name people know for an RFC 6381 codec: `hvc1.1.6.L93.B0` is H.265. */
export function codecName(codec) {
  return CODEC_NAMES.find(([pattern]) => pattern.test(codec))?.[1] ?? codec;
}

/** Makes `Capabilities.refuses` from a browser test on a full MIME type. */
export function refuserFrom(isTypeSupported) {
  return (codecs) => {
    if (isTypeSupported(`video/mp4; codecs="${codecs}"`)) return null;
    const parts = codecs.split(",").map((part) => part.trim());
    const guilty = parts.find((part) => !isTypeSupported(`video/mp4; codecs="${part}"`)) ?? parts[0];
    return codecName(guilty);
  };
}
