import assert from "node:assert/strict";
import { test } from "node:test";
import { Settings } from "../../../web/static/js/settings.js";

class Storage {
  constructor(value = null) {
    this.value = value;
  }

  getItem() {
    return this.value;
  }

  setItem(_key, value) {
    this.value = value;
  }
}

test("a device remembers view, layouts, orders, own views and tour", () => {
  const storage = new Storage();
  const before = new Settings(storage);
  before.view = "group:North";
  before.setLayout("all", "3x3");
  before.setOrder("all", ["b", "a"]);
  before.ownViews = [{ id: "own:1", name: "Mine", cameras: ["a"] }];
  before.tourSeconds = 30;
  const after = new Settings(storage);
  assert.deepEqual([after.view, after.layoutOf("all"), after.layoutOf("x"), after.tourSeconds], ["group:North", "3x3", null, 30]);
  assert.deepEqual(after.orders, { all: ["b", "a"] });
  assert.deepEqual(after.ownViews, [{ id: "own:1", name: "Mine", cameras: ["a"] }]);
  after.setOrder("all", null);
  assert.deepEqual(new Settings(storage).orders, {});
});

test("what another window has saved meanwhile is not written over", () => {
  const storage = new Storage();
  const [one, other] = [new Settings(storage), new Settings(storage)];
  assert.deepEqual([one.ownViews, other.ownViews], [[], []]);
  other.ownViews = [{ id: "own:1", name: "Night shift", cameras: ["a"] }];
  one.setLayout("all", "2x2");
  assert.deepEqual(new Settings(storage).ownViews.map((view) => view.name), ["Night shift"]);
  assert.deepEqual(one.ownViews, other.ownViews);
});

test("a view that is removed leaves neither order nor layout to the next one of its number", () => {
  const settings = new Settings(new Storage());
  settings.ownViews = [{ id: "own:1", name: "First", cameras: ["a"] }];
  settings.setLayout("own:1", "1");
  settings.setOrder("own:1", ["a"]);
  settings.removeView("own:1");
  assert.deepEqual([settings.ownViews, settings.layoutOf("own:1"), settings.orders], [[], null, {}]);
});

test("damaged or foreign content is dropped", () => {
  for (const text of ["", "{", "[]", "null", '"x"', '{"view":7,"layouts":{"all":"9x9"},"orders":{"all":[1]},"ownViews":[{"id":"x"},7],"tourSeconds":1}']) {
    const settings = new Settings(new Storage(text));
    assert.deepEqual([settings.view, settings.layoutOf("all"), settings.tourSeconds], [null, null, 10], text);
    assert.deepEqual([settings.orders, settings.ownViews], [{}, []], text);
  }
});

test("a browser that forbids storage forgets, and works", () => {
  const refusing = { getItem: () => { throw new Error("no"); }, setItem: () => { throw new Error("no"); } };
  for (const storage of [null, refusing]) {
    const settings = new Settings(storage);
    settings.view = "own:1";
    assert.equal(settings.view, "own:1");
  }
});
