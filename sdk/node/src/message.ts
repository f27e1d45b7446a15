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
  #id: string | undefined;
  #type: string | undefined;
  #payload: any;
  #payloadBytes: Uint8Array | undefined;
  #payloadState: "untouched" | "value" | "bytes" = "untouched";
  #metadata: JsonObject | undefined;
  #source: SourceInfo | undefined;
  #traceId: string | undefined;
  #contentType: string | undefined;

  constructor(fields?: MessageFields);
  /** @internal A view on a row. */
  constructor(fields: undefined, batch: Batch, row: number);
  constructor(fields: MessageFields = {}, batch?: Batch, row = 0) {
    this.batch = batch;
    this.row = row;
    if (batch !== undefined) return;
    this.#id = fields.id ?? "";
    this.#type = fields.type ?? "";
    this.#metadata = fields.metadata ?? {};
    this.#source = fields.source ?? NO_SOURCE;
    this.#traceId = fields.traceId ?? "";
    this.#contentType = fields.contentType ?? JSON_CONTENT;
    if (fields.payloadBytes === undefined) this.payload = fields.payload ?? null;
    else this.payloadBytes = fields.payloadBytes;
  }

  /** Unique and deterministic. Left empty in a new message, the host derives it. */
  get id(): string {
    return (this.#id ??= this.batch!.ids.get(this.row));
  }

  set id(value: string) {
    this.#id = value;
  }

  /** What kind of payload it carries, e.g. `LedgerCloseMeta`. */
  get type(): string {
    return (this.#type ??= this.batch!.types.get(this.row));
  }

  set type(value: string) {
    this.#type = value;
  }

  /**
   * Any JSON value, yours to change; integers beyond 2^53 are `bigint`.
   *
   * @throws PluginError it is not JSON.
   */
  get payload(): any {
    if (this.#payloadState !== "value") {
      this.payload = this.#payloadBytes
        ? decodeJson(decodeText(this.#payloadBytes))
        : this.batch!.payloads.value(this.row);
    }
    return this.#payload;
  }

  set payload(value: any) {
    this.#payload = value;
    this.#payloadState = "value";
  }

  /** The payload's bytes as they came or as they will be sent, not decoded. Read-only. */
  get payloadBytes(): Uint8Array {
    if (this.#payloadState === "untouched") return this.batch!.payloads.bytes(this.row);
    const held = this.payloadHeld;
    return typeof held === "string" ? encodeText(held) : (held as Uint8Array);
  }

  set payloadBytes(value: Uint8Array) {
    this.#payloadBytes = value;
    this.#payload = undefined;
    this.#payloadState = "bytes";
  }

  /** The payload's text as it came or as it will be sent, not decoded: every digit is there. */
  get payloadText(): string {
    if (this.#payloadState === "untouched") return this.batch!.payloads.text(this.row);
    const held = this.payloadHeld;
    return typeof held === "string" ? held : decodeText(held as Uint8Array);
  }

  /** A JSON object, yours to change. */
  get metadata(): JsonObject {
    return (this.#metadata ??= this.batch!.metadata.own(this.row));
  }

  set metadata(value: JsonObject) {
    this.#metadata = value;
  }

  /** Where it came from. */
  get source(): SourceInfo {
    return (this.#source ??= this.batch!.sources.get(this.row));
  }

  set source(value: SourceInfo) {
    this.#source = value;
  }

  /** Trace id, or empty. */
  get traceId(): string {
    return (this.#traceId ??= this.batch!.traceIds.get(this.row));
  }

  set traceId(value: string) {
    this.#traceId = value;
  }

  /** Media type of the payload. */
  get contentType(): string {
    return (this.#contentType ??= this.batch!.contentTypes.get(this.row));
  }

  set contentType(value: string) {
    this.#contentType = value;
  }

  /** @internal The payload to write, or undefined where it is untouched. */
  get payloadHeld(): string | Uint8Array | undefined {
    if (this.#payloadState === "untouched") return undefined;
    return this.#payloadState === "bytes" ? this.#payloadBytes : encodeJson(this.#payload);
  }

  /** @internal The form of the payload. */
  get encoding(): Encoding {
    return this.#payloadState === "untouched" ? this.batch!.encoding : "json";
  }

  /** @internal Which attributes were read or set: a bit each, in the order of the getters here. */
  get touched(): number {
    return (
      (this.#id === undefined ? 0 : 1) |
      (this.#type === undefined ? 0 : 2) |
      (this.#metadata === undefined ? 0 : 4) |
      (this.#source === undefined ? 0 : 8) |
      (this.#traceId === undefined ? 0 : 16) |
      (this.#contentType === undefined ? 0 : 32)
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
