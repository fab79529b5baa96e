/**
 * The worker in which all muted tiles of a page are decoded and drawn, so that a busy page does not stop a picture.
 *
 * The page sends `open` (id, canvas), `config`, `frame`, `close`; it gets `presented` (a list: one message for all tiles
 * that changed in the same moment), `dropped` and `failed`.
 */
import { TileDecoder } from "./tile-decoder.js";

/** A page out of sight has no animation frames; its pictures are reported all the same. */
const UNSEEN_REPORT_MS = 100;

const decoders = new Map();
let presented = [];
let timer = null;

/** What is drawn reaches the screen with the next animation frame: only from then on may the page call it shown. */
function report(id, shown) {
  if (!presented.length) {
    timer = setTimeout(post, UNSEEN_REPORT_MS);
    self.requestAnimationFrame?.(post);
  }
  presented.push({ id, ...shown });
}

function post() {
  clearTimeout(timer);
  if (!presented.length) return;
  self.postMessage({ type: "presented", shown: presented });
  presented = [];
}

self.addEventListener("message", ({ data: message }) => {
  carryOut(message).catch((error) => {
    // What goes wrong with one tile must not take the worker from all the others.
    console.error("decoding failed", error);
    self.postMessage({ type: "failed", id: message.id, detail: error.message });
  });
});

async function carryOut(message) {
  const { type, id } = message;
  if (type === "open") {
    decoders.set(id, new TileDecoder(message.canvas, {
      presented: (shown) => report(id, shown),
      dropped: (pictures) => self.postMessage({ type: "dropped", id, pictures }),
      failed: (detail) => self.postMessage({ type: "failed", id, detail }),
    }));
  } else if (type === "config") {
    decoders.get(id)?.configure(message.config);
  } else if (type === "frame") {
    const { buffer, offset, length, ...picture } = message.picture;
    await decoders.get(id)?.decode({ ...picture, data: new Uint8Array(buffer, offset, length) });
  } else if (type === "close") {
    decoders.get(id)?.close();
    decoders.delete(id);
  }
}
