/** A plugin's life: who it is, its configuration, its start and its end. */

import { asPluginError, ConfigInvalid, Fatal } from "../errors.js";
import { decodeJson, encodeJson, type JsonObject } from "../json.js";
import type { Context } from "../delivery.js";
import { SDK } from "../metadata.js";
import { isConsumer, isProcessor, isSource, kindOf, type Plugin } from "../protocols.js";
import type { MessageOf } from "../wire/fields.js";
import * as wire from "../wire/messages.js";
import { encodeStruct } from "../wire/struct.js";

/** Protocol versions this SDK speaks, both inclusive. */
export const PROTOCOL = { min: 1, max: 1 };

type Of<M> = Partial<MessageOf<M>>;

/** Answers everything but work. */
export class Life {
  private began = false;

  constructor(
    readonly plugin: Plugin,
    private readonly guarded: boolean,
  ) {}

  /** Say who the plugin is. */
  metadata(request: MessageOf<typeof wire.MetadataRequest>): Of<typeof wire.MetadataResponse> {
    const { configSchema, outputSchema, resources, inputTypes, outputTypes, ...plain } = this.plugin.metadata();
    return {
      ...plain,
      type: plain.type ?? kindOf(this.plugin),
      inputTypes: [...(inputTypes ?? [])],
      outputTypes: [...(outputTypes ?? [])],
      ...(configSchema && { configSchema: Buffer.from(encodeJson(configSchema)) }),
      ...(outputSchema && { outputSchema: encodedMap(outputSchema) }),
      ...(resources && { resources: resources as never }),
      protocol: chosenProtocol(request.protocolMax),
      features: this.features(),
      sdk: SDK,
    };
  }

  private features(): number[] {
    const { plugin } = this;
    const { Feature } = wire;
    const has = [Feature.CONFIGURE, Feature.LIFECYCLE, Feature.HEALTH] as number[];
    if (isProcessor(plugin)) has.push(Feature.PROCESS_BATCH, Feature.STREAM);
    if (isSource(plugin)) has.push(Feature.READ);
    if (isConsumer(plugin)) has.push(Feature.CONSUME);
    if (plugin.exportState && plugin.importState) has.push(Feature.STATE);
    if (isConsumer(plugin) && plugin.forget) has.push(Feature.FORGET);
    if (this.guarded) has.push(Feature.TOKEN);
    return has;
  }

  /**
   * Hand over the configuration.
   *
   * @throws ConfigInvalid it is no JSON object, or the plugin refuses it.
   */
  async configure(request: MessageOf<typeof wire.ConfigureRequest>): Promise<Of<typeof wire.ConfigureResponse>> {
    const config = request.config.length === 0 ? {} : configOf(request.config.toString());
    await this.plugin.configure?.(config);
    return {};
  }

  /** Open what the plugin needs, and tell what it holds or reads. */
  async start(request: MessageOf<typeof wire.StartRequest>): Promise<Of<typeof wire.StartResponse>> {
    const { plugin } = this;
    this.began = true;
    await plugin.start?.(contextOf(request));
    if (request.importedState.length > 0) await this.importState(request.importedState);
    const answer: Of<typeof wire.StartResponse> = {};
    if (isSource(plugin)) answer.source = (await plugin.describe()) as never;
    if (isConsumer(plugin)) answer.durablePosition = (await plugin.durablePosition?.()) ?? undefined;
    return answer;
  }

  private async importState(state: Buffer): Promise<void> {
    if (this.plugin.importState) return this.plugin.importState(state);
    throw new Fatal("the plugin was handed a state and keeps none", { code: "plugin.state_unsupported" });
  }

  /** Close the plugin once, if it was started. */
  async stop(request: MessageOf<typeof wire.StopRequest>): Promise<Of<typeof wire.StopResponse>> {
    if (!this.began) return {};
    this.began = false;
    return { exportedState: await this.close(request.exportState) };
  }

  private async close(exportState: boolean): Promise<Buffer> {
    try {
      const state = exportState ? await this.plugin.exportState?.() : undefined;
      return Buffer.from(state ?? []);
    } finally {
      await this.plugin.stop?.();
    }
  }

  /** Close the plugin if it was started and not closed yet. */
  async end(): Promise<void> {
    await this.stop({ exportState: false });
  }

  /** Ask the plugin how it is; one that cannot say is unhealthy. */
  async health(): Promise<Of<typeof wire.HealthResponse>> {
    try {
      const { details, ...status } = (await this.plugin.health?.()) ?? {};
      return { status: "healthy", ...status, ...(details && { details: tellable(details) }) };
    } catch (error) {
      return { status: "unhealthy", message: asPluginError(error).message };
    }
  }

  /** Make a consumer forget its position. */
  async forget(request: MessageOf<typeof wire.ForgetRequest>): Promise<Of<typeof wire.ForgetResponse>> {
    if (!isConsumer(this.plugin) || !this.plugin.forget) return {};
    return { done: [...(await this.plugin.forget({ ...request, schemas: {} }))] };
  }
}

function configOf(text: string): JsonObject {
  let config: unknown;
  try {
    config = decodeJson(text);
  } catch {
    config = undefined;
  }
  if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as JsonObject;
  throw new ConfigInvalid("expected the configuration to be a JSON object");
}

/** Return `details`, or why they cannot be told. */
function tellable(details: JsonObject): JsonObject {
  try {
    encodeStruct(details);
    return details;
  } catch (error) {
    return { details_error: asPluginError(error).message };
  }
}

function chosenProtocol(most: number): number {
  return most === 0 ? PROTOCOL.max : Math.max(PROTOCOL.min, Math.min(PROTOCOL.max, most));
}

function contextOf(request: MessageOf<typeof wire.StartRequest>): Context {
  const { pipeline, stage, network } = request;
  const schemas = Object.fromEntries(
    Array.from(request.schemas, ([type, schema]) => [type, decodeJson(schema.toString())]),
  );
  return { pipeline, stage, network, schemas };
}

function encodedMap(values: Record<string, JsonObject>): Map<string, Buffer> {
  return new Map(Object.entries(values).map(([name, value]) => [name, Buffer.from(encodeJson(value))]));
}
