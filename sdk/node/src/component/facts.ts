/** What a plugin says of itself, and what goes wrong, as JSON text: `spec/wasm-abi.md`, sections 3 and 6. */

import type { Context } from "../delivery.js";
import { asPluginError, ConfigInvalid, Drop, Fatal, type PluginError, Retry } from "../errors.js";
import { decodeJson, encodeJson, type JsonObject } from "../json.js";
import { type HealthStatus, SDK } from "../metadata.js";
import { kindOf, type Plugin } from "../protocols.js";

/** The version of the ABI that this SDK speaks. */
const ABI = 1;

/** Return what `plugin` says of itself. */
export function metadataText(plugin: Plugin): string {
  const told = plugin.metadata();
  const { minMemoryMb = 0, maxMemoryMb = 0, cpuShares = 0, gpuRequired = false } = told.resources ?? {};
  const { name, version, description = "", author = "", license = "", stateful = false } = told;
  return encodeJson({
    ...{ name, version, type: told.type ?? kindOf(plugin), description, author, license, stateful },
    input_types: told.inputTypes ?? [],
    output_types: told.outputTypes ?? [],
    config_schema: told.configSchema ?? {},
    output_schema: told.outputSchema ?? {},
    input_encoding: told.inputEncoding ?? "json",
    resources: {
      ...{ min_memory_mb: minMemoryMb, max_memory_mb: maxMemoryMb, cpu_shares: cpuShares },
      gpu_required: gpuRequired,
    },
    sdk: SDK,
    abi: ABI,
  });
}

/** Return how a plugin is. */
export function healthText({ status, message = "", details = {} }: HealthStatus): string {
  return encodeJson({ status, message, details });
}

/** Return `thrown`, whatever it is, as an error of the ABI. */
export function errorText(thrown: unknown): string {
  const error = asPluginError(thrown);
  const { code, message, hint } = error;
  const instruction = instructionOf(error);
  return encodeJson({
    ...{ code, message: message.toWellFormed(), hint: hint.toWellFormed() },
    ...(instruction && { instruction }),
    ...(error instanceof Retry && error.afterS !== undefined && { retry_after_s: error.afterS }),
  });
}

function instructionOf(error: PluginError): string | undefined {
  if (error instanceof Retry) return "retry";
  if (error instanceof Drop) return "drop";
  if (error instanceof Fatal) return "fatal";
  return error instanceof ConfigInvalid ? "invalid" : undefined;
}

/**
 * Return the JSON object that `text` holds.
 *
 * @throws ConfigInvalid it holds something else.
 */
export function objectOf(text: string, what: string): JsonObject {
  const found = decodeJson(text || "{}");
  if (found !== null && typeof found === "object" && !Array.isArray(found)) return found;
  throw new ConfigInvalid(`expected ${what} to be a JSON object, got \`${text.slice(0, 40)}\``);
}

/** Return the context that `text` holds. */
export function contextOf(text: string): Context {
  const { pipeline = "", stage = "", network = "", schemas = {} } = objectOf(text, "the context");
  return { pipeline, stage, network, schemas };
}
