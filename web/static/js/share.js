/** "Copy address": what to give to a phone, a player, a recorder or another web site, with a code for the phone's camera. */
import { cameraAddresses } from "./addresses.js";
import { icon, setIcon } from "./icons.js";
import { button, element, openDialog } from "./dialog.js";

const DONE_MS = 2000;
/** How long an address may work without a login, as the API takes it. The long ones are the admin's to give. */
const LIFETIMES = ["1h", "8h", "1d", "7d"];
const ADMINS_LIFETIMES = ["30d", "366d"];

/**
 * @param {object} camera as the API describes it
 * @param {{i18n: object, announcer: object, token?: string|null}} context `token`: one that this page was opened with
 */
export function showAddresses(camera, { i18n, announcer, token = null }) {
  const { dialog, body } = openDialog(i18n.t("share.title", { name: camera.name }), i18n.t("dialog.close"), "share");
  const options = element("div", "share-options");
  const rows = element("div", "share-rows");
  const warning = element("p", "dialog-warning");
  const side = element("figure", "share-code");
  const image = element("img");
  image.width = 200;
  image.height = 200;
  const caption = element("figcaption", "", i18n.t("share.code"));
  side.append(image, caption);
  const state = { sub: false, token: null, expires: null, lifetime: "", kind: "watch" };

  const render = () => {
    const addresses = cameraAddresses(camera, window.location.origin, state);
    rows.replaceChildren(...addresses.map((address) => addressRow(address)));
    warning.hidden = !state.token;
    warning.textContent = state.expires
      ? i18n.t("share.until", { time: new Date(state.expires * 1000).toLocaleString(i18n.language === "zh" ? "zh-CN" : "en-GB") })
      : i18n.t("share.warning");
    const shown = addresses.find((address) => address.code && address.kind === state.kind) ?? addresses[0];
    const query = new URLSearchParams({ text: shown.text });
    if (token) query.set("token", token);
    image.src = `/api/v1/qr.svg?${query}`;
    image.alt = i18n.t("share.code_of", { kind: i18n.t(`share.${shown.kind}`) });
    for (const row of rows.children) row.classList.toggle("coded", row.dataset.kind === shown.kind);
  };

  const addressRow = ({ kind, text, code }) => {
    const row = element("div", "share-row");
    row.dataset.kind = kind;
    const id = `share-${kind}`;
    const label = element("label", "share-label", i18n.t(`share.${kind}`));
    label.htmlFor = id;
    const field = element("input", "share-field");
    field.id = id;
    field.value = text;
    field.readOnly = true;
    field.addEventListener("focus", () => {
      field.select();
      if (!code || state.kind === kind) return;
      state.kind = kind;
      render();
      dialog.querySelector(`#${id}`).focus();
    });
    const copy = button("tool labelled", "copy", i18n.t("share.copy"), async () => {
      if (!(await copied(field))) return;
      setIcon(copy.firstChild, "check");
      announcer.tell(i18n.t("share.copied"));
      setTimeout(() => setIcon(copy.firstChild, "copy"), DONE_MS);
    });
    copy.setAttribute("aria-label", `${i18n.t("share.copy")}: ${i18n.t(`share.${kind}`)}`);
    row.append(label, field, copy);
    return row;
  };

  /** Asks for another signed address; one that came too late for the newest choice is thrown away. */
  const sign = async () => {
    const { lifetime, sub } = state;
    const link = lifetime ? await signed(camera.id, lifetime, sub) : null;
    if (lifetime !== state.lifetime || sub !== state.sub) return;
    state.token = link?.token ?? null;
    state.expires = link?.expires ?? null;
    if (lifetime && !link) announcer.tell(i18n.t("share.failed"));
    render();
  };

  if (camera.streams?.length > 1) {
    options.append(checkbox(i18n.t("share.sub"), (on) => {
      state.sub = on;
      if (state.lifetime) sign();
      else render();
    }));
  }
  if (token) {
    options.append(checkbox(i18n.t("share.token"), (on) => {
      state.token = on ? token : null;
      render();
    }));
  } else {
    lifetimes().then((choices) => {
      if (!choices.length) return;
      const label = element("label", "share-lifetime", i18n.t("share.access"));
      const select = element("select", "field");
      select.id = "share-lifetime";
      for (const choice of ["", ...choices]) {
        const option = element("option", "", i18n.t(choice ? `share.for_${choice}` : "share.with_login"));
        option.value = choice;
        select.append(option);
      }
      select.addEventListener("change", () => {
        state.lifetime = select.value;
        sign();
      });
      label.append(select);
      options.append(label);
    });
  }
  const left = element("div", "share-main");
  left.append(options, warning, rows, element("p", "dialog-note", i18n.t("share.note")));
  body.append(left, side);
  render();
}

/** How long an address of this user may work without a login; empty if he may give none away. */
async function lifetimes() {
  try {
    const response = await fetch("/api/v1/me", { cache: "no-store" });
    if (!response.ok) return [];
    const me = await response.json();
    if (!me.links) return [];
    return me.rights.includes("admin") ? [...LIFETIMES, ...ADMINS_LIFETIMES] : LIFETIMES;
  } catch {
    return [];
  }
}

/** A signed token for one stream, `{token, expires}`; null if the gateway gives none. */
async function signed(cameraId, lifetime, sub) {
  try {
    const query = new URLSearchParams({ lifetime, stream: sub ? "sub" : "main" });
    const response = await fetch(`/api/v1/cameras/${cameraId}/link?${query}`, { cache: "no-store" });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function checkbox(text, onChange) {
  const label = element("label", "check");
  const box = element("input");
  box.type = "checkbox";
  box.addEventListener("change", () => onChange(box.checked));
  const mark = element("span", "check-mark");
  mark.append(icon("check"));
  label.append(box, mark, element("span", "", text));
  return label;
}

/** The clipboard exists only on encrypted pages; elsewhere the selected text is copied the old way. */
async function copied(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.select();
    return document.execCommand("copy");
  }
}
