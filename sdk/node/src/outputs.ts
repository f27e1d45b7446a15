/** What a processor answers: outputs and errors, each mapped to the input row it derives from. */

import { Batch, type BatchColumns } from "./batch.js";
import { type Column, everyRow, isEveryRow, Values, Written } from "./column.js";
import { asPluginError, Drop, PluginError, UnsupportedEncoding } from "./errors.js";
import { encodeMetadata, type JsonObject } from "./json.js";
import { Message } from "./message.js";
import type { Encoding } from "./metadata.js";
import { JsonPayloads, MixedPayloads, type Payloads } from "./payloads.js";

/** Output rows that share one payload column. */
export interface OutputPart {
  /** The output messages. */
  batch: Batch;
  /** For each, the input row it derives from (a stateful plugin: the last one); never decreasing. */
  rows: ArrayLike<number>;
}

/** What went wrong and why rows were left out, beside the outputs. */
export interface Remarks {
  /** What went wrong, by input row. Such a row has no outputs. */
  errors?: ReadonlyMap<number, PluginError>;
  /** Why rows were left out, counted by reason, for those that said so. */
  dropped?: ReadonlyMap<string, number>;
}

/**
 * A processor's answer to one batch.
 *
 * An input row with neither output nor error was dropped on purpose (a filter). Order is
 * promised per message type and input row; parts may stand in any order.
 */
export class Outputs {
  readonly errors: ReadonlyMap<number, PluginError>;
  readonly dropped: ReadonlyMap<string, number>;

  constructor(
    /** The outputs; several parts where they have several payload columns. */
    readonly parts: readonly OutputPart[] = [],
    remarks: Remarks = {},
  ) {
    this.errors = remarks.errors ?? new Map();
    this.dropped = remarks.dropped ?? new Map();
  }

  /** Answer one output an input row, in the same order. */
  static each(batch: Batch): Outputs {
    return new Outputs(batch.length === 0 ? [] : [{ batch, rows: everyRow(batch.length) }]);
  }
}

/** What a function may return for one message. */
export type Result = Message | readonly Message[] | null | undefined;

/** The columns that outputs may pass on, in the order of the bits of `Message.touched`. */
const EVERY_ATTRIBUTE = 0b111111;
const COLUMNS = [
  ["id", "ids"],
  ["type", "types"],
  ["metadata", "metadata"],
  ["source", "sources"],
  ["traceId", "traceIds"],
  ["contentType", "contentTypes"],
] as const;

type Held = string | Uint8Array | undefined;
/** What was read or set of a message, by column; metadata as JSON. */
type Taken = Partial<Record<(typeof COLUMNS)[number][1], unknown>>;
const UNTOUCHED: Taken = {};

/**
 * Gathers the messages that a function returns into columns.
 *
 * What a message holds is taken down as it comes, so that an author may go on changing an
 * object that was already returned.
 */
export class OutputCollector {
  private readonly rows: number[] = [];
  private readonly messages: Message[] = [];
  private readonly payloads: Held[] = [];
  private readonly taken: Taken[] = [];
  private touched = 0;
  /** @internal About how many bytes of payload were written anew. */
  sizeWritten = 0;
  private readonly errors = new Map<number, PluginError>();
  private readonly dropped = new Map<string, number>();

  constructor(private readonly batch: Batch) {}

  /**
   * Take whatever a function returned for input row `row`; all of it or nothing.
   *
   * @throws PluginError `plugin.output_invalid`: it is no message, or one of its texts is none;
   *     `message.payload_invalid`: its payload or metadata have no form in JSON.
   */
  addResult(row: number, result: Result): void {
    if (result === null || result === undefined) return;
    if (!Array.isArray(result)) return this.add(row, result as Message);
    const kept = this.rows.length;
    try {
      for (const message of result) this.add(row, message);
    } catch (error) {
      this.rows.length = this.messages.length = this.payloads.length = this.taken.length = kept;
      throw error;
    }
  }

  /** Take `message` as an output of input row `row`; errors as in `addResult`. */
  add(row: number, message: Message): void {
    if (!(message instanceof Message)) {
      throw new PluginError(`expected a Message, an array of them or null, got \`${typeof message}\``, {
        code: "plugin.output_invalid",
        hint: "return new Message({...}), an array of messages, or null to drop",
      });
    }
    const touched = message.batch === this.batch ? message.touched : EVERY_ATTRIBUTE;
    const taken = takenDown(message, touched);
    const payload = message.payloadHeld;
    this.payloads.push(payload);
    this.sizeWritten += payload?.length ?? 0;
    this.taken.push(taken);
    this.rows.push(row);
    this.messages.push(message);
    this.touched |= touched;
  }

  /** Note what a function threw for input row `row`. */
  fail(row: number, error: unknown): void {
    if (error instanceof Drop) this.drop(error.reason);
    else this.errors.set(row, asPluginError(error));
  }

  /** Note that a row was left out, and why. */
  drop(reason: string): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  /** Return everything gathered so far. */
  outputs(): Outputs {
    const parts = this.rows.length === 0 ? [] : [this.part()];
    return new Outputs(parts, { errors: this.errors, dropped: this.dropped });
  }

  private part(): OutputPart {
    const own = this.messages.every((message) => message.batch === this.batch);
    const rows = this.messages.map((message) => message.row);
    const columns: Record<string, Column<any>> = {};
    COLUMNS.forEach(([, column], bit) => {
      columns[column] =
        this.touched & (1 << bit) ? this.column(column, rows) : takeColumn<any>(this.batch[column], rows);
    });
    return { batch: new Batch(this.payloadColumn(own, rows), columns as BatchColumns), rows: this.rows };
  }

  /** Return what was taken down of a column, with the input's values where nothing was. */
  private column(name: keyof Taken, rows: readonly number[]): Column<any> {
    const given = (index: number) => this.batch[name].get(rows[index] as number);
    if (name !== "metadata") return new Values<any>(this.taken.map((taken, index) => taken[name] ?? given(index)));
    const texts = this.taken.map((taken, index) => taken.metadata ?? encodeMetadata(given(index) as JsonObject));
    return new Written(texts as string[]);
  }

  private payloadColumn(own: boolean, taken: readonly number[]): Payloads {
    if (own && this.payloads.every((held) => held === undefined)) {
      const held = this.batch.payloads;
      return isEveryRow(taken, held.length) ? held : held.take(taken);
    }
    if (own) return new MixedPayloads(this.sharedEncoding(), this.payloads, this.batch.payloads, taken);
    const rows = this.payloads.map((held, index) => {
      const message = this.messages[index] as Message;
      return held ?? (message.batch as Batch).payloads.held(message.row);
    });
    return new JsonPayloads(rows, this.sharedEncoding());
  }

  private sharedEncoding(): Encoding {
    const encodings = new Set(
      this.messages.map((message, index) => (this.payloads[index] === undefined ? message.encoding : "json")),
    );
    if (encodings.size === 1) return [...encodings][0] as Encoding;
    if (!encodings.has("xdr")) return "json";
    throw new UnsupportedEncoding(`payloads of one answer have one form, got ${[...encodings].join(" and ")}`, {
      hint: "give every output a JSON payload, or leave all payloads as they came",
    });
  }
}

/** Return what is touched of a message; one that is not the batch's is taken down whole. */
function takenDown(message: Message, touched: number): Taken {
  if (touched === 0) return UNTOUCHED;
  const taken: Taken = {};
  COLUMNS.forEach(([name, column], bit) => {
    if (!(touched & (1 << bit))) return;
    const value: unknown = message[name];
    taken[column] = name === "metadata" ? encodeMetadata(value as JsonObject) : checked(name, value);
  });
  return taken;
}

/** Return an attribute's value where it is of the kind that its column holds. */
function checked(name: string, value: unknown): unknown {
  const kind = name === "source" ? "object" : "string";
  if (typeof value === kind && value !== null) return value;
  throw new PluginError(`expected the \`${name}\` of a message to be \`${kind}\`, got \`${typeof value}\``, {
    code: "plugin.output_invalid",
    hint: "see Message for what each attribute holds",
  });
}

function takeColumn<T>(column: Column<T>, rows: readonly number[]): Column<T> {
  return isEveryRow(rows, column.length) ? column : column.take(rows);
}

/**
 * Return a batch function's `answer` to `batch` as `Outputs`.
 *
 * @throws PluginError `plugin.output_invalid`: a plain batch has one row for each input row.
 */
export function asOutputs(answer: Batch | Outputs, batch: Batch): Outputs {
  if (answer instanceof Outputs) return answer;
  if (!(answer instanceof Batch)) {
    throw new PluginError(`expected a Batch or Outputs, got \`${typeof answer}\``, { code: "plugin.output_invalid" });
  }
  if (answer.length !== batch.length) {
    throw new PluginError(`expected ${batch.length} rows, one for each input row, got ${answer.length}`, {
      code: "plugin.output_invalid",
      hint: "return Outputs with parts that name the input row of each output",
    });
  }
  return Outputs.each(answer);
}

/**
 * Check that `outputs` fit a batch of `rows` rows.
 *
 * @throws PluginError `plugin.output_invalid`: rows are out of range, decrease, or are not one an output.
 */
export function checkOutputs(outputs: Outputs, rows: number): void {
  for (const part of outputs.parts) checkPart(part, rows);
  for (const row of outputs.errors.keys()) if (!isRow(row, rows)) throw outOfRange("an error", row, rows);
}

function checkPart({ batch, rows: derived }: OutputPart, rows: number): void {
  if (derived.length !== batch.length) {
    throw new PluginError(`expected ${batch.length} output rows, one an output, got ${derived.length}`, {
      code: "plugin.output_invalid",
    });
  }
  let last = 0;
  for (let index = 0; index < derived.length; index++) {
    const row = derived[index] as number;
    if (!isRow(row, rows)) throw outOfRange("an output", row, rows);
    if (row < last) {
      throw new PluginError(`output rows never decrease, got ${row} after ${last}`, { code: "plugin.output_invalid" });
    }
    last = row;
  }
}

function isRow(row: number, rows: number): boolean {
  return Number.isInteger(row) && row >= 0 && row < rows;
}

function outOfRange(what: string, row: number, rows: number): PluginError {
  return new PluginError(`${what} names input row ${row} of a batch of ${rows}`, { code: "plugin.output_invalid" });
}
