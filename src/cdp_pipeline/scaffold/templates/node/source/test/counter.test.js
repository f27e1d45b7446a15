/** The plugin as a host runs it, in a process of its own. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { startTestPluginProcess } from "cdpplugin/testing";

const FILE = fileURLToPath(new URL("../index.js", import.meta.url));

async function read(config) {
  const plugin = await startTestPluginProcess(FILE, { config });
  try {
    return await plugin.read(100);
  } finally {
    await plugin.stop();
  }
}

it("counts as far as it is told", async () => {
  const { messages, ended } = await read({ count: 3 });
  assert.deepEqual([[1, 4, 9], true], [messages.map(({ payload }) => payload.square), ended]);
});

it("gives the same at every run", async () => {
  const [first, second] = [await read({}), await read({})].map(({ messages }) => messages.map(({ payload }) => payload));
  assert.deepEqual(first, second);
  assert.equal(10, first.length);
});
