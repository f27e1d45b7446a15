/**
 * The CDP Pipeline plugin SDK: the contract, and the shortest way to fulfil it.
 *
 * ```js
 * import { serveProcessor } from "cdpplugin";
 *
 * serveProcessor({ name: "large-payments", version: "1.0.0", inputTypes: ["Payment"] }, (message) =>
 *   message.payload.amount > 1000 ? message : null,
 * );
 * ```
 */

export { Batch, type BatchColumns, concat } from "./batch.js";
export { Column, Constant, Values } from "./column.js";
export { type Context, Delivery, type Resume, SourceBatch, type SourceDescription } from "./delivery.js";
export { ConfigInvalid, Drop, type ErrorOptions, Fatal, PluginError, Retry, UnsupportedEncoding } from "./errors.js";
export {
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
export { decodeJson, encodeJson, type JsonObject } from "./json.js";
export { type Level, type Logger, logger } from "./logger.js";
export { Message, type MessageFields, view, views } from "./message.js";
export type {
  Encoding,
  HealthStatus,
  PluginKind,
  PluginMetadata,
  ResourceRequirements,
  SourceInfo,
} from "./metadata.js";
export { OutputCollector, type OutputPart, Outputs, type Remarks, type Result } from "./outputs.js";
export { ArrowPayloads, JsonPayloads, Payloads } from "./payloads.js";
export type { Awaitable, Consumer, Plugin, Processor, Source } from "./protocols.js";
export { type FunctionOptions, serveBatchProcessor, serveConsumer, serveProcessor, serveSource } from "./serve.js";
export type { ServeOptions } from "./server/server.js";
export { GRACE_S, PluginServer, serve } from "#runtime";
