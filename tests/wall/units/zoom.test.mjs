import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, Zoom } from "../../../web/static/js/zoom.js";

function zoom(width = 1000, height = 500) {
  const made = new Zoom();
  made.resize(width, height);
  return made;
}

test("the point under the pointer stays where it is", () => {
  const picture = zoom();
  const under = (x) => (x - picture.x) / picture.scale;
  const before = under(300);
  picture.by(2, 300, 100);
  assert.ok(Math.abs(under(300) - before) < 1e-9);
  picture.by(1.5, 300, 100);
  assert.ok(Math.abs(under(300) - before) < 1e-9);
});

test("the picture always covers its area", () => {
  const picture = zoom();
  picture.by(2);
  picture.pan(9999, -9999);
  assert.deepEqual([picture.x, picture.y], [500, -250]);
  picture.by(0.75);
  assert.deepEqual([picture.x, picture.y], [250, -125]);
  picture.resize(500, 250);
  assert.deepEqual([picture.x, picture.y], [125, -62.5]);
});

test("it ends at both ends, and a slip of the fingers is no zoom", () => {
  const picture = zoom();
  picture.by(1000);
  assert.equal(picture.scale, MOST);
  picture.by(0.0001);
  assert.deepEqual([picture.scale, picture.x, picture.y, picture.zoomed], [1, 0, 0, false]);
  picture.by(1.01);
  assert.equal(picture.zoomed, false);
  picture.by(3, 200, 100);
  picture.reset();
  assert.deepEqual([picture.scale, picture.x, picture.y], [1, 0, 0]);
});
