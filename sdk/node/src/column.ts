/**
 * A column: one value a row, opaque until somebody reads it.
 *
 * A plugin pays only for what it reads: a column that came over the wire keeps its bytes
 * and decodes a row when that row is asked for; rows passed on are copied as bytes.
 */

import { decodeJson, type JsonObject } from "./json.js";

/** One value a row. */
export abstract class Column<T> implements Iterable<T> {
  /** Number of rows. */
  abstract readonly length: number;

  /** Return the value of `row`, to read but not to change. */
  abstract get(row: number): T;

  /** Return the given rows, in the given order. */
  abstract take(rows: ArrayLike<number>): Column<T>;

  /** Return rows `start` to `stop` (exclusive). */
  abstract slice(start: number, stop: number): Column<T>;

  /** Return the value of `row` as a copy that the caller owns. */
  own(row: number): T {
    return structuredClone(this.get(row));
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let row = 0; row < this.length; row++) yield this.get(row);
  }

  /** Return `values` as a column: an array row for row, anything else as a constant. */
  static of<T>(values: Column<T> | readonly T[] | T, length: number): Column<T> {
    if (values instanceof Column) return values;
    return Array.isArray(values) ? new Values<T>(values) : new Constant(values as T, length);
  }
}

/** A column whose rows are all the same value. */
export class Constant<T> extends Column<T> {
  constructor(
    readonly value: T,
    readonly length: number,
  ) {
    super();
  }

  get(_row: number): T {
    return this.value;
  }

  take(rows: ArrayLike<number>): Column<T> {
    return new Constant(this.value, rows.length);
  }

  slice(start: number, stop: number): Column<T> {
    return new Constant(this.value, Math.max(0, Math.min(stop, this.length) - start));
  }
}

/** A column held as an array. */
export class Values<T> extends Column<T> {
  constructor(private readonly values: readonly T[]) {
    super();
  }

  get length(): number {
    return this.values.length;
  }

  get(row: number): T {
    return this.values[row] as T;
  }

  take(rows: ArrayLike<number>): Column<T> {
    return new Values(Array.from(rows, (row) => this.values[row] as T));
  }

  slice(start: number, stop: number): Column<T> {
    return new Values(this.values.slice(start, stop));
  }
}

/** Turns the bytes of one row into its value. */
export type ReadSlice<T> = (bytes: Buffer, start: number, end: number) => T;

/** A column whose rows lie in one buffer and are read when they are asked for. */
export class Slices<T> extends Column<T> {
  constructor(
    readonly bytes: Buffer,
    readonly starts: readonly number[],
    readonly ends: readonly number[],
    readonly read: ReadSlice<T>,
  ) {
    super();
  }

  get length(): number {
    return this.starts.length;
  }

  get(row: number): T {
    return this.read(this.bytes, this.starts[row] as number, this.ends[row] as number);
  }

  override own(row: number): T {
    return this.get(row);
  }

  take(rows: ArrayLike<number>): Column<T> {
    const starts = Array.from(rows, (row) => this.starts[row] as number);
    const ends = Array.from(rows, (row) => this.ends[row] as number);
    return new Slices(this.bytes, starts, ends, this.read);
  }

  slice(start: number, stop: number): Column<T> {
    return new Slices(this.bytes, this.starts.slice(start, stop), this.ends.slice(start, stop), this.read);
  }
}

/** A column of JSON objects as the texts that an author's objects were written to; `{}` is empty. */
export class Written extends Column<JsonObject> {
  constructor(readonly texts: readonly string[]) {
    super();
  }

  get length(): number {
    return this.texts.length;
  }

  get(row: number): JsonObject {
    const text = this.texts[row] as string;
    return text === "" ? {} : decodeJson(text);
  }

  override own(row: number): JsonObject {
    return this.get(row);
  }

  take(rows: ArrayLike<number>): Column<JsonObject> {
    return new Written(Array.from(rows, (row) => this.texts[row] as string));
  }

  slice(start: number, stop: number): Column<JsonObject> {
    return new Written(this.texts.slice(start, stop));
  }
}

/** Return the columns one after another; equal constants stay one constant. */
export function concatColumns<T>(columns: readonly Column<T>[]): Column<T> {
  const first = columns[0];
  if (columns.every((c) => c instanceof Constant && c.value === (first as Constant<T>).value)) {
    const length = columns.reduce((sum, column) => sum + column.length, 0);
    return new Constant((first as Constant<T>).value, length);
  }
  return new Values(columns.flatMap((column) => [...column]));
}

/** Tell whether `rows` are 0, 1, 2, ... `length` - 1. */
export function isEveryRow(rows: ArrayLike<number>, length: number): boolean {
  if (rows.length !== length) return false;
  for (let row = 0; row < length; row++) if (rows[row] !== row) return false;
  return true;
}

/** Return 0, 1, 2, ... `length` - 1. */
export function everyRow(length: number): number[] {
  return Array.from({ length }, (_, row) => row);
}
