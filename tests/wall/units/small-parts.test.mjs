import assert from "node:assert/strict";
import { test } from "node:test";
import { isKiosk, withoutToken } from "../../../web/static/js/kiosk.js";
import { pictureName } from "../../../web/static/js/save-picture.js";
import { onSwipe, swipeOf } from "../../../web/static/js/swipe.js";

test("a kiosk is asked for in the address, and can be asked not to be", () => {
  assert.deepEqual(["?kiosk=1", "?a=b&kiosk", "?kiosk=0", "", "?x=kiosk"].map(isKiosk), [true, true, false, false, false]);
});

test("credentials are taken out of the address and leave the rest as it was", () => {
  assert.deepEqual(withoutToken("?kiosk=1&token=a%2Fb"), { search: "?kiosk=1", token: "a/b" });
  assert.deepEqual(withoutToken("?token=abc"), { search: "", token: "abc" });
  assert.deepEqual(withoutToken("?kiosk=1&x=a%26b"), { search: "?kiosk=1&x=a%26b", token: null });
});

test("a saved picture is named so that every system takes it", () => {
  const date = new Date(2026, 10, 22, 4, 5, 6);
  assert.equal(pictureName("Yard", date), "Yard 2026-11-22 04.05.06.png");
  assert.equal(pictureName('a/b\\c:"d"?\u0000', date), "a b c d 2026-11-22 04.05.06.png");
  assert.equal(pictureName("///", date), "camera 2026-11-22 04.05.06.png");
  assert.equal(pictureName("大门", date), "大门 2026-11-22 04.05.06.png");
});

test("a swipe is quick, long and sideways", () => {
  assert.equal(swipeOf({ dx: -90, dy: 10, ms: 200 }), 1);
  assert.equal(swipeOf({ dx: 90, dy: -30, ms: 300 }), -1);
  for (const none of [{ dx: 30, dy: 0, ms: 100 }, { dx: 90, dy: 80, ms: 200 }, { dx: 200, dy: 0, ms: 1500 }]) assert.equal(swipeOf(none), 0);
});

test("a finger that steers a camera turns no page", () => {
  const listeners = {};
  const turns = [];
  onSwipe({ addEventListener: (name, listener) => { listeners[name] = listener; } }, () => true, (way) => turns.push(way));
  const swipe = (control) => {
    const target = { closest: () => control };
    listeners.touchstart({ touches: [{ clientX: 200, clientY: 50 }], target, timeStamp: 0 });
    listeners.touchend({ touches: [], changedTouches: [{ clientX: 100, clientY: 50 }], timeStamp: 300 });
  };
  swipe({});
  assert.deepEqual(turns, []);
  swipe(null);
  assert.deepEqual(turns, [1]);
});
