/**
 * Structured logs: one JSON object a line on standard error, as `spec/handshake.md` says.
 *
 * The host takes `level` and `message` as such and the other fields as the line's fields.
 */

import { encodeJson, type JsonObject } from "./json.js";

/** How grave a line is. */
export type Level = "debug" | "info" | "warning" | "error";

/** Writes log lines. */
export interface Logger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warning(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
  /** Return a logger whose lines carry `fields` too. */
  with(fields: JsonObject): Logger;
}

/** Return a logger that hands its lines to `write`. */
export function createLogger(write: (line: string) => void, bound: JsonObject = {}): Logger {
  const at = (level: Level) => (message: string, fields?: JsonObject) =>
    write(`${line({ ...bound, ...fields, level, message })}\n`);
  return {
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    with: (fields) => createLogger(write, { ...bound, ...fields }),
  };
}

function line(fields: JsonObject): string {
  const plain = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, printable(value)]));
  try {
    return encodeJson(plain);
  } catch {
    // A log line is never worth an error of its own: cycles are written as text.
    return encodeJson(Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, String(value)])));
  }
}

function printable(value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? String(value)) : value;
}

/** The plugin's logger. */
export const logger: Logger = createLogger((text) => process.stderr.write(text));
