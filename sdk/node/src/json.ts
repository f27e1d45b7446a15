/**
 * JSON that never rounds an integer.
 *
 * JavaScript numbers are doubles: from 2^53 on they skip integers, and `JSON.parse` rounds
 * without a word. Here an integer beyond that bound is read as a `bigint` and written with
 * the same digits. Texts without one take the fast road through `JSON.parse` alone.
 */

import { PluginError } from "./errors.js";

/** A JSON object whose values nobody has looked at yet. */
export type JsonObject = Record<string, any>;

/**
 * Sixteen digits where a number may begin: fewer are always exact. Written out, not as
 * `\d{16}`, engines skip ahead by sixteen characters: the test costs a third, and in a
 * component a thirtieth.
 */
const LONG_NUMBER = new RegExp(`(?:^|[\\s:,[-])${"\\d".repeat(16)}`);
/**
 * What a number beyond the range of a double needs: an exponent of three digits, or very many digits.
 * Of texts that have the former somewhere, as hashes do, few have it where a number stands.
 */
const EXPONENTS = [/[eE]\d\d\d/, /[eE]\+\d\d\d/];
const HUGE_NUMBER = /(?:^|[\s:,[-])\d[\d.]*[eE]\+?0*[1-9]\d\d/;
const MANY_DIGITS = new RegExp("\\d".repeat(200));
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/** What newer engines have: the digits of a number that is read, and texts written as they are. */
const exact = JSON as unknown as {
  rawJSON?: (text: string) => unknown;
  parse(text: string, reviver: (key: string, value: any, context: { source?: string }) => any): any;
};

let secret: string | undefined;

/** Return what marks digits on their way through `JSON`; random, so that no payload can hold it. */
function mark(): string {
  return (secret ??= `bigint-${crypto.randomUUID()}:`);
}

/**
 * Return the value that `text` stands for; integers beyond 2^53 are `bigint`.
 *
 * @throws PluginError `message.payload_invalid`: it is not JSON, or holds a fraction beyond the range of a double.
 */
export function decodeJson(text: string): any {
  try {
    const rounded = JSON.parse(text);
    const value = LONG_NUMBER.test(text) ? decodeExactly(text, rounded) : rounded;
    if (mayBeHuge(text) && holdsNoNumber(value)) throw new RangeError("a number is out of range");
    return value;
  } catch (error) {
    throw new PluginError(`expected JSON, got something else: ${(error as Error).message}`, {
      code: "message.payload_invalid",
      cause: error,
    });
  }
}

function mayBeHuge(text: string): boolean {
  const hasExponent = EXPONENTS.some((each) => each.test(text));
  return (hasExponent && HUGE_NUMBER.test(text)) || MANY_DIGITS.test(text);
}

function decodeExactly(text: string, rounded: any): any {
  if (exact.rawJSON) return exact.parse(text, (_key, value, { source }) => exactNumber(value, source));
  let found = false;
  const prefix = mark();
  const marked = text.replace(TOKEN, (token) => {
    if (!INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
    found = true;
    return `"${prefix}${token}"`;
  });
  return found ? JSON.parse(marked, (_key, value) => unmarked(value, prefix)) : rounded;
}

function exactNumber(value: unknown, source: string | undefined): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !source) return value;
  return INTEGER.test(source) ? BigInt(source) : value;
}

function unmarked(value: unknown, prefix: string): unknown {
  return typeof value === "string" && value.startsWith(prefix) ? BigInt(value.slice(prefix.length)) : value;
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
    if (exact.rawJSON) {
      const raw = exact.rawJSON;
      return JSON.stringify(value, (_key, held) => (typeof held === "bigint" ? raw(String(held)) : held));
    }
    const prefix = mark();
    const text = JSON.stringify(value, (_key, held) => (typeof held === "bigint" ? `${prefix}${held}` : held));
    return text?.replace(new RegExp(`"${prefix}(-?\\d+)"`, "g"), "$1");
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
