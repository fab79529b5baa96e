/** What a tile says in words, besides its state. Pure. */
import { timeStamp } from "./clock.js";
import { TileState } from "./state.js";

/** Since when the state is what it is, and when the next try comes; one line each. `now` is the gateway's time. */
export function sinceText({ since, nextRetry }, now, i18n) {
  const texts = [];
  if (since !== null) {
    const ago = Math.max(0, now - since * 1000);
    texts.push(i18n.t("tile.since", { time: timeStamp(since * 1000, now), duration: i18n.duration(ago) }));
  }
  if (nextRetry !== null) {
    const seconds = Math.ceil(nextRetry - now / 1000);
    texts.push(seconds > 0 ? i18n.t("tile.next_try", { seconds }) : i18n.t("tile.trying_now"));
  }
  return texts.join("\n");
}

/** What stands before the picture's time, so that a past picture is never taken for a live one. */
export function clockLabel({ state, frozen }, hasPicture, i18n) {
  if (!hasPicture) return state === TileState.DISABLED ? "" : i18n.t("tile.no_picture_yet");
  const key = frozen ? "tile.last_picture" : state === TileState.UNPLAYABLE ? "tile.snapshot_of" : null;
  return key ? i18n.t(key, { time: "" }).trim() : "";
}

/** Which stream plays, its size and rate, and how far behind it is; `latencyMs` is null where that would mean nothing. */
export function streamText(camera, stream, latencyMs, i18n) {
  if (!stream) return i18n.t("tile.snapshots");
  const texts = [i18n.t(stream.id === camera.streams[0]?.id ? "tile.main" : "tile.sub")];
  if (stream.width) texts.push(`${stream.width}×${stream.height}`);
  if (stream.fps) texts.push(`${Math.round(stream.fps)} fps`);
  if (latencyMs !== null) texts.push(i18n.t("tile.behind", { seconds: Math.max(0, latencyMs / 1000).toFixed(1) }));
  return texts.join("  ·  ");
}
