/** The health page: fetches `/api/v1/health` every few seconds and draws it. Cards that somebody opened stay open. */
import { timeOfDay, timeStamp } from "./clock.js";
import { boxFacts, percent, streamFacts, todayFacts, uptimeLevel, worstFirst } from "./health-text.js";
import { browserI18n } from "./i18n.js";

const EVERY_MS = 5000;
const DEADLINE_MS = 8000;

const i18n = browserI18n();
const byId = (id) => document.getElementById(id);
const opened = new Set();
let health = null;

i18n.apply(document);
i18n.bindSwitch(byId("languages"));
i18n.addEventListener("change", () => {
  i18n.apply(document);
  draw();
});

/** An element with text or children; nothing the gateway says is ever read as HTML. */
function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content.filter((one) => one !== null && one !== ""));
  return element;
}

async function refresh() {
  try {
    const answer = await fetch("/api/v1/health", { signal: AbortSignal.timeout(DEADLINE_MS) });
    if (answer.status === 401) {
      window.location.assign("/login?next=/health");
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    health = await answer.json();
    byId("lost").hidden = true;
    draw();
  } catch {
    // The time of the last answer stays on the page; old figures are better than none, if they say so.
    byId("lost").hidden = false;
  }
  window.setTimeout(refresh, EVERY_MS);
}

function draw() {
  if (health === null) return;
  byId("loading").hidden = true;
  byId("content").hidden = false;
  const running = i18n.duration((health.now - health.started) * 1000);
  byId("as-of").textContent = `${timeOfDay(health.now * 1000)} · ${i18n.t("health.running", { time: running })}`;
  byId("box").replaceChildren(...boxFacts(health).map(fact));
  const cards = worstFirst(health.cameras).map(card);
  const focused = whereFocusIs();
  byId("cameras").replaceChildren(...(cards.length ? cards : [make("p", "none", i18n.t("wall.empty_title"))]));
  if (focused) byId("cameras").querySelector(focused)?.focus({ preventScroll: true });
  byId("hooks-section").hidden = health.webhooks.length === 0;
  byId("hooks").replaceChildren(...health.webhooks.map(hook));
  byId("incidents").replaceChildren(...incidents(health.incidents));
}

/** What finds the new element in the place of the one that the keyboard is on: a page that is drawn anew must not lose it. */
function whereFocusIs() {
  const element = document.activeElement;
  const id = element?.closest(".card")?.dataset.camera;
  return id === undefined ? null : `[data-camera="${CSS.escape(id)}"] ${element.localName}`;
}

function fact({ label, text, key, params, level }) {
  const value = make("dd", "", text ?? i18n.t(key, params));
  value.dataset.level = level;
  return make("div", "fact", make("dt", "", i18n.t(label)), value);
}

function card(camera) {
  const state = make("span", "state", i18n.t(`state.${camera.state}`));
  state.dataset.state = camera.state;
  const title = make("h3", "", camera.name);
  if (camera.source !== null) title.replaceChildren(link(`/cameras/${encodeURIComponent(camera.id)}`, camera.name)); // for the admin
  const uptime = make("p", "uptime");
  for (const [key, share] of [["health.day", camera.uptime.day], ["health.week", camera.uptime.week]]) {
    const value = make("b", "", percent(share));
    value.dataset.level = uptimeLevel(share);
    uptime.append(make("span", "", `${i18n.t(key)} `, value));
  }
  const reason = i18n.reason(camera.reason ? { text: camera.reason, code: camera.code } : null);
  const element = make(
    "article",
    "card",
    make("header", "", title, state),
    reason ? make("p", "reason", reason) : null,
    uptime,
    make("ul", "streams", ...camera.streams.map((stream) => streamLine(camera, stream))),
    camera.advice.length ? make("ul", "advice", ...camera.advice.map((one) => make("li", "", i18n.t(`advice.${one.key}`, one.params)))) : null,
    past(camera),
  );
  element.dataset.camera = camera.id;
  return element;
}

function link(address, text) {
  const element = make("a", "", text);
  element.href = address;
  return element;
}

function streamLine(camera, stream) {
  const name = i18n.t(stream.id === camera.id ? "tile.main" : "tile.sub");
  const facts = streamFacts(stream);
  const details = [];
  if (facts) {
    if (stream.keyframe_interval) details.push(i18n.t("health.keyframe", { s: stream.keyframe_interval.toFixed(1) }));
    details.push(stream.audio ? stream.audio.toUpperCase() : stream.audio_note || i18n.t("health.no_sound"));
    if (stream.transport) details.push(stream.transport.toUpperCase());
    if (stream.jitter !== null) details.push(i18n.t("health.jitter", { ms: Math.round(stream.jitter * 1000) }));
  } else {
    details.push(i18n.t(stream.on_demand ? "health.on_demand" : "health.no_picture"));
  }
  const today = todayFacts(stream).map(({ key, params }) => i18n.t(key, params));
  return make(
    "li",
    "",
    make("b", "", name),
    make("span", "", facts),
    make("span", "muted", details.join(" · ")),
    today.length ? make("span", "today", `${i18n.t("health.today")} ${today.join(", ")}`) : null,
  );
}

function past(camera) {
  const summary = make("summary", "", i18n.t("health.incidents", { n: camera.incidents.length }));
  const details = make("details", "", summary, make("ul", "lines", ...incidents(camera.incidents)));
  details.open = opened.has(camera.id);
  details.addEventListener("toggle", () => (details.open ? opened.add(camera.id) : opened.delete(camera.id)));
  return details;
}

function incidents(list) {
  if (list.length === 0) return [make("li", "none", i18n.t("health.nothing"))];
  return list.map((incident) => {
    const began = timeStamp(incident.began * 1000, health.now * 1000);
    const lasted = incident.ended === null
      ? i18n.t("health.goes_on")
      : incident.ended > incident.began ? i18n.duration((incident.ended - incident.began) * 1000) : "";
    const kind = make("span", "kind", i18n.t(`incident.${incident.kind}`));
    kind.dataset.kind = incident.kind;
    const times = incident.count > 1 ? i18n.t("health.times", { n: incident.count }) : "";
    const line = make(
      "li",
      "",
      make("time", "", began),
      kind,
      make("span", "muted", [lasted, times].filter(Boolean).join(" · ")),
      make("span", "why", i18n.reason({ text: incident.reason, code: incident.code })),
    );
    if (incident.ended === null) line.dataset.open = "";
    return line;
  });
}

function hook(one) {
  const last = one.last_delivered === null ? i18n.t("health.never") : timeStamp(one.last_delivered * 1000, health.now * 1000);
  const element = make(
    "li",
    "",
    make("b", "", one.name),
    make("span", "muted", one.url ?? ""),
    make("span", "", i18n.t("health.hook", { last, waiting: one.waiting })),
    one.trouble ? make("span", "why", one.trouble) : null,
  );
  if (one.trouble) element.dataset.open = "";
  return element;
}

refresh();
