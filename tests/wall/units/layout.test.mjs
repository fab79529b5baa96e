import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arrange, commonAspect, GAP_PX, LAYOUT_IDS, LAYOUTS, MOST_PER_PAGE, neighbour, pageOf, WIDE, wrapped,
} from "../../../web/static/js/layout.js";

const SIZES = [[1920, 1032], [1280, 672], [1366, 720], [1024, 700], [3840, 2110], [800, 1232], [844, 342], [390, 796]];

function extent({ columns, rows, cellWidth, cellHeight }) {
  return [columns * cellWidth + (columns - 1) * GAP_PX, rows * cellHeight + (rows - 1) * GAP_PX];
}

test("every layout stays within its area, for any number of cameras", () => {
  for (const [width, height] of SIZES) {
    for (const layout of LAYOUT_IDS) {
      for (let count = 1; count <= 60; count += 1) {
        const found = arrange(layout, count, width, height);
        const [wide, tall] = extent(found);
        assert.ok(wide <= width && tall <= height, `${layout} ${count} on ${width}×${height}: ${wide}×${tall}`);
        assert.ok(found.pages * found.perPage >= count && (found.pages - 1) * found.perPage < count, `${layout} ${count}`);
        assert.equal(found.cells.length, found.perPage);
      }
    }
  }
});

test("the automatic grid shows 1 to 36 cameras at once on a screen, and nothing shows them larger", () => {
  for (let count = 1; count <= MOST_PER_PAGE; count += 1) {
    const found = arrange("auto", count, 1920, 1032);
    assert.equal(found.pages, 1);
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns);
      const width = (1920 - GAP_PX * (columns - 1)) / columns;
      const height = (1032 - GAP_PX * (rows - 1)) / rows;
      assert.ok(found.cellWidth >= Math.floor(Math.min(width, height * WIDE)), `${count}: ${columns} columns are larger`);
    }
  }
});

test("four tall pictures stand side by side where four wide ones make a square", () => {
  assert.equal(arrange("auto", 4, 1280, 672).columns, 2);
  assert.equal(arrange("auto", 4, 1280, 672, { aspect: 3 / 4 }).columns, 4);
});

test("too many for the area are shared evenly among pages", () => {
  const found = arrange("auto", 37, 1920, 1032);
  assert.deepEqual([found.pages, found.perPage], [2, 19]);
  assert.ok(arrange("auto", 36, 844, 342).pages > 1, "a phone on its side shows no stamps");
  assert.ok(arrange("auto", 36, 844, 342).cellWidth >= 160);
});

test("fixed layouts have the cells of their names, without overlap", () => {
  const sizes = { 1: 1, "2x2": 4, "3x3": 9, "4x4": 16, "5x5": 25, "6x6": 36, "1+5": 6, "1+7": 8 };
  for (const [layout, cells] of Object.entries(sizes)) {
    const found = arrange(layout, 100, 1920, 1080);
    assert.equal(found.perPage, cells, layout);
    const covered = new Set();
    for (const { column, row, span } of found.cells) {
      for (let x = column; x < column + span; x += 1) {
        for (let y = row; y < row + span; y += 1) {
          assert.ok(!covered.has(`${x},${y}`), layout);
          covered.add(`${x},${y}`);
        }
      }
    }
    assert.equal(covered.size, found.columns * found.rows, layout);
  }
  assert.equal(arrange("1+5", 6, 1920, 1080).cells[0].span, 2);
  assert.equal(arrange("1+7", 8, 1920, 1080).cells[0].span, 3);
});

test("menus list every layout once", () => {
  assert.deepEqual([...LAYOUT_IDS].sort(), Object.keys(LAYOUTS).sort());
});

test("a phone held upright has one column of wide tiles, whatever layout was chosen", () => {
  for (const layout of LAYOUT_IDS) {
    const found = arrange(layout, 8, 378, 784);
    assert.equal(found.columns, 1);
    assert.equal(found.cellWidth, 378);
    assert.equal(found.perPage, 3);
    assert.equal(found.pages, 3);
  }
  assert.equal(arrange("auto", 4, 378, 784).perPage, 2, "four make two pages of two, not of three and one");
});

test("nothing is arranged without cameras or area", () => {
  assert.equal(arrange("auto", 0, 1280, 720), null);
  assert.equal(arrange("3x3", 4, 0, 720), null);
  assert.equal(arrange("auto", 4, 1280, 0), null);
});

test("most pictures decide on the proportion; the unknown and the extreme do not", () => {
  const wide = { width: 1920, height: 1080 };
  const old = { width: 704, height: 576 };
  assert.equal(commonAspect([wide, old, { width: 640, height: 360 }]), WIDE);
  assert.equal(commonAspect([{ width: 0, height: 0 }, old]), 704 / 576);
  assert.equal(commonAspect([{}, {}]), WIDE);
  assert.equal(commonAspect([{ width: 100, height: 1000 }]), 1);
  assert.equal(commonAspect([{ width: 5000, height: 1000 }]), 2.4);
});

test("pages are counted from cameras and wrap around", () => {
  assert.deepEqual([pageOf(0, 9), pageOf(8, 9), pageOf(9, 9), pageOf(-1, 9)], [0, 0, 1, 0]);
  assert.deepEqual([wrapped(3, 3), wrapped(-1, 3), wrapped(1, 3), wrapped(5, 0)], [0, 2, 1, 0]);
});

test("arrow keys cross a grid, and stop at its edges", () => {
  const { cells } = arrange("3x3", 9, 1280, 672);
  const go = (index, key) => neighbour(index, key, cells, 8);
  assert.deepEqual([go(0, "ArrowRight"), go(0, "ArrowDown"), go(4, "ArrowUp"), go(4, "ArrowLeft")], [1, 3, 1, 3]);
  assert.deepEqual([go(0, "ArrowLeft"), go(0, "ArrowUp"), go(7, "ArrowDown"), go(7, "ArrowRight")], [0, 0, 7, 7]);
  assert.equal(go(2, "ArrowRight"), 3, "right goes on in the next row");
  assert.equal(go(3, "ArrowLeft"), 2);
  assert.deepEqual([go(4, "Home"), go(4, "End"), go(4, "a")], [0, 7, 4]);
});

test("every camera of a layout with a large cell is reached with arrow keys", () => {
  for (const layout of ["1+5", "1+7"]) {
    const { cells } = arrange(layout, 20, 1280, 672);
    const reached = new Set([0]);
    for (const index of reached) {
      for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"]) reached.add(neighbour(index, key, cells, cells.length));
    }
    assert.equal(reached.size, cells.length, layout);
  }
});
