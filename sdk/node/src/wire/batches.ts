/** `MessageBatch` and the messages that hold one: columns on the wire, columns in memory. */

import { Batch, JSON_CONTENT, NO_METADATA } from "../batch.js";
import { Column, Constant, type ReadSlice, Slices, Values, Written } from "../column.js";
import { PluginError, UnsupportedEncoding } from "../errors.js";
import { decodeJson, encodeMetadata, type JsonObject } from "../json.js";
import { type Encoding, NO_SOURCE, type SourceInfo } from "../metadata.js";
import { ArrowPayloads, type Payloads, SlicedPayloads } from "../payloads.js";
import { bool, bytes, int64, type Kind, map, MessageType, one, optional, repeated, uint32, uint64 } from "./fields.js";
import { Error, SourceInfo as SourceInfoMessage } from "./messages.js";
import { Reader, Wire } from "./reader.js";
import type { Writer } from "./writer.js";

/** The numbers of the columns in `MessageBatch`, and of what stands beside them. */
export const BATCH_FIELDS = {
  rows: 1,
  ids: 2,
  types: 3,
  payloads: 4,
  metadata: 5,
  sources: 6,
  traceIds: 7,
  contentTypes: 8,
  encoding: 9,
  arrow: 10,
} as const;
const ENCODINGS: readonly string[] = ["json", "sep51", "xdr", "arrow"];

const readText: ReadSlice<string> = (held, start, end) => held.toString("utf8", start, end);
const readContent: ReadSlice<string> = (held, start, end) =>
  start === end ? JSON_CONTENT : held.toString("utf8", start, end);
const readMetadata: ReadSlice<JsonObject> = (held, start, end) =>
  start === end ? {} : metadataOf(held.toString("utf8", start, end));
const readSource: ReadSlice<SourceInfo> = (held, start, end) =>
  start === end ? NO_SOURCE : SourceInfoMessage.readFields(new Reader(held, start, end));

function metadataOf(text: string): JsonObject {
  const metadata = decodeJson(text);
  if (typeof metadata === "object" && metadata !== null && !Array.isArray(metadata)) return metadata;
  throw new PluginError(`expected metadata to be a JSON object, got \`${text.slice(0, 40)}\``, {
    code: "message.payload_invalid",
  });
}

/** The entries of one column, as slices of the message's bytes. */
class Entries {
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  /** Spread a constant column over all rows. */
  fit(name: string, rows: number): void {
    const count = this.starts.length;
    if (count === rows || count === 0) return;
    if (count !== 1 || rows === 0) {
      throw new PluginError(`column \`${name}\` has ${count} entries in a batch of ${rows} rows`, {
        code: "message.batch_invalid",
        hint: "a column has no entry, one entry, or one a row",
      });
    }
    for (let row = 1; row < rows; row++) {
      this.starts.push(this.starts[0] as number);
      this.ends.push(this.ends[0] as number);
    }
  }
}

/**
 * Return the batch that a serialized `MessageBatch` holds; rows are decoded when they are read.
 *
 * @throws PluginError `message.batch_invalid`: a column does not fit the batch.
 * @throws UnsupportedEncoding the encoding is unknown.
 */
export function decodeBatch(held: Buffer): Batch {
  const entries = Array.from({ length: 11 }, () => new Entries());
  const reader = new Reader(held);
  let rows = 0;
  while (reader.more) {
    const key = reader.uint32();
    const number = key >>> 3;
    if (key === (BATCH_FIELDS.rows << 3) + Wire.Varint) rows = reader.uint32();
    else if ((key & 7) === Wire.Bytes && number > 1 && number <= 10) {
      const end = reader.slice();
      const column = entries[number] as Entries;
      column.starts.push(reader.start);
      column.ends.push(end);
    } else reader.skip(key & 7);
  }
  return assembled(held, entries, rows);
}

function assembled(held: Buffer, entries: readonly Entries[], rows: number): Batch {
  const at = (name: keyof typeof BATCH_FIELDS) => entries[BATCH_FIELDS[name]] as Entries;
  const column = <T>(name: keyof typeof BATCH_FIELDS, read: ReadSlice<T>, initial: T): Column<T> => {
    const { starts, ends } = at(name);
    // A constant is decoded once.
    if (starts.length === 1 && rows > 1) return new Constant(read(held, starts[0] as number, ends[0] as number), rows);
    at(name).fit(name, rows);
    return starts.length === 0 ? new Constant(initial, rows) : new Slices(held, starts, ends, read);
  };
  return new Batch(payloadsOf(held, at("payloads"), encodingOf(held, at("encoding")), at("arrow"), rows), {
    ids: column("ids", readText, ""),
    types: column("types", readText, ""),
    metadata: column("metadata", readMetadata, NO_METADATA),
    sources: column("sources", readSource, NO_SOURCE),
    traceIds: column("traceIds", readText, ""),
    contentTypes: column("contentTypes", readContent, JSON_CONTENT),
  });
}

function encodingOf(held: Buffer, entries: Entries): Encoding {
  const name = held.toString("utf8", entries.starts.at(-1) ?? 0, entries.ends.at(-1) ?? 0) || "json";
  if (ENCODINGS.includes(name)) return name as Encoding;
  throw new UnsupportedEncoding(`expected one of ${ENCODINGS.join(", ")}, got the encoding \`${name}\``);
}

function payloadsOf(held: Buffer, entries: Entries, encoding: Encoding, arrow: Entries, rows: number): Payloads {
  if (encoding === "arrow") {
    return new ArrowPayloads(held.subarray(arrow.starts.at(-1) ?? 0, arrow.ends.at(-1) ?? 0), rows);
  }
  entries.fit("payloads", rows);
  if (entries.starts.length === rows) return new SlicedPayloads(encoding, held, entries.starts, entries.ends);
  const none: number[] = new Array<number>(rows).fill(0);
  return new SlicedPayloads(encoding, held, none, none);
}

/** Write `batch` as the fields of a `MessageBatch`. */
export function writeBatch(writer: Writer, batch: Batch): void {
  if (batch.length === 0) return;
  writer.uint32((BATCH_FIELDS.rows << 3) | Wire.Varint);
  writer.uint32(batch.length);
  writeColumn(writer, BATCH_FIELDS.ids, batch.ids, readText, "", (value) => value);
  writeColumn(writer, BATCH_FIELDS.types, batch.types, readText, "", (value) => value);
  writePayloads(writer, batch.payloads);
  writeColumn(writer, BATCH_FIELDS.metadata, batch.metadata, readMetadata, NO_METADATA, encodeMetadata);
  writeColumn(writer, BATCH_FIELDS.sources, batch.sources, readSource, NO_SOURCE, (v) => SourceInfoMessage.encode(v));
  writeColumn(writer, BATCH_FIELDS.traceIds, batch.traceIds, readText, "", (value) => value);
  writeColumn(writer, BATCH_FIELDS.contentTypes, batch.contentTypes, readContent, JSON_CONTENT, (value) => value);
  if (batch.encoding !== "json") writeEntry(writer, BATCH_FIELDS.encoding, batch.encoding);
}

function writeEntry(writer: Writer, number: number, value: string | Uint8Array): void {
  writer.uint32((number << 3) | Wire.Bytes);
  writer.bytes(value);
}

function writeColumn<T>(
  writer: Writer,
  number: number,
  column: Column<T>,
  read: ReadSlice<T>,
  initial: T,
  encode: (value: T) => string | Uint8Array,
): void {
  const constant = constantOf(column);
  if (constant !== undefined) {
    if (constant !== initial) writeEntry(writer, number, encode(constant));
  } else if (column instanceof Written) {
    const [first = "", ...others] = new Set(column.texts);
    if (others.length > 0) for (const text of column.texts) writeEntry(writer, number, text);
    else if (first !== "") writeEntry(writer, number, first);
  } else if (column instanceof Slices && column.read === read) {
    // Nobody changed it: the bytes are passed on.
    const { starts, ends } = column;
    for (let row = 0; row < starts.length; row++) {
      writer.uint32((number << 3) | Wire.Bytes);
      writer.copy(column.bytes, starts[row] as number, ends[row] as number);
    }
  } else {
    for (let row = 0; row < column.length; row++) writeEntry(writer, number, encode(column.get(row)));
  }
}

/** Return the value that every row has, if the column can tell without decoding. */
function constantOf<T>(column: Column<T>): T | undefined {
  if (column instanceof Constant) return column.value as T;
  if (!(column instanceof Values)) return undefined;
  const first = column.get(0);
  for (let row = 1; row < column.length; row++) if (column.get(row) !== first) return undefined;
  return first;
}

function writePayloads(writer: Writer, payloads: Payloads): void {
  if (payloads instanceof ArrowPayloads) return writeEntry(writer, BATCH_FIELDS.arrow, payloads.stream);
  for (let row = 0; row < payloads.length; row++) writeEntry(writer, BATCH_FIELDS.payloads, payloads.held(row));
}

/** A batch as a field. */
export const batch: Kind<Batch> = {
  name: "message",
  wire: Wire.Bytes,
  initial: () => Batch.empty(),
  isInitial: () => false,
  read: (reader) => decodeBatch(bytes.read(reader)),
  write: (writer, value) => writer.nested(() => writeBatch(writer, value)),
};

/** Received batches stay bytes at first, so that one that cannot be read fails alone. */
export const ProcessBatchRequest = new MessageType({ batch: one(1, bytes) });

export const RowError = new MessageType({ row: one(1, uint32), error: optional(2, Error) });

export const ProcessBatchResponse = new MessageType({
  outputs: optional(1, batch),
  outputRows: repeated(2, uint32),
  errors: repeated(3, RowError),
  dropped: map(4, uint64),
});

export const StreamRequest = new MessageType({ sequence: one(1, uint64), batch: optional(2, bytes) });

export const StreamResponse = new MessageType({
  sequence: one(1, uint64),
  answer: optional(2, ProcessBatchResponse),
  error: optional(3, Error),
  credits: one(4, uint32),
});

export const ReadRequest = new MessageType({
  afterPosition: optional(1, int64),
  afterToken: one(2, bytes),
  acknowledgedThrough: optional(3, int64),
  credits: one(4, uint32),
});

export const ReadResponse = new MessageType({
  batch: optional(1, batch),
  positions: repeated(2, int64),
  completedThrough: optional(3, int64),
  token: one(4, bytes),
  error: optional(5, Error),
  ended: one(6, bool),
});

export const ConsumeRequest = new MessageType({
  sequence: one(1, uint64),
  batch: optional(2, bytes),
  positions: repeated(3, int64),
  completedThrough: one(4, int64),
  flush: one(5, bool),
});

export const ConsumeResponse = new MessageType({
  sequence: one(1, uint64),
  durableThrough: optional(2, int64),
  error: optional(3, Error),
});
