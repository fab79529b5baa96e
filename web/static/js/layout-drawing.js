/** A small drawing of a layout, for menus. */
import { LAYOUTS } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
const SIDE = 24;
const MARGIN = 3;
const GAP = 1.5;

/** An svg of the cells of `layout`; the automatic one looks like 2×2. */
export function layoutDrawing(layout) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon solid");
  svg.setAttribute("viewBox", `0 0 ${SIDE} ${SIDE}`);
  svg.setAttribute("aria-hidden", "true");
  const { columns, large } = LAYOUTS[layout] ?? { columns: 2, large: 1 };
  const side = (SIDE - 2 * MARGIN - GAP * (columns - 1)) / columns;
  const place = (column, row, span) => {
    const size = side * span + GAP * (span - 1);
    const rect = document.createElementNS(SVG, "rect");
    const values = { x: MARGIN + column * (side + GAP), y: MARGIN + row * (side + GAP), width: size, height: size, rx: 1 };
    for (const [name, value] of Object.entries(values)) rect.setAttribute(name, String(value));
    svg.append(rect);
  };
  if (large > 1) place(0, 0, large);
  for (let row = 0; row < columns; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      if (large === 1 || row >= large || column >= large) place(column, row, 1);
    }
  }
  return svg;
}
