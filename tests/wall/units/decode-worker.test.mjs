/** The page's side of the worker that decodes for all tiles. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { DecodeWorker } from "../../../web/static/js/player-ws-webcodecs.js";

let workers;

class FakeWorker {
  handlers = {};
  posted = [];
  ended = false;

  constructor() {
    workers.push(this);
  }

  addEventListener(name, handler) {
    this.handlers[name] = handler;
  }

  postMessage(message) {
    this.posted.push(message);
  }

  terminate() {
    this.ended = true;
  }
}

const canvas = () => ({ transferControlToOffscreen: () => ({}) });
const listener = (failures) => ({ onPresented() {}, onDropped() {}, onFailed: (detail) => failures.push(detail) });

beforeEach(() => {
  workers = [];
  globalThis.Worker = FakeWorker;
});

afterEach(() => {
  delete globalThis.Worker;
});

test("a worker that could not be loaded is replaced: walls must not stay without it for ever", () => {
  const worker = new DecodeWorker();
  const failures = [];
  worker.open(canvas(), listener(failures));
  worker.open(canvas(), listener(failures));
  workers[0].handlers.error({ preventDefault() {} });
  assert.equal(failures.length, 2, "every tile is told to take another way");
  assert.equal(workers[0].ended, true);
  worker.open(canvas(), listener([]));
  assert.equal(workers.length, 2);
  assert.deepEqual(workers[1].posted.map(({ type }) => type), ["open"]);
  workers[0].handlers.error({ preventDefault() {} });
  assert.equal(workers[1].ended, false, "the old worker's words no longer count");
});

test("one worker serves all tiles", () => {
  const worker = new DecodeWorker();
  const ids = [1, 2, 3].map(() => worker.open(canvas(), listener([])));
  assert.equal(new Set(ids).size, 3);
  assert.equal(workers.length, 1);
});
