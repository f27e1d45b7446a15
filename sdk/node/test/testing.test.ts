/** Plugins under test: what comes back of messages, readings, deliveries and failures. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, it, type TestContext } from "node:test";

import {
  ConfigInvalid,
  type Consumer,
  Drop,
  Fatal,
  FunctionBatchProcessor,
  Message,
  PluginError,
  type Result,
  Retry,
} from "../src/index.js";
import { startTestPlugin, startTestPluginProcess, type TestPlugin } from "../src/testing/index.js";

const identity = { name: "obedient", version: "1.0.0" };

/** Does what its message says. */
function obey(message: Message, config: { least?: number }): Result {
  switch (message.type) {
    case "drop":
      throw new Drop("told to");
    case "nothing":
      return null;
    case "retry":
      throw new Retry("later", { afterS: 1.5 });
    case "fatal":
      throw new Fatal("over", { hint: "start again" });
    case "error":
      throw new PluginError("wrong", { code: "obedient.wrong", hint: "do it right" });
    case "foreign":
      throw new RangeError("odd");
    case "twice":
      return [message, message];
  }
  const enough = message.payload.value >= (config.least ?? 0);
  return new Message({ type: "ProcessedData", payload: message.payload, metadata: { ...message.metadata, enough } });
}

const hooks = {
  configure(config: { least?: unknown }) {
    if (typeof (config.least ?? 0) !== "number") throw new ConfigInvalid("`least` is no number", { hint: "use one" });
  },
  health: () => ({ status: "degraded" as const, message: "slow", details: { why: "age" } }),
};

async function started(test: TestContext, config = {}): Promise<TestPlugin> {
  const plugin = await startTestPlugin(identity, obey, { ...hooks, config });
  test.after(() => plugin.stop());
  return plugin;
}

/** Return what `promise` is rejected with. */
const rejection = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => assert.fail("no error"), (error) => error);

describe("a processor under test", () => {
  it("gets a message with all it has, and the configuration", async (test) => {
    const plugin = await started(test, { least: 100 });
    const input = { type: "TestData", payload: { value: 9007199254740993n }, metadata: { k: "v" }, traceId: "t" };
    const output = await plugin.process(input);
    assert.deepEqual(
      ["ProcessedData", { value: 9007199254740993n }, { k: "v", enough: true }, ""],
      [output?.type, output?.payload, output?.metadata, output?.id],
    );
    assert.equal(false, (await plugin.process(new Message({ payload: { value: 99 } })))?.metadata.enough);
  });

  it("leaves a message out, and says why where it does", async (test) => {
    const plugin = await started(test);
    assert.equal(null, await plugin.process({ type: "drop" }));
    assert.equal("told to", plugin.dropped);
    assert.equal(null, await plugin.process({ type: "nothing" }));
    assert.equal("", plugin.dropped);
  });

  it("throws what the function threw", async (test) => {
    const plugin = await started(test);
    const thrown = (type: string) => rejection(plugin.process({ type }));
    const retry = await thrown("retry");
    assert.ok(retry instanceof Retry);
    assert.deepEqual(["later", 1.5, "plugin.retry"], [retry.message, retry.afterS, retry.code]);
    const fatal = await thrown("fatal");
    assert.ok(fatal instanceof Fatal);
    assert.deepEqual(["over", "start again"], [fatal.message, fatal.hint]);
    for (const [type, message, code] of [
      ["error", "wrong", "obedient.wrong"],
      ["foreign", "RangeError: odd", "plugin.failed"],
      ["twice", "expected one output, got 2", "plugin.output_invalid"],
    ] as const) {
      const error = await thrown(type);
      assert.ok(error instanceof PluginError);
      assert.deepEqual([message, code], [error.message, error.code]);
    }
  });

  it("is told of a payload that is no JSON", async (test) => {
    const plugin = await started(test);
    await assert.rejects(plugin.process({ type: "T", payloadBytes: Buffer.from("no JSON") }), PluginError);
  });

  it("answers a batch by its rows", async (test) => {
    const plugin = await started(test);
    const types = ["twice", "drop", "error", "T", "drop", "nothing"];
    const answer = await plugin.processAll(types.map((type) => ({ type, payload: { value: 1 } })));
    assert.deepEqual(
      ["twice", "twice", "ProcessedData"],
      answer.outputs.map(({ type }) => type),
    );
    assert.deepEqual([0, 0, 3], answer.rows);
    assert.deepEqual([[2, "wrong"]], Array.from(answer.errors, ([row, { message }]) => [row, message]));
    assert.deepEqual(new Map([["told to", 2]]), answer.dropped);
    assert.deepEqual([], (await plugin.processAll([])).outputs);
  });

  it("fails a batch as a whole", async (test) => {
    const plugin = await startTestPlugin(
      new FunctionBatchProcessor(identity, () => {
        throw new Retry("later", { afterS: 1 });
      }),
    );
    test.after(() => plugin.stop());
    await assert.rejects(plugin.processAll([{ type: "T" }, { type: "T" }]), { afterS: 1 });
  });

  it("says how it is", async (test) => {
    assert.deepEqual({ status: "degraded", message: "slow", details: { why: "age" } }, await (await started(test)).health());
  });
});

describe("a start", () => {
  it("fails with what refused the configuration", async () => {
    const error = await rejection(startTestPlugin(identity, obey, { ...hooks, config: { least: "few" } }));
    assert.ok(error instanceof ConfigInvalid);
    assert.deepEqual(["`least` is no number", "use one"], [error.message, error.hint]);
  });

  it("fails with what the start threw, and the plugin is stopped", async () => {
    let stops = 0;
    const start = ({ network }: { network: string }) => {
      throw new Fatal(`no ${network}`);
    };
    const options = { start, stop: () => void stops++, stage: { network: "net" } };
    await assert.rejects(startTestPlugin(identity, obey, options), { message: "no net" });
    assert.equal(1, stops);
  });
});

describe("a stop", () => {
  it("happens once, at the end of a block too, and throws what the plugin throws", async () => {
    let stops = 0;
    const stop = () => {
      stops++;
      throw new PluginError("stuck");
    };
    const plugin = await startTestPlugin(identity, obey, { stop });
    await assert.rejects(plugin[Symbol.asyncDispose](), { message: "stuck" });
    await assert.rejects(plugin.stop(), { message: "stuck" });
    assert.equal(1, stops);
    await assert.rejects(plugin.process({ type: "T" }));
  });
});

describe("a source under test", () => {
  const numbers = (last: number) =>
    function* () {
      for (let number = 1; number <= last; number++) yield new Message({ type: "Number", payload: number });
    };

  it("is read as far as is wanted, to its end, and on from a position", async (test) => {
    const plugin = await startTestPlugin({ ...identity, type: "source" }, numbers(5));
    test.after(() => plugin.stop());
    const some = await plugin.read(2);
    assert.deepEqual([[1, 2], [1, 2], false], [some.messages.map(({ payload }) => payload), some.positions, some.ended]);
    const rest = await plugin.read(10, { position: 2, token: some.token });
    assert.deepEqual([[3, 4, 5], true], [rest.messages.map(({ payload }) => payload), rest.ended]);
  });

  it("is read though it has no end", async (test) => {
    const plugin = await startTestPlugin({ ...identity, type: "source" }, numbers(Infinity));
    test.after(() => plugin.stop());
    assert.equal(1234, (await plugin.read(1234)).positions.at(-1));
    assert.equal(3, (await plugin.read(3)).messages.length);
  });

  it("throws what it fails with", async (test) => {
    const plugin = await startTestPlugin({ ...identity, type: "source" }, function* () {
      throw new Fatal("gap", { code: "lake.gap" });
    });
    test.after(() => plugin.stop());
    await assert.rejects(plugin.read(1), { code: "lake.gap" });
  });
});

describe("a consumer under test", () => {
  it("gets messages at positions that go on; after an error the same again", async (test) => {
    const held: number[] = [];
    let busy = false;
    const consumer: Consumer = {
      metadata: () => ({ ...identity, type: "consumer" }),
      durablePosition: () => null,
      consume(delivery) {
        busy = !busy;
        if (busy) throw new Retry("busy");
        held.push(...delivery.positions);
        return null;
      },
      flush: () => held.at(-1) ?? null,
    };
    const plugin = await startTestPlugin(consumer);
    test.after(() => plugin.stop());
    for (const through of [2, 4]) {
      await assert.rejects(plugin.consume([{ type: "A" }, { type: "B" }]), Retry);
      assert.equal(through, await plugin.consume([{ type: "A" }, { type: "B" }]));
    }
    assert.deepEqual([1, 2, 3, 4], held);
  });

  it("is one function", async (test) => {
    const held: string[] = [];
    const plugin = await startTestPlugin({ ...identity, type: "consumer" }, (message: Message) => void held.push(message.type));
    test.after(() => plugin.stop());
    assert.equal(1, await plugin.consume([{ type: "A" }]));
    assert.deepEqual(["A"], held);
    await assert.rejects(plugin.process({ type: "T" }), /UNIMPLEMENTED/);
    await assert.rejects(plugin.read(1), /no such call/);
  });
});

describe("a process under test", () => {
  const fixtures = fileURLToPath(new URL("fixtures.js", import.meta.url));

  it("is run from its file", async () => {
    // A file of its own: a program under test takes no arguments.
    const folder = mkdtempSync(fileURLToPath(new URL("process-", import.meta.url)));
    const file = `${folder}/index.js`;
    writeFileSync(file, `process.argv[2] = "echo";\nawait import(${JSON.stringify(fixtures)});\n`);
    try {
      const plugin = await startTestPluginProcess(file);
      assert.deepEqual({ a: 1 }, (await plugin.process({ type: "T", payload: { a: 1 } }))?.payload);
      await plugin.stop();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("that ends by itself fails with its log", async () => {
    await assert.rejects(startTestPluginProcess(fixtures), /ended with 1, its log:[^]*FIXTURES/);
  });
});

describe("README", () => {
  it("has a test that passes as it stands there", async () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const [, code] = /^```js test\n(.*?)^```$/ms.exec(readme)!;
    const file = fileURLToPath(new URL("readme-testing.mjs", import.meta.url));
    writeFileSync(file, code!);
    // This runner says to what it starts that it is its own, which then runs no tests.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, ["--test", file], { env });
    assert.match(stdout, /pass 1\b/);
  });
});
