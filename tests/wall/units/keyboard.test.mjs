import assert from "node:assert/strict";
import { test } from "node:test";
import { commandFor, KEYS, NumberInput } from "../../../web/static/js/keyboard.js";
import { TABLES } from "../../../web/static/js/i18n.js";

const press = (key, held = {}) => commandFor({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...held });

test("keys mean what the help says", () => {
  const wanted = {
    f: "fullscreen", F: "fullscreen", m: "mute", s: "snapshot", i: "stats", t: "tour", "?": "help", Enter: "focus", Escape: "back",
    ArrowLeft: "select", End: "select", PageDown: "pageOn", "7": "number", "+": "zoomIn", "-": "zoomOut", c: "share",
  };
  for (const [key, command] of Object.entries(wanted)) assert.equal(press(key), command, key);
  assert.equal(press("?", { shiftKey: true }), "help", "a question mark needs Shift on most keyboards");
  assert.equal(press("ArrowLeft", { shiftKey: true }), "move");
  assert.equal(press("x"), null);
  assert.equal(press("Enter", { shiftKey: true }), null);
});

test("the browser's own shortcuts stay the browser's", () => {
  for (const held of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }]) assert.equal(press("f", held), null);
});

test("the help knows every key in every language", () => {
  for (const [language, table] of Object.entries(TABLES)) {
    for (const { command } of KEYS) assert.ok(table[`key.${command}`], `${language}: ${command}`);
  }
});

function numbers() {
  const chosen = [];
  const timers = [];
  const input = new NumberInput((number) => chosen.push(number), (run) => timers.push(run), () => timers.pop());
  return { chosen, input, pause: () => timers.pop()?.() };
}

test("one digit is a number at once where no second can follow", () => {
  const { chosen, input } = numbers();
  input.press("7", 9);
  input.press("7", 36);
  input.press("0", 36);
  assert.deepEqual(chosen, [7, 7, 0]);
});

test("two digits that follow each other quickly are one number, slowly two", () => {
  const { chosen, input, pause } = numbers();
  input.press("1", 36);
  input.press("2", 36);
  input.press("1", 36);
  pause();
  input.press("3", 36);
  pause();
  assert.deepEqual(chosen, [12, 1, 3]);
});
