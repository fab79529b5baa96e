/**
 * The form that takes a camera over (adopt.html): sends it without leaving the page and says what came of it.
 *
 * The camera is asked meanwhile, which takes seconds; the button says so and cannot be pressed twice.
 */

/** Sends the form's fields. `{camera}` if it was adopted, `{reason: {text, code}}` or `{reason: {key}}` if not. */
export async function send(form, fetcher = fetch) {
  let answer;
  try {
    answer = await fetcher(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    const body = await answer.json();
    if (answer.ok) return { camera: body };
    return { reason: { text: body.error.message, code: body.error.code } };
  } catch {
    return { reason: { key: answer ? "adopt.failed" : "bar.gateway_lost" } };
  }
}

/** Makes the form work. `adopted(camera)` is called with `{id, name}` once the camera is served. */
export function bindAdopt(form, i18n, adopted = () => {}, fetcher = fetch) {
  const button = form.querySelector("button[type=submit]");
  const answer = form.querySelector("[role=status]");
  const say = (text, wrong) => {
    answer.textContent = text;
    answer.classList.toggle("alert", wrong);
    answer.hidden = false;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say(i18n.t("adopt.asking"), false);
    const result = await send(form, fetcher);
    if (result.camera) {
      say(i18n.t("adopt.done", { name: result.camera.name }), false);
      adopted(result.camera);
    } else {
      button.disabled = false;
      say(i18n.reason(result.reason), true);
    }
  });
}
