import assert from "node:assert/strict";
import { test } from "node:test";
import { ForAWhile } from "../../../web/static/js/for-a-while.js";

test("what failed is refused until its time is over, and the end is told once", () => {
  const refused = new ForAWhile(100);
  refused.set("yard", { key: "problem.codec" }, 1000);
  refused.set("gate", true, 1050);
  assert.equal(refused.expire(1099), false);
  assert.deepEqual(refused.get("yard"), { key: "problem.codec" });
  assert.equal(refused.expire(1100), true);
  assert.deepEqual([refused.has("yard"), refused.has("gate")], [false, true]);
  assert.equal(refused.expire(1100), false);
});
