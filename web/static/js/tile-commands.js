/** What can be asked of a tile with a key or a button: sound, a picture to keep, figures, addresses. */
import { savePicture } from "./save-picture.js";
import { showAddresses } from "./share.js";
import { Sound } from "./sound.js";
import { StatsPanel } from "./stats.js";

export class TileCommands {
  #i18n;
  #announcer;
  #clock;
  #sound = new Sound();
  #panels = null;

  constructor({ i18n, announcer, clock }) {
    this.#i18n = i18n;
    this.#announcer = announcer;
    this.#clock = clock;
  }

  /** The tile that is heard, or null. */
  get heard() {
    return this.#sound.tile;
  }

  get showsStats() {
    return this.#panels !== null;
  }

  toggleSound(tile, camera) {
    const hear = this.#sound.tile !== tile;
    if (hear && !audible(camera)) {
      this.#announcer.tell(this.#i18n.t("announce.no_sound", { name: tile.name }));
      return;
    }
    this.#sound.choose(hear ? tile : null);
    this.#announcer.tell(this.#i18n.t(hear ? "announce.sound_on" : "announce.sound_off", { name: tile.name }));
  }

  async savePicture(tile) {
    const name = await savePicture(tile, tile.diagnostics().lastFrameAt ?? this.#clock.now());
    this.#announcer.tell(name ? this.#i18n.t("announce.saved", { name }) : this.#i18n.t("tile.no_picture_yet"));
  }

  share(camera) {
    showAddresses(camera, { i18n: this.#i18n, announcer: this.#announcer });
  }

  toggleStats(shown) {
    for (const panel of this.#panels?.values() ?? []) panel.remove();
    this.#panels = this.#panels ? null : new Map();
    document.body.classList.toggle("with-stats", this.showsStats);
    this.updateStats(shown);
  }

  /** Once a second: the figures of the tiles on the screen. */
  updateStats(shown) {
    if (!this.#panels) return;
    for (const [tile, panel] of this.#panels) {
      if (shown.includes(tile)) continue;
      panel.remove();
      this.#panels.delete(tile);
    }
    for (const tile of shown) {
      if (this.#panels.has(tile)) this.#panels.get(tile).update();
      else this.#panels.set(tile, new StatsPanel(tile, this.#i18n));
    }
  }

  /** The screen shows these tiles now. */
  follow(shown) {
    this.#sound.keepTo(shown);
    this.updateStats(shown);
  }
}

/** True if one of a camera's streams has sound. */
export function audible(camera) {
  return camera?.streams.some((stream) => stream.audio) ?? false;
}
