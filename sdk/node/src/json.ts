/**
 * JSON that never rounds an integer.
 *
 * JavaScript numbers are doubles: from 2^53 on they skip integers, and `JSON.parse` rounds
 * without a word. Here an integer beyond that bound is read as a `bigint` and written with
 * the same digits. Texts without one take the fast road through `JSON.parse` alone.
 */

import { randomBytes } from "node:crypto";

import { PluginError } from "./errors.js";

/** A JSON object whose values nobody has looked at yet. */
export type JsonObject = Record<string, any>;

/** What a number beyond the range of a double needs: an exponent of three digits, or very many. */
const HUGE_NUMBER = /\d[eE]\+?0*[1-9]\d\d|\d{200}/;
/** Sixteen digits where a number may begin: fewer are always exact. */
const LONG_NUMBER = /(?:^|[\s:,[-])\d{16}/;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;
/** Marks digits on their way through `JSON.parse`; random, so that no payload can hold it. */
const MARK = `bigint-${randomBytes(12).toString("hex")}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, "g");

/**
 * Return the value that `text` stands for; integers beyond 2^53 are `bigint`.
 *
 * @throws PluginError `message.payload_invalid`: it is not JSON, or holds a fraction beyond the range of a double.
 */
export function decodeJson(text: string): any {
  try {
    const value = JSON.parse(text);
    const exact = LONG_NUMBER.test(text) ? decodeExactly(text, value) : value;
    if (HUGE_NUMBER.test(text) && holdsNoNumber(exact)) throw new RangeError("a number is out of range");
    return exact;
  } catch (error) {
    throw new PluginError(`expected JSON, got something else: ${(error as Error).message}`, {
      code: "message.payload_invalid",
      cause: error,
    });
  }
}

function decodeExactly(text: string, rounded: any): any {
  let found = false;
  const marked = text.replace(TOKEN, (token) => {
    if (!INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
    found = true;
    return `"${MARK}${token}"`;
  });
  return found ? JSON.parse(marked, (_key, value) => unmarked(value)) : rounded;
}

function unmarked(value: unknown): unknown {
  return typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value;
}

/**
 * Return `value` as compact JSON; a `bigint` is written as an integer.
 *
 * @throws PluginError `message.payload_invalid`: it holds something JSON has no form for, such as NaN or an infinity.
 */
export function encodeJson(value: unknown): string {
  const text = stringified(value);
  // `JSON.stringify` writes NaN as null. Few texts hold that word, so that few are looked at.
  if (text?.includes("null") && holdsNoNumber(value)) {
    throw new PluginError("the value cannot be written as JSON: it holds NaN or an infinity", {
      code: "message.payload_invalid",
      hint: "leave that number out, or give null or a text in its place",
    });
  }
  if (text !== undefined) return text;
  throw new PluginError(`a value of type \`${typeof value}\` cannot be written as JSON`, {
    code: "message.payload_invalid",
    hint: "use plain numbers, strings, arrays and objects; `null` for nothing",
  });
}

/**
 * Return the metadata of a message as JSON; those without a field as an empty text.
 *
 * @throws PluginError `message.payload_invalid`: they are no JSON object.
 */
export function encodeMetadata(metadata: JsonObject): string {
  const text = encodeJson(metadata);
  if (text.startsWith("{")) return text === "{}" ? "" : text;
  throw new PluginError(`expected metadata to be a JSON object, got \`${text.slice(0, 40)}\``, {
    code: "message.payload_invalid",
    hint: "metadata is an object",
  });
}

function stringified(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return stringifiedExactly(value);
  }
}

function stringifiedExactly(value: unknown): string | undefined {
  try {
    const text = JSON.stringify(value, (_key, held) => (typeof held === "bigint" ? `${MARK}${held}` : held));
    return text?.replace(MARKED, "$1");
  } catch (error) {
    throw new PluginError(`the value cannot be written as JSON: ${(error as Error).message}`, {
      code: "message.payload_invalid",
      hint: "use plain numbers, strings, arrays and objects without cycles",
      cause: error,
    });
  }
}

/** Tell whether some number within `value`, which can be written, is NaN or an infinity. */
function holdsNoNumber(value: unknown): boolean {
  let found = false;
  JSON.stringify(value, (_key, held) => {
    if (typeof held === "bigint") return 0;
    const number = held instanceof Number ? held.valueOf() : held;
    found ||= typeof number === "number" && !Number.isFinite(number);
    return held;
  });
  return found;
}
