/** Swiping to the next page, on the empty hand: one finger, mostly sideways. Pages are turned when the finger lifts. */

const LEAST_PX = 48;
const LONGEST_MS = 700;
/** Sideways must be so many times more than up and down. */
const SLANT = 1.6;

/** -1 for the page before, 1 for the next, 0 for no swipe. Pure. */
export function swipeOf({ dx, dy, ms }) {
  if (ms > LONGEST_MS || Math.abs(dx) < LEAST_PX || Math.abs(dx) < SLANT * Math.abs(dy)) return 0;
  return dx < 0 ? 1 : -1;
}

/** What a finger works on a tile: to steer a camera is no swipe. */
const CONTROLS = "button, a, input, .ptz-host";

/** Calls `turn(-1 | 1)` for swipes on `element`, while `enabled()`. */
export function onSwipe(element, enabled, turn) {
  let start = null;
  element.addEventListener("touchstart", (event) => {
    const [touch] = event.touches;
    const swipes = event.touches.length === 1 && !event.target.closest(CONTROLS);
    start = swipes ? { x: touch.clientX, y: touch.clientY, at: event.timeStamp } : null;
  }, { passive: true });
  element.addEventListener("touchend", (event) => {
    const [touch] = event.changedTouches;
    if (!start || !enabled() || event.touches.length > 0) return;
    const way = swipeOf({ dx: touch.clientX - start.x, dy: touch.clientY - start.y, ms: event.timeStamp - start.at });
    start = null;
    if (way) turn(way);
  }, { passive: true });
}
