/**
 * Counts the frames a video element really presents. Everything the wall says about a picture rests on this.
 */

/** Where the browser cannot tell of single frames, its frame counter is read this often. */
const COUNTER_INTERVAL_MS = 200;

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
