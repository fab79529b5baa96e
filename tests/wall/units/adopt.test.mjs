/** Adopting a device: the form is sent once, and its user reads what came of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { I18n } from "../../../web/static/js/i18n.js";
import { bindAdopt, send } from "../../../web/static/js/adopt.js";

class Form extends EventTarget {
  action = "/api/v1/discovery/adopt";
  button = { disabled: false };
  answer = { textContent: "", hidden: true, wrong: null, classList: { toggle: (_, on) => { this.answer.wrong = on; } } };
  querySelector(selector) {
    return selector.startsWith("button") ? this.button : this.answer;
  }
}

globalThis.FormData = class {
  constructor(form) {
    this.form = form;
  }
};

const answers = (ok, body) => async () => ({ ok, json: async () => body });
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("an adopted camera is named, and the button stays dead", async () => {
  const form = new Form();
  const seen = [];
  bindAdopt(form, new I18n(null, ["en"]), (camera) => seen.push(camera.id), answers(true, { id: "yard", name: "Yard" }));
  form.dispatchEvent(new Event("submit", { cancelable: true }));
  assert.equal(form.answer.textContent, "Asking the camera");
  await settled();
  assert.equal(form.answer.textContent, "Yard was added.");
  assert.deepEqual([form.button.disabled, form.answer.wrong, seen], [true, false, ["yard"]]);
});

test("a refusal is told in the language of the page, and can be tried again", async () => {
  const refusal = answers(false, { error: { code: "wrong-credentials", message: "10.0.0.9: the camera refused" } });
  for (const [language, words] of [["en", "10.0.0.9: the camera refused"], ["zh", null]]) {
    const form = new Form();
    bindAdopt(form, new I18n(null, [language]), () => assert.fail("adopted"), refusal);
    form.dispatchEvent(new Event("submit", { cancelable: true }));
    await settled();
    assert.equal(form.button.disabled, false);
    assert.equal(form.answer.wrong, true);
    if (words) assert.equal(form.answer.textContent, words);
    else assert.doesNotMatch(form.answer.textContent, /camera/);
  }
});

test("a gateway that is away or answers nonsense is told apart", async () => {
  assert.deepEqual(await send(new Form(), async () => { throw new TypeError("offline"); }), { reason: { key: "bar.gateway_lost" } });
  const nonsense = async () => ({ ok: false, json: async () => { throw new SyntaxError("<html>"); } });
  assert.deepEqual(await send(new Form(), nonsense), { reason: { key: "adopt.failed" } });
});
