/**
 * Counts the frames a video element really presents. Everything the wall says about a picture rests on this.
 */

/** Where the browser cannot tell of single frames, its frame counter is read this often. */
const COUNTER_INTERVAL_MS = 200;
/** Rates are taken over so long. */
const RATE_SPAN_MS = 3000;

/** Calls `onFrame(mediaTime)` for every presented frame (seconds on the media timeline); returns a stop function. */
export function watchFrames(video, onFrame) {
  return "requestVideoFrameCallback" in video ? watchCallbacks(video, onFrame) : watchCounter(video, onFrame);
}

function watchCallbacks(video, onFrame) {
  let handle = 0;
  const next = (_now, metadata) => {
    handle = video.requestVideoFrameCallback(next);
    onFrame(metadata.mediaTime);
  };
  handle = video.requestVideoFrameCallback(next);
  return () => video.cancelVideoFrameCallback(handle);
}

function watchCounter(video, onFrame) {
  let seen = 0;
  const timer = setInterval(() => {
    const quality = video.getVideoPlaybackQuality?.();
    const shown = quality ? quality.totalVideoFrames - quality.droppedVideoFrames : video.currentTime;
    if (shown > seen) onFrame(video.currentTime);
    seen = shown;
  }, COUNTER_INTERVAL_MS);
  return () => clearInterval(timer);
}

/** Draws what `video` shows now; false if it has no picture. */
export function drawStill(source, width, height, canvas) {
  if (!width || !height) return false;
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").drawImage(source, 0, 0, width, height);
  return true;
}

/** Pictures per second over the last moments. Times are milliseconds of any steady clock. */
export class FrameRate {
  #times = [];

  add(now) {
    this.#times.push(now);
    this.#forget(now);
  }

  perSecond(now) {
    this.#forget(now);
    const [first] = this.#times;
    const span = now - first;
    return this.#times.length > 1 && span > 0 ? ((this.#times.length - 1) * 1000) / span : 0;
  }

  #forget(now) {
    while (this.#times.length && now - this.#times[0] > RATE_SPAN_MS) this.#times.shift();
  }
}

/** Bits per second over the last moments, from pieces as they arrive. */
export class ByteRate {
  #pieces = [];
  #bytes = 0;

  add(bytes, now) {
    this.#pieces.push([now, bytes]);
    this.#bytes += bytes;
    this.#forget(now);
  }

  bitsPerSecond(now) {
    this.#forget(now);
    return (this.#bytes * 8000) / RATE_SPAN_MS;
  }

  #forget(now) {
    while (this.#pieces.length && now - this.#pieces[0][0] > RATE_SPAN_MS) this.#bytes -= this.#pieces.shift()[1];
  }
}
