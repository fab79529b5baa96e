/**
 * Making and changing a view of this device: a name, which cameras, and their order, by dragging or with buttons.
 */
import { button, element, openDialog } from "./dialog.js";
import { icon } from "./icons.js";
import { moved } from "./views.js";

const LONGEST_NAME = 60;

/**
 * @param {object} options
 * @param {{id: string, name: string|null, cameras: string[]}|null} options.view null for a new one
 * @param {object[]} options.cameras all of them, as the API describes them
 * @param {string[]} options.chosen ids that are in it at first
 * @param {object} options.i18n
 * @param {(view: {name: string, cameras: string[]}) => void} options.save
 * @param {(() => void)|null} options.remove
 */
export function editView({ view, cameras, chosen, i18n, save, remove }) {
  const title = view ? i18n.t("editor.change") : i18n.t("editor.new");
  const { dialog, body } = openDialog(title, i18n.t("dialog.close"), "editor");
  const names = new Map(cameras.map((camera) => [camera.id, camera.name]));
  let order = [...chosen, ...cameras.map((camera) => camera.id).filter((id) => !chosen.includes(id))];
  const picked = new Set(chosen);

  const form = element("form", "editor-form");
  form.method = "dialog";
  const nameLabel = element("label", "field-label", i18n.t("editor.name"));
  nameLabel.htmlFor = "view-name";
  const name = element("input", "field");
  name.id = "view-name";
  name.maxLength = LONGEST_NAME;
  name.required = true;
  name.value = view?.name ?? "";
  name.autocomplete = "off";
  const hint = element("p", "field-label", i18n.t("editor.cameras"));
  const list = element("ol", "editor-list");
  list.setAttribute("aria-label", i18n.t("editor.cameras"));
  const trouble = element("p", "dialog-warning", i18n.t("editor.none"));
  trouble.hidden = true;

  const move = (id, target, focus) => {
    order = moved(order, id, target);
    render();
    if (focus) list.querySelector(`[data-camera="${id}"] [data-move="${focus}"]`)?.focus();
  };

  const row = (id, index) => {
    const item = element("li", "editor-row");
    item.dataset.camera = id;
    item.draggable = true;
    const label = element("label", "check");
    const box = element("input");
    box.type = "checkbox";
    box.checked = picked.has(id);
    box.addEventListener("change", () => {
      if (box.checked) picked.add(id);
      else picked.delete(id);
      trouble.hidden = true;
    });
    const mark = element("span", "check-mark");
    mark.append(icon("check"));
    label.append(box, mark, element("span", "check-text", names.get(id)));
    item.append(label);
    for (const [way, sign, target] of [["up", "up", order[index - 1]], ["down", "down", order[index + 1]]]) {
      const arrow = element("button", "tool");
      arrow.type = "button";
      arrow.dataset.move = way;
      arrow.disabled = target === undefined;
      arrow.setAttribute("aria-label", i18n.t(`editor.${way}`, { name: names.get(id) }));
      arrow.append(icon(sign));
      arrow.addEventListener("click", () => move(id, target, way));
      item.append(arrow);
    }
    const grip = element("span", "grip");
    grip.append(icon("drag"));
    item.append(grip);
    item.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("text/plain", id);
      event.dataTransfer.effectAllowed = "move";
      item.classList.add("dragged");
    });
    item.addEventListener("dragend", () => item.classList.remove("dragged"));
    item.addEventListener("dragover", (event) => event.preventDefault());
    item.addEventListener("drop", (event) => {
      event.preventDefault();
      move(event.dataTransfer.getData("text/plain"), id, null);
    });
    return item;
  };

  const render = () => list.replaceChildren(...order.map(row));

  const actions = element("div", "dialog-actions");
  if (remove) {
    actions.append(button("plain danger", "remove", i18n.t("editor.remove"), () => {
      dialog.close();
      remove();
    }));
  }
  const confirm = element("button", "primary", i18n.t("editor.save"));
  confirm.type = "submit";
  actions.append(element("span", "spring"), confirm);
  form.addEventListener("submit", (event) => {
    const ids = order.filter((id) => picked.has(id));
    const text = name.value.trim();
    trouble.hidden = ids.length > 0;
    if (!ids.length || !text) {
      event.preventDefault();
      return;
    }
    save({ name: text, cameras: ids });
  });
  form.append(nameLabel, name, hint, list, trouble, actions);
  body.append(form);
  render();
  name.focus();
}
