/**
 * Structured log lines on standard error: JSON when a host listens, readable text when a person does.
 *
 * In a plugin's own process (`PLUGIN_MODE=grpc`) and in a component each line is a JSON object with `level` and
 * `message`, which the host takes as such, its other fields as the line's (`spec/handshake.md`).
 */

import { isHosted, writeError } from "#platform";

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
  bind(fields: JsonObject): Logger;
}

/** Return a logger that hands its lines to `write`. */
export function createLogger(write: (line: string) => void, bound: JsonObject = {}): Logger {
  const at = (level: Level) => (message: string, fields?: JsonObject) =>
    write(`${line(level, message, { ...bound, ...fields })}\n`);
  return {
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    bind: (fields) => createLogger(write, { ...bound, ...fields }),
  };
}

function line(level: Level, message: string, fields: JsonObject): string {
  const plain = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, printable(value)]));
  if (isHosted()) return json({ ...plain, level, message });
  const facts = Object.entries(plain).map(
    ([name, value]) => ` ${name}=${typeof value === "object" ? json(value) : value}`,
  );
  return `${level}: ${message}${facts.join("")}`;
}

function json(value: unknown): string {
  try {
    return encodeJson(value);
  } catch {
    // A log line is never worth an error of its own: cycles are written as text.
    return encodeJson(Object.fromEntries(Object.entries(value ?? {}).map(([name, held]) => [name, String(held)])));
  }
}

function printable(value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? String(value)) : value;
}

/** The plugin's logger. */
export const logger: Logger = createLogger(writeError);
