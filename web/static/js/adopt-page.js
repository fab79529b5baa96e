/** The page that adds a camera (adopt.html): language, and a form that is sent without leaving the page. */
import { bindAdopt } from "./adopt.js";
import { browserI18n } from "./i18n.js";

const i18n = browserI18n();
i18n.apply(document);
i18n.bindSwitch(document.getElementById("languages"));
i18n.addEventListener("change", () => i18n.apply(document));
bindAdopt(document.getElementById("adopt"), i18n);
