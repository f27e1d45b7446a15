/** What every SDK answers where something is wrong: the table of `spec/vectors/faults.json`. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { status } from "@grpc/grpc-js";

import {
  Batch,
  ConfigInvalid,
  Drop,
  Fatal,
  FunctionBatchProcessor,
  FunctionConsumer,
  FunctionProcessor,
  type HealthStatus,
  type Message,
  Outputs,
  type Plugin,
  PluginError,
  type PluginMetadata,
  type Processor,
  Retry,
  type Source,
  SourceBatch,
} from "../src/index.js";
import { readEnvironment } from "../src/server/environment.js";
import * as batches from "../src/wire/batches.js";
import * as wire from "../src/wire/messages.js";
import { Writer } from "../src/wire/writer.js";
import { served } from "./client.js";
import { serialize, vectors } from "./protocol.js";

const IDENTITY: PluginMetadata = { name: "faulty", version: "1.0.0" };
const LIMIT_BYTES = 100_000;
const PROCESS = [wire.ProcessRequest, wire.ProcessResponse] as const;
const BATCH = [batches.ProcessBatchRequest, batches.ProcessBatchResponse] as const;
const CONFIGURE = [wire.ConfigureRequest, wire.ConfigureResponse] as const;
const START = [wire.StartRequest, wire.StartResponse] as const;
const STOP = [wire.StopRequest, wire.StopResponse] as const;
const HEALTH = [wire.HealthRequest, wire.HealthResponse] as const;

const UNKNOWN = new TypeError("oops");
const BAD = new PluginError("bad row", { code: "test.bad" });
const LONG = new PluginError("x".repeat(LIMIT_BYTES), { code: "test.long" });

type Found = Record<string, unknown>;
type Error = { code: string; instruction: number; message: string };

const limited = (test: TestContext, plugin: Plugin) =>
  served(test, plugin, { environment: { PLUGIN_MAX_MESSAGE_BYTES: String(LIMIT_BYTES) } });

const raising = (error: unknown) => () => {
  throw error;
};

/** Do as `call` does with the bad row; pass the others. */
const ofMessages = (call: (message: Message) => any) =>
  new FunctionProcessor(IDENTITY, (message) => (message.payload === "bad" ? call(message) : message));

/** Do as `call` does with a batch that holds the bad row; pass the others. */
function ofBatches(call: (batch: Batch) => any, stateful = false) {
  const isBad = (batch: Batch) => Array.from({ length: batch.length }, (_, row) => batch.payloads.text(row));
  return new FunctionBatchProcessor({ ...IDENTITY, stateful }, (batch) =>
    isBad(batch).includes('"bad"') ? call(batch) : batch,
  );
}

const growing = (message: Message) => ((message.payload = "x".repeat(LIMIT_BYTES)), message);

function batchOf(...values: unknown[]) {
  const writer = new Writer();
  batches.writeBatch(writer, Batch.of("T", values));
  return { batch: writer.finish() };
}

const BAD_ROWS = batchOf(1, "bad", 3);

/** A batch of three rows as a host with faults sends it. */
const rawBatch = (columns: object) => ({ batch: serialize("MessageBatch", { rows: 3, ...columns }) });
const bytes = (...texts: string[]) => texts.map((text) => Buffer.from(text));

/** Return an error as the table tells it. */
function told({ code, instruction, message }: Error, ...more: "characters"[]): Found {
  const [name] = Object.entries(wire.Instruction).find(([, number]) => number === instruction)!;
  return {
    code,
    ...(instruction !== wire.Instruction.NONE && { instruction: name.toLowerCase() }),
    ...(more.includes("characters") && { characters: message.length }),
  };
}

/** Return how a call was refused. */
async function refused(call: Promise<unknown>, ...more: "characters"[]): Promise<Found> {
  const error: any = await call.then(
    () => assert.fail("expected a refusal"),
    (caught: unknown) => caught,
  );
  return { status: status[error.code], ...told(wire.Error.decode(error.metadata.get("cdp-error-bin")[0]), ...more) };
}

async function answered(test: TestContext, plugin: Plugin, request: { batch: Buffer }) {
  return (await limited(test, plugin)).call("ProcessBatch", [...BATCH], request);
}

/** Return what fails of three rows, where it is the one in the middle alone. */
async function onlyRow(
  test: TestContext,
  plugin: Plugin,
  request: { batch: Buffer },
  ...more: "characters"[]
): Promise<Found> {
  const { errors, outputRows } = await answered(test, plugin, request);
  assert.deepEqual([[0, 2], 1], [outputRows, errors.length]);
  return { row: errors[0]!.row, ...told(errors[0]!.error as never, ...more) };
}

async function refusedBatch(test: TestContext, plugin: Plugin, request: { batch: Buffer }): Promise<Found> {
  return refused((await limited(test, plugin)).call("ProcessBatch", [...BATCH], request));
}

async function refusedSingle(test: TestContext, call: (message: Message) => any, ...more: "characters"[]) {
  const client = await limited(test, ofMessages(call));
  return refused(client.call("Process", [...PROCESS], { payload: Buffer.from('"bad"') }), ...more);
}

const dropped = async (test: TestContext, plugin: Plugin) => ({
  dropped: Object.fromEntries((await answered(test, plugin, BAD_ROWS)).dropped),
});

const reading = (message: Message) => {
  assert.ok(message.payload !== undefined && message.metadata);
  return message;
};

function invalidEnvironment(variables: Record<string, string>): Found {
  try {
    readEnvironment(variables);
  } catch (error) {
    return { code: (error as PluginError).code };
  }
  return assert.fail("expected a refusal");
}

const listed = (...found: SourceBatch[]): Source => ({
  metadata: () => IDENTITY,
  describe: () => ({ identity: "listed" }),
  read: async function* () {
    yield* found;
  },
});

const numbers = (positions: number[], rows = positions.length) =>
  new SourceBatch(Batch.of("N", new Array(rows).fill(0)), positions);

/** Return the error of a source that gives `found`. */
async function failedReading(test: TestContext, ...found: SourceBatch[]): Promise<Found> {
  const client = await limited(test, listed(...found));
  const stream = client.open("Read", batches.ReadRequest, batches.ReadResponse);
  stream.send({ credits: found.length });
  for (;;) {
    const response = (await stream.next())!;
    assert.equal(false, response.ended);
    if (response.error) return told(response.error as never);
  }
}

/** Stop a plugin whose stream has begun; return how the stream ends. */
async function stopped(test: TestContext, plugin: Plugin, name: "Stream" | "Read" | "Consume", first?: object) {
  const client = await limited(test, plugin);
  const [request, response] = {
    Stream: [batches.StreamRequest, batches.StreamResponse],
    Read: [batches.ReadRequest, batches.ReadResponse],
    Consume: [batches.ConsumeRequest, batches.ConsumeResponse],
  }[name] as [any, any];
  const stream = client.open(name, request, response);
  if (first) stream.send(first as never);
  await stream.next();
  const stopping = client.server.stop();
  const error: any = await stream.next().catch((caught: unknown) => caught);
  await stopping;
  return { status: status[error.code] };
}

/** A plugin that fails at whatever it is asked first, and counts how often it is stopped. */
class Faulty implements Processor {
  stops = 0;
  constructor(private readonly error?: unknown) {}
  metadata = () => IDENTITY;
  configure = () => this.fail();
  start = () => this.fail();
  stop = () => void this.stops++;
  processBatch = (batch: Batch) => Outputs.each(batch);
  private fail(): void {
    if (this.error !== undefined) throw this.error;
  }
}

const config = (error: unknown, text = "{}") => async (test: TestContext) =>
  refused((await limited(test, new Faulty(error))).call("Configure", [...CONFIGURE], { config: Buffer.from(text) }));

const start = (error: unknown, state = "") => async (test: TestContext) =>
  refused((await limited(test, new Faulty(error))).call("Start", [...START], { importedState: Buffer.from(state) }));

/** Return how often a plugin is stopped that is started, if it is, and told to stop. */
async function stops(test: TestContext, plugin: Faulty, started: boolean, times: number): Promise<Found> {
  const client = await limited(test, plugin);
  if (started) await client.call("Start", [...START]).catch(() => undefined);
  for (let time = 0; time < times; time++) await client.call("Stop", [...STOP]);
  await client.server.stop();
  return { stops: plugin.stops };
}

async function exportFails(test: TestContext): Promise<Found> {
  const plugin = Object.assign(new Faulty(), { exportState: raising(UNKNOWN), importState: () => undefined });
  const client = await limited(test, plugin);
  await client.call("Start", [...START]);
  return { ...(await refused(client.call("Stop", [...STOP], { exportState: true }))), stops: plugin.stops };
}

async function health(test: TestContext, say: () => HealthStatus): Promise<Found> {
  const client = await limited(test, Object.assign(new Faulty(), { health: say }));
  const answer = await client.call("Health", [...HEALTH]);
  return { health: answer.status, details: Object.keys(answer.details ?? {}) };
}

async function creditsExceeded(test: TestContext): Promise<Found> {
  const client = await limited(test, new FunctionProcessor(IDENTITY, () => new Promise<never>(() => undefined)));
  const stream = client.open("Stream", batches.StreamRequest, batches.StreamResponse);
  const { credits } = (await stream.next())!;
  for (let sequence = 1; sequence <= credits + 1; sequence++) stream.send({ sequence, ...BAD_ROWS });
  return refused(stream.next());
}

const SITUATIONS: Record<string, (test: TestContext) => Promise<Found> | Found> = {
  "default-limit": () => ({ bytes: readEnvironment({}).maxMessageBytes }),
  "port-zero": () => invalidEnvironment({ PLUGIN_PORT: "0" }),
  "port-too-high": () => invalidEnvironment({ PLUGIN_PORT: "65536" }),
  "port-no-number": () => invalidEnvironment({ PLUGIN_PORT: "many" }),
  "limit-zero": () => invalidEnvironment({ PLUGIN_MAX_MESSAGE_BYTES: "0" }),
  "limit-too-high": () => invalidEnvironment({ PLUGIN_MAX_MESSAGE_BYTES: String(2 ** 31) }),
  "answer-too-large": (test) => refusedBatch(test, ofMessages(growing), batchOf("bad")),
  "single-answer-too-large": (test) => refusedSingle(test, growing),
  "source-row-too-large": (test) =>
    failedReading(test, new SourceBatch(Batch.of("N", ["x".repeat(LIMIT_BYTES)]), [1])),
  "row-error-too-long": (test) => onlyRow(test, ofMessages(raising(LONG)), BAD_ROWS, "characters"),
  "call-error-too-long": (test) => refusedSingle(test, raising(LONG), "characters"),

  "payload-no-json": (test) =>
    onlyRow(test, new FunctionProcessor(IDENTITY, reading), rawBatch({ payloads: bytes("1", "{broken", "3") })),
  "metadata-no-json": (test) =>
    onlyRow(test, new FunctionProcessor(IDENTITY, reading), rawBatch({ metadata: bytes('{"n":1}', "{broken", "") })),
  "metadata-no-object": (test) =>
    onlyRow(test, new FunctionProcessor(IDENTITY, reading), rawBatch({ metadata: bytes('{"n":1}', "[1]", "") })),
  "unknown-error": (test) => onlyRow(test, ofMessages(raising(UNKNOWN)), BAD_ROWS),
  "single-unknown-error": (test) => refusedSingle(test, raising(UNKNOWN)),
  "drop-without-reason": (test) => dropped(test, ofMessages(raising(new Drop("")))),

  "batch-unknown-error": (test) => onlyRow(test, ofBatches(raising(UNKNOWN)), BAD_ROWS),
  "batch-error": (test) => onlyRow(test, ofBatches(raising(BAD)), BAD_ROWS),
  "batch-answer-invalid": (test) =>
    onlyRow(
      test,
      ofBatches((batch) => new Outputs([{ batch, rows: [batch.length] }])),
      BAD_ROWS,
    ),
  "batch-error-of-stateful": async (test) => {
    const { errors } = await answered(test, ofBatches(raising(BAD), true), BAD_ROWS);
    return { rows: errors.map(({ row }) => row), ...told(errors[0]!.error as never) };
  },
  "batch-drop": (test) => dropped(test, ofBatches(raising(new Drop("not mine")))),
  "batch-retry": (test) => refusedBatch(test, ofBatches(raising(new Retry())), BAD_ROWS),
  "batch-fatal": (test) => refusedBatch(test, ofBatches(raising(new Fatal("enough"))), BAD_ROWS),
  "payloads-that-do-not-mix": (test) =>
    refusedBatch(
      test,
      new FunctionProcessor(IDENTITY, (message) => {
        if (message.id === "b") message.payload = 1;
        return message;
      }),
      rawBatch({ payloads: bytes("\0\x01", "\0\x02", "\0\x03"), encoding: "xdr", ids: ["a", "b", "c"] }),
    ),

  "credits-exceeded": creditsExceeded,
  "positions-missing": (test) => failedReading(test, numbers([1], 2)),
  "positions-decrease": (test) => failedReading(test, numbers([2, 1])),
  "positions-decrease-later": (test) => failedReading(test, numbers([2]), numbers([1])),
  "stream-stopping": (test) => stopped(test, ofMessages(reading), "Stream"),
  "read-stopping": (test) => stopped(test, listed(numbers([1]), numbers([2])), "Read", { credits: 1 }),
  "read-ended-stopping": (test) => stopped(test, listed(), "Read", { credits: 1 }),
  "consume-stopping": (test) =>
    stopped(
      test,
      new FunctionConsumer(IDENTITY, () => undefined),
      "Consume",
      { sequence: 1 },
    ),

  "config-no-json": config(undefined, "{broken"),
  "config-no-object": config(undefined, "[1]"),
  "config-refused": config(new ConfigInvalid("no")),
  "config-unknown-error": config(UNKNOWN),
  "start-error": start(BAD),
  "start-unknown-error": start(UNKNOWN),
  "start-retry": start(new Retry()),
  "start-fatal": start(new Fatal("enough")),
  "state-nobody-keeps": start(undefined, "state"),
  "stopped-twice": (test) => stops(test, new Faulty(), true, 2),
  "stopped-unstarted": (test) => stops(test, new Faulty(), false, 1),
  "start-failed-and-stopped": (test) => stops(test, new Faulty(BAD), true, 1),
  "export-fails": exportFails,
  "health-unknown-error": (test) => health(test, raising(UNKNOWN)),
  "health-details-nan": (test) => health(test, () => ({ status: "degraded", details: { n: NaN } })),
};

for (const [name, number] of Object.entries({ nan: NaN, infinity: Infinity, "minus-infinity": -Infinity })) {
  const nested = { deep: [null, { n: number }] };
  for (const [held, value] of [["", number] as const, ["nested-", nested] as const]) {
    const changing = (change: (message: Message) => void) => (test: TestContext) =>
      onlyRow(
        test,
        ofMessages((message) => (change(message), message)),
        BAD_ROWS,
      );
    SITUATIONS[`${held}payload-${name}`] = changing((message) => (message.payload = value));
    SITUATIONS[`${held}metadata-${name}`] = changing((message) => (message.metadata.n = value));
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
