/** A plugin that was configured and started, as a test sees it. */

import { status, type StatusObject } from "@grpc/grpc-js";

import { Batch } from "../batch.js";
import type { Context, Resume } from "../delivery.js";
import { PluginError } from "../errors.js";
import { encodeJson, type JsonObject } from "../json.js";
import { Message, type MessageFields, views } from "../message.js";
import type { Encoding, HealthStatus } from "../metadata.js";
import { OutputCollector } from "../outputs.js";
import * as batches from "../wire/batches.js";
import type { MessageOf, MessageType } from "../wire/fields.js";
import * as wire from "../wire/messages.js";
import { Wire } from "../wire/reader.js";
import { Writer } from "../wire/writer.js";
import type { Client } from "./client.js";
import { errorFrom, failureOf } from "./errors.js";

/** What a processor made of a batch. */
export interface Answer {
  /** All outputs, in order. One that the plugin gave no id has none: the host derives it. */
  outputs: Message[];
  /** For each output the input that it derives from, counted from 0. */
  rows: number[];
  /** What went wrong, by input. */
  errors: Map<number, PluginError>;
  /** How many inputs were left out, by reason, for those that gave one. */
  dropped: Map<string, number>;
}

/** What was read of a source. */
export interface Reading {
  /** The messages, in order. */
  messages: Message[];
  /** The position of each. */
  positions: number[];
  /** The last token that the source gave, to read on after. */
  token: Uint8Array;
  /** Whether the source has come to its end. */
  ended: boolean;
}

type Given = Message | MessageFields;

/** A plugin under test. */
export class TestPlugin {
  /** Why the last message that `process` was given was left out, if it was and the plugin said why. */
  dropped = "";
  private encoding: Encoding = "json";
  private position = 0;
  private sequence = 0;
  private stopping: Promise<void> | undefined;

  /** @internal */
  constructor(
    private readonly client: Client,
    private readonly close: () => Promise<void>,
  ) {}

  /** @internal */
  async begin(config: JsonObject, stage: Context): Promise<void> {
    const metadata = await this.call("GetMetadata", wire.MetadataRequest, wire.MetadataResponse, {
      protocolMin: 1,
      protocolMax: 1,
    });
    this.encoding = (metadata.inputEncoding || "json") as Encoding;
    await this.call("Configure", wire.ConfigureRequest, wire.ConfigureResponse, { config: json(config) });
    const schemas = new Map(Object.entries(stage.schemas).map(([name, schema]) => [name, json(schema)]));
    try {
      await this.call("Start", wire.StartRequest, wire.StartResponse, { ...stage, schemas });
    } catch (error) {
      await this.stopPlugin().catch(() => undefined); // why it did not start says more
      throw error;
    }
  }

  /**
   * Hand over one message; return its output, or null where it was left out: `dropped` says why.
   *
   * @throws PluginError what the plugin threw; `plugin.output_invalid`: there are several outputs.
   */
  async process(message: Given): Promise<Message | null> {
    this.dropped = "";
    const { outputs, errors, dropped } = await this.processAll([message]);
    for (const error of errors.values()) throw error;
    if (outputs.length > 1) {
      throw new PluginError(`expected one output, got ${outputs.length}`, {
        code: "plugin.output_invalid",
        hint: "call processAll, which returns them all",
      });
    }
    [this.dropped = ""] = dropped.keys();
    return outputs[0] ?? null;
  }

  /**
   * Hand over messages as one batch.
   *
   * @throws Retry, Fatal for the batch as a whole.
   */
  async processAll(messages: Iterable<Given>): Promise<Answer> {
    const batch = this.batchOf(messages);
    const told = await this.call("ProcessBatch", batches.ProcessBatchRequest, batches.ProcessBatchResponse, { batch });
    const outputs = told.outputs === undefined ? [] : Array.from(views(told.outputs));
    return {
      outputs,
      rows: told.outputRows.length > 0 ? told.outputRows : outputs.map((_, row) => row),
      errors: new Map(told.errors.map(({ row, error }) => [row ?? 0, errorFrom(error ?? {})])),
      dropped: told.dropped,
    };
  }

  /** Read from a source, from its start or after `after`, until there are `limit` messages or it ends. */
  async read(limit: number, after?: Resume): Promise<Reading> {
    const call = this.client.open("Read", batches.ReadRequest, batches.ReadResponse);
    const reading: Reading = { messages: [], positions: [], token: new Uint8Array(), ended: false };
    call.send({ afterPosition: after?.position, afterToken: Buffer.from(after?.token ?? []), credits: 1 });
    while (!reading.ended && reading.messages.length < limit) {
      const told = await call.next().catch(() => undefined);
      if (told === undefined) {
        await ended(call);
        reading.ended = true; // a plugin that ends the call has ended its stream
        return reading;
      }
      if (told.error) throw errorFrom(told.error);
      take(reading, told, limit, after?.position ?? -Infinity);
      call.send({ credits: 1 });
    }
    call.end();
    await call.status; // only then may the source be read again
    return reading;
  }

  /**
   * Hand a consumer messages as one delivery, at positions that count all messages from 1, and have it make
   * everything durable; return the position through which everything is, null where the consumer did not say.
   * After an error the same messages may be handed over again, at the same positions.
   */
  async consume(messages: Iterable<Given>): Promise<number | null> {
    const given = Array.from(messages);
    const call = this.client.open("Consume", batches.ConsumeRequest, batches.ConsumeResponse);
    const completedThrough = this.position + given.length;
    call.send({
      sequence: ++this.sequence,
      batch: this.batchOf(given),
      positions: given.map((_, row) => this.position + row + 1),
      completedThrough,
      flush: true,
    });
    const told = await call.next().catch(() => undefined);
    call.end();
    await ended(call);
    if (told === undefined) throw new PluginError("the consumer ended the call without an answer");
    if (told.error) throw errorFrom(told.error);
    this.position = completedThrough;
    return told.durableThrough ?? null;
  }

  /** Return how the plugin says it is. */
  async health(): Promise<HealthStatus> {
    const told = await this.call("Health", wire.HealthRequest, wire.HealthResponse, {});
    return { status: told.status as HealthStatus["status"], message: told.message, details: told.details ?? {} };
  }

  /** Stop the plugin and end it; once. */
  stop(): Promise<void> {
    return (this.stopping ??= this.stopPlugin().finally(this.close));
  }

  /** `await using plugin = await startTestPlugin(...)` stops it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async stopPlugin(): Promise<void> {
    await this.call("Stop", wire.StopRequest, wire.StopResponse, {});
  }

  private async call<I extends Record<string, any>, O extends Record<string, any>>(
    name: string,
    request: MessageType<I>,
    response: MessageType<O>,
    message: Partial<MessageOf<MessageType<I>>>,
  ): Promise<MessageOf<MessageType<O>>> {
    try {
      return await this.client.call(name, [request, response], message);
    } catch (error) {
      throw failureOf(error as object);
    }
  }

  /** Return messages as a `MessageBatch` in the encoding that the plugin asks for. */
  private batchOf(messages: Iterable<Given>): Buffer {
    if (this.encoding === "arrow") {
      throw new PluginError("a plugin that takes arrow is not handed messages", {
        code: "plugin.encoding_unsupported",
        hint: "try it with `flowctl test`, which makes Arrow of them",
      });
    }
    const collector = new OutputCollector(Batch.empty());
    let row = 0;
    for (const message of messages) collector.add(row++, message instanceof Message ? message : new Message(message));
    const writer = new Writer();
    batches.writeBatch(writer, collector.outputs().parts[0]?.batch ?? Batch.empty());
    writer.uint32((batches.BATCH_FIELDS.encoding << 3) | Wire.Bytes);
    writer.bytes(this.encoding);
    return writer.finish();
  }
}

const json = (value: unknown) => Buffer.from(encodeJson(value));

function take(reading: Reading, told: MessageOf<typeof batches.ReadResponse>, limit: number, after: number): void {
  for (const message of told.batch === undefined ? [] : views(told.batch)) {
    const position = told.positions[message.row] as number;
    if (position <= after) continue; // a host leaves out what comes again
    if (reading.messages.length === limit) return;
    reading.messages.push(message);
    reading.positions.push(position);
  }
  if (told.token.length > 0) reading.token = told.token;
  reading.ended = told.ended;
}

/** Wait for the end of a call; throw what the plugin ended it with. */
async function ended(call: { status: Promise<StatusObject> }): Promise<void> {
  const how = await call.status;
  if (how.code !== status.OK) throw failureOf(how);
}
