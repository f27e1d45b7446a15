/**
 * Batches that come as JSON text: `spec/wasm-abi.md`, sections 4 and 7.
 *
 * A message that cannot be read costs only itself.
 */

import { Batch } from "../batch.js";
import { everyRow } from "../column.js";
import { asPluginError, PluginError } from "../errors.js";
import { decodeJson, type JsonObject } from "../json.js";
import type { Encoding } from "../metadata.js";
import { Member, ParsedPayloads, PayloadValues } from "./parsed.js";
import { elementTexts, notAnArray } from "./scan.js";

/** A batch as it came. */
export interface Received {
  /** The messages that can be read. */
  batch: Batch;
  /** For each of them its place among all. */
  rows: readonly number[];
  /** What is wrong with the others. */
  errors: Map<number, PluginError>;
  /** Number of all messages. */
  length: number;
}

/**
 * Return the batch that `text`, an array of messages, holds.
 *
 * @throws PluginError `message.payload_invalid`: it is no such array.
 */
export function read(text: string, encoding: Encoding): Received {
  let messages: JsonObject[];
  try {
    messages = decodeJson(text);
  } catch {
    return readSingly(text, encoding);
  }
  if (!Array.isArray(messages)) throw notAnArray();
  const rows = everyRow(messages.length);
  return { batch: batchOf(text, messages, encoding), rows, errors: new Map(), length: messages.length };
}

/** Read an array of which some message cannot be read: nested too deeply, or no JSON. */
function readSingly(text: string, encoding: Encoding): Received {
  const texts = elementTexts(text);
  const errors = new Map<number, PluginError>();
  const messages: JsonObject[] = [];
  const rows: number[] = [];
  for (const [row, each] of texts.entries()) {
    try {
      messages.push(decodeJson(each));
      rows.push(row);
    } catch (error) {
      errors.set(row, asPluginError(error));
    }
  }
  const readable = `[${rows.map((row) => texts[row]).join()}]`;
  return { batch: batchOf(readable, messages, encoding), rows, errors, length: texts.length };
}

function batchOf(text: string, messages: JsonObject[], encoding: Encoding): Batch {
  if (messages.some((message) => message === null || typeof message !== "object" || !("payload" in message))) {
    throw notAnArray();
  }
  const payloads = new ParsedPayloads(encoding, new PayloadValues(text, messages), everyRow(messages.length));
  return new Batch(payloads, {
    ids: new Member<string>(messages, "id"),
    types: new Member<string>(messages, "type"),
    metadata: new Member<JsonObject>(messages, "metadata"),
    sources: new Member<any>(messages, "source"),
    traceIds: new Member<string>(messages, "trace_id"),
    contentTypes: new Member<string>(messages, "content_type"),
  });
}
