/** Errors on the wire: instruction, code, message, hint, wait before a retry. */

import { asPluginError, Drop, Fatal, PluginError, Retry } from "../errors.js";
import { Error, Instruction } from "./messages.js";

/** Longest message or hint that travels, in characters. */
const TEXT_LIMIT = 4000;

/** Return `thrown` as an `Error` message; foreign errors keep their name and text. */
export function errorMessage(thrown: unknown): Partial<Error> {
  const error = asPluginError(thrown);
  const { code } = error;
  const [message, hint] = [cut(error.message), cut(error.hint)];
  const instruction = instructionOf(error);
  if (!(error instanceof Retry) || error.afterS === undefined) return { instruction, code, message, hint };
  return { instruction, code, message, hint, retryAfter: duration(error.afterS) };
}

function cut(text: string): string {
  if (text.length <= TEXT_LIMIT) return text;
  // Cut between characters: half of one outside the basic plane would not survive encoding.
  return `${text.slice(0, TEXT_LIMIT - 4).replace(/[\uD800-\uDBFF]$/, "")} ...`;
}

function instructionOf(error: PluginError): number {
  if (error instanceof Retry) return Instruction.RETRY;
  if (error instanceof Drop) return Instruction.DROP;
  return error instanceof Fatal ? Instruction.FATAL : Instruction.NONE;
}

function duration(seconds: number): { seconds: number; nanos: number } {
  const nanos = Math.round(Math.max(0, seconds) * 1e9);
  return { seconds: Math.floor(nanos / 1e9), nanos: nanos % 1e9 };
}

/** Return the serialized `Error` of `thrown`. */
export function encodeError(thrown: unknown): Buffer {
  return Error.encode(errorMessage(thrown));
}
