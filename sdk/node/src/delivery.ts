/**
 * What crosses the two ends of a pipeline: source batches in, deliveries out.
 *
 * Positions are whole numbers that never decrease along a stream (a ledger sequence, a line
 * number). A *completed-through* mark says that every row at or before that position has
 * come; it advances even when all rows were dropped on the way. Positions beyond 2^53 are
 * refused, never rounded.
 */

import type { Batch } from "./batch.js";
import type { JsonObject } from "./json.js";

/** What a plugin is told at its start. */
export interface Context {
  /** Name of the pipeline; an exactly-once consumer keys its position by it. */
  readonly pipeline: string;
  /** Name of the stage within the pipeline, unique there. */
  readonly stage: string;
  /** The network's passphrase, or empty where none is configured. */
  readonly network: string;
  /** JSON Schema of the payload of each message type that may come, as far as it is declared. */
  readonly schemas: Readonly<Record<string, JsonObject>>;
}

/** Where a source goes on: with the first row after `position`. */
export interface Resume {
  /** Everything at or before it is durable at every consumer. */
  readonly position: number;
  /**
   * The last token the source gave at or before that position, or empty. It may lie earlier
   * than `position`; the host drops rows that come again.
   */
  readonly token: Uint8Array;
}

/** What a source reads at once. */
export class SourceBatch {
  /** All rows at or before it have been read; undefined means the last position of this batch. */
  readonly completedThrough: number | undefined;
  /** Anything the source needs to go on after this batch, opaque to the host. */
  readonly token: Uint8Array;

  constructor(
    /** The messages. */
    readonly batch: Batch,
    /** The position of each, never decreasing, also from batch to batch. */
    readonly positions: readonly number[],
    rest: { completedThrough?: number; token?: Uint8Array } = {},
  ) {
    this.completedThrough = rest.completedThrough;
    this.token = rest.token ?? new Uint8Array();
  }

  /** The completed-through mark, or undefined for an empty batch without one. */
  get mark(): number | undefined {
    return this.completedThrough ?? this.positions.at(-1);
  }
}

/** What a source knows of its stream once it has started. */
export interface SourceDescription {
  /** Names the stream, not the place it is read from: a checkpoint is refused on another. */
  identity: string;
  /** The network's passphrase, or empty. */
  network?: string;
  /** What a position counts, plural, for people: `ledgers`, `lines`. */
  unit?: string;
  /** First position of the range, if it is known. */
  first?: number;
  /** Last position of a bounded range. */
  last?: number;
  /** The start as it was configured, in words; a resumed run must have the same. */
  start?: string;
}

/** What a consumer is handed at once. */
export class Delivery {
  constructor(
    /** The messages; may be empty, when only the mark advances. */
    readonly batch: Batch,
    /** The position of each, never decreasing. */
    readonly positions: readonly number[],
    /** Every row at or before it has been handed over with this delivery at the latest. */
    readonly completedThrough: number,
  ) {}

  /** Return this delivery without the rows at or before `position`. */
  after(position: number): Delivery {
    const first = this.positions.findIndex((held) => held > position);
    if (first === 0) return this;
    const start = first < 0 ? this.positions.length : first;
    return new Delivery(this.batch.slice(start, this.batch.length), this.positions.slice(start), this.completedThrough);
  }
}
