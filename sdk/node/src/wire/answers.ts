/** A processor's answer on the wire. */

import { concat } from "../batch.js";
import type { OutputPart, Outputs } from "../outputs.js";
import { isEveryRow } from "../column.js";
import type { ProcessBatchResponse } from "./batches.js";
import { errorMessage } from "./errors.js";
import type { MessageOf } from "./fields.js";

type Answer = Partial<MessageOf<typeof ProcessBatchResponse>>;

/**
 * Return `outputs`, the answer to a batch of `rows` rows that they fit, as a `ProcessBatchResponse`.
 *
 * @throws UnsupportedEncoding their payloads have forms that do not mix.
 */
export function answerMessage(outputs: Outputs, rows: number): Answer {
  const answer: Answer = { dropped: new Map(outputs.dropped) };
  answer.errors = Array.from(outputs.errors, ([row, error]) => ({ row, error: errorMessage(error) as never }));
  const part = joined(outputs.parts);
  if (part === undefined) return answer;
  // Without output rows the host takes the outputs row for row.
  if (!isEveryRow(part.rows, rows)) answer.outputRows = Array.from(part.rows);
  return { ...answer, outputs: part.batch };
}

/** Return all parts as one, ordered by input row. */
function joined(parts: readonly OutputPart[]): OutputPart | undefined {
  const held = parts.filter((part) => part.batch.length > 0);
  if (held.length < 2) return held[0];
  const batch = concat(held.map((part) => part.batch));
  const rows = held.flatMap((part) => Array.from(part.rows));
  const order = Array.from(rows.keys()).sort((a, b) => (rows[a] as number) - (rows[b] as number));
  return { batch: batch.take(order), rows: order.map((index) => rows[index] as number) };
}
