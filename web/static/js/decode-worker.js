/**
 * The worker in which all muted tiles of a page are decoded and drawn, so that a busy page does not stop a picture.
 *
 * The page sends `open` (id, canvas), `config`, `frame`, `close`; it gets `presented` (a list: one message for all tiles
 * that changed in the same moment), `dropped` and `failed`.
 */
import { TileDecoder } from "./tile-decoder.js";

const decoders = new Map();
let presented = [];

function report(id, shown) {
  if (!presented.length) {
    queueMicrotask(() => {
      self.postMessage({ type: "presented", shown: presented });
      presented = [];
    });
  }
  presented.push({ id, ...shown });
}

self.addEventListener("message", ({ data: message }) => {
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
    decoders.get(id)?.decode({ ...picture, data: new Uint8Array(buffer, offset, length) });
  } else if (type === "close") {
    decoders.get(id)?.close();
    decoders.delete(id);
  }
});
