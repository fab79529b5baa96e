/**
 * How the wall divides its area: the automatic grid, the fixed layouts, and how many pages the cameras take.
 *
 * Pure arithmetic; the stage calls it whenever its area, the layout or the number of cameras changes.
 */

export const GAP_PX = 6;
export const WIDE = 16 / 9;
/** Below this width a tile no longer shows a recognisable person; the cameras go onto more pages instead. */
const MIN_TILE_WIDTH_PX = 160;
/** Up to this width a screen that is taller than wide is held in a hand: one column, whatever layout was chosen. */
const PHONE_WIDTH_PX = 640;
/** More tiles on one page than a person can watch, or a browser decode. */
export const MOST_PER_PAGE = 36;
/** Pictures wider or taller than this leave most of a tile black; the tile keeps within. */
const ASPECT_RANGE = [1, 2.4];

/** As menus list them; ids are those of `views.<id>.layout` in config.yaml. */
export const LAYOUT_IDS = Object.freeze(["auto", "1", "2x2", "3x3", "4x4", "5x5", "6x6", "1+5", "1+7"]);
/** `large` is the side of the first cell, in columns. */
export const LAYOUTS = Object.freeze({
  auto: null,
  "1": { columns: 1, large: 1 },
  "2x2": { columns: 2, large: 1 },
  "3x3": { columns: 3, large: 1 },
  "4x4": { columns: 4, large: 1 },
  "5x5": { columns: 5, large: 1 },
  "6x6": { columns: 6, large: 1 },
  "1+5": { columns: 3, large: 2 },
  "1+7": { columns: 4, large: 3 },
});

/**
 * @typedef {object} Cell
 * @property {number} column from 0
 * @property {number} row from 0
 * @property {number} span columns, and as many rows
 *
 * @typedef {object} Arrangement
 * @property {number} columns
 * @property {number} rows
 * @property {number} cellWidth whole CSS pixels of a cell of one column
 * @property {number} cellHeight
 * @property {number} perPage cameras on a full page
 * @property {number} pages at least 1
 * @property {Cell[]} cells as many as `perPage`
 */

/** True for a screen in a hand, held upright. */
export function isPhonePortrait(width, height) {
  return width <= PHONE_WIDTH_PX && height > width;
}

/**
 * Divides an area of `width` × `height` CSS pixels for `count` cameras whose pictures have the proportion `aspect`.
 *
 * @returns {Arrangement|null} null if there is nothing to divide
 */
export function arrange(layout, count, width, height, { aspect = WIDE, gap = GAP_PX } = {}) {
  if (count < 1 || width < 1 || height < 1) return null;
  if (isPhonePortrait(width, height)) return phone(count, width, height, aspect, gap);
  const fixed = LAYOUTS[layout];
  return fixed ? fixedGrid(fixed, count, width, height, aspect, gap) : automatic(count, width, height, aspect, gap);
}

/** The proportion most of the pictures have, kept within reason; `sizes` are `{width, height}`, 0 where unknown. */
export function commonAspect(sizes) {
  const votes = new Map();
  for (const { width, height } of sizes) {
    if (!(width > 0 && height > 0)) continue;
    const aspect = Math.round((width / height) * 20) / 20;
    const vote = votes.get(aspect) ?? { count: 0, exact: width / height };
    votes.set(aspect, { count: vote.count + 1, exact: vote.exact });
  }
  const [winner] = [...votes.values()].sort((a, b) => b.count - a.count);
  if (!winner) return WIDE;
  return Math.min(ASPECT_RANGE[1], Math.max(ASPECT_RANGE[0], winner.exact));
}

/** The page that camera `index` is on. */
export function pageOf(index, perPage) {
  return Math.max(0, Math.floor(index / Math.max(1, perPage)));
}

/** `page` kept within `pages`; going over an end leads to the other one. */
export function wrapped(page, pages) {
  return pages < 1 ? 0 : ((page % pages) + pages) % pages;
}

/**
 * Where the selection goes from cell `index` with an arrow key, or `index` itself at an edge.
 *
 * `count` of the cells are in use. Cells differ in size, so it looks for the nearest one on that side.
 */
export function neighbour(index, key, cells, count) {
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const from = cells[index];
  if (!step || !from) return index;
  // Left and right go on in reading order over the end of a row, as a caret does.
  if (key === "ArrowLeft" && from.column === 0) return Math.max(0, index - 1);
  const best = nearest(from, step, cells.slice(0, count));
  if (best >= 0) return best;
  return key === "ArrowRight" ? Math.min(count - 1, index + 1) : index;
}

function nearest(from, [dx, dy], cells) {
  const middle = (cell) => ({ x: cell.column + cell.span / 2, y: cell.row + cell.span / 2 });
  const start = middle(from);
  let best = -1;
  let least = Infinity;
  for (const [index, cell] of cells.entries()) {
    const there = middle(cell);
    const ahead = dx ? (there.x - start.x) * dx : (there.y - start.y) * dy;
    const reach = (from.span + cell.span) / 2;
    const aside = dx ? Math.abs(there.y - start.y) : Math.abs(there.x - start.x);
    if (ahead < reach - 0.01) continue;
    // Sideways only within the row; downwards also to the end of a last row that is not full.
    if (dx && aside > reach - 0.01) continue;
    const distance = ahead + 2 * aside;
    if (distance < least - 1e-9) [best, least] = [index, distance];
  }
  return best;
}

/** As many tiles as stay recognisable, as large as they get, shared evenly among the pages. */
function automatic(count, width, height, aspect, gap) {
  let most = Math.min(count, MOST_PER_PAGE);
  while (most > 1 && best(most, width, height, aspect, gap).cellWidth < MIN_TILE_WIDTH_PX) most -= 1;
  const pages = Math.ceil(count / most);
  const perPage = Math.ceil(count / pages);
  const { columns, rows, cellWidth } = best(perPage, width, height, aspect, gap);
  return finished(columns, rows, cellWidth, aspect, pages, uniform(columns, perPage));
}

function best(count, width, height, aspect, gap) {
  let found = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = fitted(columns, rows, width, height, aspect, gap);
    // On equal size the one with fewer holes in its last row looks calmer.
    const better = found === null || cellWidth > found.cellWidth
      || (cellWidth === found.cellWidth && columns * rows < found.columns * found.rows);
    if (better) found = { columns, rows, cellWidth };
  }
  return found;
}

function fixedGrid({ columns, large }, count, width, height, aspect, gap) {
  const cells = [];
  if (large > 1) cells.push({ column: 0, row: 0, span: large });
  for (let row = 0; row < columns; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      if (large > 1 && row < large && column < large) continue;
      cells.push({ column, row, span: 1 });
    }
  }
  const cellWidth = fitted(columns, columns, width, height, aspect, gap);
  return finished(columns, columns, cellWidth, aspect, Math.ceil(count / cells.length), cells);
}

function phone(count, width, height, aspect, gap) {
  const cellWidth = Math.floor(Math.min(width, height * aspect));
  const cellHeight = Math.floor(cellWidth / aspect);
  const most = Math.max(1, Math.min(count, Math.floor((height + gap) / (cellHeight + gap))));
  const pages = Math.ceil(count / most);
  const rows = Math.ceil(count / pages);
  return finished(1, rows, cellWidth, aspect, pages, uniform(1, rows));
}

function fitted(columns, rows, width, height, aspect, gap) {
  const widest = (width - gap * (columns - 1)) / columns;
  const tallest = (height - gap * (rows - 1)) / rows;
  return Math.max(1, Math.floor(Math.min(widest, tallest * aspect)));
}

function uniform(columns, count) {
  return Array.from({ length: count }, (_, index) => {
    return { column: index % columns, row: Math.floor(index / columns), span: 1 };
  });
}

function finished(columns, rows, cellWidth, aspect, pages, cells) {
  const cellHeight = Math.max(1, Math.floor(cellWidth / aspect));
  return { columns, rows, cellWidth, cellHeight, perPage: cells.length, pages, cells };
}
