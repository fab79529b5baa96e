/**
 * Digital zoom of the large picture. Pure: positions are CSS pixels from the middle of the picture's area.
 *
 * A point of the picture at `p` is shown at `p * scale + pan`. The pan is kept so small that the area stays covered.
 */

export const MOST = 8;
/** Below this a zoom is a slip of the fingers: back to the whole picture. */
const WHOLE_BELOW = 1.02;

export class Zoom {
  #scale = 1;
  #x = 0;
  #y = 0;
  #width = 0;
  #height = 0;

  get scale() {
    return this.#scale;
  }

  get x() {
    return this.#x;
  }

  get y() {
    return this.#y;
  }

  get zoomed() {
    return this.#scale > 1;
  }

  /** The area has this size now. */
  resize(width, height) {
    this.#width = width;
    this.#height = height;
    this.#keepCovered();
  }

  /** Multiplies the scale; the point of the picture under (x, y) stays where it is. */
  by(factor, x = 0, y = 0) {
    const before = this.#scale;
    const wanted = Math.min(MOST, Math.max(1, before * factor));
    this.#scale = wanted < WHOLE_BELOW ? 1 : wanted;
    const grown = this.#scale / before;
    this.#x = x - (x - this.#x) * grown;
    this.#y = y - (y - this.#y) * grown;
    this.#keepCovered();
  }

  /** Moves the picture. */
  pan(dx, dy) {
    this.#x += dx;
    this.#y += dy;
    this.#keepCovered();
  }

  reset() {
    this.#scale = 1;
    this.#keepCovered();
  }

  #keepCovered() {
    const roomX = (this.#width * (this.#scale - 1)) / 2;
    const roomY = (this.#height * (this.#scale - 1)) / 2;
    this.#x = clamp(this.#x, roomX);
    this.#y = clamp(this.#y, roomY);
  }
}

function clamp(value, room) {
  return Math.min(room, Math.max(-room, value)) || 0;
}
