/**
 * The payload column: opaque until somebody reads it.
 *
 * A column never changes once made: whoever reads a payload as a value gets one of their
 * own. A payload that nobody changes is passed on as the bytes it came in.
 */

import { byteLength, decodeText, encodeText } from "#platform";

import { UnsupportedEncoding } from "./errors.js";
import { decodeJson, encodeJson } from "./json.js";
import type { Encoding } from "./metadata.js";

/** A column of payloads, one a row. */
export abstract class Payloads {
  /** The form of the payloads. */
  abstract readonly encoding: Encoding;
  /** Number of rows. */
  abstract readonly length: number;
  /** Bytes held. */
  abstract readonly sizeBytes: number;

  /** Return the bytes of `row`, to read but not to change. */
  abstract bytes(row: number): Uint8Array;

  /** Return `row` as it was written, not decoded: no digit is ever lost. */
  abstract text(row: number): string;

  /** Return the given rows, in the given order. */
  abstract take(rows: ArrayLike<number>): Payloads;

  /** Return rows `start` to `stop` (exclusive). */
  abstract slice(start: number, stop: number): Payloads;

  /** Return what is to be written for `row`: the text or the bytes. */
  abstract held(row: number): string | Uint8Array;

  /**
   * Return `row` as a value that the caller owns; integers beyond 2^53 are `bigint`.
   *
   * @throws UnsupportedEncoding the payloads are not JSON.
   */
  value(row: number): any {
    if (this.encoding === "json" || this.encoding === "sep51") return decodeJson(this.text(row));
    throw new UnsupportedEncoding(`a payload in \`${this.encoding}\` cannot be read as JSON`, {
      hint: "read `message.payloadBytes`, or set `inputEncoding` to json",
    });
  }
}

/** Payloads that an author made: JSON texts, or bytes. */
export class JsonPayloads extends Payloads {
  readonly encoding: Encoding;
  #sizeBytes = -1;

  constructor(
    private readonly rows: readonly (string | Uint8Array)[],
    encoding: Encoding = "json",
  ) {
    super();
    this.encoding = encoding;
  }

  /** Encode `values`, one a row. */
  static of(values: Iterable<unknown>): JsonPayloads {
    return new JsonPayloads(Array.from(values, encodeJson));
  }

  get length(): number {
    return this.rows.length;
  }

  get sizeBytes(): number {
    if (this.#sizeBytes < 0) this.#sizeBytes = this.rows.reduce((sum, row) => sum + byteLength(row), 0);
    return this.#sizeBytes;
  }

  bytes(row: number): Uint8Array {
    const held = this.held(row);
    return typeof held === "string" ? encodeText(held) : held;
  }

  text(row: number): string {
    const held = this.held(row);
    return typeof held === "string" ? held : decodeText(held);
  }

  take(rows: ArrayLike<number>): Payloads {
    return new JsonPayloads(
      Array.from(rows, (row) => this.held(row)),
      this.encoding,
    );
  }

  slice(start: number, stop: number): Payloads {
    return new JsonPayloads(this.rows.slice(start, stop), this.encoding);
  }

  held(row: number): string | Uint8Array {
    return this.rows[row] as string | Uint8Array;
  }
}

const NULL = encodeText("null");

/** Payloads as they lie in a received message, in any encoding but Arrow. */
export class SlicedPayloads extends Payloads {
  readonly sizeBytes: number;

  constructor(
    readonly encoding: Encoding,
    private readonly buffer: Buffer,
    private readonly starts: readonly number[],
    private readonly ends: readonly number[],
  ) {
    super();
    this.sizeBytes = ends.reduce((sum, end, row) => sum + end - (starts[row] as number), 0);
  }

  get length(): number {
    return this.starts.length;
  }

  bytes(row: number): Uint8Array {
    const start = this.starts[row] as number;
    const end = this.ends[row] as number;
    // An empty JSON payload stands for null.
    return start === end && this.encoding !== "xdr" ? NULL : this.buffer.subarray(start, end);
  }

  text(row: number): string {
    const text = this.buffer.toString("utf8", this.starts[row], this.ends[row]);
    return text === "" && this.encoding !== "xdr" ? "null" : text;
  }

  take(rows: ArrayLike<number>): Payloads {
    const starts = Array.from(rows, (row) => this.starts[row] as number);
    const ends = Array.from(rows, (row) => this.ends[row] as number);
    return new SlicedPayloads(this.encoding, this.buffer, starts, ends);
  }

  slice(start: number, stop: number): Payloads {
    const { encoding, buffer, starts, ends } = this;
    return new SlicedPayloads(encoding, buffer, starts.slice(start, stop), ends.slice(start, stop));
  }

  held(row: number): Uint8Array {
    return this.bytes(row);
  }
}

/** Payloads of which some are passed on as they came, and others were made anew. */
export class MixedPayloads extends Payloads {
  constructor(
    readonly encoding: Encoding,
    /** What was made, by row; undefined where the payload is passed on. */
    readonly made: readonly (string | Uint8Array | undefined)[],
    /** Where the others come from. */
    readonly source: Payloads,
    /** Their rows there. */
    readonly rows: readonly number[],
  ) {
    super();
  }

  get length(): number {
    return this.made.length;
  }

  get sizeBytes(): number {
    return this.made.reduce((sum, _, row) => sum + byteLength(this.held(row)), 0);
  }

  bytes(row: number): Uint8Array {
    const held = this.made[row];
    if (held === undefined) return this.source.bytes(this.rows[row] as number);
    return typeof held === "string" ? encodeText(held) : held;
  }

  text(row: number): string {
    const held = this.made[row];
    if (held === undefined) return this.source.text(this.rows[row] as number);
    return typeof held === "string" ? held : decodeText(held);
  }

  take(rows: ArrayLike<number>): Payloads {
    const taken = Array.from(rows);
    const made = taken.map((row) => this.made[row]);
    return new MixedPayloads(
      this.encoding,
      made,
      this.source,
      taken.map((row) => this.rows[row] as number),
    );
  }

  slice(start: number, stop: number): Payloads {
    return new MixedPayloads(this.encoding, this.made.slice(start, stop), this.source, this.rows.slice(start, stop));
  }

  held(row: number): string | Uint8Array {
    return this.made[row] ?? this.source.held(this.rows[row] as number);
  }
}

/** Payloads as one Arrow IPC stream, the rows of its record batch. Bring your own Arrow library. */
export class ArrowPayloads extends Payloads {
  readonly encoding = "arrow";

  constructor(
    /** The IPC stream. */
    readonly stream: Uint8Array,
    readonly length: number,
  ) {
    super();
  }

  get sizeBytes(): number {
    return this.stream.length;
  }

  bytes(_row: number): never {
    throw new UnsupportedEncoding("a row of an Arrow stream has no bytes of its own", {
      hint: "read `batch.payloads.stream` with an Arrow library",
    });
  }

  text(row: number): never {
    return this.bytes(row);
  }

  held(row: number): never {
    return this.bytes(row);
  }

  take(rows: ArrayLike<number>): Payloads {
    for (let i = 0; i < this.length; i++) if (rows[i] !== i) return this.bytes(i);
    return rows.length === this.length ? this : this.bytes(0);
  }

  slice(start: number, stop: number): Payloads {
    return start === 0 && stop >= this.length ? this : this.bytes(start);
  }
}

/**
 * Return the columns one after another.
 *
 * @throws UnsupportedEncoding their encodings do not mix.
 */
export function concatPayloads(columns: readonly Payloads[]): Payloads {
  const [first] = columns;
  if (first !== undefined && columns.length === 1) return first;
  const encodings = new Set(columns.map((column) => column.encoding));
  if (encodings.has("arrow") || (encodings.has("xdr") && encodings.size > 1)) {
    throw new UnsupportedEncoding(`payloads of one answer have one form, got ${[...encodings].join(" and ")}`, {
      hint: "give every output a JSON payload, or leave all payloads as they came",
    });
  }
  const rows = columns.flatMap((column) => Array.from({ length: column.length }, (_, row) => column.held(row)));
  return new JsonPayloads(rows, encodings.size === 1 ? (first as Payloads).encoding : "json");
}
