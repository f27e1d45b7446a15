/**
 * Answers to batches as JSON text: `spec/wasm-abi.md`, sections 4 and 7.
 *
 * What an output does not change is left out: the host puts the input's in its place, so that
 * a payload which nobody touches keeps every character.
 */

import type { Batch } from "../batch.js";
import { type Column, isEveryRow } from "../column.js";
import { PluginError } from "../errors.js";
import { encodeJson } from "../json.js";
import { checkOutputs, type OutputPart, type Outputs } from "../outputs.js";
import { MixedPayloads } from "../payloads.js";
import { errorText } from "./facts.js";
import { ParsedPayloads } from "./parsed.js";
import type { Received } from "./reading.js";

const TEXTS = [
  ["type", "types"],
  ["trace_id", "traceIds"],
  ["content_type", "contentTypes"],
] as const;

/**
 * Return `outputs`, the answer to the batch of `received`, as an array of answers.
 *
 * @throws PluginError `plugin.output_invalid`: they do not fit the batch.
 */
export function write(outputs: Outputs, received: Received): string {
  const answers: (string | undefined)[] = new Array(received.length).fill(undefined);
  for (const [row, error] of received.errors) answers[row] = failed(error);
  for (const [row, error] of outputs.errors) answers[received.rows[row] as number] = failed(error);
  const objects = objectsByRow(outputs, received.batch);
  for (let row = 0; row < objects.length; row++) {
    if (objects[row] !== undefined) answers[received.rows[row] as number] = `{"outputs":[${objects[row]}]}`;
  }
  // Reasons are counted, not kept by row: any row without an answer may carry one.
  const reasons = Array.from(outputs.dropped, ([reason, rows]) => new Array<string>(rows).fill(reason)).flat();
  let next = 0;
  for (let row = 0; row < answers.length; row++) answers[row] ??= dropped(reasons[next++]);
  return `[${answers.join()}]`;
}

/**
 * Return `outputs`, the answer to one message, as nothing, an object, or an array.
 *
 * @throws PluginError what is said of the message instead.
 */
export function writeOne(outputs: Outputs, received: Received): string {
  for (const error of outputs.errors.values()) throw error;
  const count = outputs.parts.reduce((sum, part) => sum + part.batch.length, 0);
  const texts = objectsByRow(outputs, received.batch)[0] ?? "";
  return count < 2 ? texts : `[${texts}]`;
}

function failed(error: PluginError): string {
  return `{"error":${errorText(error)}}`;
}

function dropped(reason: string | undefined): string {
  return reason === undefined ? "{}" : `{"dropped":${encodeJson(reason)}}`;
}

/** Return the outputs of each input row in their order, JSON objects with commas between. */
function objectsByRow(outputs: Outputs, batch: Batch): (string | undefined)[] {
  checkOutputs(outputs, batch.length);
  const found: (string | undefined)[] = [];
  for (const part of outputs.parts) {
    const writers = writersOf(part, batch);
    const { ids } = part.batch;
    // Engines without a compiler, as in a component, are quickest at plain loops.
    for (let index = 0; index < ids.length; index++) {
      const row = part.rows[index] as number;
      let text = `{"id":${JSON.stringify(ids.get(index))}`;
      for (let each = 0; each < writers.length; each++) text += (writers[each] as Write)(index, row);
      const before = found[row];
      found[row] = before === undefined ? `${text}}` : `${before},${text}}`;
    }
  }
  return found;
}

type Write = (index: number, row: number) => string;

/** Return what writes of an output that which differs from its input. */
function writersOf({ batch: out, rows }: OutputPart, batch: Batch): Write[] {
  const writers: Write[] = [];
  const whole = isEveryRow(rows, batch.length);
  if (!whole || out.payloads !== batch.payloads) writers.push(payloads(out, batch));
  for (const [name, column] of TEXTS) {
    if (!whole || out[column] !== batch[column]) {
      writers.push(values(name, out[column], batch[column], encodeJson));
    }
  }
  if (!whole || out.metadata !== batch.metadata) {
    writers.push(values("metadata", out.metadata, batch.metadata, objectText));
  }
  if (!whole || out.sources !== batch.sources) writers.push(values("source", out.sources, batch.sources, encodeJson));
  return writers;
}

function values<T>(name: string, given: Column<T>, inputs: Column<T>, encode: (value: T) => string): Write {
  return (index, row) => {
    const value = given.get(index);
    return value === inputs.get(row) ? "" : `,"${name}":${encode(value)}`;
  };
}

function objectText(metadata: unknown): string {
  const text = encodeJson(metadata);
  if (text.startsWith("{")) return text;
  throw new PluginError("expected metadata to be a JSON object, got something else", {
    code: "plugin.output_invalid",
  });
}

function payloads(out: Batch, batch: Batch): Write {
  const held = out.payloads;
  const input = batch.payloads;
  if (held instanceof MixedPayloads && held.source === input) {
    return (index, row) => {
      const made = held.made[index];
      if (typeof made === "string") return `,"payload":${made}`;
      return made === undefined && held.rows[index] === row ? "" : `,"payload":${held.text(index)}`;
    };
  }
  if (held instanceof ParsedPayloads && input instanceof ParsedPayloads && held.values === input.values) {
    return (index, row) => (held.rows[index] === input.rows[row] ? "" : `,"payload":${held.text(index)}`);
  }
  return (index) => `,"payload":${held.text(index)}`;
}
