/** One message: what most plugin authors see. */

import { decodeText, encodeText } from "#platform";

import { type Batch, JSON_CONTENT } from "./batch.js";
import { decodeJson, encodeJson, type JsonObject } from "./json.js";
import { type Encoding, NO_SOURCE, type SourceInfo } from "./metadata.js";

/** What a new message is made of; what is left out has its default. */
export interface MessageFields {
  id?: string;
  type?: string;
  /** Any JSON value; `null` by default. */
  payload?: any;
  /** The payload as it is to be written, instead of `payload`. */
  payloadBytes?: Uint8Array;
  metadata?: JsonObject;
  source?: SourceInfo;
  traceId?: string;
  contentType?: string;
}

/** What a message holds of its own; undefined is read from its batch. */
interface Held {
  id: string | undefined;
  type: string | undefined;
  metadata: JsonObject | undefined;
  source: SourceInfo | undefined;
  traceId: string | undefined;
  contentType: string | undefined;
  payloadState: "untouched" | "value" | "bytes";
  payload: any;
  payloadBytes: Uint8Array | undefined;
}

/**
 * A message: an id, a type, a payload and metadata.
 *
 * A message taken from a batch is a view: each attribute is read from the batch on first
 * use. What was neither read nor set is passed on as the bytes it came in. A payload that
 * was only looked at through `payloadText` or `payloadBytes` counts as not read.
 */
export class Message {
  /** @internal The batch it is a row of. */
  readonly batch: Batch | undefined;
  /** @internal Its row there. */
  readonly row: number;
  /** What was read or set; until then a view holds nothing. */
  #held: Held | undefined;

  constructor(fields?: MessageFields);
  /** @internal A view on a row. */
  constructor(fields: undefined, batch: Batch, row: number);
  constructor(fields: MessageFields = {}, batch?: Batch, row = 0) {
    this.batch = batch;
    this.row = row;
    if (batch !== undefined) return;
    this.#held = {
      id: fields.id ?? "",
      type: fields.type ?? "",
      metadata: fields.metadata ?? {},
      source: fields.source ?? NO_SOURCE,
      traceId: fields.traceId ?? "",
      contentType: fields.contentType ?? JSON_CONTENT,
      payloadState: "untouched",
      payload: undefined,
      payloadBytes: undefined,
    };
    if (fields.payloadBytes === undefined) this.payload = fields.payload ?? null;
    else this.payloadBytes = fields.payloadBytes;
  }

  get #own(): Held {
    return (this.#held ??= {
      id: undefined,
      type: undefined,
      metadata: undefined,
      source: undefined,
      traceId: undefined,
      contentType: undefined,
      payloadState: "untouched",
      payload: undefined,
      payloadBytes: undefined,
    });
  }

  /** Unique and deterministic. Left empty in a new message, the host derives it. */
  get id(): string {
    return (this.#own.id ??= this.batch!.ids.get(this.row));
  }

  set id(value: string) {
    this.#own.id = value;
  }

  /** What kind of payload it carries, e.g. `LedgerCloseMeta`. */
  get type(): string {
    return (this.#own.type ??= this.batch!.types.get(this.row));
  }

  set type(value: string) {
    this.#own.type = value;
  }

  /**
   * Any JSON value, yours to change; integers beyond 2^53 are `bigint`.
   *
   * @throws PluginError it is not JSON.
   */
  get payload(): any {
    const held = this.#own;
    if (held.payloadState !== "value") {
      this.payload = held.payloadBytes ? decodeJson(decodeText(held.payloadBytes)) : this.batch!.payloads.value(this.row);
    }
    return held.payload;
  }

  set payload(value: any) {
    const held = this.#own;
    held.payload = value;
    held.payloadState = "value";
  }

  /** The payload's bytes as they came or as they will be sent, not decoded. Read-only. */
  get payloadBytes(): Uint8Array {
    const held = this.payloadHeld;
    if (held === undefined) return this.batch!.payloads.bytes(this.row);
    return typeof held === "string" ? encodeText(held) : held;
  }

  set payloadBytes(value: Uint8Array) {
    const held = this.#own;
    held.payloadBytes = value;
    held.payload = undefined;
    held.payloadState = "bytes";
  }

  /** The payload's text as it came or as it will be sent, not decoded: every digit is there. */
  get payloadText(): string {
    const held = this.payloadHeld;
    if (held === undefined) return this.batch!.payloads.text(this.row);
    return typeof held === "string" ? held : decodeText(held);
  }

  /** A JSON object, yours to change. */
  get metadata(): JsonObject {
    return (this.#own.metadata ??= this.batch!.metadata.own(this.row));
  }

  set metadata(value: JsonObject) {
    this.#own.metadata = value;
  }

  /** Where it came from. */
  get source(): SourceInfo {
    return (this.#own.source ??= this.batch!.sources.get(this.row));
  }

  set source(value: SourceInfo) {
    this.#own.source = value;
  }

  /** Trace id, or empty. */
  get traceId(): string {
    return (this.#own.traceId ??= this.batch!.traceIds.get(this.row));
  }

  set traceId(value: string) {
    this.#own.traceId = value;
  }

  /** Media type of the payload. */
  get contentType(): string {
    return (this.#own.contentType ??= this.batch!.contentTypes.get(this.row));
  }

  set contentType(value: string) {
    this.#own.contentType = value;
  }

  /** @internal The payload to write, or undefined where it is untouched. */
  get payloadHeld(): string | Uint8Array | undefined {
    const held = this.#held;
    if (held === undefined || held.payloadState === "untouched") return undefined;
    return held.payloadState === "bytes" ? held.payloadBytes : encodeJson(held.payload);
  }

  /** @internal The form of the payload. */
  get encoding(): Encoding {
    const state = this.#held?.payloadState ?? "untouched";
    return state === "untouched" ? this.batch!.encoding : "json";
  }

  /** @internal Which attributes were read or set: a bit each, in the order of the getters here. */
  get touched(): number {
    const held = this.#held;
    if (held === undefined) return 0;
    return (
      (held.id === undefined ? 0 : 1) |
      (held.type === undefined ? 0 : 2) |
      (held.metadata === undefined ? 0 : 4) |
      (held.source === undefined ? 0 : 8) |
      (held.traceId === undefined ? 0 : 16) |
      (held.contentType === undefined ? 0 : 32)
    );
  }
}

/** Return row `row` of `batch` as a message. */
export function view(batch: Batch, row: number): Message {
  return new Message(undefined, batch, row);
}

/** Yield every row of `batch` as a message, in order. */
export function* views(batch: Batch): Generator<Message> {
  for (let row = 0; row < batch.length; row++) yield view(batch, row);
}
