/** What the mark on a tile says. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { activeKinds } from "../../../web/static/js/event-mark.js";
import en from "../../../web/static/js/strings.en.js";

const KINDS = ["motion", "person", "vehicle", "animal", "face", "line-crossed", "intrusion", "visitor", "sound", "tamper",
  "signal-loss", "digital-input", "relay", "storage-failure"];

test("nothing goes on at cameras that report nothing", () => {
  assert.deepEqual(activeKinds(null), []);
  assert.deepEqual(activeKinds(undefined), []);
  assert.deepEqual(activeKinds({ active: [] }), []);
});

test("each kind once, and what is wrong with the camera first", () => {
  const active = ["motion", "digital-input", "digital-input", "tamper"].map((kind) => ({ kind, since: 1, source: "" }));
  assert.deepEqual(activeKinds({ active }), ["tamper", "motion", "digital-input"]);
});

test("every kind of the gateway has a word", () => {
  for (const kind of KINDS) assert.ok(en[`happens.${kind}`], kind);
});
