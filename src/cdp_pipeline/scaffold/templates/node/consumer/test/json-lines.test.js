/** The plugin as a host runs it, in a process of its own. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { startTestPluginProcess } from "cdpplugin/testing";

const FILE = fileURLToPath(new URL("../index.js", import.meta.url));

it("writes a line for each message", async (test) => {
  const path = await mkdtemp(join(tmpdir(), "my-plugin-"));
  test.after(() => rm(path, { recursive: true }));
  const stage = { pipeline: "test", stage: "lines" };
  const plugin = await startTestPluginProcess(FILE, { config: { path }, stage });
  await plugin.consume([1, 2].map((number) => ({ id: "a", type: "number", payload: { number } })));
  await plugin.stop();
  const written = await readFile(join(path, "test.lines.jsonl"), "utf8");
  const expected = [1, 2].map((number) => `{"id":"a","type":"number","payload":{"number":${number}}}\n`);
  assert.equal(expected.join(""), written);
});
