/** Replays the golden vectors of `spec/vectors`: what the bytes mean to the author of a plugin. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Batch, concat } from "../src/batch.js";
import { type Delivery, SourceBatch } from "../src/delivery.js";
import { Drop, Fatal, PluginError, Retry } from "../src/errors.js";
import { decodeJson } from "../src/json.js";
import { Message, views } from "../src/message.js";
import { NO_SOURCE } from "../src/metadata.js";
import { asOutputs, checkOutputs, OutputCollector, Outputs } from "../src/outputs.js";
import { cutToFit } from "../src/server/sizes.js";
import { decodeDelivery } from "../src/server/streams.js";
import { decodeRequest, encodeResponse } from "../src/server/work.js";
import { answerMessage } from "../src/wire/answers.js";
import * as wire from "../src/wire/batches.js";
import { encodeError, errorMessage } from "../src/wire/errors.js";
import { ProcessRequest, ProcessResponse } from "../src/wire/messages.js";
import { decodeStruct, encodeStruct } from "../src/wire/struct.js";
import { Writer } from "../src/wire/writer.js";
import { parse, serialize, vectors } from "./protocol.js";

const bytesOf = (vector: any): Buffer => Buffer.from(vector.wire, "base64");
const refusal = (code: string) => (error: unknown) => error instanceof PluginError && error.code === code;

function replay(file: string, prove: (vector: any) => void): void {
  describe(file, () => {
    for (const vector of vectors(file)) it(`${vector.name}: ${vector.rule}`, () => prove(vector));
  });
}

/** A message as the vectors write it. */
function described(message: Message, encoding = "json"): object {
  const payload =
    encoding === "xdr"
      ? { payload_base64: Buffer.from(message.payloadBytes).toString("base64") }
      : { payload: message.payloadText };
  const plain = { id: message.id, type: message.type, trace_id: message.traceId, content_type: message.contentType };
  const { name, network, uri } = message.source;
  return {
    ...plain,
    ...payload,
    ...(Object.keys(message.metadata).length > 0 && { metadata: message.metadata }),
    ...((name || network || uri) && { source: { name, network, uri } }),
  };
}

const describedAll = (batch: Batch) => Array.from(views(batch), (message) => described(message, batch.encoding));

/** A message as an author makes it. */
function made(vector: any): Message {
  return new Message({
    id: vector.id,
    type: vector.type,
    payloadBytes: Buffer.from(vector.payload),
    metadata: vector.metadata ?? {},
    source: vector.source ?? NO_SOURCE,
    traceId: vector.trace_id,
    contentType: vector.content_type,
  });
}

/** Messages that an author made, as a batch. */
function madeBatch(messages: any[]): Batch {
  const collector = new OutputCollector(Batch.empty());
  messages.forEach((message, row) => collector.add(row, made(message)));
  const batches = collector.outputs().parts.map((part) => part.batch);
  return batches.length === 0 ? Batch.empty() : concat(batches);
}

function encoded(batch: Batch): Buffer {
  const writer = new Writer();
  wire.writeBatch(writer, batch);
  return writer.finish();
}

/** A parsed `MessageBatch` with every column spread over all rows. */
function expanded(batch: any): object {
  const { rows = 0, encoding = "", ...columns } = batch ?? {};
  const spread: Record<string, unknown> = { rows, encoding: encoding || "json" };
  const initial: Record<string, unknown> = {
    contentTypes: "application/json",
    metadata: "e30=",
    sources: { ...NO_SOURCE },
  };
  for (const [name, entries] of Object.entries(columns)) {
    if (!Array.isArray(entries)) continue;
    const all = entries.length === rows ? entries : Array(rows).fill(entries[0] ?? initial[name] ?? "");
    spread[name] = all.map((entry) => (entry === "" ? (initial[name] ?? "") : entry));
  }
  return spread;
}

const readJson = (base64: string) => JSON.parse(Buffer.from(base64, "base64").toString() || "{}");

function comparable(batch: any): object {
  const spread: any = expanded(batch);
  return { ...spread, metadata: (spread.metadata ?? []).map(readJson) };
}

replay("batches.json", (vector) => {
  if (vector.refused) return assert.throws(() => wire.decodeBatch(bytesOf(vector)), refusal(vector.refused));
  const batch = wire.decodeBatch(bytesOf(vector));
  assert.equal(vector.encoding, batch.encoding);
  assert.deepEqual(vector.messages, describedAll(batch));
  const again = wire.decodeBatch(encoded(batch));
  assert.equal(batch.length === 0 ? "json" : vector.encoding, again.encoding);
  assert.deepEqual(vector.messages, describedAll(again));
  if (vector.encoding !== "json") return;
  assert.deepEqual(vector.messages, describedAll(wire.decodeBatch(encoded(madeBatch(vector.messages)))));
});

replay("answers.json", (vector) => {
  const input = Batch.of("T", Array(vector.rows).fill(null));
  const expected = parse("ProcessBatchResponse", bytesOf(vector));
  const errors = new Map<number, PluginError>(
    (vector.errors ?? expected.errors).map((e: any) => [
      e.row,
      new PluginError(e.error.message, { code: e.error.code }),
    ]),
  );
  const outputs = (): Outputs => {
    const batch = vector.outputs
      ? madeBatch(vector.outputs)
      : wire.decodeBatch(serialize("MessageBatch", expected.outputs ?? {}));
    const rows: number[] = vector.output_rows ?? expected.outputRows;
    if (batch.length > 0 && rows.length === 0) return asOutputs(batch, input);
    return new Outputs([{ batch, rows }], { errors, dropped: new Map(Object.entries(vector.dropped ?? {})) as never });
  };
  if (vector.refused) {
    return assert.throws(() => checkOutputs(outputs(), vector.rows), refusal(vector.refused));
  }
  const answer = wire.ProcessBatchResponse.encode(answerMessage(outputs(), vector.rows) as never);
  const got = parse("ProcessBatchResponse", answer);
  assert.deepEqual(comparable(expected.outputs), comparable(got.outputs));
  const rowForRow = (rows: number[]) => (rows.length > 0 ? rows : vector.output_rows);
  assert.deepEqual(rowForRow(expected.outputRows), rowForRow(got.outputRows));
  assert.deepEqual(expected.errors, got.errors);
  assert.deepEqual(expected.dropped, got.dropped);
});

function thrown({ instruction, code, message, hint, retry_after_s }: any): PluginError {
  if (instruction === "retry")
    return new Retry(message, { code, hint, ...(retry_after_s && { afterS: retry_after_s }) });
  if (instruction === "drop") return new Drop(message);
  return instruction === "fatal" ? new Fatal(message, { code, hint }) : new PluginError(message, { code, hint });
}

replay("errors.json", (vector) => {
  const got = parse("Error", encodeError(thrown(vector.error)));
  const expected = parse("Error", bytesOf(vector));
  assert.deepEqual(vector.decode_only ? { ...expected, code: vector.error.code } : expected, got);
});

replay("requests.json", (vector) => {
  const batch = decodeRequest(ProcessRequest.decode(bytesOf(vector)));
  assert.deepEqual([vector.input], describedAll(batch));
  const passedOn = ProcessResponse.encode(encodeResponse(decodeRequest(ProcessRequest.decode(bytesOf(vector)))));
  assert.deepEqual([vector.input], describedAll(decodeRequest(ProcessRequest.decode(passedOn))));
});

replay("responses.json", (vector) => {
  if (vector.decode_only) return;
  const answer = vector.dropped ? { dropped: true } : encodeResponse(madeBatch([vector.output]));
  const got = parse("ProcessResponse", ProcessResponse.encode(answer));
  const expected = parse("ProcessResponse", bytesOf(vector));
  if (!vector.dropped) expected.payload ||= Buffer.from("null").toString("base64");
  assert.deepEqual(filled(expected), filled(got));
});

/** A source of empty texts, and metadata without fields, are the same as none. */
function filled({ source, metadata, ...rest }: any): object {
  return { ...rest, source: source ?? { ...NO_SOURCE }, metadata: metadata ?? { fields: {} } };
}

replay("deliveries.json", (vector) => {
  const request = wire.ConsumeRequest.decode(bytesOf(vector));
  const delivery: Delivery = decodeDelivery(request);
  assert.deepEqual(vector.messages, describedAll(delivery.batch));
  assert.deepEqual(
    [vector.sequence, vector.positions, vector.completed_through, vector.flush],
    [request.sequence, delivery.positions, delivery.completedThrough, request.flush],
  );
});

replay("readings.json", (vector) => {
  const expected = parse("ReadResponse", bytesOf(vector));
  const { error, ended } = vector;
  const bytes = error
    ? wire.ReadResponse.encode({ error: errorMessage(thrown(error)) as never })
    : ended
      ? wire.ReadResponse.encode({ ended })
      : read(vector);
  const got = parse("ReadResponse", bytes);
  assert.deepEqual(comparable(expected.batch), comparable(got.batch));
  assert.deepEqual({ ...expected, batch: null }, { ...got, batch: null });
});

function read({ messages, positions, completed_through, token_base64 }: any): Buffer {
  const found = new SourceBatch(madeBatch(messages), positions, {
    completedThrough: completed_through,
    token: Buffer.from(token_base64 ?? "", "base64"),
  });
  const [only, ...more] = [...cutToFit(found, 1 << 20)];
  assert.deepEqual([], more);
  return only as Buffer;
}

replay("numbers.json", (vector) => {
  const value = decodeJson(vector.value);
  if (vector.refused) return assert.throws(() => encodeStruct(value), refusal(vector.refused));
  const bytes = encodeStruct(value);
  assert.deepEqual(value, decodeStruct(bytes, 0, bytes.length));
});
