/** The function, the plugin as a process, and what its manifest says. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { Message } from "cdpplugin";
import { startTestPluginProcess } from "cdpplugin/testing";

import { enrich, tiersOf } from "../enrich.js";

const transfer = (amount_raw) => new Message({ type: "token_transfers", payload: { asset: "native", amount_raw } });

describe("enrich", () => {
  it("adds the tier and the exact amount, with every digit of 64 bits", () => {
    const { type, payload } = enrich(transfer("9223372036854775807"), tiersOf({}));
    assert.deepEqual(
      [
        "enriched_transfer",
        { asset: "native", amount_raw: "9223372036854775807", tier: "whale", amount_exact: "922337203685.4775807" },
      ],
      [type, payload],
    );
  });

  for (const [raw, tier, exact] of [
    ["0", "small", "0.0000000"],
    ["1", "small", "0.0000001"],
    ["99999999999", "small", "9999.9999999"],
    ["100000000000", "large", "10000.0000000"],
    ["-15000000", "", "-1.5000000"],
  ]) {
    it(`${raw} stroops are ${exact}, tier "${tier}"`, () => {
      const { payload } = enrich(transfer(raw), tiersOf({}));
      assert.deepEqual([tier, exact], [payload.tier, payload.amount_exact]);
    });
  }

  it("refuses a tier whose amount is no amount", () => {
    assert.throws(() => tiersOf({ tiers: { odd: -1 } }), { code: "plugin.config_invalid" });
  });
});

describe("plugin", () => {
  const file = fileURLToPath(new URL("../index.js", import.meta.url));

  it("enriches as it is configured; a transfer without an amount is an error with a code, the others are enriched", async (test) => {
    const plugin = await startTestPluginProcess(file, { config: { tiers: { any: 0 } } });
    test.after(() => plugin.stop());
    const { outputs, rows, errors } = await plugin.processAll([transfer("1"), transfer(undefined), transfer("2")]);
    assert.deepEqual([0, 2], rows);
    assert.deepEqual(
      ["any", "any"],
      outputs.map(({ payload }) => payload.tier),
    );
    assert.deepEqual(
      [[1, "enrich.amount_invalid"]],
      Array.from(errors, ([row, error]) => [row, error.code]),
    );
  });

  it("refuses a configuration before any message comes", async () => {
    await assert.rejects(startTestPluginProcess(file, { config: { tiers: { odd: -1 } } }), { code: "plugin.config_invalid" });
  });

  it("starts as a process and ends with 0 when its host is gone", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "enrich-node-"));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    const plugin = spawn("node", ["index.js"], {
      cwd: new URL("..", import.meta.url),
      env: { PATH: process.env.PATH, PLUGIN_MODE: "grpc", PLUGIN_SOCKET: join(folder, "plugin.sock") },
    });
    const ended = once(plugin, "close");
    const [line] = await once(createInterface({ input: plugin.stderr }), "line");
    assert.equal("listening", JSON.parse(line).message);
    plugin.stdin.end();
    assert.deepEqual([0, null], await ended);
  });

  it("has the version of its manifest", () => {
    const manifest = readFileSync(new URL("../plugin.yaml", import.meta.url), "utf8");
    const code = readFileSync(new URL("../index.js", import.meta.url), "utf8");
    const [, version] = /^version: (.*)$/m.exec(manifest);
    assert.match(code, new RegExp(`version: "${version}"`));
  });
});
