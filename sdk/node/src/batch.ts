/**
 * Messages in bulk: columns, not rows.
 *
 * A `Batch` is what moves through a pipeline. A `Message` is a view on one row.
 */

import { Column, concatColumns, isEveryRow } from "./column.js";
import { PluginError } from "./errors.js";
import type { JsonObject } from "./json.js";
import { type Encoding, NO_SOURCE, type SourceInfo } from "./metadata.js";
import { concatPayloads, JsonPayloads, type Payloads } from "./payloads.js";

/** The content type of a message that names none. */
export const JSON_CONTENT = "application/json";
/** The metadata of a message that has none. */
export const NO_METADATA: JsonObject = Object.freeze({});

type Given<T> = Column<T> | readonly T[] | T;

/** The columns of a batch beside its payloads: a column, an array, or one value for all rows. */
export interface BatchColumns {
  types?: Given<string>;
  ids?: Given<string>;
  metadata?: Given<JsonObject>;
  sources?: Given<SourceInfo>;
  traceIds?: Given<string>;
  contentTypes?: Given<string>;
}

/** A number of messages as columns of equal length. */
export class Batch {
  /** The payload column. */
  readonly payloads: Payloads;
  /** Message types. */
  readonly types: Column<string>;
  /** Message ids; an empty id is given one by the host. */
  readonly ids: Column<string>;
  /** JSON objects; read-only here, a `Message` hands out its own copy. */
  readonly metadata: Column<JsonObject>;
  /** Where each message came from. */
  readonly sources: Column<SourceInfo>;
  /** Trace ids, or empty. */
  readonly traceIds: Column<string>;
  /** Media types of the payloads. */
  readonly contentTypes: Column<string>;

  /**
   * @throws PluginError `message.batch_invalid`: a column has another length than the payloads.
   */
  constructor(payloads: Payloads, columns: BatchColumns = {}) {
    const rows = payloads.length;
    this.payloads = payloads;
    this.types = Column.of<string>(columns.types ?? "", rows);
    this.ids = Column.of<string>(columns.ids ?? "", rows);
    this.metadata = Column.of<JsonObject>(columns.metadata ?? NO_METADATA, rows);
    this.sources = Column.of<SourceInfo>(columns.sources ?? NO_SOURCE, rows);
    this.traceIds = Column.of<string>(columns.traceIds ?? "", rows);
    this.contentTypes = Column.of<string>(columns.contentTypes ?? JSON_CONTENT, rows);
    this.check();
  }

  /** Return a batch of one type from `values`, one message each. */
  static of(type: string, values: Iterable<unknown>, columns: Omit<BatchColumns, "types"> = {}): Batch {
    return new Batch(JsonPayloads.of(values), { ...columns, types: type });
  }

  /** Return a batch of no messages. */
  static empty(): Batch {
    return new Batch(new JsonPayloads([]));
  }

  /** Number of messages. */
  get length(): number {
    return this.payloads.length;
  }

  /** The form of the payloads. */
  get encoding(): Encoding {
    return this.payloads.encoding;
  }

  /** The columns beside the payloads. */
  get columns(): { [name in keyof Required<BatchColumns>]: Batch[name] } {
    const { types, ids, metadata, sources, traceIds, contentTypes } = this;
    return { types, ids, metadata, sources, traceIds, contentTypes };
  }

  /** Return this batch with some columns, or its payloads, put in place of its own. */
  replace(columns: BatchColumns & { payloads?: Payloads }): Batch {
    const { payloads, ...rest } = columns;
    return new Batch(payloads ?? this.payloads, { ...this.columns, ...rest });
  }

  /** Return the given rows, in the given order. */
  take(rows: ArrayLike<number>): Batch {
    if (isEveryRow(rows, this.length)) return this;
    return this.each((column) => column.take(rows), this.payloads.take(rows));
  }

  /** Return rows `start` to `stop` (exclusive). */
  slice(start: number, stop: number): Batch {
    if (start === 0 && stop >= this.length) return this;
    return this.each((column) => column.slice(start, stop), this.payloads.slice(start, stop));
  }

  private each(apply: <T>(column: Column<T>) => Column<T>, payloads: Payloads): Batch {
    return new Batch(payloads, {
      types: apply(this.types),
      ids: apply(this.ids),
      metadata: apply(this.metadata),
      sources: apply(this.sources),
      traceIds: apply(this.traceIds),
      contentTypes: apply(this.contentTypes),
    });
  }

  private check(): void {
    for (const [name, column] of Object.entries(this.columns)) {
      if (column.length === this.length) continue;
      throw new PluginError(`column \`${name}\` has ${column.length} rows, payloads have ${this.length}`, {
        code: "message.batch_invalid",
      });
    }
  }
}

/** Return `batches` as one; there must be one at least. */
export function concat(batches: readonly Batch[]): Batch {
  if (batches.length === 1) return batches[0] as Batch;
  return new Batch(concatPayloads(batches.map((batch) => batch.payloads)), {
    types: concatColumns(batches.map((batch) => batch.types)),
    ids: concatColumns(batches.map((batch) => batch.ids)),
    metadata: concatColumns(batches.map((batch) => batch.metadata)),
    sources: concatColumns(batches.map((batch) => batch.sources)),
    traceIds: concatColumns(batches.map((batch) => batch.traceIds)),
    contentTypes: concatColumns(batches.map((batch) => batch.contentTypes)),
  });
}
