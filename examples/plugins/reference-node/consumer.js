/** The reference consumer: it keeps its rows in a file, each once. */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { decodeJson, encodeJson, views } from "cdpplugin";

import { checked, schema } from "./configuration.js";
import { instruction, INSTRUCTIONS } from "./instructions.js";

const METADATA = {
  name: "cdp-reference-consumer",
  version: "1.0.0",
  type: "consumer",
  description: "Keeps its rows in a file",
  license: "Apache-2.0",
  configSchema: schema(
    {
      path: { type: "string", description: "Folder of the file." },
      hold_back: { type: "boolean", default: false, description: "Keep until flushed." },
    },
    ["path"],
  ),
};

/** Keeps its rows in `PATH/PIPELINE.STAGE.json`, which is replaced as a whole. */
export class ReferenceConsumer {
  #settings;
  #file = "";
  #durable = -1;
  #taken = { position: -1, rows: [] };
  #refusals = new Map();

  metadata() {
    return METADATA;
  }

  configure(config) {
    this.#settings = checked(config, METADATA.configSchema);
  }

  start(context) {
    this.#file = this.#fileOf(context);
    this.#taken = readFile(this.#file);
    this.#durable = this.#taken.position;
  }

  #fileOf({ pipeline, stage }) {
    return join(this.#settings.path, `${pipeline}.${stage}.json`);
  }

  durablePosition() {
    return this.#durable;
  }

  /** Take the rows that are new; keep them, unless they are held back. */
  async consume(delivery) {
    const fresh = delivery.after(this.#durable);
    const rows = [];
    for (const message of views(fresh.batch)) {
      await this.#obey(message);
      rows.push(rowOf(message, fresh.positions[rows.length]));
    }
    for (const row of rows) this.#taken.rows.push(row);
    this.#taken.position = Math.max(this.#taken.position, delivery.completedThrough);
    return this.#settings.hold_back ? null : this.flush();
  }

  async #obey({ id, payload }) {
    const action = payload?.do;
    if (action === "sleep") await setTimeout(payload.seconds * 1000);
    if (!INSTRUCTIONS.includes(action)) return;
    const refusals = (this.#refusals.get(id) ?? 0) + 1;
    this.#refusals.set(id, refusals);
    if (refusals <= (payload.times ?? Infinity)) throw instruction(action, payload);
  }

  /** Write the file through to the disk. */
  flush() {
    const draft = `${this.#file}.draft`;
    const file = openSync(draft, "w");
    writeWhole(file, Buffer.from(encodeJson(this.#taken)));
    fsyncSync(file);
    closeSync(file);
    renameSync(draft, this.#file);
    this.#durable = this.#taken.position;
    return this.#durable;
  }

  forget(context) {
    const file = this.#fileOf(context);
    const { rows } = readFile(file);
    rmSync(file, { force: true });
    return [`forgot ${rows.length} rows of \`${context.pipeline}.${context.stage}\``];
  }
}

function writeWhole(file, bytes) {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}

function readFile(path) {
  return existsSync(path) ? decodeJson(readFileSync(path, "utf8")) : { position: -1, rows: [] };
}

function rowOf(message, position) {
  const { id, type, payload, metadata, traceId, contentType } = message;
  const { name, network, uri } = message.source;
  const source = { name, network, uri };
  return { position, id, type, payload, metadata, source, trace_id: traceId, content_type: contentType };
}
