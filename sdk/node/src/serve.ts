/** Run a plugin as a process of its own, until its host goes away or tells it to stop. */

import {
  type BatchFunction,
  type ConsumeFunction,
  FunctionBatchProcessor,
  FunctionConsumer,
  FunctionProcessor,
  FunctionSource,
  type Hooks,
  type MessageFunction,
  type SourceFunction,
} from "./function.js";
import { PluginError } from "./errors.js";
import { logger } from "./logger.js";
import type { PluginMetadata } from "./metadata.js";
import type { Plugin } from "./protocols.js";
import { PluginServer, type ServeOptions } from "./server/server.js";

/** Longest wait for calls in progress once the plugin is to stop, in seconds. */
export const GRACE_S = 30;

/**
 * Serve `plugin` until its host goes away, or SIGTERM or SIGINT comes, then end the process.
 *
 * Where to listen, and with which limits, is in the environment: see `spec/handshake.md`.
 * The process ends with 0 when the calls in progress have ended, with 1 when it cannot
 * listen, when they do not end within `GRACE_S`, or at a second signal.
 */
export async function serve(plugin: Plugin, options: ServeOptions = {}): Promise<never> {
  try {
    const server = new PluginServer(plugin, options);
    const told = untilTold(server.environment.lifeline);
    await server.listen();
    logger.debug("listening", { address: server.environment.address });
    await told;
    return await end(server);
  } catch (error) {
    const { message, code, hint } =
      error instanceof PluginError ? error : { message: String(error), code: "", hint: "" };
    logger.error(message, { code, hint });
    process.exit(1);
  }
}

async function end(server: PluginServer): Promise<never> {
  setTimeout(() => {
    logger.error("calls did not end in time", { grace_s: GRACE_S });
    process.exit(1);
  }, GRACE_S * 1000);
  await server.stop();
  process.exit(0);
}

/** Wait for a signal, or for the end of standard input where that is the host's. */
function untilTold(lifeline: boolean): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = () => {
      if (told) process.exit(1);
      told = true;
      resolve();
    };
    process.on("SIGTERM", tell);
    process.on("SIGINT", tell);
    if (!lifeline) return;
    // Without a listener for data the end would never be read.
    process.stdin.on("data", () => undefined);
    for (const event of ["end", "close", "error"]) process.stdin.on(event, () => resolve());
  });
}

/** What the one-function forms take beside their function. */
export type FunctionOptions = ServeOptions & Hooks;

/**
 * Serve a processor made of `call`, which takes a `Message` and returns one, several, or
 * null to drop it; plain or async.
 */
export function serveProcessor(
  metadata: PluginMetadata,
  call: MessageFunction,
  options: FunctionOptions = {},
): Promise<never> {
  return serve(new FunctionProcessor(metadata, call, options), options);
}

/** Serve a processor made of `call`, which takes a `Batch` and returns a `Batch` (row for row) or `Outputs`. */
export function serveBatchProcessor(
  metadata: PluginMetadata,
  call: BatchFunction,
  options: FunctionOptions = {},
): Promise<never> {
  return serve(new FunctionBatchProcessor(metadata, call, options), options);
}

/**
 * Serve a source made of `call`, a generator (plain or async) of messages or of source batches.
 *
 * Messages are counted from 1; after a restart it must give the same ones. A source that
 * yields `SourceBatch` has positions of its own and goes on after the one it is given.
 */
export function serveSource(
  metadata: PluginMetadata,
  call: SourceFunction,
  options: FunctionOptions = {},
): Promise<never> {
  return serve(new FunctionSource(metadata, call, options), options);
}

/** Serve a consumer made of `call`, which takes a `Message`; it is durable when the function returns. */
export function serveConsumer(
  metadata: PluginMetadata,
  call: ConsumeFunction,
  options: FunctionOptions = {},
): Promise<never> {
  return serve(new FunctionConsumer(metadata, call, options), options);
}
