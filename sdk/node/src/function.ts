/** The one-function plugin: write a function, get a plugin. */

import { Batch } from "./batch.js";
import { everyRow } from "./column.js";
import { type Context, type Delivery, type Resume, SourceBatch, type SourceDescription } from "./delivery.js";
import { Drop } from "./errors.js";
import type { JsonObject } from "./json.js";
import { logger } from "./logger.js";
import { Message, view } from "./message.js";
import type { HealthStatus, PluginKind, PluginMetadata } from "./metadata.js";
import { asOutputs, OutputCollector, Outputs, type Result } from "./outputs.js";
import type { Awaitable, Consumer, Plugin, Processor, Source } from "./protocols.js";

/** Takes a message and returns one, several, or null to drop it. */
export type MessageFunction = (message: Message, config: JsonObject) => Awaitable<Result>;
/** Takes a batch and returns a batch (row for row) or `Outputs`. */
export type BatchFunction = (batch: Batch, config: JsonObject) => Awaitable<Batch | Outputs>;
/** Takes a message and puts it somewhere durable. */
export type ConsumeFunction = (message: Message, config: JsonObject) => Awaitable<void>;
/**
 * Yields a stream: messages, counted from 1, always from the stream's start; or source
 * batches with positions of their own, going on after `after`.
 */
export type SourceFunction = (
  after: Resume | null,
  signal: AbortSignal,
  config: JsonObject,
) => AsyncIterable<Message | SourceBatch> | Iterable<Message | SourceBatch>;

/** What a one-function plugin may do beside its function. */
export interface Hooks {
  /** Take the configuration, or throw `ConfigInvalid`. The function gets it in any case. */
  configure?(config: JsonObject): Awaitable<void>;
  /** Open what is needed. */
  start?(context: Context): Awaitable<void>;
  /** Close everything. */
  stop?(): Awaitable<void>;
  /** Say how it is. */
  health?(): Awaitable<HealthStatus>;
  /** A source: say what the stream is; without it the stream is named after the plugin. */
  describe?(): Awaitable<SourceDescription>;
}

/** What all one-function plugins share: who they are, their configuration, their hooks. */
abstract class FunctionPlugin implements Plugin {
  /** The configuration. */
  config: JsonObject = {};

  constructor(
    private readonly identity: PluginMetadata,
    protected readonly hooks: Hooks,
    private readonly kind: PluginKind,
  ) {}

  metadata(): PluginMetadata {
    return { ...this.identity, type: this.kind };
  }

  async configure(config: JsonObject): Promise<void> {
    this.config = config;
    await this.hooks.configure?.(config);
  }

  async start(context: Context): Promise<void> {
    await this.hooks.start?.(context);
  }

  async stop(): Promise<void> {
    await this.hooks.stop?.();
  }

  async health(): Promise<HealthStatus> {
    return (await this.hooks.health?.()) ?? { status: "healthy" };
  }
}

/** A processor made of one function of a message. */
export class FunctionProcessor extends FunctionPlugin implements Processor {
  constructor(
    metadata: PluginMetadata,
    private readonly call: MessageFunction,
    hooks: Hooks = {},
  ) {
    super(metadata, hooks, "processor");
  }

  async processBatch(batch: Batch): Promise<Outputs> {
    const collector = new OutputCollector(batch);
    for (let row = 0; row < batch.length; row++) {
      try {
        const result = this.call(view(batch, row), this.config);
        // Awaiting only what is a promise keeps synchronous functions off the microtask queue.
        collector.addResult(row, result instanceof Promise ? await result : result);
      } catch (error) {
        collector.fail(row, error);
      }
    }
    return collector.outputs();
  }
}

/** A processor made of one function of a batch. */
export class FunctionBatchProcessor extends FunctionPlugin implements Processor {
  constructor(
    metadata: PluginMetadata,
    private readonly call: BatchFunction,
    hooks: Hooks = {},
  ) {
    super(metadata, hooks, "processor");
  }

  async processBatch(batch: Batch): Promise<Outputs> {
    return asOutputs(await this.call(batch, this.config), batch);
  }
}

/** A consumer made of one function: a message is durable when the function returns. */
export class FunctionConsumer extends FunctionPlugin implements Consumer {
  constructor(
    metadata: PluginMetadata,
    private readonly call: ConsumeFunction,
    hooks: Hooks = {},
  ) {
    super(metadata, hooks, "consumer");
  }

  async consume(delivery: Delivery): Promise<number> {
    for (let row = 0; row < delivery.batch.length; row++) {
      const message = view(delivery.batch, row);
      try {
        await this.call(message, this.config);
      } catch (error) {
        if (!(error instanceof Drop)) throw error;
        logger.debug("message dropped", { id: message.id, reason: error.reason });
      }
    }
    return delivery.completedThrough;
  }
}

/** Most messages, and about how many bytes of payload, that a batch of a source function holds. */
const MOST_ROWS = 1000;
const MOST_BYTES = 1 << 20;

/** A source made of one generator function. */
export class FunctionSource extends FunctionPlugin implements Source {
  constructor(
    metadata: PluginMetadata,
    private readonly call: SourceFunction,
    hooks: Hooks = {},
  ) {
    super(metadata, hooks, "source");
  }

  async describe(): Promise<SourceDescription> {
    return (await this.hooks.describe?.()) ?? { identity: this.metadata().name, unit: "messages" };
  }

  async *read(after: Resume | null, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const items = iterator(this.call(after, signal, this.config));
    const done = after?.position ?? 0;
    let position = 0;
    try {
      for (let waiting = items.next(); ;) {
        const gathered = await gather(items, waiting);
        const first = Math.max(0, done - position);
        position += gathered.batch.length;
        if (gathered.batch.length > first) yield numbered(gathered.batch.slice(first, Infinity), position);
        if (gathered.given) yield gathered.given;
        if (gathered.ended) return;
        waiting = gathered.waiting;
      }
    } finally {
      // Not awaited: a generator that waits for its next item would hold up the end.
      void Promise.resolve(items.return?.()).catch(() => undefined);
    }
  }
}

type Item = Message | SourceBatch;
interface Gathered {
  batch: Batch;
  given?: SourceBatch;
  ended: boolean;
  waiting: Promise<IteratorResult<Item>>;
}

/** Gather messages until a source batch comes, the items end, or the next is not there at once. */
async function gather(items: AsyncIterator<Item>, first: Promise<IteratorResult<Item>>): Promise<Gathered> {
  const gathering = new Gathering();
  let waiting = first;
  for (;;) {
    const next = gathering.empty ? await waiting : await atOnce(waiting);
    if (next === undefined) return { batch: gathering.batch(), ended: false, waiting };
    if (next.done) return { batch: gathering.batch(), ended: true, waiting };
    if (next.value instanceof Message) gathering.add(next.value);
    waiting = items.next();
    waiting.catch(() => undefined);
    if (next.value instanceof SourceBatch) {
      return { batch: gathering.batch(), given: next.value, ended: false, waiting };
    }
    if (gathering.full) return { batch: gathering.batch(), ended: false, waiting };
  }
}

/** Messages of an author on their way into a batch; what they hold is taken down as they come. */
class Gathering {
  private readonly collector = new OutputCollector(Batch.empty());
  private rows = 0;

  add(message: Message): void {
    this.collector.add(this.rows++, message);
  }

  get empty(): boolean {
    return this.rows === 0;
  }

  get full(): boolean {
    return this.rows === MOST_ROWS || this.collector.sizeWritten >= MOST_BYTES;
  }

  batch(): Batch {
    return this.collector.outputs().parts[0]?.batch ?? Batch.empty();
  }
}

/** Return what `waiting` gives in this turn of the event loop, else undefined; its failure comes later. */
function atOnce<T>(waiting: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    waiting.then(resolve, () => resolve(undefined));
    setImmediate(() => resolve(undefined));
  });
}

async function* iterated(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}

function iterator(items: AsyncIterable<Item> | Iterable<Item>): AsyncIterator<Item> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : iterated(items);
}

function numbered(batch: Batch, last: number): SourceBatch {
  const first = last - batch.length + 1;
  return new SourceBatch(
    batch,
    everyRow(batch.length).map((row) => first + row),
  );
}
