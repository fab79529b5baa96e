/**
 * Views: which cameras are on the wall, and in which order. Pure.
 *
 * There are four kinds: all cameras, the groups and the views of the configuration, and views made on this device. An
 * order that was changed by dragging belongs to this device too, whatever the kind of its view.
 */

export const ALL = "all";
const GROUP_PREFIX = "group:";
const OWN_PREFIX = "own:";
/** A view that came with a link: its author's browser knows its name, this one only its cameras. */
export const LINKED = "linked";

/**
 * @typedef {object} View
 * @property {string} id
 * @property {"all"|"group"|"site"|"own"|"linked"} kind
 * @property {string|null} name null for "all" and "linked", which have a translated one
 * @property {string[]} cameras ids, in order
 * @property {string|null} layout what the configuration proposes
 */

/**
 * All views there are.
 *
 * @param {object[]} cameras as the API describes them
 * @param {object[]} site views of the configuration, as the API describes them
 * @param {{id: string, name: string, cameras: string[]}[]} own views of this device
 * @param {Record<string, string[]>} orders by view id
 * @returns {View[]}
 */
export function catalogue(cameras, site, own, orders, linked = null) {
  const ids = cameras.map((camera) => camera.id);
  const found = [{ id: ALL, kind: "all", name: null, cameras: ids, layout: null }];
  for (const view of site) found.push({ ...view, id: view.id, kind: "site" });
  for (const name of new Set(cameras.map((camera) => camera.group).filter(Boolean))) {
    const members = cameras.filter((camera) => camera.group === name).map((camera) => camera.id);
    found.push({ id: GROUP_PREFIX + name, kind: "group", name, cameras: members, layout: null });
  }
  for (const view of own) found.push({ ...view, kind: "own", layout: null });
  if (linked) found.push({ id: LINKED, kind: "linked", name: null, cameras: linked, layout: null });
  const existing = new Set(ids);
  return found.map((view) => {
    const present = view.cameras.filter((id) => existing.has(id));
    return { ...view, cameras: ordered(present, orders[view.id]) };
  });
}

/** The view of that id, else all cameras. */
export function findView(views, id) {
  return views.find((view) => view.id === id) ?? views[0];
}

/** `ids` in the wished order; what the wish does not name keeps its place behind the one it stood behind. */
export function ordered(ids, wish) {
  if (!wish?.length) return ids;
  const present = new Set(ids);
  const result = wish.filter((id) => present.has(id));
  const placed = new Set(result);
  ids.forEach((id, index) => {
    if (placed.has(id)) return;
    const before = ids.slice(0, index).reverse().find((other) => placed.has(other));
    result.splice(before === undefined ? 0 : result.indexOf(before) + 1, 0, id);
    placed.add(id);
  });
  return result;
}

/** `ids` with `id` moved to where `target` is; the others close up. */
export function moved(ids, id, target) {
  const from = ids.indexOf(id);
  const to = ids.indexOf(target);
  if (from < 0 || to < 0 || from === to) return ids;
  const rest = ids.filter((other) => other !== id);
  rest.splice(to, 0, id);
  return rest;
}

/** An id for a new view of this device. */
export function newViewId(own) {
  let number = own.length + 1;
  while (own.some((view) => view.id === OWN_PREFIX + number)) number += 1;
  return OWN_PREFIX + number;
}
