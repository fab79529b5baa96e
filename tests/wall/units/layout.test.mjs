import assert from "node:assert/strict";
import test from "node:test";
import { automaticGrid, GAP_PX, neighbour } from "../../../web/static/js/layout.js";

const SCREENS = [[1920, 1032], [1280, 672], [3840, 2112], [1024, 720], [844, 342], [1080, 1872]];

test("every wall of 1 to 36 cameras fits its screen without scrolling, in 16:9", () => {
  for (const [width, height] of SCREENS) {
    for (let count = 1; count <= 36; count += 1) {
      const grid = automaticGrid(count, width, height);
      if (grid.scroll) {
        assert.ok(width < 900 && count > 6, `${count} on ${width}x${height} scrolls`);
        continue;
      }
      assert.ok(grid.columns * grid.rows >= count);
      assert.ok(grid.columns * (grid.rows - 1) < count, "no empty row");
      assert.ok(grid.columns * grid.tileWidth + GAP_PX * (grid.columns - 1) <= width);
      assert.ok(grid.rows * grid.tileHeight + GAP_PX * (grid.rows - 1) <= height);
      assert.ok(Math.abs(grid.tileWidth / grid.tileHeight - 16 / 9) < 0.03, `${grid.tileWidth}x${grid.tileHeight}`);
    }
  }
});

test("no other number of columns would show larger tiles", () => {
  for (const [width, height] of SCREENS.slice(0, 4)) {
    for (let count = 1; count <= 36; count += 1) {
      const grid = automaticGrid(count, width, height);
      for (let columns = 1; columns <= count; columns += 1) {
        const rows = Math.ceil(count / columns);
        const wide = (width - GAP_PX * (columns - 1)) / columns;
        const tall = ((height - GAP_PX * (rows - 1)) / rows) * (16 / 9);
        assert.ok(grid.tileWidth >= Math.floor(Math.min(wide, tall)), `${count} cameras, ${columns} columns`);
      }
    }
  }
});

test("square numbers fill a widescreen squarely", () => {
  for (const side of [1, 2, 3, 4, 5, 6]) {
    const grid = automaticGrid(side * side, 1920, 1080);
    assert.deepEqual([grid.columns, grid.rows], [side, side]);
  }
});

test("a phone held upright scrolls one column of few cameras and two of many", () => {
  const few = automaticGrid(4, 378, 784);
  assert.equal(few.columns, 1);
  assert.equal(few.tileWidth, 378);
  assert.equal(few.scroll, true);
  const many = automaticGrid(16, 378, 784);
  assert.equal(many.columns, 2);
  assert.equal(many.scroll, true);
  assert.equal(automaticGrid(1, 378, 784).scroll, false);
});

test("tiles too small to recognise anything scroll instead", () => {
  const grid = automaticGrid(36, 700, 300);
  assert.equal(grid.scroll, true);
  assert.ok(grid.tileWidth >= 160);
});

test("no cameras and no area give no tiles", () => {
  assert.equal(automaticGrid(0, 1920, 1080).columns, 0);
  assert.equal(automaticGrid(4, 0, 0).tileWidth, 0);
});

test("arrow keys move within the grid and stop at its edges", () => {
  assert.equal(neighbour(5, "ArrowDown", 16, 4), 9);
  assert.equal(neighbour(5, "ArrowUp", 16, 4), 1);
  assert.equal(neighbour(1, "ArrowUp", 16, 4), 1);
  assert.equal(neighbour(15, "ArrowRight", 16, 4), 15);
  assert.equal(neighbour(15, "Home", 16, 4), 0);
  assert.equal(neighbour(0, "End", 16, 4), 15);
  assert.equal(neighbour(3, "a", 16, 4), 3);
});
