/** `Read`: positions, credits, acknowledgements and ends, against a real server. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import {
  Batch,
  Fatal,
  FunctionSource,
  Message,
  type PluginMetadata,
  type Resume,
  Retry,
  type Source,
  SourceBatch,
  type SourceFunction,
} from "../src/index.js";
import * as batches from "../src/wire/batches.js";
import type { MessageOf } from "../src/wire/fields.js";
import { StartRequest, StartResponse } from "../src/wire/messages.js";
import { served } from "./client.js";

const IDENTITY: PluginMetadata = { name: "numbers", version: "1.0.0" };

type Response = MessageOf<typeof batches.ReadResponse>;

async function opened(test: TestContext, source: Source | SourceFunction, options = {}) {
  const plugin = typeof source === "function" ? new FunctionSource(IDENTITY, source) : source;
  const client = await served(test, plugin, options);
  return Object.assign(client.open("Read", batches.ReadRequest, batches.ReadResponse), { client });
}

/** Return what is still to come, without the word that the source has ended. */
async function all(reading: { next(): Promise<Response | undefined>; end(): void }): Promise<Response[]> {
  const found: Response[] = [];
  for (let next = await reading.next(); next; next = await reading.next()) {
    if (next.ended) reading.end();
    else found.push(next);
  }
  return found;
}

const values = (found: Response[]) =>
  found.flatMap(({ batch, positions }) => positions.map((position, row) => [position, batch!.payloads.value(row)]));

function* letters() {
  for (const letter of ["a", "b", "c"]) yield new Message({ type: "Letter", payload: letter });
}

describe("a source function", () => {
  it("has its messages counted from 1, and the stream ends with it", async (test) => {
    const reading = await opened(test, letters);
    reading.send({ credits: 10 });
    assert.deepEqual(
      [
        [1, "a"],
        [2, "b"],
        [3, "c"],
      ],
      values(await all(reading)),
    );
    assert.equal(0, (await reading.status).code);
  });

  it("leaves out what is durable already", async (test) => {
    const reading = await opened(test, letters);
    reading.send({ credits: 10, afterPosition: 2 });
    assert.deepEqual([[3, "c"]], values(await all(reading)));
  });

  it("may yield source batches with positions and a token of its own", async (test) => {
    let resumed: Resume | null = null;
    const reading = await opened(test, async function* (after) {
      resumed = after;
      yield new SourceBatch(Batch.of("N", [7]), [70], { completedThrough: 75, token: Buffer.from("t") });
    });
    reading.send({ credits: 2, afterPosition: 60, afterToken: Buffer.from("s") });
    const [only] = await all(reading);
    assert.deepEqual({ position: 60, token: Buffer.from("s") }, resumed);
    assert.deepEqual([[70], 75, "t"], [only!.positions, only!.completedThrough, only!.token.toString()]);
  });

  it("sends a message as soon as the next one makes it wait", async (test) => {
    const reading = await opened(test, async function* (_after, signal) {
      yield* letters();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    reading.send({ credits: 10 });
    assert.deepEqual([1, 2, 3], (await reading.next())!.positions);
    reading.call.cancel();
  });

  it("writes a message as it was when it was yielded", async (test) => {
    const message = new Message({ payload: { n: 0 } });
    const reading = await opened(test, function* () {
      for (message.payload.n = 1; message.payload.n <= 3; message.payload.n++) yield message;
    });
    reading.send({ credits: 10 });
    assert.deepEqual(
      [{ n: 1 }, { n: 2 }, { n: 3 }],
      values(await all(reading)).map(([, value]) => value),
    );
  });

  it("describes its stream, or is named after the plugin", async (test) => {
    const plain = await served(test, new FunctionSource(IDENTITY, letters));
    const described = await served(
      test,
      new FunctionSource(IDENTITY, letters, {
        describe: () => ({ identity: "lake", network: "net", unit: "ledgers", first: 2, last: 9, start: "2" }),
      }),
    );
    const start = [StartRequest, StartResponse] as const;
    const [one, two] = [await plain.call("Start", [...start]), await described.call("Start", [...start])];
    assert.deepEqual(["numbers", "messages", undefined], [one.source!.identity, one.source!.unit, one.source!.last]);
    assert.deepEqual({ identity: "lake", network: "net", unit: "ledgers", first: 2, last: 9, start: "2" }, two.source);
  });
});

/** A source of one row a batch that notes what happens to it. */
class Counting implements Source {
  asked = 0;
  closed = false;
  readonly acknowledged: number[] = [];
  ended!: () => void;
  readonly end = new Promise<void>((resolve) => (this.ended = resolve));

  constructor(private readonly rows = 1000) {}

  metadata = () => IDENTITY;
  describe = () => ({ identity: "counting" });
  acknowledge = (position: number) => void this.acknowledged.push(position);

  async *read() {
    try {
      for (let position = 1; position <= this.rows; position++) {
        this.asked = position;
        yield new SourceBatch(Batch.of("N", [position]), [position]);
      }
    } finally {
      this.closed = true;
      this.ended();
    }
  }
}

describe("Read", () => {
  it("asks the source for nothing without a credit", async (test) => {
    const source = new Counting();
    const reading = await opened(test, source);
    reading.send({ credits: 2 });
    await reading.next();
    await reading.next();
    reading.send({ credits: 1 });
    assert.deepEqual([3], (await reading.next())!.positions);
    assert.equal(3, source.asked);
    reading.call.cancel();
  });

  it("hands acknowledgements to the source, in order", async (test) => {
    const source = new Counting(2);
    const reading = await opened(test, source);
    reading.send({ credits: 1 });
    await reading.next();
    reading.send({ acknowledgedThrough: 0 });
    reading.send({ acknowledgedThrough: 1, credits: 2 });
    await all(reading);
    assert.deepEqual([0, 1], source.acknowledged);
  });

  it("says that the source has ended, then hands on what is acknowledged until the host ends its side", async (test) => {
    const source = new Counting(1);
    const { acknowledge } = source;
    source.acknowledge = (position) => {
      acknowledge(position);
      if (position < 0) throw new Fatal("lost the cursor");
    };
    const reading = await opened(test, source);
    reading.send({ credits: 2 });
    assert.deepEqual([false, true], [(await reading.next())!.ended, (await reading.next())!.ended]);
    for (const position of [-1, 1]) reading.send({ acknowledgedThrough: position });
    reading.end();
    assert.equal(undefined, await reading.next());
    assert.deepEqual([[-1, 1], 0], [source.acknowledged, (await reading.status).code]);
  });

  it("ends when the host ends its side, though the source waits for its next row", async (test) => {
    const source = new Counting(1);
    const { read } = source;
    source.read = async function* (this: Counting) {
      yield* read.call(this);
      await new Promise(() => undefined);
    };
    const reading = await opened(test, source);
    reading.send({ credits: 2 });
    await reading.next();
    reading.send({ acknowledgedThrough: 1 });
    reading.end();
    assert.equal(undefined, await reading.next());
    assert.deepEqual([[1], 0], [source.acknowledged, (await reading.status).code]);
  });

  it("closes the source when the host goes away", async (test) => {
    const source = new Counting();
    const reading = await opened(test, source);
    reading.send({ credits: 1 });
    await reading.next();
    reading.call.cancel();
    await source.end;
    assert.equal(true, source.closed);
  });

  it("what the source throws is the last answer", async (test) => {
    const reading = await opened(test, function* () {
      yield new Message({ payload: 1 });
      throw new Retry("gap", { code: "lake.gap", afterS: 5 });
    });
    reading.send({ credits: 10 });
    const found = await all(reading);
    assert.deepEqual([1], found[0]!.positions);
    const error = found.at(-1)!.error!;
    assert.deepEqual(["lake.gap", 1, { seconds: 5, nanos: 0 }], [error.code, error.instruction, error.retryAfter]);
  });

  it("what a source cannot acknowledge ends the reading with that error", async (test) => {
    const source = Object.assign(new Counting(), {
      acknowledge: () => {
        throw new Fatal("lost the cursor");
      },
    });
    const reading = await opened(test, source);
    reading.send({ credits: 1 });
    await reading.next();
    reading.send({ acknowledgedThrough: 1 });
    assert.equal("lost the cursor", (await reading.next())!.error!.message);
  });

  it("refuses rows without positions, and positions that decrease", async (test) => {
    const lacking = await opened(test, function* () {
      yield new SourceBatch(Batch.of("N", [1, 2]), [1]);
    });
    const decreasing = await opened(test, function* () {
      yield new SourceBatch(Batch.of("N", [1]), [2]);
      yield new SourceBatch(Batch.of("N", [1]), [1]);
    });
    lacking.send({ credits: 9 });
    decreasing.send({ credits: 9 });
    assert.equal("plugin.output_invalid", (await lacking.next())!.error!.code);
    await decreasing.next();
    assert.equal("plugin.output_invalid", (await decreasing.next())!.error!.code);
  });

  it("cuts what exceeds the message limit; a position is complete with its last row only", async (test) => {
    const environment = { PLUGIN_MAX_MESSAGE_BYTES: "6000" };
    const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(2000));
    const reading = await opened(
      test,
      function* () {
        yield new SourceBatch(Batch.of("N", texts), [1, 2, 2, 3], { token: Buffer.from("t") });
      },
      { environment },
    );
    reading.send({ credits: 9 });
    const found = await all(reading);
    assert.deepEqual(
      [
        [1, 2],
        [2, 3],
      ],
      found.map((one) => one.positions),
    );
    assert.deepEqual(
      [
        [1, ""],
        [3, "t"],
      ],
      found.map((one) => [one.completedThrough, one.token.toString()]),
    );
  });

  it("refuses a row that no message can hold, for good", async (test) => {
    const environment = { PLUGIN_MAX_MESSAGE_BYTES: "6000" };
    const reading = await opened(
      test,
      function* () {
        yield new Message({ payload: "x".repeat(7000) });
      },
      { environment },
    );
    reading.send({ credits: 9 });
    const { error } = (await reading.next())!;
    assert.deepEqual([3, "message.too_large"], [error!.instruction, error!.code]);
  });

  it("a plugin that stops ends as unavailable, which no host takes for the end of the data", async (test) => {
    const waiting = async function* (_after: Resume | null, signal: AbortSignal) {
      yield new Message({ payload: 1 });
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    const silent = async function* () {
      await new Promise(() => undefined);
    };
    for (const source of [waiting, silent, letters] as SourceFunction[]) {
      const reading = await opened(test, source);
      reading.send({ credits: 5 });
      if (source === waiting) await reading.next();
      if (source === letters) while (!(await reading.next())!.ended);
      await reading.client.call("Health", [StartRequest, StartResponse]);
      const stopping = reading.client.server.stop();
      await assert.rejects(reading.next(), { code: 14 });
      await stopping;
    }
  });
});
