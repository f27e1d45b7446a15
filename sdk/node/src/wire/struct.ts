/** `google.protobuf.Struct`: the metadata of the single-message call, and the details of health. */

import { PluginError } from "../errors.js";
import type { JsonObject } from "../json.js";
import type { Kind } from "./fields.js";
import { malformed, Reader, Wire } from "./reader.js";
import { Writer } from "./writer.js";

const tag = (number: number, wire: Wire) => (number << 3) | wire;

const FIELDS = tag(1, Wire.Bytes);
const KEY = tag(1, Wire.Bytes);
const VALUE = tag(2, Wire.Bytes);
const NULL = tag(1, Wire.Varint);
const NUMBER = tag(2, Wire.Fixed64);
const STRING = tag(3, Wire.Bytes);
const BOOL = tag(4, Wire.Varint);
const STRUCT = tag(5, Wire.Bytes);
const LIST = tag(6, Wire.Bytes);

/**
 * A JSON object as a Struct. Its numbers are doubles, so an integer beyond 2^53 is refused
 * with `message.number_too_large`, never rounded.
 */
export const struct: Kind<JsonObject> = {
  name: "message",
  wire: Wire.Bytes,
  initial: () => ({}),
  isInitial: (value) => Object.keys(value).length === 0,
  read: (reader) => readStruct(inner(reader)),
  write: (writer, value) => writer.nested(() => writeFields(writer, value)),
};

/**
 * Return `held` as the bytes of a Struct.
 *
 * @throws PluginError `message.number_too_large`, or `message.payload_invalid` for what JSON has no form for.
 */
export function encodeStruct(held: JsonObject): Buffer {
  const writer = new Writer();
  writeFields(writer, held);
  return writer.finish();
}

/** Return the object that the bytes of a Struct hold. */
export function decodeStruct(bytes: Buffer, start: number, end: number): JsonObject {
  return readStruct(new Reader(bytes, start, end));
}

function inner(reader: Reader): Reader {
  const end = reader.slice();
  return new Reader(reader.bytes, reader.start, end);
}

function readStruct(reader: Reader): JsonObject {
  const held: JsonObject = {};
  while (reader.more) {
    const key = reader.uint32();
    if (key === FIELDS) readEntry(inner(reader), held);
    else reader.skip(key & 7);
  }
  return held;
}

function readEntry(reader: Reader, held: JsonObject): void {
  let name = "";
  let value: unknown = null;
  while (reader.more) {
    const key = reader.uint32();
    if (key === KEY) name = text(reader);
    else if (key === VALUE) value = readValue(inner(reader));
    else reader.skip(key & 7);
  }
  // A key named `__proto__` must become a field like any other.
  Object.defineProperty(held, name, { value, enumerable: true, configurable: true, writable: true });
}

function text(reader: Reader): string {
  const end = reader.slice();
  return reader.bytes.toString("utf8", reader.start, end);
}

function readValue(reader: Reader): unknown {
  let value: unknown = null;
  while (reader.more) {
    const key = reader.uint32();
    if (key === NUMBER) value = reader.double();
    else if (key === STRING) value = text(reader);
    else if (key === BOOL) value = reader.uint32() !== 0;
    else if (key === STRUCT) value = readStruct(inner(reader));
    else if (key === LIST) value = readList(inner(reader));
    else if (key === NULL) value = (reader.uint32(), null);
    else reader.skip(key & 7);
  }
  return value;
}

function readList(reader: Reader): unknown[] {
  const values: unknown[] = [];
  while (reader.more) {
    const key = reader.uint32();
    if (key !== FIELDS) throw malformed("a list holds values only");
    values.push(readValue(inner(reader)));
  }
  return values;
}

function writeFields(writer: Writer, held: JsonObject): void {
  for (const [name, value] of Object.entries(held)) {
    if (value === undefined) continue;
    writer.uint32(FIELDS);
    writer.nested(() => {
      writer.uint32(KEY);
      writer.bytes(name);
      writer.uint32(VALUE);
      writer.nested(() => writeValue(writer, value));
    });
  }
}

function writeValue(writer: Writer, value: any): void {
  if (value === null || value === undefined) pair(writer, NULL, () => writer.uint32(0));
  else if (typeof value === "number" || typeof value === "bigint") {
    const number = checked(value);
    pair(writer, NUMBER, () => writer.double(number));
  } else if (typeof value === "string") pair(writer, STRING, () => writer.bytes(value));
  else if (typeof value === "boolean") pair(writer, BOOL, () => writer.uint32(value ? 1 : 0));
  else if (Array.isArray(value)) pair(writer, LIST, () => writer.nested(() => writeList(writer, value)));
  else if (typeof value.toJSON === "function") writeValue(writer, value.toJSON());
  else if (typeof value === "object") pair(writer, STRUCT, () => writer.nested(() => writeFields(writer, value)));
  else throw invalid(`a value of type \`${typeof value}\``);
}

function pair(writer: Writer, key: number, write: () => void): void {
  writer.uint32(key);
  write();
}

function writeList(writer: Writer, values: readonly unknown[]): void {
  for (const value of values) {
    writer.uint32(FIELDS);
    writer.nested(() => writeValue(writer, value));
  }
}

function checked(value: number | bigint): number {
  const number = Number(value);
  if (!Number.isFinite(number)) throw invalid(`the number \`${value}\``);
  if (typeof value === "number" ? !Number.isInteger(value) : false) return number;
  if (Number.isSafeInteger(number)) return number;
  throw new PluginError(`\`${value}\` does not fit the metadata of a single call exactly`, {
    code: "message.number_too_large",
    hint: "write it as a text, or put it into the payload",
  });
}

function invalid(what: string): PluginError {
  return new PluginError(`${what} cannot be written as JSON`, { code: "message.payload_invalid" });
}
