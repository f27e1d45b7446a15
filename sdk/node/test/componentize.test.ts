/** What becomes a component: the plugin of a file, bundled for an engine without Node. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { bundle } from "../src/componentize/bundle.js";
import { functionsOf, worldOf } from "../src/componentize/componentize.js";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const COMMAND = fileURLToPath(new URL("../src/componentize/main.js", import.meta.url));
const EVERY = ["metadata", "configure", "start", "process", "process-batch", "health", "stop"];
const STATE = ["export-state", "import-state"];

/** A folder of a plugin, in which this SDK is installed. */
function folderOf(test: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "cdp-test-"));
  test.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(PACKAGE, join(folder, "node_modules", "cdpplugin"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** The module that a file becomes, written beside it. */
async function bundled(test: TestContext, text: string, args: string[] = []) {
  const folder = folderOf(test, { "index.js": text, "package.json": '{"type":"module"}' });
  const { code, absent } = await bundle(join(folder, "index.js"), args);
  const module = join(folder, "component.mjs");
  writeFileSync(module, code);
  return { module, code, absent };
}

/** What the functions of a module answer, called one after another in a process of its own. */
function answers(module: string, calls: string): any {
  const program = `import * as component from ${JSON.stringify(`file://${module}`)};
    import { writeSync } from "node:fs";
    const told = [];
    for (const call of [${calls}]) {
      try { told.push(await call(component)); } catch (thrown) { told.push(thrown); }
    }
    writeSync(1, JSON.stringify(told));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program]);
  return JSON.parse(stdout.toString() || assert.fail(stderr.toString()));
}

describe("a bundle", () => {
  it("holds the SDK without gRPC, and no import is left", async (test) => {
    const { code, absent } = await bundled(test, 'import { serveProcessor } from "cdpplugin"; serveProcessor({}, () => null);');
    assert.doesNotMatch(code, /grpc-js|http2|^import /m);
    assert.deepEqual([], absent);
  });

  it("answers as the plugin that the file serves, with its arguments", async (test) => {
    const { module } = await bundled(
      test,
      `import { serveProcessor } from "cdpplugin";
       const [, file, name] = process.argv;
       await serveProcessor({ name: name + "-" + file, version: "1.0.0" }, (message) => {
         if (message.payload === 0) process.exit(3);
         return message;
       });`,
      ["named"],
    );
    const message = (payload: number) =>
      `{"id":"a","type":"","payload":${payload},"metadata":{},"source":{},"trace_id":"","content_type":""}`;
    const calls = [
      "async (c) => JSON.parse(c.metadata()).name",
      `(c) => c.processBatch(${JSON.stringify(`[${message(1)},${message(0)}]`)})`,
    ];
    const [name, answered] = answers(module, calls.join());
    assert.equal("named-index.js", name);
    const [first, second] = JSON.parse(answered);
    assert.deepEqual([{ id: "a", payload: 1 }], first.outputs);
    assert.match(second.error.message, /process\.exit\(3\)/);
  });

  it("what it calls of Node fails, and says so; what it does not call does no harm", async (test) => {
    const { module, absent } = await bundled(
      test,
      `import { readFileSync } from "node:fs";
       import { join } from "path";
       import { serveProcessor } from "cdpplugin";
       serveProcessor({ name: "p", version: "1.0.0" }, () => readFileSync(join("a", "b")));`,
    );
    assert.deepEqual(["node:fs", "node:path"], absent);
    const message = `{"id":"a","type":"","payload":1,"metadata":{},"source":{},"trace_id":"","content_type":""}`;
    const [told] = answers(module, `(c) => c.process(${JSON.stringify(message)})`);
    assert.match(JSON.parse(told).message, /`node:path`.`join` does not exist in a component/);
  });

  it("takes what packages have for a component", async (test) => {
    const folder = folderOf(test, {
      "package.json": '{"type":"module","imports":{"#where":{"component":"./there.js","default":"./here.js"}}}',
      "there.js": 'export const where = "found-in-a-component";',
      "here.js": 'export const where = "found-in-a-process";',
      "index.js": 'import { where } from "#where"; import { serveProcessor } from "cdpplugin"; serveProcessor({ name: where }, () => null);',
    });
    const { code } = await bundle(join(folder, "index.js"), []);
    assert.match(code, /found-in-a-component/);
    assert.doesNotMatch(code, /found-in-a-process/);
  });

  it("may come from TypeScript", async (test) => {
    const folder = folderOf(test, {
      "package.json": '{"type":"module"}',
      "index.ts":
        'import { type Message, serveProcessor } from "cdpplugin"; serveProcessor({ name: "typed", version: "1.0.0" }, (m: Message): Message => m);',
    });
    writeFileSync(join(folder, "component.mjs"), (await bundle(join(folder, "index.ts"), [])).code);
    assert.deepEqual(["typed"], answers(join(folder, "component.mjs"), "(c) => JSON.parse(c.metadata()).name"));
  });

  it("what cannot be found is named", async (test) => {
    await assert.rejects(bundled(test, 'import "nowhere-to-be-found";'), {
      code: "plugin.build_failed",
      message: /nowhere-to-be-found/,
    });
  });
});

describe("the functions of a plugin", () => {
  const serving = (served: string) => `import * as sdk from "cdpplugin"; ${served}`;

  it("are all, or all but those for state", async (test) => {
    const plain = await bundled(test, serving('sdk.serveProcessor({ name: "p", version: "1.0.0" }, () => null)'));
    assert.deepEqual(EVERY, functionsOf(plain.module, "index.js"));
    const methods = "metadata: () => ({ name: 'p', version: '1.0.0' }), processBatch() {}, exportState() {}, importState() {}";
    const stateful = await bundled(test, serving(`sdk.serve({ ${methods} })`));
    assert.deepEqual([...EVERY, ...STATE], functionsOf(stateful.module, "index.js"));
  });

  for (const [served, said] of [
    ["", /serves 0/],
    ['for (const name of ["a", "b"]) sdk.serveProcessor({ name, version: "1.0.0" }, () => null)', /serves 2/],
    ['sdk.serveSource({ name: "s", version: "1.0.0" }, function* () {})', /is a source/],
    ['sdk.serveProcessor({ name: "p", version: "1.0.0", inputEncoding: "xdr" }, () => null)', /`xdr`/],
  ] as const) {
    it(`${said}: what cannot be a component is refused`, async (test) => {
      const { module } = await bundled(test, serving(served));
      assert.throws(() => functionsOf(module, "index.js"), { code: "plugin.component_unsupported", message: said });
    });
  }

  it("a file that cannot be run is named", async (test) => {
    const { module } = await bundled(test, 'throw new Error("on purpose");');
    assert.throws(() => functionsOf(module, "index.js"), { code: "plugin.build_failed", message: /`index.js`/ });
  });

  it("make a world that is the specified one, or a part of it", () => {
    const specified = readFileSync(new URL("../../../../spec/wit/plugin.wit", import.meta.url), "utf8");
    assert.equal(specified, worldOf([...EVERY, ...STATE]));
    assert.equal(EVERY.length, worldOf(EVERY).match(/export /g)?.length);
    assert.doesNotMatch(worldOf(EVERY), /state/);
  });
});

describe("the command", () => {
  const run = (folder: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [COMMAND, ...args], { cwd: folder });
    return [status, stderr.toString()] as const;
  };

  it("says what is missing, and how to get it", (test) => {
    const folder = folderOf(test, { "index.js": "" });
    const [status, said] = run(folder, "index.js", "-o", "plugin.wasm");
    assert.equal(1, status);
    assert.match(said, /error\[plugin.sdk_incomplete\]: .*componentize-js/);
    assert.match(said, /hint: npm install --save-dev /);
  });

  it("without a file says how it is called", (test) => {
    const [status, said] = run(folderOf(test, {}));
    assert.equal(1, status);
    assert.match(said, /cdpplugin-componentize FILE/);
  });
});
