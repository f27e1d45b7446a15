/** Messages that fit the limit of the connection: refused or cut here, not by a broken stream. */

import { Fatal, PluginError } from "../errors.js";
import { SourceBatch } from "../delivery.js";
import { ReadResponse } from "../wire/batches.js";

/** Room for what surrounds an answer: the sequence, the credits, the lengths. */
const ENVELOPE_BYTES = 1024;
const TOO_LARGE = "message.too_large";

/**
 * Return `message`.
 *
 * @throws PluginError `message.too_large`: it exceeds the limit.
 */
export function fitting(message: Buffer, limitBytes: number): Buffer {
  if (message.length <= limitBytes - ENVELOPE_BYTES) return message;
  throw new PluginError(`expected an answer of at most ${limitBytes} bytes, got one of ${message.length}`, {
    code: TOO_LARGE,
    hint: "answer less for each message, or raise the host's limit on message size",
  });
}

/**
 * Yield what a source read in as few messages as fit the limit.
 *
 * @throws Fatal `message.too_large`: a single row, or an Arrow stream, exceeds the limit.
 */
export function* cutToFit(found: SourceBatch, limitBytes: number): Generator<Buffer> {
  const { batch, positions, completedThrough, token } = found;
  const message = ReadResponse.encode({
    ...(batch.length > 0 && { batch }),
    positions: [...positions],
    completedThrough,
    token: Buffer.from(token),
  });
  if (message.length <= limitBytes - ENVELOPE_BYTES) return yield message;
  if (batch.length < 2 || batch.encoding === "arrow") {
    throw new Fatal(`expected rows of at most ${limitBytes} bytes, got one of ${message.length}`, {
      code: TOO_LARGE,
      hint: "raise the host's limit on message size",
    });
  }
  for (const half of halves(found, batch.length >> 1)) yield* cutToFit(half, limitBytes);
}

/** Cut in two; the first half is complete only through what the second does not hold. */
function halves(found: SourceBatch, middle: number): SourceBatch[] {
  const { batch, positions } = found;
  return [
    new SourceBatch(batch.slice(0, middle), positions.slice(0, middle), {
      completedThrough: (positions[middle] as number) - 1,
    }),
    new SourceBatch(batch.slice(middle, batch.length), positions.slice(middle), {
      token: found.token,
      ...(found.mark !== undefined && { completedThrough: found.mark }),
    }),
  ];
}
