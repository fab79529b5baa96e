/**
 * What all players with a video element share: the element, its presented frames, and its will to play.
 *
 * A subclass has `attach`, `detach`, `catchUp` and `wallTime` (see `Transport` in transport.js).
 */
import { drawStill, watchFrames } from "./frames.js";

export class VideoTransport {
  moving = true;
  #stopFrames = null;

  constructor(events) {
    this.events = events;
    this.element = liveVideo();
  }

  start() {
    this.#stopFrames = watchFrames(this.element, (mediaTime) => this.events.onFrame(this.wallTime(mediaTime)));
    this.attach();
    this.play();
  }

  stop() {
    this.#stopFrames?.();
    this.detach();
    // Removing the source and loading nothing is what gives the decoder back.
    this.element.removeAttribute("src");
    this.element.load();
    this.element.remove();
  }

  play() {
    this.element.play()?.catch((error) => {
      // AbortError: a new load came in between. Everything else but a refusal shows up as missing frames.
      if (error.name === "NotAllowedError") this.events.onProblem({ kind: "blocked", detail: error.message });
    });
  }

  setMuted(muted) {
    this.element.muted = muted;
    this.element.toggleAttribute("muted", muted);
  }

  stats() {
    const { videoWidth, videoHeight } = this.element;
    const dropped = this.element.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    return videoWidth ? { width: videoWidth, height: videoHeight, dropped } : {};
  }

  keepUp() {
    // Engines pause a muted video on their own (power saving, a lost audio device, a late first frame).
    if (this.element.paused) this.play();
    this.catchUp();
  }

  capture(canvas) {
    const video = this.element;
    return video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA
      && drawStill(video, video.videoWidth, video.videoHeight, canvas);
  }
}

function liveVideo() {
  const video = document.createElement("video");
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  video.controls = false;
  video.disableRemotePlayback = true; // ManagedMediaSource opens only with it
  video.disablePictureInPicture = true;
  video.tabIndex = -1;
  video.setAttribute("aria-hidden", "true");
  // iPhone and the X5 engine of Android WeChat would otherwise take the video to full screen.
  for (const name of ["muted", "playsinline", "webkit-playsinline", "x5-playsinline"]) video.setAttribute(name, "");
  video.setAttribute("x5-video-player-type", "h5-page"); // in the page, not in a layer above it
  return video;
}
