/** What the health page says about numbers: pure, `{key, params}` for texts, `level` for the colour. */

export const FINE = "fine";
export const WARNING = "warning";
export const BAD = "bad";

const GIGABYTE = 1e9;
const DISK_LOW_BYTES = 200e6;
const DISK_LOW_SHARE = 0.03;
const MEMORY_LOW_SHARE = 0.1;
const WARM_CELSIUS = 70;
const HOT_CELSIUS = 80;
const LAG_WARNING_S = 0.1;
const LAG_BAD_S = 0.5;

/** `1.5 GB`, `320 MB`. */
export function bytes(count) {
  return count >= GIGABYTE ? `${(count / GIGABYTE).toFixed(1)} GB` : `${Math.round(count / 1e6)} MB`;
}

/** `99.98 %`; never `100 %` for less than all of it. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share >= 1) return "100 %";
  const digits = share > 0.99 ? 2 : 1;
  const factor = 10 ** digits;
  return `${(Math.floor(share * 100 * factor) / factor).toFixed(digits)} %`;
}

/** The colour of an uptime. */
export function uptimeLevel(share) {
  if (share === null || share === undefined || share >= 0.999) return FINE;
  return share >= 0.98 ? WARNING : BAD;
}

/** Lines about the machine: `{label, text | key, params, level}`, without those it does not tell. */
export function boxFacts(health) {
  const { box, process } = health;
  const facts = [];
  if (box.disk.free !== null) {
    const low = box.disk.free < DISK_LOW_BYTES || box.disk.free < DISK_LOW_SHARE * box.disk.size;
    facts.push(of("health.disk", "health.free_of", { free: bytes(box.disk.free), size: bytes(box.disk.size) }, low ? BAD : FINE));
  }
  if (box.memory.available !== null) {
    const low = box.memory.available < MEMORY_LOW_SHARE * box.memory.size;
    const params = { free: bytes(box.memory.available), size: bytes(box.memory.size), gateway: bytes(process.memory) };
    facts.push(of("health.memory", "health.memory_of", params, low ? WARNING : FINE));
  }
  const load = box.load === null ? "–" : box.load.toFixed(1);
  facts.push(of("health.cpu", "health.cpu_of", { load, gateway: `${Math.round(process.cpu * 100)} %` }, box.load > 1 ? WARNING : FINE));
  for (const one of box.temperatures) {
    const level = one.celsius >= HOT_CELSIUS ? BAD : one.celsius >= WARM_CELSIUS ? WARNING : FINE;
    facts.push({ label: "health.temperature", text: `${one.celsius.toFixed(0)} °C · ${one.sensor}`, level });
  }
  if (box.undervolted !== null) {
    facts.push(of("health.power", box.undervolted ? "health.power_weak" : "health.power_fine", {}, box.undervolted ? BAD : FINE));
  }
  if (box.clock !== null) {
    const key = box.clock.synchronised ? "health.clock_kept" : "health.clock_alone";
    facts.push(of("health.clock", key, {}, box.clock.synchronised ? FINE : WARNING));
  }
  const lag = process.loop_lag;
  const level = lag >= LAG_BAD_S ? BAD : lag >= LAG_WARNING_S ? WARNING : FINE;
  facts.push({ label: "health.lag", text: `${Math.round(lag * 1000)} ms`, level });
  if (health.journal) facts.push({ label: "health.journal", text: health.journal, level: WARNING });
  return facts;
}

/** Cameras without a picture first, else in the order of the configuration. */
export function worstFirst(cameras) {
  const rank = { offline: 0, stalled: 1, late: 2, connecting: 3, live: 4, disabled: 5 };
  return [...cameras].sort((one, other) => rank[one.state] - rank[other.state]);
}

/** What happened to a stream today: `{key, params}`, the worst first; nothing for a quiet day. */
export function todayFacts(stream) {
  const today = stream.today;
  if (!today) return [];
  const facts = [];
  if (today.interruptions) facts.push({ key: "health.interruptions", params: { n: today.interruptions } });
  if (today.lost_packets) facts.push({ key: "health.lost", params: { n: today.lost_packets } });
  if (today.repairs) facts.push({ key: "health.repairs", params: { n: today.repairs } });
  return facts;
}

/** `H.264 1920×1080 · 25.0/s · 4.1 Mbit/s`. */
export function streamFacts(stream) {
  if (!stream.codec || !stream.fps) return "";
  const codec = { h264: "H.264", h265: "H.265", av1: "AV1" }[stream.codec] ?? stream.codec;
  const rate = stream.bitrate >= 1e6 ? `${(stream.bitrate / 1e6).toFixed(1)} Mbit/s` : `${Math.round(stream.bitrate / 1e3)} kbit/s`;
  return `${codec} ${stream.width}×${stream.height} · ${stream.fps.toFixed(1)}/s · ${rate}`;
}

function of(label, key, params, level) {
  return { label, key, params, level };
}
