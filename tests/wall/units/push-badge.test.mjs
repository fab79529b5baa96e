import assert from "node:assert/strict";
import test from "node:test";
import { I18n } from "../../../web/static/js/i18n.js";
import { pushFace } from "../../../web/static/js/push-badge.js";

const en = new I18n(null, ["en"]);
const zh = new I18n(null, ["zh"]);
const push = (state, more = {}) => ({ name: "", url: "rtmp://a/live/***", state, reason: "", code: "", ...more });

test("a camera that is pushed nowhere shows nothing", () => {
  assert.deepEqual(pushFace([], en), { state: "", text: "" });
  assert.deepEqual(pushFace(undefined, en), { state: "", text: "" });
});

test("the arrow is lit only while every server gets the stream", () => {
  assert.equal(pushFace([push("live"), push("live")], en).state, "live");
  assert.equal(pushFace([push("live"), push("connecting")], en).state, "busy");
  assert.equal(pushFace([push("waiting")], en).state, "busy");
  assert.equal(pushFace([push("live"), push("retrying")], en).state, "bad");
  assert.equal(pushFace([push("live"), push("refused")], en).state, "bad");
});

test("every server has its line, with its name and why it is not live", () => {
  const refused = push("refused", { name: "Town hall", reason: "the server refused: no", code: "refused" });
  const { text } = pushFace([push("live"), refused], en);
  assert.equal(text, "Pushed to\nrtmp://a/live/***: live\nTown hall: refused: the server refused: no");
});

test("reasons are translated by their code where the language is another", () => {
  const { text } = pushFace([push("retrying", { reason: "a refuses connections", code: "unreachable" })], zh);
  assert.match(text, /无法连接服务器/);
  assert.doesNotMatch(text, /refuses/);
  assert.match(pushFace([push("retrying", { reason: "new words", code: "new" })], zh).text, /new words/);
});

test("every state of the server has its words in both languages", () => {
  for (const language of [en, zh]) {
    for (const state of ["waiting", "connecting", "live", "retrying", "refused"]) assert.ok(language.has(`push.${state}`));
  }
});
