/** Still pictures: the next one comes although one of them was lost on the way. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { SnapshotPlayer } from "../../../web/static/js/player-snapshot.js";

let asked;
let shown;
let player;

class Picture {
  handlers = {};

  constructor() {
    asked.push(this);
  }

  addEventListener(name, handler) {
    this.handlers[name] = handler;
  }

  removeAttribute(name) {
    delete this[name];
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  asked = [];
  shown = 0;
  globalThis.Image = Picture;
  globalThis.window = { devicePixelRatio: 1 };
  globalThis.document = { createElement: () => ({ clientWidth: 320, replaceChildren() {}, remove() {} }) };
  player = new SnapshotPlayer("/picture.jpg", { onFrame: () => { shown += 1; } });
  player.start();
});

afterEach(() => {
  player.stop();
  mock.timers.reset();
  for (const name of ["Image", "window", "document"]) delete globalThis[name];
});

test("a picture that neither comes nor fails is given up, and asked for again", () => {
  mock.timers.tick(10000);
  assert.equal(asked[0].src, undefined, "the request is let go of");
  mock.timers.tick(6500);
  assert.equal(asked.length, 2);
  asked[0].handlers.load();
  assert.equal(shown, 0, "what comes after all is no longer wanted");
  asked[1].handlers.load();
  assert.equal(shown, 1);
  mock.timers.tick(2000);
  assert.equal(asked.length, 3);
});

test("tiles that failed together do not ask together", (t) => {
  t.mock.method(Math, "random", () => 0);
  asked[0].handlers.error();
  mock.timers.tick(3750);
  assert.equal(asked.length, 2);
});

test("a stopped player asks no more", () => {
  player.stop();
  asked[0].handlers.load();
  mock.timers.tick(60000);
  assert.equal(asked.length, 1);
  assert.equal(shown, 0);
});
