/** The plugin as a host runs it, in a process of its own. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { startTestPluginProcess } from "cdpplugin/testing";

const FILE = fileURLToPath(new URL("../index.js", import.meta.url));
const transfer = (payload) => ({ type: "token_transfers", payload });

async function started(test, config = {}) {
  const plugin = await startTestPluginProcess(FILE, { config });
  test.after(() => plugin.stop());
  return plugin;
}

it("marks a large transfer", async (test) => {
  const plugin = await started(test);
  const { payload, metadata } = await plugin.process(transfer({ amount: 1500, asset: "native" }));
  assert.deepEqual({ amount: 1500, asset: "native", large: true }, payload);
  assert.deepEqual({ marked_by: "my-plugin" }, metadata);
});

it("drops what is below the amount of the configuration", async (test) => {
  const plugin = await started(test, { min_amount: 5 });
  assert.equal(null, await plugin.process(transfer({ amount: 4.9 })));
  assert.equal("small", plugin.dropped);
  assert.ok((await plugin.process(transfer({ amount: 5 }))).payload.large);
});

it("refuses a transfer without an amount", async (test) => {
  const plugin = await started(test);
  for (const payload of [{}, { amount: "much" }, { amount: null }]) {
    await assert.rejects(plugin.process(transfer(payload)), { code: "my_plugin.no_amount" });
  }
});
