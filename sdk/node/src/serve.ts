/** The end of a plugin's file: hand the plugin over to whatever runs the file. */

import { serve } from "#runtime";

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
import type { PluginMetadata } from "./metadata.js";
import type { ServeOptions } from "./server/server.js";

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
