/** The list of keys, from the same table that the keys work by. */
import { element, openDialog } from "./dialog.js";
import { KEYS } from "./keyboard.js";

export function showHelp(i18n) {
  const { body } = openDialog(i18n.t("help.title"), i18n.t("dialog.close"), "help");
  const list = element("dl", "keys");
  for (const { command, shown } of KEYS) {
    const term = element("dt");
    for (const text of shown) term.append(text === "…" ? element("span", "to", text) : element("kbd", "", text));
    list.append(term, element("dd", "", i18n.t(`key.${command}`)));
  }
  body.append(list, element("p", "dialog-note", i18n.t("help.mouse")), element("p", "dialog-note", i18n.t("help.ptz")));
}
