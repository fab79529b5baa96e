/**
 * `/?kiosk=1`: a wall screen that nobody attends. No bar, no pointer, the screen stays on, and whatever ends is begun again.
 *
 * The pure part is `isKiosk` and `withoutToken`; the rest talks to the browser.
 */

const TOKEN_KEY = "gateway.kiosk_token";
/** Somebody may log in on this machine meanwhile, or the gateway gets its key back. */
const RETRY_MS = 5000;

/** True if the query of an address asks for it. */
export function isKiosk(search) {
  const value = new URLSearchParams(search).get("kiosk");
  return value !== null && value !== "0";
}

/** The query of an address without credentials, and the token that was in it. */
export function withoutToken(search) {
  const query = new URLSearchParams(search);
  const token = query.get("token");
  for (const name of ["token", "user", "pass"]) query.delete(name);
  return { search: query.toString() && `?${query}`, token };
}

export class Kiosk {
  #storage;
  #notice;
  #lock = null;
  #version = document.body.dataset.version;
  #renewedAt = -Infinity;

  /** `notice` is shown while the session has ended and cannot be renewed. */
  constructor(storage, notice) {
    this.#storage = storage;
    this.#notice = notice;
  }

  start() {
    document.body.classList.add("kiosk");
    const { search, token } = withoutToken(window.location.search);
    if (token) {
      this.#remember(token);
      // A token on the screen of a wall can be read by whoever passes.
      history.replaceState(history.state, "", `/${search}${window.location.hash}`);
    }
    this.#keepScreenOn();
    document.addEventListener("visibilitychange", () => this.#keepScreenOn());
  }

  /** The session has ended. Resolves when it is worth asking the gateway again. */
  async renewSession() {
    this.#notice.hidden = false;
    const token = this.#token();
    // A session that ends as soon as it was made (cookies forbidden) is not to be made in a circle.
    const lately = performance.now() - this.#renewedAt < RETRY_MS;
    if (token && !lately && (await this.#logIn(token))) {
      this.#renewedAt = performance.now();
      return;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS);
    });
  }

  /** The gateway answers; `version` is what it says of itself. A new one has a new wall. */
  answered(version) {
    this.#notice.hidden = true;
    if (version && this.#version && version !== this.#version) window.location.reload();
  }

  async #logIn(token) {
    try {
      const response = await fetch(`/?token=${encodeURIComponent(token)}`, { cache: "no-store", signal: AbortSignal.timeout(RETRY_MS) });
      return response.ok && !new URL(response.url).pathname.startsWith("/login");
    } catch {
      return false;
    }
  }

  async #keepScreenOn() {
    if (document.hidden || !navigator.wakeLock || (this.#lock && !this.#lock.released)) return;
    try {
      this.#lock = await navigator.wakeLock.request("screen");
    } catch {
      // Low battery, or the power settings of the system decide. The pictures do not depend on it.
    }
  }

  #remember(token) {
    try {
      this.#storage?.setItem(TOKEN_KEY, token);
    } catch {
      // Then the screen stays dark after a new password until somebody opens the address again.
    }
  }

  #token() {
    try {
      return this.#storage?.getItem(TOKEN_KEY) ?? null;
    } catch {
      return null;
    }
  }
}
