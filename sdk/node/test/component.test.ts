/** The functions of a component, called in Node: the same code, without WebAssembly. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { exportsOf, World } from "../src/component/index.js";
import * as component from "../src/component/platform.js";
import { servedPlugin } from "../src/component/runtime.js";
import {
  Batch,
  ConfigInvalid,
  type Delivery,
  Drop,
  Fatal,
  FunctionBatchProcessor,
  FunctionConsumer,
  FunctionProcessor,
  FunctionSource,
  Message,
  Outputs,
  PluginError,
  Retry,
  view,
  views,
} from "../src/index.js";
import * as node from "../src/platform.js";
import type { Plugin } from "../src/protocols.js";

const identity = { name: "p", version: "1.0.0" };
const BIG = 12345678901234567890123n;

const world = (plugin: Plugin) => new World(() => plugin);
const of = (call: (message: Message) => any) => world(new FunctionProcessor(identity, call));
const ofBatches = (call: (batch: Batch) => any) => world(new FunctionBatchProcessor(identity, call));

/** A message as the host writes it; `payload` is its exact text. */
function text(id: string, payload: string, members: object = {}): string {
  const source = { name: "galexie", network: "pubnet", uri: "" };
  const rest = { id, type: "T", metadata: {}, source, trace_id: "t", content_type: "application/json", ...members };
  return `${JSON.stringify(rest).slice(0, -1)},"payload":${payload}}`;
}

/** The answers to messages with these payloads, with the ids m0, m1, ... */
async function answer(held: World, ...payloads: string[]): Promise<any[]> {
  return JSON.parse(await held.processBatch(`[${payloads.map((payload, row) => text(`m${row}`, payload)).join()}]`));
}

/** What is answered instead. */
async function refusal(call: Promise<string>): Promise<any> {
  const told = await call.then(
    (answered) => assert.fail(`expected an error, got ${answered}`),
    (thrown: unknown) => thrown,
  );
  assert.equal("string", typeof told);
  return JSON.parse(told as string);
}

/** A plugin with every method of the contract. */
class Whole {
  seen: any[] = [];
  metadata = () => ({
    ...identity,
    inputTypes: ["A"],
    configSchema: { type: "object" },
    inputEncoding: "sep51" as const,
    stateful: true,
    resources: { minMemoryMb: 5 },
  });
  configure = (config: any) => {
    if ("bad" in config) throw new ConfigInvalid("unknown key `bad`", { hint: "remove it" });
    this.seen.push(config);
  };
  start = async (context: any) => {
    if (context.stage === "broken") throw new TypeError("no way");
    this.seen.push(context);
  };
  stop = () => void this.seen.push("stop");
  health = async () => {
    if (this.seen.includes("ill")) throw new Error("cannot say");
    return { status: "degraded" as const, message: "slow", details: { n: BIG } };
  };
  exportState = () => Uint8Array.of(255, 0, 65);
  importState = (state: Uint8Array) => void this.seen.push([...state]);
  processBatch = (batch: Batch) => (assert.equal("sep51", batch.encoding), Outputs.each(batch));
}

describe("a component's life", () => {
  it("says who it is, by the ABI's names", () => {
    const told = JSON.parse(world(new Whole()).metadata());
    assert.deepEqual(
      ["p", "1.0.0", "processor", ["A"], true, "sep51", 5, 1, "node/0.1.0"],
      [
        ...[told.name, told.version, told.type, told.input_types, told.stateful, told.input_encoding],
        ...[told.resources.min_memory_mb, told.abi, told.sdk],
      ],
    );
  });

  it("hands configuration and context over, exact in every number", async () => {
    const plugin = new Whole();
    const held = world(plugin);
    assert.equal("", await held.configure(`{"n":${BIG}}`));
    assert.equal("", await held.start('{"pipeline":"p","stage":"s","network":"x","schemas":{"T":{}}}'));
    assert.equal("", await held.stop());
    const context = { pipeline: "p", stage: "s", network: "x", schemas: { T: {} } };
    assert.deepEqual([{ n: BIG }, context, "stop"], plugin.seen);
  });

  it("a configuration that is refused is an instruction with its hint", async () => {
    assert.deepEqual(
      { code: "plugin.config_invalid", message: "unknown key `bad`", hint: "remove it", instruction: "invalid" },
      await refusal(world(new Whole()).configure('{"bad":1}')),
    );
    for (const config of ["[]", "1", "null"]) {
      assert.equal("invalid", (await refusal(world(new Whole()).configure(config))).instruction);
    }
  });

  it("a start that fails tells why", async () => {
    const told = await refusal(world(new Whole()).start('{"stage":"broken"}'));
    assert.deepEqual(
      { code: "plugin.failed", message: "TypeError: no way", hint: "" },
      { code: told.code, message: told.message, hint: told.hint },
    );
    assert.ok(!("instruction" in told));
  });

  it("says how it is; a plugin that cannot say is unhealthy", async () => {
    const plugin = new Whole();
    const held = world(plugin);
    assert.equal(`{"status":"degraded","message":"slow","details":{"n":${BIG}}}`, await held.health());
    plugin.seen.push("ill");
    const told = JSON.parse(await held.health());
    assert.deepEqual(["unhealthy", "Error: cannot say"], [told.status, told.message]);
    const silent = of((message) => message);
    assert.equal("healthy", JSON.parse(await silent.health()).status);
  });

  it("state is bytes as base64", async () => {
    const plugin = new Whole();
    const held = world(plugin);
    assert.equal("/wBB", await held.exportState());
    assert.equal("", await held.importState("/wBB"));
    assert.deepEqual([[255, 0, 65]], plugin.seen);
    assert.equal("plugin.state_invalid", (await refusal(held.importState("no base64!"))).code);
  });

  it("has functions for state only where there is some, and is no source", () => {
    assert.ok(exportsOf(new Whole()).includes("import-state"));
    assert.ok(!exportsOf(new FunctionProcessor(identity, () => null)).includes("export-state"));
    const cannot = [
      new FunctionSource(identity, function* () {}),
      new FunctionProcessor({ ...identity, inputEncoding: "xdr" }, () => null),
    ];
    for (const plugin of cannot) assert.throws(() => exportsOf(plugin), { code: "plugin.component_unsupported" });
    assert.throws(servedPlugin, { code: "plugin.component_unsupported" });
  });
});

/** Do what the payload names. */
function decide(message: Message): any {
  const thrown: Record<string, () => unknown> = {
    retry: () => new Retry("busy", { afterS: 2.5 }),
    fatal: () => new Fatal("wrong key", { hint: "mend it" }),
    drop: () => new Drop("small"),
    error: () => new PluginError("bad é", { code: "x.bad" }),
    panic: () => new TypeError("by zero"),
    half: () => new Error("half \ud800"),
    text: () => "just a text",
    nothing: () => undefined,
  };
  const make = thrown[message.payload];
  if (make) throw make();
  if (message.payload === "none") return null;
  if (message.payload !== "two") return message;
  return [message, new Message({ type: "New", payload: { n: BIG }, metadata: { a: 1.5 } })];
}

const ERRORS: Record<string, object> = {
  retry: { code: "plugin.retry", message: "busy", instruction: "retry", retry_after_s: 2.5 },
  fatal: { code: "plugin.fatal", message: "wrong key", hint: "mend it", instruction: "fatal" },
  error: { code: "x.bad", message: "bad é" },
  panic: { code: "plugin.failed", message: "TypeError: by zero" },
  half: { code: "plugin.failed", message: "Error: half \ufffd" },
  text: { code: "plugin.failed", message: "thrown: just a text" },
  nothing: { code: "plugin.failed", message: "thrown: undefined" },
};

describe("one message", () => {
  it("is answered by nothing, an object, or an array", async () => {
    const held = of(decide);
    assert.equal("", await held.process(text("a", '"none"')));
    assert.equal('{"id":"a","payload":"x"}', await held.process(text("a", '"x"')));
    const found = await held.process(text("a", '"two"'));
    assert.ok(found.includes(`"payload":{"n":${BIG}}`), found);
    assert.deepEqual(["a", ""], JSON.parse(found).map((each: any) => each.id));
  });

  for (const [asked, expected] of Object.entries(ERRORS)) {
    it(`${asked}: an error arrives as the instruction it is, and costs its own row`, async () => {
      assert.deepEqual({ hint: "", ...expected }, await refusal(of(decide).process(text("a", `"${asked}"`))));
      const found = await answer(of(decide), "1", `"${asked}"`, "2");
      assert.deepEqual({ error: { hint: "", ...expected } }, found[1]);
      assert.deepEqual([1, 2], [found[0].outputs[0].payload, found[2].outputs[0].payload]);
    });
  }

  it("that is dropped tells its reason", async () => {
    const told = await refusal(of(decide).process(text("a", '"drop"')));
    assert.deepEqual(["drop", "small"], [told.instruction, told.message]);
  });

  for (const message of ["", "{", "1", "null", "{}", "1,2"]) {
    it(`\`${message}\` is no message, and the plugin goes on`, async () => {
      const held = of(decide);
      assert.equal("message.payload_invalid", (await refusal(held.process(message))).code);
      assert.notEqual("", await held.process(text("a", "1")));
    });
  }
});

describe("many messages", () => {
  it("have an answer each", async () => {
    const found = await answer(of(decide), '"x"', '"none"', '"error"', '"two"', '"drop"', '"y"');
    assert.deepEqual([{ id: "m0", payload: "x" }], found[0].outputs);
    assert.equal("x.bad", found[2].error.code);
    assert.deepEqual(["m3", ""], found[3].outputs.map((each: any) => each.id));
    // A reason is counted; which of the rows without outputs carries it does not matter.
    assert.deepEqual(["small", undefined], [found[1].dropped, found[4].dropped].sort());
    assert.deepEqual([{ id: "m5", payload: "y" }], found[5].outputs);
  });

  it("leave out what is not changed", async () => {
    const touch = (message: Message) => {
      if (message.id === "m1") message.type = "U";
      return message;
    };
    const expected = [{ outputs: [{ id: "m0" }] }, { outputs: [{ id: "m1", type: "U" }] }];
    assert.deepEqual(expected, await answer(of(touch), "1.10", "2"));
  });

  it("a payload that some change keeps its place, others pass as they came", async () => {
    const some = (message: Message) => (message.id === "m1" ? ((message.payload.x = 1), message) : message);
    const expected = [{ outputs: [{ id: "m0" }] }, { outputs: [{ id: "m1", payload: { x: 1 } }] }];
    assert.deepEqual(expected, await answer(of(some), "1.0", "{}"));
  });

  it("every attribute can be set, and arrives", async () => {
    const change = (message: Message) => {
      message.id = "new";
      message.type = "U";
      message.traceId = "u";
      message.source = { name: "a", network: "b", uri: "c" };
      message.contentType = "text/plain";
      message.metadata.flag = true;
      return message;
    };
    const found = await of(change).processBatch(`[${text("a", "1", { metadata: { flag: 1 } })}]`);
    const expected = {
      ...{ id: "new", type: "U", trace_id: "u", content_type: "text/plain" },
      ...{ metadata: { flag: true }, source: { name: "a", network: "b", uri: "c" } },
    };
    assert.deepEqual([{ outputs: [expected] }], JSON.parse(found));
  });

  it("integers beyond 2^53 keep their digits", async () => {
    const read = (message: Message) => ((message.payload.seen = true), (message.metadata.seen = message.payload.n), message);
    const found = await of(read).processBatch(`[${text("a", `{"n":${BIG},"f":0.1}`)}]`);
    assert.ok(found.includes(`"payload":{"n":${BIG},"f":0.1,"seen":true}`), found);
    assert.ok(found.includes(`"metadata":{"seen":${BIG}}`), found);
  });

  it("one that cannot be read costs its own row", async () => {
    const found = await answer(of((message) => message), '{"b":["]","}","\\\\\\"]"]}', "nul", "{1:2}", '"[,"');
    assert.deepEqual(
      [undefined, "message.payload_invalid", "message.payload_invalid", undefined],
      found.map((each) => each.error?.code),
    );
    assert.deepEqual(["m0", "m3"], [found[0].outputs[0].id, found[3].outputs[0].id]);
  });

  for (const messages of ["", "{}", "[", "[1]", "[{}]", "null", "[1"]) {
    it(`\`${messages}\` is no batch, and the plugin goes on`, async () => {
      const held = of(decide);
      assert.equal("message.payload_invalid", (await refusal(held.processBatch(messages))).code);
      assert.equal("[]", await held.processBatch("[]"));
    });
  }

  it("of thousands none is lost, none doubled, none moved", async () => {
    const found = await answer(of((message) => [message, message]), ...Array.from({ length: 3000 }, (_, row) => `${row}`));
    assert.deepEqual(
      Array.from({ length: 3000 }, (_, row) => [`m${row}`, `m${row}`]),
      found.map((each) => each.outputs.map((output: any) => output.id)),
    );
  });

  it("a function may wait", async () => {
    const late = async (message: Message) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return message;
    };
    assert.deepEqual([{ outputs: [{ id: "m0" }] }], await answer(of(late), "1"));
  });
});

describe("batch functions", () => {
  it("answer row for row, or pass rows on", async () => {
    const made = ofBatches((batch) => Batch.of("U", Array.from({ length: batch.length }, (_, row) => row)));
    assert.deepEqual([0, 1], (await answer(made, '"a"', '"b"')).map((each) => each.outputs[0].payload));
    const second = ofBatches((batch) => new Outputs([{ batch: batch.take([1]), rows: [1] }]));
    assert.deepEqual([{}, { outputs: [{ id: "m1" }] }], await answer(second, "1", "2"));
  });

  it("a row that is answered to another is written out", async () => {
    const swapped = ofBatches((batch) => new Outputs([{ batch: batch.take([1, 0]), rows: [0, 1] }]));
    const found = await answer(swapped, "1.0", "2");
    assert.deepEqual([2, 1], found.map((each) => each.outputs[0].payload));
    const doubled = ofBatches((batch) => new Outputs([{ batch, rows: [0, 0] }]));
    const types = `[${text("a", "1", { type: "A" })},${text("b", "2", { type: "B" })}]`;
    const [first] = JSON.parse(await doubled.processBatch(types));
    assert.deepEqual([undefined, "B"], first.outputs.map((each: any) => each.type));
    assert.deepEqual([undefined, 2], first.outputs.map((each: any) => each.payload));
  });

  it("reasons arrive as often as they were counted", async () => {
    const dropped = new Map([["old", 2], ["small", 1]]);
    const found = await answer(ofBatches(() => new Outputs([], { dropped })), "1", "2", "3", "4");
    assert.deepEqual(["old", "old", "small", undefined], found.map((each) => each.dropped));
  });

  it("an error or a wrong answer is about the whole batch; a drop leaves out all of it", async () => {
    const fail = ofBatches(() => {
      throw new Retry("busy");
    });
    assert.equal("retry", (await refusal(fail.processBatch(`[${text("a", "1")}]`))).instruction);
    const wrong = ofBatches((batch) => new Outputs([{ batch, rows: [7] }]));
    assert.equal("plugin.output_invalid", (await refusal(wrong.processBatch(`[${text("a", "1")}]`))).code);
    const drop = ofBatches(() => {
      throw new Drop("old");
    });
    assert.deepEqual([{ dropped: "old" }, { dropped: "old" }], await answer(drop, "1", "2"));
  });
});

describe("consumers", () => {
  it("a message that fails has an error of its own", async () => {
    const taken: any[] = [];
    const held = world(
      new FunctionConsumer(identity, (message) => {
        if (message.payload === "bad") throw new TypeError("no");
        taken.push(message.payload);
      }),
    );
    assert.deepEqual([{}, "TypeError: no", {}], (await answer(held, "1", '"bad"', "2")).map((e) => e.error?.message ?? e));
    assert.deepEqual([1, 2], taken);
    assert.equal("consumer", JSON.parse(held.metadata()).type);
  });

  it("all is durable when it answers; one that keeps a position is refused", async () => {
    const steps: any[] = [];
    const holding = {
      metadata: () => identity,
      consume: (delivery: Delivery) => (steps.push(delivery.completedThrough), null),
      flush: () => (steps.push("flush"), null),
    };
    const held = world(holding);
    assert.equal("", await held.start("{}"));
    assert.deepEqual([{}, {}], await answer(held, "1", "2"));
    assert.equal("", await held.process(text("a", "3")));
    assert.deepEqual([1, 2, "flush", 3, "flush"], steps);
    const told = await refusal(world({ ...holding, durablePosition: () => -1 } as Plugin).start("{}"));
    assert.deepEqual(["plugin.component_unsupported", "fatal"], [told.code, told.instruction]);
  });
});

describe("payloads of a batch of text", () => {
  const spaced = ['{ "n" : 9007199254740993, "f": 1.0 }', '[1e300, "}", "\\"]" ]', "null"];

  async function seen(read: (batch: Batch) => any): Promise<any> {
    let found: any;
    const held = ofBatches((batch) => ((found = read(batch)), batch));
    await answer(held, ...spaced);
    return found;
  }

  it("are texts to the last character", async () => {
    assert.deepEqual(spaced, await seen((batch) => Array.from(views(batch), (message) => message.payloadText)));
    assert.deepEqual(spaced[1], await seen((batch) => Buffer.from(view(batch, 1).payloadBytes).toString()));
    assert.deepEqual(spaced.slice(1), await seen((batch) => [0, 1].map((row) => batch.slice(1, 3).payloads.text(row))));
    assert.equal(spaced.join("").length, await seen((batch) => batch.payloads.sizeBytes));
  });

  it("are the readers' own", async () => {
    const values = await seen((batch) => {
      const [first, second] = [view(batch, 0), view(batch, 0)];
      first.payload.n = 1;
      first.metadata.k = 1;
      second.payload.f = 2;
      return [view(batch, 0).payload, view(batch, 0).metadata, batch.payloads.text(0)];
    });
    assert.deepEqual([{ n: 9007199254740993n, f: 1 }, {}, spaced[0]], values);
  });
});

describe("platforms", () => {
  it("do the same", () => {
    for (const held of ["", "é🚀\ufeff", "plain"]) {
      assert.equal(node.byteLength(held), component.byteLength(held));
      assert.deepEqual([...node.encodeText(held)], [...component.encodeText(held)]);
      const bytes = node.encodeText(held);
      assert.equal(held, component.decodeText(bytes));
      assert.equal(held, node.decodeText(bytes));
      assert.equal(bytes.length, component.byteLength(bytes));
    }
    const same: typeof node = component;
    assert.deepEqual(Object.keys(node).sort(), Object.keys(same).sort());
  });
});
