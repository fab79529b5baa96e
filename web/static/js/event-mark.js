/** The small mark on a tile that says what the camera reports: motion, tampering, a contact. Writes only what changes. */

/** These are about the camera itself and must not be overlooked. */
const GRAVE = new Set(["tamper", "signal-loss", "storage-failure"]);

/** What a mark says of `events` (as in the API): the kinds that go on, the grave ones first. */
export function activeKinds(events) {
  const kinds = [...new Set((events?.active ?? []).map(({ kind }) => kind))];
  return kinds.sort((a, b) => Number(GRAVE.has(b)) - Number(GRAVE.has(a)));
}

export class EventMark {
  #node;
  #i18n;
  #shown = null;

  /** Puts itself into the lower bar of a tile, before the clock. */
  constructor(tile, i18n) {
    this.#i18n = i18n;
    this.#node = document.createElement("span");
    this.#node.className = "tile-events";
    this.#node.hidden = true;
    tile.querySelector(".tile-bar").insertBefore(this.#node, tile.querySelector(".tile-when"));
  }

  /** The camera's newest report; null for a camera that reports nothing. */
  update(events) {
    const kinds = activeKinds(events);
    const text = kinds.map((kind) => this.#i18n.t(`happens.${kind}`)).join(", ");
    if (text === this.#shown) return;
    this.#shown = text;
    this.#node.hidden = text === "";
    this.#node.textContent = text;
    this.#node.toggleAttribute("data-grave", GRAVE.has(kinds[0]));
  }
}
