/** Appends messages to a file. */

import { open } from "node:fs/promises";
import { join } from "node:path";

import { Retry } from "cdpplugin";

/** Writes a line for each message, through to the disk. */
export class JsonLines {
  #folder = "";
  #file;

  /** Take the configuration; the host has checked it against the schema in plugin.yaml. */
  configure(config) {
    this.#folder = config.path;
  }

  /** Open the file of this pipeline and stage. */
  async start({ pipeline, stage }) {
    this.#file = await open(join(this.#folder, `${pipeline}.${stage}.jsonl`), "a");
  }

  /** Write a message; the host takes it for durable when this returns. */
  async consume({ id, type, payloadText }) {
    const line = `{"id":${JSON.stringify(id)},"type":${JSON.stringify(type)},"payload":${payloadText}}\n`;
    try {
      await this.#file.write(line);
      await this.#file.sync();
    } catch (error) {
      throw new Retry(error.message, { afterS: 5 });
    }
  }

  /** Close the file; called once, also after a failed start. */
  async stop() {
    await this.#file?.close();
  }
}
