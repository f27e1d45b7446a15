/** The reference source: it counts positions, as its configuration says. */

import { setImmediate } from "node:timers/promises";

import { Batch, SourceBatch } from "cdpplugin";

import { checked, schema } from "./configuration.js";
import { INSTRUCTIONS, readFailure } from "./instructions.js";

const TYPE = "Reference.Number";
const METADATA = {
  name: "cdp-reference-source",
  version: "1.0.0",
  type: "source",
  description: "Counts positions",
  license: "Apache-2.0",
  outputTypes: [TYPE],
  configSchema: schema({
    first: { type: "integer", default: 1, description: "First position." },
    last: { type: ["integer", "null"], default: 20, description: "Last; null: none." },
    rows: { type: "integer", default: 1, description: "Rows at each position." },
    batch: { type: "integer", default: 1, description: "Positions in each batch." },
    gaps: { type: "integer", default: 0, description: "Multiples of it have no row." },
    size_bytes: { type: "integer", default: 0, description: "Size of each row's filler." },
    fail_at: { type: ["integer", "null"], default: null, description: "Fails there once." },
    fail_with: { enum: INSTRUCTIONS, default: "retry", description: "How it fails." },
  }),
};

/** Counts positions. */
export class ReferenceSource {
  #settings;
  #network = "";
  #acknowledged = -1;
  #failed = false;

  metadata() {
    return METADATA;
  }

  configure(config) {
    this.#settings = checked(config, METADATA.configSchema);
  }

  start(context) {
    this.#network = context.network;
  }

  describe() {
    const { first, last } = this.#settings;
    return {
      identity: METADATA.name,
      network: this.#network,
      unit: "positions",
      first,
      ...(last !== null && { last }),
      start: String(first),
    };
  }

  acknowledge(completedThrough) {
    this.#acknowledged = completedThrough;
  }

  /** Yield the positions after `after`. */
  async *read(after, signal) {
    const { first, last, batch } = this.#settings;
    let position = Math.max(first, (after?.position ?? -1) + 1);
    while (!signal.aborted && (last === null || position <= last)) {
      const whole = last === null ? position + batch : Math.min(position + batch, last + 1);
      const stop = this.#stopBeforeFailure(position, whole);
      yield this.#batch(position, stop, after);
      position = stop;
      await setImmediate();
    }
  }

  /** Return where the batch ends: before the position that fails, where that lies in it. */
  #stopBeforeFailure(position, stop) {
    const at = this.#settings.fail_at;
    if (this.#failed || at === null || at < position || at >= stop) return stop;
    if (at > position) return at;
    this.#failed = true;
    throw readFailure(this.#settings.fail_with, at);
  }

  #batch(first, stop, after) {
    const { rows, gaps, size_bytes: size } = this.#settings;
    const span = Array.from({ length: stop - first }, (_, offset) => first + offset);
    const given = span.filter((position) => gaps === 0 || position % gaps !== 0);
    const resumed = after && { position: after.position, token: Buffer.from(after.token).toString("hex") };
    const shared = { acknowledged: this.#acknowledged, resumed, filler: "x".repeat(size) };
    const values = given.flatMap((position) =>
      Array.from({ length: rows }, (_, index) => ({ position, index, ...shared })),
    );
    const ids = values.map(({ position, index }) => `number:${position}:${index}`);
    const positions = values.map(({ position }) => position);
    const last = stop - 1;
    return new SourceBatch(Batch.of(TYPE, values, { ids }), positions, {
      completedThrough: last,
      token: Buffer.from(String(last)),
    });
  }
}
