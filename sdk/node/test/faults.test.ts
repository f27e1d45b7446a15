/** What every SDK answers where something is wrong: the table of `spec/vectors/faults.json`. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { status } from "@grpc/grpc-js";

import {
  Batch,
  FunctionProcessor,
  type Message,
  type MessageFunction,
  type Plugin,
  type PluginMetadata,
  type Source,
  SourceBatch,
} from "../src/index.js";
import { readEnvironment } from "../src/server/environment.js";
import * as batches from "../src/wire/batches.js";
import * as wire from "../src/wire/messages.js";
import { Writer } from "../src/wire/writer.js";
import { type Client, served } from "./client.js";
import { vectors } from "./protocol.js";

const IDENTITY: PluginMetadata = { name: "faulty", version: "1.0.0" };
const LIMIT_BYTES = 100_000;
const PROCESS = [wire.ProcessRequest, wire.ProcessResponse] as const;
const BATCH = [batches.ProcessBatchRequest, batches.ProcessBatchResponse] as const;
const NUMBERS = { nan: NaN, infinity: Infinity, "minus-infinity": -Infinity };

type Found = Record<string, unknown>;
type Situation = (test: TestContext) => Promise<Found> | Found;

const limited = (test: TestContext, plugin: Plugin) =>
  served(test, plugin, { environment: { PLUGIN_MAX_MESSAGE_BYTES: String(LIMIT_BYTES) } });
const processor = (call: MessageFunction) => new FunctionProcessor(IDENTITY, call);
const growing = processor((message) => ((message.payload = "x".repeat(LIMIT_BYTES)), message));

function batchOf(...values: unknown[]) {
  const writer = new Writer();
  batches.writeBatch(writer, Batch.of("T", values));
  return { batch: writer.finish() };
}

/** Return an error as the table tells it. */
function told({ code, instruction }: { code: string; instruction: number }): Found {
  const [name] = Object.entries(wire.Instruction).find(([, number]) => number === instruction)!;
  return { code, ...(instruction !== wire.Instruction.NONE && { instruction: name.toLowerCase() }) };
}

/** Return how a call was refused. */
async function refused(call: Promise<unknown>): Promise<Found> {
  const error: any = await call.then(() => assert.fail("expected a refusal"), (caught: unknown) => caught);
  return { status: status[error.code], ...told(wire.Error.decode(error.metadata.get("cdp-error-bin")[0])) };
}

/** Return what comes of three rows, of which the one in the middle is `bad`. */
async function badRow(test: TestContext, plugin: Plugin): Promise<Found> {
  const client = await limited(test, plugin);
  const { errors, outputRows } = await client.call("ProcessBatch", [...BATCH], batchOf(1, "bad", 3));
  assert.deepEqual([[0, 2], 1], [outputRows, errors.length]);
  return { row: errors[0]!.row, ...told(errors[0]!.error as never) };
}

/** Return the error of a source that gives `found`. */
async function failedReading(test: TestContext, ...found: SourceBatch[]): Promise<Found> {
  const source: Source = {
    metadata: () => IDENTITY,
    describe: () => ({ identity: "listed" }),
    read: async function* () {
      yield* found;
    },
  };
  const client: Client = await limited(test, source);
  const reading = client.open("Read", batches.ReadRequest, batches.ReadResponse);
  reading.send({ credits: found.length });
  for (;;) {
    const response = (await reading.next())!;
    assert.equal(false, response.ended);
    if (response.error) return told(response.error as never);
  }
}

const SITUATIONS: Record<string, Situation> = {
  "default-limit": () => ({ bytes: readEnvironment({}).maxMessageBytes }),
  "answer-too-large": async (test) =>
    refused((await limited(test, growing)).call("ProcessBatch", [...BATCH], batchOf(1))),
  "single-answer-too-large": async (test) =>
    refused((await limited(test, growing)).call("Process", [...PROCESS], { payload: Buffer.from("1") })),
  "source-row-too-large": (test) =>
    failedReading(test, new SourceBatch(Batch.of("N", ["x".repeat(LIMIT_BYTES)]), [1])),
};

for (const [name, number] of Object.entries(NUMBERS)) {
  const nested = { deep: [null, { n: number }] };
  for (const [held, value] of [["", number] as const, ["nested-", nested] as const]) {
    const when = (change: (message: Message) => void) => (test: TestContext) =>
      badRow(
        test,
        processor((message) => {
          if (message.payload === "bad") change(message);
          return message;
        }),
      );
    SITUATIONS[`${held}payload-${name}`] = when((message) => (message.payload = value));
    SITUATIONS[`${held}metadata-${name}`] = when((message) => (message.metadata.n = value));
  }
}

const cases = vectors("faults.json");

describe("faults.json", () => {
  for (const { name, rule, expected } of cases) {
    it(`${name}: ${rule}`, async (test) => {
      assert.deepEqual(await SITUATIONS[name]!(test), expected);
    });
  }

  it("holds every situation that is made", () => {
    assert.deepEqual(Object.keys(SITUATIONS).sort(), cases.map(({ name }) => name).sort());
  });
});
