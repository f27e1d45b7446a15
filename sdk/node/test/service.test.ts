/** Every call of the contract, against a real server over a Unix socket. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import {
  Batch,
  type Consumer,
  ConfigInvalid,
  type Context,
  type Delivery,
  Drop,
  Fatal,
  FunctionBatchProcessor,
  FunctionConsumer,
  FunctionProcessor,
  Message,
  type MessageFunction,
  Outputs,
  type PluginMetadata,
  Retry,
} from "../src/index.js";
import * as batches from "../src/wire/batches.js";
import type { MessageOf } from "../src/wire/fields.js";
import * as wire from "../src/wire/messages.js";
import { writeBatch } from "../src/wire/batches.js";
import { Writer } from "../src/wire/writer.js";
import { HealthCheckRequest, HealthCheckResponse } from "../src/server/health.js";
import { served } from "./client.js";

const IDENTITY: PluginMetadata = { name: "under-test", version: "1.2.3" };
const METADATA = [wire.MetadataRequest, wire.MetadataResponse] as const;
const CONFIGURE = [wire.ConfigureRequest, wire.ConfigureResponse] as const;
const START = [wire.StartRequest, wire.StartResponse] as const;
const STOP = [wire.StopRequest, wire.StopResponse] as const;
const HEALTH = [wire.HealthRequest, wire.HealthResponse] as const;
const PROCESS = [wire.ProcessRequest, wire.ProcessResponse] as const;
const BATCH = [batches.ProcessBatchRequest, batches.ProcessBatchResponse] as const;
const FORGET = [wire.ForgetRequest, wire.ForgetResponse] as const;

function encoded(batch: Batch): Buffer {
  const writer = new Writer();
  writeBatch(writer, batch);
  return writer.finish();
}

const numbers = (...values: unknown[]) => encoded(Batch.of("N", values, { ids: values.map((_, i) => `n${i}`) }));
const processor = (call: MessageFunction) => new FunctionProcessor(IDENTITY, call);
const texts = (answer: MessageOf<typeof batches.ProcessBatchResponse>) =>
  Array.from({ length: answer.outputs?.length ?? 0 }, (_, row) => answer.outputs!.payloads.text(row));

/** What a refused call carries: code, details, and the error in the trailer. */
async function refused(call: Promise<unknown>): Promise<{ code: number; details: string; error: any }> {
  try {
    await call;
  } catch (caught: any) {
    const [trailer] = caught.metadata.get("cdp-error-bin");
    return { code: caught.code, details: caught.details, error: trailer && wire.Error.decode(trailer) };
  }
  throw new assert.AssertionError({ message: "expected the call to be refused" });
}

describe("GetMetadata", () => {
  it("says who the plugin is, its protocol and what it truly serves", async (test) => {
    const plugin = new FunctionProcessor(
      {
        ...IDENTITY,
        description: "d",
        author: "a",
        license: "Apache-2.0",
        inputTypes: ["A"],
        outputTypes: ["B"],
        configSchema: { type: "object" },
        outputSchema: { B: { type: "integer" } },
        inputEncoding: "sep51",
        stateful: true,
        resources: { minMemoryMb: 64 },
      },
      (message) => message,
    );
    const client = await served(test, plugin);

    const got = await client.call("GetMetadata", [...METADATA], { protocolMin: 1, protocolMax: 3 });

    const { configSchema, outputSchema, ...rest } = got;
    assert.equal('{"type":"object"}', configSchema.toString());
    assert.equal('{"type":"integer"}', outputSchema.get("B")?.toString());
    assert.deepEqual(
      {
        name: "under-test",
        version: "1.2.3",
        type: "processor",
        description: "d",
        author: "a",
        license: "Apache-2.0",
        inputTypes: ["A"],
        outputTypes: ["B"],
        inputEncoding: "sep51",
        stateful: true,
        protocol: 1,
        resources: { minMemoryMb: 64, maxMemoryMb: 0, cpuShares: 0, gpuRequired: false },
        features: [1, 2, 3, 4, 5],
        sdk: "node/0.1.0",
      },
      rest,
    );
  });

  it("announces the features of a consumer that forgets and keeps state", async (test) => {
    const plugin: Consumer = {
      metadata: () => IDENTITY,
      consume: () => null,
      forget: () => [],
      exportState: () => Buffer.from("s"),
      importState: () => undefined,
    };
    const client = await served(test, plugin);

    const got = await client.call("GetMetadata", [...METADATA]);

    assert.deepEqual(["consumer", [1, 2, 3, 7, 8, 9]], [got.type, got.features]);
  });
});

describe("life", () => {
  it("goes from Configure over Start to Stop, once each, with what the host says", async (test) => {
    const calls: unknown[] = [];
    const plugin: Consumer = {
      metadata: () => IDENTITY,
      configure: (config) => void calls.push(["configure", config]),
      start: (context: Context) => void calls.push(["start", context]),
      importState: (state) => void calls.push(["import", Buffer.from(state).toString()]),
      exportState: () => Buffer.from("after"),
      stop: () => void calls.push(["stop"]),
      durablePosition: () => -1,
      consume: () => null,
    };
    const client = await served(test, plugin);

    await client.call("Configure", [...CONFIGURE], { config: Buffer.from('{"n":12345678901234567890}') });
    const started = await client.call("Start", [...START], {
      pipeline: "p",
      stage: "s",
      network: "net",
      schemas: new Map([["T", Buffer.from('{"type":"object"}')]]),
      importedState: Buffer.from("before"),
    });
    const stopped = await client.call("Stop", [...STOP], { exportState: true });
    await client.server.stop();

    assert.equal(-1, started.durablePosition);
    assert.equal("after", stopped.exportedState.toString());
    assert.deepEqual(
      [
        ["configure", { n: 12345678901234567890n }],
        ["start", { pipeline: "p", stage: "s", network: "net", schemas: { T: { type: "object" } } }],
        ["import", "before"],
        ["stop"],
      ],
      calls,
    );
  });

  for (const [what, config, configure] of [
    [
      "one the plugin refuses",
      "{}",
      () => {
        throw new ConfigInvalid("expected a `url`", { hint: "set it" });
      },
    ],
    [
      "one it stumbles over",
      "{}",
      () => {
        throw new TypeError("expected a `url`");
      },
    ],
    ["a list", "[]", () => undefined],
    ["no JSON", "{", () => undefined],
  ] as [string, string, () => void][]) {
    it(`refuses a configuration with INVALID_ARGUMENT: ${what}`, async (test) => {
      const client = await served(test, new FunctionProcessor(IDENTITY, () => null, { configure }));
      const got = await refused(client.call("Configure", [...CONFIGURE], { config: Buffer.from(config) }));
      assert.equal(3, got.code);
      assert.match(got.details, /expected/);
    });
  }

  it("stops a plugin whose start failed", async (test) => {
    let stops = 0;
    const hooks = {
      start: () => {
        throw new Fatal("no model", { code: "x.model" });
      },
      stop: () => void stops++,
    };
    const client = await served(test, new FunctionProcessor(IDENTITY, () => null, hooks));

    const got = await refused(client.call("Start", [...START]));
    await client.server.stop();

    assert.deepEqual([9, "no model", "x.model", 3], [got.code, got.details, got.error.code, got.error.instruction]);
    assert.equal(1, stops);
  });

  it("refuses a state that nobody keeps", async (test) => {
    const client = await served(
      test,
      processor(() => null),
    );
    const got = await refused(client.call("Start", [...START], { importedState: Buffer.from("s") }));
    assert.deepEqual([9, "plugin.state_unsupported"], [got.code, got.error.code]);
  });

  it("says how it is, in the plugin's words", async (test) => {
    const health = () => ({
      status: "degraded" as const,
      message: "slow",
      details: { queue: 3, tags: ["a", null, true] },
    });
    const client = await served(test, new FunctionProcessor(IDENTITY, () => null, { health }));
    assert.deepEqual(health(), await client.call("Health", [...HEALTH]));
  });

  it("is unhealthy when it cannot say how it is", async (test) => {
    const health = () => {
      throw new Error("lost");
    };
    const client = await served(test, new FunctionProcessor(IDENTITY, () => null, { health }));
    const got = await client.call("Health", [...HEALTH]);
    assert.deepEqual(["unhealthy", "Error: lost"], [got.status, got.message]);
  });

  it("answers the standard health service", async (test) => {
    const client = await served(
      test,
      processor(() => null),
    );
    const pair = [HealthCheckRequest, HealthCheckResponse] as const;
    assert.equal(1, (await client.call("Check", [...pair])).status);
    assert.equal(1, (await client.call("Check", [...pair], { service: "plugin.v1.PluginService" })).status);
    assert.equal(5, (await refused(client.call("Check", [...pair], { service: "other" }))).code);
  });

  it("those who watch its health learn that it stops", async (test) => {
    const client = await served(
      test,
      processor(() => null),
    );
    const states: number[] = [];
    for await (const state of client.watch("")) {
      states.push(state);
      if (state === 1) void client.server.stop();
    }
    assert.deepEqual([1, 2], states);
  });

  it("forgets what a consumer holds", async (test) => {
    const forget = (context: Context) => [`forgot ${context.pipeline}/${context.stage}`];
    const client = await served(test, { metadata: () => IDENTITY, consume: () => null, forget } as Consumer);
    const got = await client.call("Forget", [...FORGET], { pipeline: "p", stage: "s" });
    assert.deepEqual(["forgot p/s"], got.done);
  });

  it("has no calls of another kind", async (test) => {
    const client = await served(
      test,
      processor(() => null),
    );
    assert.equal(12, (await refused(client.call("Forget", [...FORGET]))).code);
    const reading = client.open("Read", batches.ReadRequest, batches.ReadResponse);
    assert.equal(12, (await reading.status).code);
    const consumer = await served(test, new FunctionConsumer(IDENTITY, () => undefined));
    assert.equal(12, (await refused(consumer.call("Process", [...PROCESS]))).code);
  });
});

describe("Process", () => {
  const once = async (
    test: TestContext,
    call: MessageFunction,
    request: Partial<MessageOf<typeof wire.ProcessRequest>> = {},
  ) => {
    const client = await served(test, processor(call));
    return client.call("Process", [...PROCESS], { id: "a", type: "T", payload: Buffer.from("{}"), ...request });
  };

  it("passes an untouched message on byte for byte", async (test) => {
    const payload = Buffer.from('{ "n": 9007199254740993, "f": 1.0 }');
    const got = await once(test, (message) => message, { payload, traceId: "t" });
    assert.deepEqual(["a", "T", payload.toString(), "t"], [got.id, got.type, got.payload.toString(), got.traceId]);
  });

  it("drops for null, undefined, an empty array and Drop", async (test) => {
    for (const result of [
      () => null,
      () => undefined,
      () => [],
      () => {
        throw new Drop("small");
      },
    ]) {
      assert.equal(true, (await once(test, result)).dropped);
    }
  });

  for (const [what, error, code, instruction] of [
    ["Retry is UNAVAILABLE", new Retry("busy", { afterS: 1.5, code: "x.busy", hint: "wait" }), 14, 1],
    ["Fatal is FAILED_PRECONDITION", new Fatal("gap"), 9, 3],
    ["a foreign error is a row error with its name", new RangeError("bad"), 3, 0],
  ] as [string, Error, number, number][]) {
    it(`instructions travel as status codes: ${what}`, async (test) => {
      const got = await refused(
        once(test, () => {
          throw error;
        }),
      );
      assert.deepEqual([code, instruction], [got.code, got.error.instruction]);
      assert.match(got.details, new RegExp(error.message));
      if (error instanceof Retry) assert.deepEqual({ seconds: 1, nanos: 500_000_000 }, got.error.retryAfter);
    });
  }

  it("a rejected promise is a row error too", async (test) => {
    const got = await refused(
      once(test, async () => {
        throw new TypeError("later");
      }),
    );
    assert.equal("TypeError: later", got.error.message);
  });

  it("refuses several outputs, which only a batch can hold", async (test) => {
    const got = await refused(once(test, (message) => [message, message]));
    assert.deepEqual([3, "plugin.output_invalid"], [got.code, got.error.code]);
  });

  it("refuses metadata that a Struct would round", async (test) => {
    const got = await refused(once(test, (message) => ((message.metadata.n = 2 ** 60), message)));
    assert.equal("message.number_too_large", got.error.code);
  });

  it("shortens an error that no trailer could hold", async (test) => {
    const got = await refused(
      once(test, () => {
        throw new Error("🚀".repeat(100_000));
      }),
    );
    assert.equal(3, got.code);
    assert.ok(got.details.length < 1000);
  });
});

describe("ProcessBatch", () => {
  it("one bad row leaves the others alone; drops are counted by reason", async (test) => {
    const client = await served(
      test,
      processor((message) => {
        const n = message.payload;
        if (n === 1) throw new Retry("later");
        if (n === 2) throw new Drop("two");
        if (n === 3) return null;
        return n === 4 ? [message, new Message({ type: "New", payload: { twice: 2n ** 60n } })] : message;
      }),
    );

    const got = await client.call("ProcessBatch", [...BATCH], { batch: numbers(0, 1, 2, 3, 4) });

    assert.deepEqual(["0", "4", '{"twice":1152921504606846976}'], texts(got));
    assert.deepEqual([0, 4, 4], got.outputRows);
    assert.deepEqual(
      [
        ["n0", "N"],
        ["n4", "N"],
        ["", "New"],
      ],
      [0, 1, 2].map((r) => [got.outputs!.ids.get(r), got.outputs!.types.get(r)]),
    );
    assert.deepEqual(
      [[1, 1, "later"]],
      got.errors.map((e) => [e.row, e.error!.instruction, e.error!.message]),
    );
    assert.deepEqual(new Map([["two", 1]]), got.dropped);
  });

  it("a batch function answers row for row or by Outputs", async (test) => {
    const doubled = new FunctionBatchProcessor(IDENTITY, (batch) =>
      Batch.of(
        "N",
        Array.from({ length: batch.length }, (_, row) => batch.payloads.value(row) * 2),
      ),
    );
    const last = new FunctionBatchProcessor(
      IDENTITY,
      async (batch) =>
        new Outputs([
          { batch: batch.take([2]), rows: [2] },
          { batch: batch.take([0]), rows: [0] },
        ]),
    );
    const one = await (await served(test, doubled)).call("ProcessBatch", [...BATCH], { batch: numbers(1, 2, 3) });
    const two = await (await served(test, last)).call("ProcessBatch", [...BATCH], { batch: numbers(1, 2, 3) });
    assert.deepEqual([["2", "4", "6"], []], [texts(one), one.outputRows]);
    assert.deepEqual(
      [
        ["1", "3"],
        [0, 2],
      ],
      [texts(two), two.outputRows],
    );
  });

  it("an answer that does not fit the batch fails the rows that are to blame", async (test) => {
    const client = await served(test, new FunctionBatchProcessor(IDENTITY, () => Batch.of("N", [1, 2, 3])));
    const { errors } = await client.call("ProcessBatch", [...BATCH], { batch: numbers(1, 2) });
    assert.deepEqual(
      [
        [0, "plugin.output_invalid"],
        [1, "plugin.output_invalid"],
      ],
      errors.map(({ row, error }) => [row, error!.code]),
    );
  });

  it("a Drop of a batch function leaves out every row", async (test) => {
    const client = await served(
      test,
      new FunctionBatchProcessor(IDENTITY, () => {
        throw new Drop("night");
      }),
    );
    const got = await client.call("ProcessBatch", [...BATCH], { batch: numbers(1, 2) });
    assert.deepEqual(new Map([["night", 2]]), got.dropped);
  });

  it("raw XDR passes through untouched, and is no JSON", async (test) => {
    const xdr = Buffer.from([0, 0, 0, 2, 0xff, 0xfe]);
    const { JsonPayloads } = await import("../src/index.js");
    const batch = encoded(new Batch(new JsonPayloads([xdr], "xdr"), { types: "LedgerCloseMeta" }));
    const same = await (
      await served(
        test,
        processor((message) => message),
      )
    ).call("ProcessBatch", [...BATCH], { batch });
    const read = await (
      await served(
        test,
        processor((message) => message.payload),
      )
    ).call("ProcessBatch", [...BATCH], { batch });
    assert.deepEqual(["xdr", xdr], [same.outputs!.encoding, Buffer.from(same.outputs!.payloads.bytes(0))]);
    assert.equal("plugin.encoding_unsupported", read.errors[0]!.error!.code);
  });
});

describe("Stream", () => {
  const open = (client: Awaited<ReturnType<typeof served>>) =>
    client.open("Stream", batches.StreamRequest, batches.StreamResponse);

  it("grants credits first, then one with each answer, and ends when the host does", async (test) => {
    const stream = open(
      await served(
        test,
        processor((message) => message),
        { workers: 3 },
      ),
    );
    assert.deepEqual([0, 4], await stream.next().then((first) => [first!.sequence, first!.credits]));
    for (let sequence = 1; sequence <= 4; sequence++) stream.send({ sequence, batch: numbers(sequence) });
    const answers = [await stream.next(), await stream.next(), await stream.next(), await stream.next()];
    stream.end();
    assert.equal(undefined, await stream.next());
    assert.deepEqual(
      [
        [1, 1],
        [2, 1],
        [3, 1],
        [4, 1],
      ],
      answers.map((a) => [a!.sequence, a!.credits]),
    );
    assert.deepEqual(
      ["1", "2", "3", "4"],
      answers.map((a) => a!.answer!.outputs!.payloads.text(0)),
    );
    assert.equal(0, (await stream.status).code);
  });

  it("works on as many batches at once as it has workers, a stateful plugin on one", async (test) => {
    for (const [stateful, expected] of [
      [false, 3],
      [true, 1],
    ] as const) {
      let now = 0;
      let most = 0;
      let reach!: () => void;
      const reached = new Promise<void>((resolve) => (reach = resolve));
      const plugin = new FunctionProcessor({ ...IDENTITY, stateful }, async (message) => {
        most = Math.max(most, ++now);
        if (now === expected) reach();
        await reached;
        now--;
        return message;
      });
      const stream = open(await served(test, plugin, { workers: 3 }));
      const credits = (await stream.next())!.credits;
      for (let sequence = 1; sequence <= credits; sequence++) stream.send({ sequence, batch: numbers(1) });
      for (let answer = 0; answer < credits; answer++) await stream.next();
      assert.equal(expected, most);
      stream.end();
    }
  });

  it("a batch that fails, or cannot be read, fails alone", async (test) => {
    const plugin = new FunctionBatchProcessor(IDENTITY, (batch) => {
      if (batch.payloads.value(0) === 1) throw new Retry("busy", { afterS: 2 });
      return batch;
    });
    const stream = open(await served(test, plugin));
    await stream.next();
    stream.send({ sequence: 1, batch: numbers(1) });
    const failed = (await stream.next())!;
    stream.send({
      sequence: 2,
      batch: Buffer.from([0x08, 0x02, 0x22, 0x01, 0x31, 0x22, 0x01, 0x31, 0x22, 0x01, 0x31]),
    });
    const unread = (await stream.next())!;
    stream.send({ sequence: 3, batch: numbers(2) });
    const fine = (await stream.next())!;
    stream.end();
    assert.deepEqual(
      [1, 1, { seconds: 2, nanos: 0 }],
      [failed.sequence, failed.error!.instruction, failed.error!.retryAfter],
    );
    assert.deepEqual([2, "message.batch_invalid"], [unread.sequence, unread.error!.code]);
    assert.deepEqual([3, "2"], [fine.sequence, fine.answer!.outputs!.payloads.text(0)]);
  });

  it("an answer beyond the message limit fails its batch, not the stream", async (test) => {
    const plugin = processor((message) => ((message.payload = "x".repeat(message.payload)), message));
    const stream = open(await served(test, plugin, { environment: { PLUGIN_MAX_MESSAGE_BYTES: "100000" } }));
    await stream.next();
    stream.send({ sequence: 1, batch: numbers(200_000) });
    assert.equal("message.too_large", (await stream.next())!.error!.code);
    stream.send({ sequence: 2, batch: numbers(3) });
    assert.equal('"xxx"', (await stream.next())!.answer!.outputs!.payloads.text(0));
    stream.end();
  });

  it("a message of 20 MB passes both ways", async (test) => {
    const text = "x".repeat(20_000_000);
    const stream = open(
      await served(
        test,
        processor((message) => ((message.payload += "y"), message)),
      ),
    );
    await stream.next();
    stream.send({ sequence: 1, batch: numbers(text) });
    assert.equal(text.length + 3, (await stream.next())!.answer!.outputs!.payloads.sizeBytes);
    stream.end();
  });

  it("a host that sends more than it may is refused", async (test) => {
    const stream = open(
      await served(
        test,
        processor(() => new Promise(() => undefined)),
      ),
    );
    for (let sequence = 1; sequence <= 3; sequence++) stream.send({ sequence, batch: numbers(1) });
    while (await stream.next().catch(() => undefined));
    assert.match((await stream.status).details, /unanswered/);
  });

  it("a plugin that stops answers what it has, then ends the stream as unavailable", async (test) => {
    let begun!: () => void;
    let finish!: () => void;
    const began = new Promise<void>((resolve) => (begun = resolve));
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const stops: string[] = [];
    const plugin = new FunctionProcessor(
      IDENTITY,
      async (message) => (begun(), await gate, stops.push("answered"), message),
      { stop: () => void stops.push("stopped") },
    );
    const client = await served(test, plugin);
    await client.call("Start", [...START]);
    const stream = open(client);
    await stream.next();
    stream.send({ sequence: 1, batch: numbers(1) });
    await began;
    const stopping = client.server.stop();
    finish();
    assert.equal(1, (await stream.next())!.sequence);
    await assert.rejects(stream.next(), { code: 14 });
    await stopping;
    assert.deepEqual(["answered", "stopped"], stops);
  });
});

describe("Consume", () => {
  const open = (client: Awaited<ReturnType<typeof served>>) =>
    client.open("Consume", batches.ConsumeRequest, batches.ConsumeResponse);

  it("answers every delivery in order with what is durable", async (test) => {
    const seen: unknown[] = [];
    const plugin: Consumer = {
      metadata: () => IDENTITY,
      consume: async (delivery: Delivery) => {
        seen.push([delivery.positions, delivery.completedThrough, delivery.batch.length]);
        return delivery.completedThrough > 6 ? 6 : null;
      },
      flush: () => 7,
    };
    const stream = open(await served(test, plugin));
    stream.send({ sequence: 1, batch: numbers(1, 2), positions: [5, 6], completedThrough: 5 });
    stream.send({ sequence: 2, completedThrough: 7 });
    stream.send({ sequence: 3, completedThrough: 7, flush: true });
    const answers = [await stream.next(), await stream.next(), await stream.next()];
    stream.end();
    assert.deepEqual(
      [
        [1, undefined],
        [2, 6],
        [3, 7],
      ],
      answers.map((a) => [a!.sequence, a!.durableThrough]),
    );
    assert.deepEqual(
      [
        [[5, 6], 5, 2],
        [[], 7, 0],
      ],
      seen,
    );
    assert.equal(undefined, await stream.next());
  });

  it("a function is durable when it returns; after an error the same delivery may come again", async (test) => {
    const stored: unknown[] = [];
    let broken = true;
    const plugin = new FunctionConsumer(IDENTITY, async (message) => {
      if (message.payload === 0) throw new Drop("zero");
      if (broken) throw new Retry("disk full");
      stored.push(message.payload);
    });
    const stream = open(await served(test, plugin));
    const delivery = { batch: numbers(0, 1, 2), positions: [1, 2, 3], completedThrough: 3 };
    stream.send({ sequence: 1, ...delivery });
    const failed = (await stream.next())!;
    broken = false;
    stream.send({ sequence: 2, ...delivery });
    const taken = (await stream.next())!;
    stream.end();
    assert.deepEqual([1, undefined], [failed.error!.instruction, failed.durableThrough]);
    assert.deepEqual([3, [1, 2]], [taken.durableThrough, stored]);
  });

  it("a delivery whose rows lack positions is refused, and the stream goes on", async (test) => {
    const stream = open(await served(test, new FunctionConsumer(IDENTITY, () => undefined)));
    stream.send({ sequence: 1, batch: numbers(1, 2), positions: [1], completedThrough: 1 });
    assert.equal("message.batch_invalid", (await stream.next())!.error!.code);
    stream.end();
  });
});
