/** A modal window with a heading and a way out. The browser's own `<dialog>` keeps the focus inside and gives it back. */
import { icon } from "./icons.js";

let opened = 0;

/**
 * Opens a dialog; it is taken out of the page when it closes.
 *
 * @returns {{dialog: HTMLDialogElement, body: HTMLElement}}
 */
export function openDialog(title, closeLabel, className) {
  opened += 1;
  const dialog = document.createElement("dialog");
  dialog.className = `dialog ${className}`;
  const heading = element("h2", "dialog-title", title);
  heading.id = `dialog-title-${opened}`;
  dialog.setAttribute("aria-labelledby", heading.id);
  const close = element("button", "tool");
  close.type = "button";
  close.title = closeLabel;
  close.setAttribute("aria-label", closeLabel);
  close.append(icon("close"));
  close.addEventListener("click", () => dialog.close());
  const head = element("header", "dialog-head");
  head.append(heading, close);
  const body = element("div", "dialog-body");
  dialog.append(head, body);
  // A click on the backdrop counts as one on the dialog itself, outside of its box.
  dialog.addEventListener("pointerdown", (event) => {
    if (event.target !== dialog) return;
    const box = dialog.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, body };
}

/** An element with class and text. */
export function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/** A button with an icon and words. */
export function button(className, iconName, text, action) {
  const node = element("button", className);
  node.type = "button";
  if (iconName) node.append(icon(iconName));
  node.append(element("span", "", text));
  node.addEventListener("click", action);
  return node;
}
