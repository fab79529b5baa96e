/**
 * The figures of a tile for people who look for a fault: transport, codec, size, pictures and bits per second, delay, losses.
 *
 * `statsRows` is pure; `StatsPanel` writes them over the picture.
 */
import { codecName } from "./playback.js";

const TRANSPORTS = {
  "ws-webcodecs": "WebSocket · WebCodecs", "ws-mse": "WebSocket · MSE", hls: "LL-HLS", "native-hls": "HLS", snapshot: "JPEG",
};

/** `[text key of the label, value]` pairs. @param {import("./tile.js").TileStats} stats */
export function statsRows(stats) {
  if (!stats.transport) return [["stats.transport", "—"]];
  const [video = "", ...others] = (stats.codec || "").split(",").map((codec) => codec.trim());
  const sound = stats.audio ?? others.map(codecName).join(", ");
  const rows = [
    ["stats.transport", TRANSPORTS[stats.transport] ?? stats.transport],
    ["stats.stream", stats.stream ?? "—"],
    ["stats.codec", video ? [`${codecName(video)} (${video})`, sound && sound.toUpperCase()].filter(Boolean).join(" + ") : "—"],
    ["stats.size", stats.width ? `${stats.width} × ${stats.height}` : "—"],
    ["stats.fps", stats.fps ? `${stats.fps.toFixed(1)} fps` : "—"],
    ["stats.bitrate", bitrate(stats.bitrate)],
    ["stats.latency", stats.latency_ms === null ? "—" : milliseconds(stats.latency_ms)],
    ["stats.dropped", String(stats.dropped)],
  ];
  return stats.transport === "snapshot" ? rows.slice(0, 1) : rows;
}

/** `1.8 Mbit/s`, `640 kbit/s`. */
export function bitrate(bitsPerSecond) {
  if (!bitsPerSecond) return "—";
  if (bitsPerSecond < 999500) return `${Math.round(bitsPerSecond / 1000)} kbit/s`;
  return `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond < 9.95e6 ? 1 : 0)} Mbit/s`;
}

function milliseconds(value) {
  const shown = Math.max(0, Math.round(value));
  return shown < 10000 ? `${shown} ms` : `${(shown / 1000).toFixed(1)} s`;
}

export class StatsPanel {
  #tile;
  #i18n;
  #list = document.createElement("dl");
  #written = "";

  constructor(tile, i18n) {
    this.#tile = tile;
    this.#i18n = i18n;
    this.#list.className = "tile-stats";
    tile.element.append(this.#list);
    this.update();
  }

  update() {
    const rows = statsRows(this.#tile.stats()).map(([key, value]) => [this.#i18n.t(key), value]);
    const written = JSON.stringify(rows);
    if (written === this.#written) return;
    this.#written = written;
    this.#list.replaceChildren(...rows.flatMap(([label, value]) => {
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = label;
      description.textContent = value;
      return [term, description];
    }));
  }

  remove() {
    this.#list.remove();
  }
}
