/** What a plugin says of itself: who it is, what it takes, what it gives, what it needs. */

import type { JsonObject } from "./json.js";

/** Name and version of this SDK. */
export const SDK = "node/0.1.0";

/** What a plugin is in a pipeline. */
export type PluginKind = "source" | "processor" | "consumer";

/** The form in which payloads are handed over. */
export type Encoding = "json" | "sep51" | "xdr" | "arrow";

/** What a plugin needs of the machine; 0 and false ask for nothing. */
export interface ResourceRequirements {
  /** Memory that must be free before it is started, in MiB. */
  minMemoryMb?: number;
  /** Memory it may use at the most, in MiB; 0 means no bound of its own. */
  maxMemoryMb?: number;
  /** Relative weight of processor time, 1024 being one core's worth. */
  cpuShares?: number;
  /** Whether it needs a graphics processor. */
  gpuRequired?: boolean;
}

/** Where a message came from. */
export interface SourceInfo {
  /** The source plugin, e.g. `galexie`. */
  readonly name: string;
  /** The Stellar network's passphrase, or empty where none applies. */
  readonly network: string;
  /** The place that was read, without secrets, e.g. `s3://bucket/ledgers`. */
  readonly uri: string;
}

/** The source of a message that names none. */
export const NO_SOURCE: SourceInfo = Object.freeze({ name: "", network: "", uri: "" });

/** How a plugin is, in its own words. */
export interface HealthStatus {
  /** `degraded`: works, but look at it. */
  status: "healthy" | "degraded" | "unhealthy";
  /** One sentence for the operator. */
  message?: string;
  /** Free facts, JSON values only. */
  details?: JsonObject;
}

/** A plugin's identity card. */
export interface PluginMetadata {
  /** Unique name, lower case with dashes. */
  name: string;
  /** Semantic version, e.g. `1.4.0`. */
  version: string;
  /** What it is in a pipeline; the `serve...` functions set it. */
  type?: PluginKind;
  /** One sentence. */
  description?: string;
  /** Who to ask. */
  author?: string;
  /** SPDX expression, e.g. `Apache-2.0`. */
  license?: string;
  /** Message types it takes; none means any. */
  inputTypes?: readonly string[];
  /** Message types it gives; none means those it was given. */
  outputTypes?: readonly string[];
  /** JSON Schema (draft 2020-12) of its configuration. */
  configSchema?: JsonObject;
  /** JSON Schema of each output type's payload, keyed by type. */
  outputSchema?: Record<string, JsonObject>;
  /** The form in which payloads are handed to it; `json` by default. */
  inputEncoding?: Encoding;
  /** Whether outputs depend on earlier messages; such a plugin runs once, in order. */
  stateful?: boolean;
  /** What it needs of the machine. */
  resources?: ResourceRequirements;
}
