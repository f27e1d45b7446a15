/** `plugin.v1.PluginService` over one plugin. */

import { status, type UntypedServiceImplementation } from "@grpc/grpc-js";

import { isConsumer, isProcessor, isSource, kindOf, type Plugin } from "../protocols.js";
import * as batches from "../wire/batches.js";
import * as wire from "../wire/messages.js";
import { duplex, method, unary, unimplemented } from "./calls.js";
import type { Life } from "./life.js";
import { fitting } from "./sizes.js";
import { type Bounds, consumeStream, readStream, streamBatches } from "./streams.js";
import { Work } from "./work.js";

const plain = (name: string) => method(`/plugin.v1.PluginService/${name}`, { request: false, response: false });
const streaming = (name: string) => method(`/plugin.v1.PluginService/${name}`, { request: true, response: true });

/** The service's methods. */
export const PLUGIN_SERVICE = {
  GetMetadata: plain("GetMetadata"),
  Configure: plain("Configure"),
  Start: plain("Start"),
  Stop: plain("Stop"),
  Health: plain("Health"),
  Process: plain("Process"),
  ProcessBatch: plain("ProcessBatch"),
  Stream: streaming("Stream"),
  Read: streaming("Read"),
  Consume: streaming("Consume"),
  Forget: plain("Forget"),
};

/** Return the service's handlers. */
export function pluginHandlers(life: Life, workers: number, bounds: Bounds): UntypedServiceImplementation {
  return { ...lifeHandlers(life), ...workHandlers(life.plugin, kindOf(life.plugin), workers, bounds) };
}

function lifeHandlers(life: Life): UntypedServiceImplementation {
  return {
    GetMetadata: unary(wire.MetadataRequest, async (request) => wire.MetadataResponse.encode(life.metadata(request))),
    Configure: unary(
      wire.ConfigureRequest,
      async (request) => wire.ConfigureResponse.encode(await life.configure(request)),
      status.INVALID_ARGUMENT,
    ),
    Start: unary(wire.StartRequest, async (request) => wire.StartResponse.encode(await life.start(request))),
    Stop: unary(wire.StopRequest, async (request) => wire.StopResponse.encode(await life.stop(request))),
    Health: unary(wire.HealthRequest, async () => wire.HealthResponse.encode(await life.health())),
    Forget: isConsumer(life.plugin)
      ? unary(wire.ForgetRequest, async (request) => wire.ForgetResponse.encode(await life.forget(request)))
      : unimplemented(kindOf(life.plugin)).unary,
  };
}

function workHandlers(plugin: Plugin, kind: string, workers: number, bounds: Bounds): UntypedServiceImplementation {
  const none = unimplemented(kind);
  const work = isProcessor(plugin) ? new Work(plugin, workers) : undefined;
  const limit = bounds.maxMessageBytes;
  return {
    Process: work
      ? unary(wire.ProcessRequest, async (request) =>
          fitting(wire.ProcessResponse.encode(await work.single(request)), limit),
        )
      : none.unary,
    ProcessBatch: work
      ? unary(batches.ProcessBatchRequest, async (request) =>
          fitting(batches.ProcessBatchResponse.encode(await work.batch(request.batch)), limit),
        )
      : none.unary,
    Stream: work ? duplex((call) => streamBatches(call, work, bounds)) : none.duplex,
    Read: isSource(plugin) ? duplex((call) => readStream(call, plugin, bounds)) : none.duplex,
    Consume: isConsumer(plugin) ? duplex((call) => consumeStream(call, plugin, bounds)) : none.duplex,
  };
}
