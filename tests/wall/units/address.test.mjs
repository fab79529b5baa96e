import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, parseAddress } from "../../../web/static/js/address.js";

test("what is written is read again", () => {
  const states = [
    { view: "group:Warehouse, north & south", cameras: null, layout: "1+5", page: 2, focus: null, tour: null },
    { view: "own:1", cameras: ["gate", "yard"], layout: null, page: 0, focus: "gate", tour: 15 },
    { view: "监控", cameras: null, layout: "auto", page: 0, focus: null, tour: null },
  ];
  for (const state of states) assert.deepEqual({ ...parseAddress(formatAddress(state)), page: state.page }, state);
});

test("the ordinary wall has a bare address, and people can read the others", () => {
  assert.equal(formatAddress({ page: 0, tour: 0 }), "");
  assert.equal(formatAddress({ view: "own:1", cameras: ["a", "b"], page: 1 }), "#view=own:1&cameras=a,b&page=2");
});

test("nonsense is left out", () => {
  const empty = { view: null, cameras: null, layout: null, page: null, focus: null, tour: null };
  for (const hash of ["", "#", "#page=x&layout=9x9&tour=-1", "#layout=toString", "#page=1e9", "#%", "#cameras=,,"]) {
    assert.deepEqual(parseAddress(hash), empty, hash);
  }
  assert.equal(parseAddress("#page=0").page, 0);
  assert.deepEqual(parseAddress("#cameras=a,a,b").cameras, ["a", "b"]);
  assert.ok(parseAddress(`#view=${"x".repeat(1e6)}`).view.length < 5000);
});
