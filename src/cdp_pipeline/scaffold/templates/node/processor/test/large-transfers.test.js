/** The work alone; `flowctl test .` tries the whole plugin. */

import assert from "node:assert/strict";
import { it } from "node:test";

import { Drop, Message } from "cdpplugin";

import { process } from "../large-transfers.js";

const transfer = (payload) => new Message({ type: "token_transfers", payload });

it("marks a large transfer", () => {
  const { payload, metadata } = process(transfer({ amount: 1500, asset: "native" }), {});
  assert.deepEqual({ amount: 1500, asset: "native", large: true }, payload);
  assert.deepEqual({ marked_by: "my-plugin" }, metadata);
});

it("drops what is below the amount of the configuration", () => {
  assert.throws(() => process(transfer({ amount: 4.9 }), { min_amount: 5 }), Drop);
  assert.ok(process(transfer({ amount: 5 }), { min_amount: 5 }).payload.large);
});

it("refuses a transfer without an amount", () => {
  for (const payload of [{}, { amount: "much" }, { amount: null }]) {
    assert.throws(() => process(transfer(payload), {}), { code: "my_plugin.no_amount" });
  }
});
