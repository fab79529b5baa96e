import assert from "node:assert/strict";
import { test } from "node:test";
import { catalogue, findView, moved, newViewId, ordered } from "../../../web/static/js/views.js";

const CAMERAS = [{ id: "a", group: "North" }, { id: "b", group: null }, { id: "c", group: "South" }, { id: "d", group: "North" }];

test("views are all cameras, those of the site, groups, those of this device, and the one of a link", () => {
  const site = [{ id: "doors", name: "Doors", cameras: ["d", "a"], layout: "2x2" }];
  const own = [{ id: "own:1", name: "Mine", cameras: ["b", "gone"] }];
  const found = catalogue(CAMERAS, site, own, {}, ["c", "x"]);
  assert.deepEqual(found.map((view) => [view.kind, view.name, view.cameras.join("")]), [
    ["all", null, "abcd"], ["site", "Doors", "da"], ["group", "North", "ad"], ["group", "South", "c"], ["own", "Mine", "b"],
    ["linked", null, "c"],
  ]);
  assert.equal(found[1].layout, "2x2");
});

test("an order of this device holds, and cameras that are new stay beside their neighbours", () => {
  assert.deepEqual(ordered(["a", "b", "c"], ["c", "a", "b"]), ["c", "a", "b"]);
  assert.deepEqual(ordered(["a", "new", "b", "c"], ["c", "a", "b"]), ["c", "a", "new", "b"]);
  assert.deepEqual(ordered(["first", "a", "b"], ["b", "gone", "a"]), ["first", "b", "a"]);
  assert.deepEqual(ordered(["a", "b"], undefined), ["a", "b"]);
  const [all] = catalogue(CAMERAS, [], [], { all: ["d", "c", "b", "a"] });
  assert.deepEqual(all.cameras, ["d", "c", "b", "a"]);
});

test("a moved camera takes the place of the other, forwards and backwards", () => {
  const ids = ["a", "b", "c", "d"];
  assert.deepEqual(moved(ids, "a", "c"), ["b", "c", "a", "d"]);
  assert.deepEqual(moved(ids, "d", "b"), ["a", "d", "b", "c"]);
  assert.deepEqual(moved(ids, "a", "b"), ["b", "a", "c", "d"]);
  assert.equal(moved(ids, "a", "a"), ids);
  assert.equal(moved(ids, "a", "gone"), ids);
});

test("a view that is gone leads to all cameras", () => {
  const views = catalogue(CAMERAS, [], [], {});
  assert.equal(findView(views, "group:North").name, "North");
  assert.equal(findView(views, "own:9").kind, "all");
  assert.equal(findView(views, null).kind, "all");
});

test("new views get ids that are free", () => {
  assert.equal(newViewId([]), "own:1");
  assert.equal(newViewId([{ id: "own:2" }]), "own:3");
});
