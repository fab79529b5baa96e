/**
 * The automatic grid: how many columns show `count` equal tiles largest on a given area.
 *
 * Pure arithmetic; the wall calls it whenever its area or the number of cameras changes. Later layouts (fixed grids,
 * one large tile) are further functions that return the same shape.
 */

export const GAP_PX = 6;
const TILE_ASPECT = 16 / 9;
/** Below this width a tile no longer shows a recognisable person; the wall scrolls instead of shrinking further. */
const MIN_TILE_WIDTH_PX = 160;
/** Up to this width a screen that is taller than wide is held in a hand and is scrolled with a thumb. */
const PHONE_WIDTH_PX = 640;
/** A phone shows so many cameras one below the other; more go into two columns. */
const PHONE_SINGLE_COLUMN_MAX = 4;

/**
 * @typedef {object} Grid
 * @property {number} columns
 * @property {number} rows
 * @property {number} tileWidth whole CSS pixels
 * @property {number} tileHeight whole CSS pixels
 * @property {boolean} scroll true if the rows are taller than the area
 */

/**
 * The grid for `count` tiles on an area of `width` × `height` CSS pixels.
 *
 * @returns {Grid}
 */
export function automaticGrid(count, width, height, gap = GAP_PX) {
  if (count < 1 || width < 1 || height < 1) return { columns: 0, rows: 0, tileWidth: 0, tileHeight: 0, scroll: false };
  if (width <= PHONE_WIDTH_PX && height > width) {
    return columnsOf(count <= PHONE_SINGLE_COLUMN_MAX ? 1 : 2, count, width, height, gap);
  }
  let best = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const grid = fitted(columns, count, width, height, gap);
    // On equal size the one with fewer holes in its last row looks calmer.
    const better = best === null || grid.tileWidth > best.tileWidth
      || (grid.tileWidth === best.tileWidth && grid.columns * grid.rows < best.columns * best.rows);
    if (better) best = grid;
  }
  if (best.tileWidth >= MIN_TILE_WIDTH_PX) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (MIN_TILE_WIDTH_PX + gap))));
  return columnsOf(columns, count, width, height, gap);
}

/** Where the focus goes from tile `index` with an arrow key, or `index` itself at an edge. */
export function neighbour(index, key, count, columns) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const target = index + (steps[key] ?? 0);
  return target >= 0 && target < count ? target : index;
}

function fitted(columns, count, width, height, gap) {
  const rows = Math.ceil(count / columns);
  const widest = (width - gap * (columns - 1)) / columns;
  const tallest = (height - gap * (rows - 1)) / rows;
  const tileWidth = Math.max(1, Math.floor(Math.min(widest, tallest * TILE_ASPECT)));
  return { columns, rows, tileWidth, tileHeight: Math.max(1, Math.floor(tileWidth / TILE_ASPECT)), scroll: false };
}

function columnsOf(columns, count, width, height, gap) {
  const rows = Math.ceil(count / columns);
  const tileWidth = Math.max(1, Math.floor((width - gap * (columns - 1)) / columns));
  const tileHeight = Math.max(1, Math.floor(tileWidth / TILE_ASPECT));
  return { columns, rows, tileWidth, tileHeight, scroll: rows * tileHeight + gap * (rows - 1) > height };
}
