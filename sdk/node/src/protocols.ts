/**
 * The contract: what a source, a processor and a consumer are.
 *
 * Every method may be a plain function or return a promise. Optional methods may be left
 * out; what is there is announced to the host.
 */

import type { Batch } from "./batch.js";
import type { Context, Delivery, Resume, SourceBatch, SourceDescription } from "./delivery.js";
import type { JsonObject } from "./json.js";
import type { HealthStatus, PluginKind, PluginMetadata } from "./metadata.js";
import type { Outputs } from "./outputs.js";

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** What every plugin has. Life: metadata, configure, start, work, stop. */
export interface Plugin {
  /** Say who it is; needs no configuration and touches nothing. */
  metadata(): PluginMetadata;

  /** Take the configuration; opens nothing yet. Throws `ConfigInvalid` to refuse it. */
  configure?(config: JsonObject): Awaitable<void>;

  /** Open what is needed: files, connections, models. */
  start?(context: Context): Awaitable<void>;

  /** Close everything. Called once, also after a failed start. */
  stop?(): Awaitable<void>;

  /** Say how it is; cheap, callable at any time. Without it: healthy. */
  health?(): Awaitable<HealthStatus>;

  /** Return everything the instance that replaces this one must know. Called before `stop`. */
  exportState?(): Awaitable<Uint8Array>;

  /** Take what `exportState` of an earlier instance gave. Called after `start`. */
  importState?(state: Uint8Array): Awaitable<void>;
}

/** Turns messages into messages. */
export interface Processor extends Plugin {
  /**
   * Answer 0 to N outputs an input row. A `Retry` and a `Fatal` are for the whole batch, a `Drop`
   * leaves it out. After any other error the batch is halved and comes again, until the bad row
   * is alone; a stateful plugin's batch fails in every row.
   */
  processBatch(batch: Batch): Awaitable<Outputs>;
}

/** Reads a stream. */
export interface Source extends Plugin {
  /** Say what the stream is. Called after `start`. */
  describe(): Awaitable<SourceDescription>;

  /**
   * Yield the stream from its start, or from the first row after `after`.
   *
   * A bounded stream ends; an unbounded one goes on until `signal` is aborted. The host
   * pulls: nothing is asked for while the pipeline is busy.
   */
  read(after: Resume | null, signal: AbortSignal): AsyncIterable<SourceBatch>;

  /**
   * Learn that everything at or before the position is durable. Called while the source is
   * read, and after its end until `stop`. What it throws fails the reading.
   */
  acknowledge?(completedThrough: number): Awaitable<void>;
}

/** Puts messages somewhere durable. */
export interface Consumer extends Plugin {
  /**
   * Return the position up to which this consumer already holds everything.
   *
   * Null, or no such method: it keeps no position of its own (at least once). -1: it keeps
   * one, and holds nothing. Called after `start`, before the first delivery. Rows at or
   * before the position may come again: the consumer leaves them out.
   */
  durablePosition?(): Awaitable<number | null>;

  /**
   * Take `delivery`; return the position through which everything is now durable.
   *
   * Deliveries come one at a time, in order; after an error the same one comes again. Null:
   * nothing new is durable yet.
   */
  consume(delivery: Delivery): Awaitable<number | null>;

  /** Make everything taken so far durable; return the position as `consume` does. */
  flush?(): Awaitable<number | null>;

  /**
   * Forget the durable position, and whatever a replay would double.
   *
   * Called without `start`, after `configure`. Returns what was done, a line each.
   */
  forget?(context: Context): Awaitable<readonly string[]>;
}

/** Tell whether `plugin` is a processor. */
export function isProcessor(plugin: Plugin): plugin is Processor {
  return typeof (plugin as Partial<Processor>).processBatch === "function";
}

/** Tell whether `plugin` is a source. */
export function isSource(plugin: Plugin): plugin is Source {
  return typeof (plugin as Partial<Source>).read === "function";
}

/** Tell whether `plugin` is a consumer. */
export function isConsumer(plugin: Plugin): plugin is Consumer {
  return typeof (plugin as Partial<Consumer>).consume === "function";
}

/** Return what `plugin` is in a pipeline, told by its methods. */
export function kindOf(plugin: Plugin): PluginKind {
  if (isSource(plugin)) return "source";
  return isConsumer(plugin) ? "consumer" : "processor";
}
