/** From fingers and keys to speeds. Pure. */

/** A finger that rests does not move the camera. */
export const DEAD_ZONE = 0.12;
/** Keys have no half way: a speed with which one still hits something. */
export const KEY_SPEED = 0.6;
const SLOW_FACTOR = 0.3;

const KEYS = {
  ArrowLeft: { pan: -1 }, ArrowRight: { pan: 1 }, ArrowUp: { tilt: 1 }, ArrowDown: { tilt: -1 },
  "+": { zoom: 1 }, "=": { zoom: 1 }, "-": { zoom: -1 }, _: { zoom: -1 },
};

/** Whether a key steers a camera that can do this (`pan_tilt`, `zoom`, `continuous` of the API; null: not known yet). */
export function steers(key, can) {
  if (!can?.continuous || !Object.hasOwn(KEYS, key)) return false;
  return "zoom" in KEYS[key] ? can.zoom : can.pan_tilt;
}

/** Speed of the pressed keys (an iterable of `event.key`); `slow` while Shift is held. */
export function fromKeys(pressed, slow = false) {
  const sum = { pan: 0, tilt: 0, zoom: 0 };
  for (const key of pressed) {
    for (const [axis, direction] of Object.entries(KEYS[key] ?? {})) sum[axis] += direction;
  }
  const speed = KEY_SPEED * (slow ? SLOW_FACTOR : 1);
  return { pan: Math.sign(sum.pan) * speed, tilt: Math.sign(sum.tilt) * speed, zoom: Math.sign(sum.zoom) * speed };
}

/**
 * Speed of a pointer that is `dx`, `dy` pixels from the middle of a pad of this radius.
 *
 * Grows with the square of the way, so that near the middle one can aim; never beyond full speed.
 */
export function fromPointer(dx, dy, radius) {
  const length = Math.hypot(dx, dy) / radius;
  if (!(length > DEAD_ZONE)) return { pan: 0, tilt: 0 };
  const reach = Math.min(1, (length - DEAD_ZONE) / (1 - DEAD_ZONE));
  const scale = (reach * reach) / length;
  return { pan: (dx / radius) * scale, tilt: (-dy / radius) * scale };
}
