/** Drawn signs from the one file `icons.svg`; they take the colour of the text around them. */

const SVG = "http://www.w3.org/2000/svg";
const FILE = "/static/icons.svg";

/** An `<svg class="icon">` showing the symbol `name`. Decoration: whatever holds it carries the words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${FILE}#${name}`);
  svg.append(use);
  return svg;
}

/** Shows another symbol in an icon made by `icon` or by a template. */
export function setIcon(svg, name) {
  const href = `${FILE}#${name}`;
  const use = svg.querySelector("use");
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}
