/** The work alone; `flowctl test .` tries the whole plugin. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { Message } from "cdpplugin";

import { JsonLines } from "../json-lines.js";

it("writes a line for each message", async (test) => {
  const folder = await mkdtemp(join(tmpdir(), "my-plugin-"));
  test.after(() => rm(folder, { recursive: true }));
  const lines = new JsonLines();
  lines.configure({ path: folder });
  await lines.start({ pipeline: "test", stage: "lines" });
  for (const number of [1, 2]) await lines.consume(new Message({ id: "a", type: "number", payload: { number } }));
  await lines.stop();
  const written = await readFile(join(folder, "test.lines.jsonl"), "utf8");
  const expected = [1, 2].map((number) => `{"id":"a","type":"number","payload":{"number":${number}}}\n`);
  assert.equal(expected.join(""), written);
});
