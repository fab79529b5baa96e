/**
 * The players on a tile: the one that plays, and the one before it, which goes on until the new one shows its first picture.
 *
 * So there is no black between sub and main stream, muted and heard, one way and another; and the last picture of a player that
 * ended stays on the tile, behind whatever comes next. The tile decides when; this knows how.
 */

/** A running player stays on the tile until the next one shows something, but not for ever. */
const HANDOVER_MS = 8000;

export class TilePlayers {
  #view;
  #outgoing = null;
  #outgoingUntil = 0;

  /** The `Transport` (see transport.js) that plays, null if none does. */
  current = null;
  /** It has shown a picture. */
  showing = false;

  /** @param {import("./tile-view.js").TileView} view */
  constructor(view) {
    this.#view = view;
  }

  /** Words of a player that has been replaced no longer count; its pictures do as long as they are shown. */
  isOutgoing(player) {
    return player !== null && player === this.#outgoing;
  }

  /** Makes room for the next player: with `keep` the one that plays goes on for now, else it is closed. */
  makeRoom(keep, now) {
    if (!keep) {
      this.close();
      return;
    }
    this.#dismiss();
    this.#outgoing = this.current;
    this.#outgoing.setMuted(true);
    this.#outgoingUntil = now + HANDOVER_MS;
    this.current = null;
  }

  /** Puts the next player on the tile, unseen while the last one goes on. It still has to be started. */
  put(player) {
    this.current = player;
    this.showing = false;
    player.element.style.opacity = this.#outgoing ? "0" : "";
    this.#view.media.append(player.element);
  }

  /** The player has presented its first picture, or one more. */
  shown() {
    if (this.showing) return;
    this.showing = true;
    this.current.element.style.opacity = "";
    this.#view.mediaHasPicture(true);
    this.#dismiss();
  }

  /** To be called several times a second. */
  tick(now) {
    if (this.#outgoing && now >= this.#outgoingUntil) this.#dismiss();
  }

  /** Draws the picture that is seen; false if there is none. */
  capture(canvas) {
    const seen = this.showing ? this.current : this.#outgoing;
    return Boolean(seen?.capture(canvas));
  }

  /** Stops everything; the last picture stays on the tile. */
  close() {
    this.#dismiss();
    const player = this.current;
    if (!player) return;
    if (this.showing) player.capture(this.#view.still);
    this.#view.mediaHasPicture(false);
    this.current = null;
    this.showing = false;
    player.stop();
  }

  #dismiss() {
    const outgoing = this.#outgoing;
    if (!outgoing) return;
    this.#outgoing = null;
    if (!this.showing) {
      outgoing.capture(this.#view.still);
      this.#view.mediaHasPicture(false);
      if (this.current) this.current.element.style.opacity = "";
    }
    outgoing.stop();
  }
}
