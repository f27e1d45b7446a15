/**
 * The functions of the world `cdp:plugin/plugin@1.0.0` over the plugin that the file serves.
 *
 * Source: `spec/wit/plugin.wit`, `spec/wasm-abi.md` section 7. A text that is thrown is the
 * error of a `result`; nothing else is ever thrown, since that would end the instance.
 */

import { asPluginError, Drop, Fatal, PluginError, Retry } from "../errors.js";
import { logger } from "../logger.js";
import type { Encoding } from "../metadata.js";
import { Delivery } from "../delivery.js";
import { Outputs } from "../outputs.js";
import { type Awaitable, type Consumer, isConsumer, isProcessor, isSource, kindOf, type Plugin } from "../protocols.js";
import { contextOf, errorText, healthText, metadataText, objectOf } from "./facts.js";
import { read, type Received } from "./reading.js";
import { servedPlugin, unsupported } from "./runtime.js";
import { write, writeOne } from "./writing.js";

const EVERY = ["metadata", "configure", "start", "process", "process-batch", "health", "stop"];
const STATE = ["export-state", "import-state"];

/**
 * Return the functions of the world that the plugin has, by their names there.
 *
 * @throws PluginError `plugin.component_unsupported`: it cannot be a component.
 */
export function exportsOf(plugin: Plugin = servedPlugin()): readonly string[] {
  const { name, version, inputEncoding = "json" } = plugin.metadata();
  const who = `plugin \`${name}@${version}\``;
  if (isSource(plugin)) {
    const message = `${who} is a source, which no component can be: it is called and cannot wait`;
    throw unsupported(message, "run it in a process of its own");
  }
  if (inputEncoding !== "json" && inputEncoding !== "sep51") {
    const message = `${who} takes payloads in \`${inputEncoding}\`, a component takes text`;
    throw unsupported(message, "set `inputEncoding` to json or sep51, or run it in a process of its own");
  }
  return plugin.exportState && plugin.importState ? [...EVERY, ...STATE] : EVERY;
}

/** What a component exports. */
export class World {
  private position = 0;

  constructor(private readonly served: () => Plugin = servedPlugin) {}

  metadata = (): string => metadataText(this.served());

  configure = (config: string): Promise<string> =>
    answered(async () => {
      await this.served().configure?.(objectOf(config, "the configuration"));
      return "";
    });

  start = (context: string): Promise<string> =>
    answered(async () => {
      const plugin = this.served();
      await plugin.start?.(contextOf(context));
      if (isConsumer(plugin)) await refusePosition(plugin);
      return "";
    });

  process = (message: string): Promise<string> =>
    answered(async () => {
      const received = read(`[${message}]`, this.encoding);
      for (const error of received.errors.values()) throw error;
      if (received.length !== 1) throw new PluginError("expected one message", { code: "message.payload_invalid" });
      const outputs = await this.work(received);
      for (const reason of outputs.dropped.keys()) throw new Drop(reason);
      return writeOne(outputs, received);
    });

  processBatch = (messages: string): Promise<string> =>
    answered(async () => {
      const received = read(messages, this.encoding);
      return write(await this.work(received), received);
    });

  health = async (): Promise<string> => {
    try {
      return healthText({ status: "healthy", ...(await this.served().health?.()) });
    } catch (error) {
      return healthText({ status: "unhealthy", message: asPluginError(error).message });
    }
  };

  stop = (): Promise<string> =>
    answered(async () => {
      await this.served().stop?.();
      return "";
    });

  /** State is bytes, and crosses as base64. */
  exportState = (): Promise<string> => answered(async () => toBase64((await this.served().exportState?.()) ?? []));

  importState = (state: string): Promise<string> =>
    answered(async () => {
      await this.served().importState?.(fromBase64(state));
      return "";
    });

  private get encoding(): Encoding {
    return this.served().metadata().inputEncoding ?? "json";
  }

  private async work({ batch }: Received): Promise<Outputs> {
    const plugin = this.served();
    if (isConsumer(plugin)) return this.consume(plugin, batch);
    if (!isProcessor(plugin)) throw unsupported(`a ${kindOf(plugin)} processes nothing`, "serve a processor");
    try {
      return await plugin.processBatch(batch);
    } catch (error) {
      if (!(error instanceof Drop)) throw error;
      return new Outputs([], { dropped: new Map([[error.reason, batch.length]]) });
    }
  }

  /**
   * Hand messages over, each by itself, and make all of them durable. A component is told no
   * positions: those of its deliveries only count messages, from 1 in each life.
   */
  private async consume(consumer: Consumer, batch: Received["batch"]): Promise<Outputs> {
    const errors = new Map<number, PluginError>();
    for (let row = 0; row < batch.length; row++) {
      const position = ++this.position;
      try {
        await consumer.consume(new Delivery(batch.slice(row, row + 1), [position], position));
      } catch (error) {
        if (error instanceof Retry || error instanceof Fatal) throw error;
        if (!(error instanceof Drop)) errors.set(row, asPluginError(error));
      }
    }
    await consumer.flush?.();
    return new Outputs([], { errors });
  }
}

async function refusePosition(consumer: Consumer): Promise<void> {
  if (((await consumer.durablePosition?.()) ?? null) === null) return;
  throw new Fatal("the consumer keeps a position, and a component is told none", {
    code: "plugin.component_unsupported",
    hint: "run it in a process of its own",
  });
}

async function answered(work: () => Awaitable<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    // Where it comes from is of interest only if nobody meant to throw it.
    if (!(error instanceof PluginError)) logger.error(`a call failed: ${error}`, { error });
    throw errorText(error);
  }
}

function toBase64(bytes: Iterable<number>): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (error) {
    throw new PluginError("expected a state in base64, got something else", {
      code: "plugin.state_invalid",
      hint: "hand over what `exportState` of this SDK gave",
      cause: error,
    });
  }
}
