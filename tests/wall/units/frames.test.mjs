import assert from "node:assert/strict";
import test from "node:test";
import { FrameRate } from "../../../web/static/js/frames.js";

test("the frame rate is that of the last seconds, and falls when pictures stop", () => {
  const rate = new FrameRate();
  assert.equal(rate.perSecond(0), 0);
  for (let at = 0; at < 10000; at += 100) rate.add(at);
  assert.ok(Math.abs(rate.perSecond(9900) - 10) < 0.1);
  assert.ok(rate.perSecond(11900) < 6);
  assert.equal(rate.perSecond(20000), 0);
});
