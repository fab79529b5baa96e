/** The page on the whole screen, and back. iPhones have that for video elements only, old Safari under another name. */

/** Resolves to false where this browser has no full screen. `video` is taken instead where pages cannot have it. */
export async function toggleFullscreen(video = null) {
  const root = document.documentElement;
  const request = root.requestFullscreen ?? root.webkitRequestFullscreen;
  try {
    if (document.fullscreenElement ?? document.webkitFullscreenElement) {
      await (document.exitFullscreen ?? document.webkitExitFullscreen).call(document);
    } else if (request) {
      await request.call(root);
    } else if (video?.webkitEnterFullscreen) {
      video.webkitEnterFullscreen();
    } else {
      return false;
    }
    return true;
  } catch {
    return false; // a frame that was not given the right
  }
}
