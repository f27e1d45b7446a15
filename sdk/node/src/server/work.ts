/** A processor's work: single messages, batches, and answers that fit a message. */

import { Batch, JSON_CONTENT, NO_METADATA } from "../batch.js";
import { everyRow, type ReadSlice, Slices } from "../column.js";
import { asPluginError, Drop, Fatal, PluginError, Retry } from "../errors.js";
import type { JsonObject } from "../json.js";
import { NO_SOURCE, type SourceInfo } from "../metadata.js";
import { asOutputs, checkOutputs, Outputs } from "../outputs.js";
import { JsonPayloads } from "../payloads.js";
import type { Processor } from "../protocols.js";
import { answerMessage } from "../wire/answers.js";
import { decodeBatch, ProcessBatchResponse } from "../wire/batches.js";
import type { MessageOf } from "../wire/fields.js";
import type { ProcessRequest, ProcessResponse } from "../wire/messages.js";
import { decodeStruct, encodeStruct, struct } from "../wire/struct.js";
import { Turns } from "./turns.js";

type Request = MessageOf<typeof ProcessRequest>;
type Response = Partial<MessageOf<typeof ProcessResponse>>;
type Answer = Partial<MessageOf<typeof ProcessBatchResponse>>;

/** Calls a processor, for as many batches at once as it has workers; the others wait in order. */
export class Work {
  /** How many batches may be worked on at once. */
  readonly workers: number;
  private readonly stateful: boolean;
  private readonly turns: Turns;

  constructor(
    private readonly processor: Processor,
    workers: number,
  ) {
    this.stateful = processor.metadata().stateful ?? false;
    this.workers = this.stateful ? 1 : workers;
    this.turns = new Turns(this.workers);
  }

  /** Process the batch that `held` serializes; what is for the host to act on passes through. */
  async batch(held: Buffer): Promise<Answer> {
    const batch = decodeBatch(held);
    return answerMessage(await this.call(batch), batch.length);
  }

  /**
   * Process one message.
   *
   * @throws PluginError what the processor threw; `plugin.output_invalid`: it gave several messages.
   */
  async single(request: Request): Promise<Response> {
    const outputs = await this.call(decodeRequest(request));
    for (const error of outputs.errors.values()) throw error;
    const batches = outputs.parts.map((part) => part.batch).filter((batch) => batch.length > 0);
    const [batch] = batches;
    if (batch === undefined) return { dropped: true };
    if (batches.length === 1 && batch.length === 1) return encodeResponse(batch);
    throw new PluginError("a single call has one output, got several", {
      code: "plugin.output_invalid",
      hint: "call ProcessBatch or Stream",
    });
  }

  private async call(batch: Batch): Promise<Outputs> {
    await this.turns.take();
    try {
      return await this.answered(batch);
    } finally {
      this.turns.give();
    }
  }

  /**
   * Answer `batch`. One that fails as a whole is halved until the bad row is alone, so that it
   * costs no other; a retry and a fatal error are the host's to act on.
   */
  private async answered(batch: Batch): Promise<Outputs> {
    try {
      const outputs = asOutputs(await this.processor.processBatch(batch), batch);
      checkOutputs(outputs, batch.length);
      return outputs;
    } catch (error) {
      if (error instanceof Retry || error instanceof Fatal) throw error;
      return this.halved(batch, asPluginError(error));
    }
  }

  private async halved(batch: Batch, error: PluginError): Promise<Outputs> {
    const rows = batch.length;
    if (error instanceof Drop) return new Outputs([], { dropped: new Map([[error.reason, rows]]) });
    if (rows <= 1 || this.stateful || batch.encoding === "arrow") {
      return new Outputs([], { errors: new Map(everyRow(rows).map((row) => [row, error])) });
    }
    const middle = rows >> 1;
    const first = await this.answered(batch.slice(0, middle));
    return joined(first, await this.answered(batch.slice(middle, rows)), middle);
  }
}

/** Return the answers to the two halves of a batch as the answer to the whole. */
function joined(first: Outputs, second: Outputs, middle: number): Outputs {
  const moved = second.parts.map(({ batch, rows }) => ({ batch, rows: Array.from(rows, (row) => row + middle) }));
  const errors = new Map(first.errors);
  for (const [row, error] of second.errors) errors.set(row + middle, error);
  const dropped = new Map(first.dropped);
  for (const [reason, rows] of second.dropped) dropped.set(reason, (dropped.get(reason) ?? 0) + rows);
  return new Outputs([...first.parts, ...moved], { errors, dropped });
}

const readStruct: ReadSlice<JsonObject> = decodeStruct;

/** Return `request` as a batch of one message. */
export function decodeRequest(request: Request): Batch {
  const { payload, metadata } = request;
  return new Batch(new JsonPayloads([payload.length === 0 ? "null" : payload]), {
    ids: request.id,
    types: request.type,
    metadata: metadata.length === 0 ? NO_METADATA : new Slices(metadata, [0], [metadata.length], readStruct),
    sources: (request.source as SourceInfo | undefined) ?? NO_SOURCE,
    traceIds: request.traceId,
    contentTypes: request.contentType || JSON_CONTENT,
  });
}

/**
 * Return the only message of `batch` as an answer.
 *
 * @throws PluginError `message.number_too_large`: its metadata hold an integer beyond 2^53.
 */
export function encodeResponse(batch: Batch): Response {
  const source = batch.sources.get(0);
  const contentType = batch.contentTypes.get(0);
  return {
    id: batch.ids.get(0),
    type: batch.types.get(0),
    payload: asBuffer(batch.payloads.bytes(0)),
    metadata: encodeMetadata(batch),
    ...(source !== NO_SOURCE && { source }),
    traceId: batch.traceIds.get(0),
    contentType: contentType === JSON_CONTENT ? "" : contentType,
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function encodeMetadata(batch: Batch): Buffer {
  const column = batch.metadata;
  if (column instanceof Slices && column.read === readStruct) {
    // Nobody changed it: the bytes are passed on.
    return column.bytes.subarray(column.starts[0], column.ends[0]);
  }
  const metadata = column.get(0);
  if (struct.isInitial(metadata)) return Buffer.alloc(0);
  return encodeStruct(metadata);
}
