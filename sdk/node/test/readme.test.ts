/** Every plugin in the README runs as it stands there. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import * as sdk from "../src/index.js";
import { Client, socketPath } from "./client.js";
import { MetadataRequest, MetadataResponse } from "../src/wire/messages.js";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const plugins = Array.from(readme.matchAll(/^```js\n(.*?)^```$/gms), ([, code]) => code as string);

describe("README", () => {
  for (const [number, code] of plugins.entries()) {
    const [, name] = /name: "([a-z-]+)"/.exec(code)!;
    it(`${name} runs`, async (test) => {
      const file = fileURLToPath(new URL(`readme-${number}.js`, import.meta.url));
      writeFileSync(file, code);
      const socket = socketPath(test);
      const plugin = spawn(process.execPath, [file], {
        env: { PATH: process.env.PATH, PLUGIN_MODE: "grpc", PLUGIN_SOCKET: socket },
      });
      test.after(() => plugin.kill("SIGKILL"));
      const ended = once(plugin, "close");
      const [line] = await once(createInterface({ input: plugin.stderr }), "line");
      assert.equal("listening", JSON.parse(line).message);
      const client = new Client(`unix:${socket}`);
      test.after(() => client.close());
      assert.equal(name, (await client.call("GetMetadata", [MetadataRequest, MetadataResponse])).name);
      plugin.kill("SIGTERM");
      assert.deepEqual([0, null], await ended);
    });
  }

  it("names everything that the package exports", () => {
    const missing = Object.keys(sdk).filter((name) => !new RegExp(`\\b${name}\\b`).test(readme));
    assert.deepEqual([], missing);
  });
});
