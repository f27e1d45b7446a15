/** Columns of a batch whose text was read all at once. */

import { byteLength, encodeText } from "#platform";

import { Column, Values } from "../column.js";
import { decodeJson, encodeJson, type JsonObject } from "../json.js";
import type { Encoding } from "../metadata.js";
import { Payloads } from "../payloads.js";
import { memberTexts } from "./scan.js";

/** A member of each message. */
export class Member<T> extends Column<T> {
  constructor(
    private readonly messages: readonly JsonObject[],
    private readonly name: string,
  ) {
    super();
  }

  get length(): number {
    return this.messages.length;
  }

  get(row: number): T {
    return (this.messages[row] as JsonObject)[this.name];
  }

  take(rows: ArrayLike<number>): Column<T> {
    return new Values(Array.from(rows, (row) => this.get(row)));
  }

  slice(start: number, stop: number): Column<T> {
    return new Member(this.messages.slice(start, stop), this.name);
  }
}

/** The payloads of a batch: each value is handed out once as it is, later ones are read anew. */
export class PayloadValues {
  private readonly given: boolean[] = [];
  private texts: readonly string[] | undefined;

  constructor(
    /** The text of the batch, an array. */
    private readonly text: string,
    private readonly messages: readonly JsonObject[],
  ) {}

  /** Return the payload of `row` as a value that the caller owns. */
  own(row: number): any {
    if (this.given[row]) return decodeJson(this.exact(row));
    this.given[row] = true;
    return (this.messages[row] as JsonObject).payload;
  }

  /** Return the payload of `row` as it came, to the last character. */
  exact(row: number): string {
    this.texts ??= this.canonical() ?? memberTexts(this.text, "payload").map((text) => text ?? "null");
    return this.texts[row] as string;
  }

  /**
   * Return all payloads, written again, where that gives what came: most batches come as
   * this engine would write them, and to write them is quicker than to look for them.
   */
  private canonical(): string[] | undefined {
    if (encodeJson(this.messages) !== this.text) return undefined;
    return this.messages.map(({ payload }) => encodeJson(payload));
  }
}

/** Payloads that came within the text of a whole batch. */
export class ParsedPayloads extends Payloads {
  constructor(
    readonly encoding: Encoding,
    /** The payloads of that batch. */
    readonly values: PayloadValues,
    /** Which of them this column has. */
    readonly rows: readonly number[],
  ) {
    super();
  }

  get length(): number {
    return this.rows.length;
  }

  get sizeBytes(): number {
    return this.rows.reduce((sum, row) => sum + byteLength(this.values.exact(row)), 0);
  }

  override value(row: number): any {
    return this.values.own(this.rows[row] as number);
  }

  bytes(row: number): Uint8Array {
    return encodeText(this.text(row));
  }

  text(row: number): string {
    return this.values.exact(this.rows[row] as number);
  }

  take(rows: ArrayLike<number>): Payloads {
    const taken = Array.from(rows, (row) => this.rows[row] as number);
    return new ParsedPayloads(this.encoding, this.values, taken);
  }

  slice(start: number, stop: number): Payloads {
    return new ParsedPayloads(this.encoding, this.values, this.rows.slice(start, stop));
  }

  held(row: number): string {
    return this.text(row);
  }
}
