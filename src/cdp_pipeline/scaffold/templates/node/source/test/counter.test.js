/** The work alone; `flowctl test .` tries the whole plugin. */

import assert from "node:assert/strict";
import { it } from "node:test";

import { read } from "../counter.js";

it("counts as far as it is told", () => {
  const squares = Array.from(read({ count: 3 }), ({ payload }) => payload.square);
  assert.deepEqual([1, 4, 9], squares);
});

it("gives the same at every run", () => {
  const run = () => Array.from(read({}), ({ payload }) => payload.number);
  assert.deepEqual(run(), run());
  assert.equal(10, run().length);
});
