import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { fill, I18n, pickLanguage, TABLES } from "../../../web/static/js/i18n.js";

const WEB = new URL("../../../web/", import.meta.url);
const placeholders = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("every text exists in every language with the same placeholders", () => {
  const [first, ...others] = Object.keys(TABLES);
  for (const other of others) {
    assert.deepEqual(Object.keys(TABLES[other]).sort(), Object.keys(TABLES[first]).sort());
    for (const [key, text] of Object.entries(TABLES[first])) {
      assert.ok(TABLES[other][key].trim(), `${other} ${key} is empty`);
      assert.deepEqual(placeholders(TABLES[other][key]), placeholders(text), `${other} ${key}`);
    }
  }
});

test("every key that pages and scripts use exists", () => {
  const files = (folder) => readdirSync(new URL(folder, WEB)).map((name) => folder + name);
  const sources = [...files("templates/"), ...files("static/js/").filter((path) => !/strings|json$/.test(path))];
  const prefixes = [...new Set(Object.keys(TABLES.en).map((key) => key.split(".")[0]))].join("|");
  const pattern = new RegExp(`["'\`]((?:${prefixes})\\.[a-z_]+)["'\`]`, "g");
  const keysIn = (path) => [...readFileSync(new URL(path, WEB), "utf8").matchAll(pattern)].map(([, key]) => key);
  const used = sources.flatMap(keysIn);
  assert.ok(used.length > 20);
  for (const key of used) assert.ok(key in TABLES.en, `${key} has no text`);
});

test("the page's English is the English of the table", () => {
  for (const name of ["wall.html", "watch.html", "login.html", "error.html", "camera.html"]) {
    const page = readFileSync(new URL(`templates/${name}`, WEB), "utf8");
    const marked = page.matchAll(/data-i18n="([a-z._]+)"[^>]*>([^<{]+)</g);
    for (const [, key, text] of marked) assert.equal(text, TABLES.en[key]);
  }
});

test("a chosen language outlasts the browser's, an unknown one falls back to English", () => {
  assert.equal(pickLanguage(null, ["zh-CN", "en"]), "zh");
  assert.equal(pickLanguage("en", ["zh-CN"]), "en");
  assert.equal(pickLanguage("xx", ["de-DE", "fr"]), "en");
  assert.equal(pickLanguage(null, []), "en");
});

test("the switch is remembered and told", () => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  const i18n = new I18n(storage, ["en-GB"]);
  let told = 0;
  i18n.addEventListener("change", () => { told += 1; });
  i18n.language = "zh";
  i18n.language = "zh";
  i18n.language = "klingon";
  assert.equal(told, 1);
  assert.equal(i18n.t("state.live"), "实时");
  assert.equal(new I18n(storage, ["en-GB"]).language, "zh");
});

test("a storage that throws does not stop the page", () => {
  const broken = { getItem() { throw new Error("denied"); }, setItem() { throw new Error("denied"); } };
  const i18n = new I18n(broken, ["en"]);
  i18n.language = "zh";
  assert.equal(i18n.language, "zh");
});

test("server reasons stay as they are in English and are translated by their code elsewhere", () => {
  const reason = { text: "401 Unauthorized for rtsp://***@10.0.0.9", code: "wrong-credentials" };
  assert.equal(new I18n(null, ["en"]).reason(reason), reason.text);
  assert.equal(new I18n(null, ["zh"]).reason(reason), TABLES.zh["code.wrong-credentials"]);
  assert.equal(new I18n(null, ["zh"]).reason({ text: "odd", code: "unheard-of" }), "odd");
  assert.equal(new I18n(null, ["en"]).reason(null), "");
});

test("placeholders without a value stay visible", () => {
  assert.equal(fill("{a} and {b}", { a: 1 }), "1 and {b}");
  assert.equal(new I18n(null, ["en"]).duration(7545000), "2 h 5 min");
});
