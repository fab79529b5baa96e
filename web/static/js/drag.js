/**
 * Dragging a tile onto another one, to give the cameras another order. With the mouse; fingers turn pages instead.
 *
 * The tile stays where it is and a small picture of it follows the pointer: a video that is moved in the page stops.
 */

const SLOP_PX = 8;

/** `canDrag()` says whether order may change now; `drop(id, targetId)` is told of a finished drag. */
export function onDrag(grid, canDrag, drop) {
  let held = null;
  let ghost = null;
  let target = null;

  const tileAt = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest(".tile") ?? null;

  function aim(tile) {
    target?.classList.remove("drop-target");
    target = tile && tile !== held.tile ? tile : null;
    target?.classList.add("drop-target");
  }

  function begin() {
    ghost = document.createElement("div");
    ghost.className = "drag-ghost";
    ghost.textContent = held.tile.querySelector(".tile-name").textContent;
    document.body.append(ghost);
    held.tile.classList.add("dragged");
  }

  function end() {
    aim(null);
    ghost?.remove();
    ghost = null;
    held?.tile.classList.remove("dragged");
    held = null;
  }

  grid.addEventListener("pointerdown", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile || event.button !== 0 || event.pointerType === "touch" || event.target.closest("button, a, .ptz-host") || !canDrag()) return;
    held = { tile, x: event.clientX, y: event.clientY };
  });
  window.addEventListener("pointermove", (event) => {
    if (!held) return;
    if (!ghost) {
      if (Math.hypot(event.clientX - held.x, event.clientY - held.y) < SLOP_PX) return;
      begin();
    }
    event.preventDefault();
    ghost.style.transform = `translate(${event.clientX + 14}px, ${event.clientY + 14}px)`;
    aim(tileAt(event));
  });
  window.addEventListener("pointerup", () => {
    const ids = ghost && target ? [held.tile.dataset.camera, target.dataset.camera] : null;
    const wasDrag = Boolean(ghost);
    end();
    if (wasDrag) swallowClick();
    if (ids) drop(...ids);
  });
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !ghost) return;
    event.stopImmediatePropagation();
    end();
  }, { capture: true });
  for (const name of ["pointercancel", "blur"]) window.addEventListener(name, end);
}

/** The click that follows at once belongs to the drag. */
function swallowClick() {
  const done = new AbortController();
  window.addEventListener("click", (event) => event.stopPropagation(), { capture: true, signal: done.signal });
  setTimeout(() => done.abort());
}
