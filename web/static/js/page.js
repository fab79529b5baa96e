/** Pages without cameras (login, errors): language, and a button that says that it is working. */
import { browserI18n } from "./i18n.js";

const i18n = browserI18n();
i18n.apply(document);
i18n.bindSwitch(document.getElementById("languages"));
i18n.addEventListener("change", () => i18n.apply(document));

const form = document.getElementById("login");
const button = form?.querySelector("button[type=submit]");
form?.addEventListener("submit", () => {
  // What stands behind the # of the page that asked for a login never reaches the server.
  if (!form.next.value.includes("#")) form.next.value += window.location.hash;
  button.disabled = true;
  button.dataset.i18n = "login.submitting";
  i18n.apply(document);
});
// A page restored by the back button is as it was left: with a dead button.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || !button) return;
  button.disabled = false;
  button.dataset.i18n = "login.submit";
  i18n.apply(document);
});
