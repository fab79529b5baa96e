/**
 * The small arrow on a tile whose camera is sent to other servers: lit while all of them get it, and says why not.
 *
 * `pushFace` decides what it says and is pure; `PushBadge` is its DOM, written only when something changed.
 */
const SVG = "http://www.w3.org/2000/svg";
const ARROW = "M12 19V6M6 11l6-6 6 6";
const FAILING = new Set(["retrying", "refused"]);

/**
 * @param {object[]|undefined} pushes `pushes` of a camera, as the API describes them
 * @returns {{state: string, text: string}} state `live`, `busy` or `bad`; empty without pushes
 */
export function pushFace(pushes, i18n) {
  if (!pushes?.length) return { state: "", text: "" };
  const failing = pushes.some((push) => FAILING.has(push.state));
  const state = failing ? "bad" : pushes.every((push) => push.state === "live") ? "live" : "busy";
  const lines = pushes.map((push) => {
    const line = i18n.t(`push.${push.state}`, { target: push.name || push.url || i18n.t("push.somewhere") });
    const reason = pushReason(push, i18n);
    return reason ? `${line}: ${reason}` : line;
  });
  return { state, text: [i18n.t("push.heading"), ...lines].join("\n") };
}

/** The server's sentence knows more, but is English; in other languages its code is translated. */
function pushReason(push, i18n) {
  const key = `push.code.${push.code}`;
  return i18n.language !== "en" && i18n.has(key) ? i18n.t(key) : push.reason;
}

export class PushBadge {
  #shown = "";

  constructor() {
    this.element = document.createElement("span");
    this.element.className = "tile-push";
    this.element.hidden = true;
    this.element.setAttribute("role", "img");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", ARROW);
    svg.append(path);
    this.element.append(svg);
  }

  /** @param {{state: string, text: string}} face */
  show({ state, text }) {
    const wanted = `${state} ${text}`;
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    this.element.hidden = !state;
    this.element.dataset.push = state;
    this.element.title = text;
    this.element.setAttribute("aria-label", text);
  }
}
