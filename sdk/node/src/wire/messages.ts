/** The messages of `proto/cdpplugin/v1/plugin.proto`, in its order. */

import {
  bool,
  bytes,
  enumeration,
  int32,
  int64,
  map,
  type MessageOf,
  MessageType,
  one,
  optional,
  repeated,
  string,
  uint32,
} from "./fields.js";
import { struct } from "./struct.js";

export const Feature = {
  CONFIGURE: 1,
  LIFECYCLE: 2,
  HEALTH: 3,
  PROCESS_BATCH: 4,
  STREAM: 5,
  READ: 6,
  CONSUME: 7,
  STATE: 8,
  FORGET: 9,
  TOKEN: 10,
} as const;

export const Instruction = { NONE: 0, RETRY: 1, DROP: 2, FATAL: 3 } as const;

export const MetadataRequest = new MessageType({
  protocolMin: one(1, uint32),
  protocolMax: one(2, uint32),
});

export const ResourceRequirements = new MessageType({
  minMemoryMb: one(1, uint32),
  maxMemoryMb: one(2, uint32),
  cpuShares: one(3, uint32),
  gpuRequired: one(4, bool),
});

export const MetadataResponse = new MessageType({
  name: one(1, string),
  version: one(2, string),
  type: one(3, string),
  description: one(4, string),
  author: one(5, string),
  license: one(6, string),
  inputTypes: repeated(7, string),
  outputTypes: repeated(8, string),
  configSchema: one(9, bytes),
  outputSchema: map(10, bytes),
  resources: optional(11, ResourceRequirements),
  inputEncoding: one(12, string),
  stateful: one(13, bool),
  protocol: one(14, uint32),
  features: repeated(15, enumeration),
  sdk: one(16, string),
});

export const ConfigureRequest = new MessageType({ config: one(1, bytes) });

export const ConfigureResponse = new MessageType({});

export const StartRequest = new MessageType({
  pipeline: one(1, string),
  stage: one(2, string),
  network: one(3, string),
  schemas: map(4, bytes),
  importedState: one(5, bytes),
});

export const SourceDescription = new MessageType({
  identity: one(1, string),
  network: one(2, string),
  unit: one(3, string),
  first: optional(4, int64),
  last: optional(5, int64),
  start: one(6, string),
});

export const StartResponse = new MessageType({
  durablePosition: optional(1, int64),
  source: optional(2, SourceDescription),
});

export const StopRequest = new MessageType({ exportState: one(1, bool) });

export const StopResponse = new MessageType({ exportedState: one(1, bytes) });

export const HealthRequest = new MessageType({});

export const HealthResponse = new MessageType({
  status: one(1, string),
  message: one(2, string),
  details: optional(3, struct),
});

export const SourceInfo = new MessageType({
  name: one(1, string),
  network: one(2, string),
  uri: one(3, string),
});

/** Metadata stay the bytes of their Struct until somebody reads them. */
export const ProcessRequest = new MessageType({
  id: one(1, string),
  type: one(2, string),
  payload: one(3, bytes),
  metadata: one(4, bytes),
  source: optional(5, SourceInfo),
  traceId: one(6, string),
  contentType: one(7, string),
});

export const ProcessResponse = new MessageType({
  id: one(1, string),
  type: one(2, string),
  payload: one(3, bytes),
  metadata: one(4, bytes),
  source: optional(5, SourceInfo),
  traceId: one(6, string),
  contentType: one(7, string),
  dropped: one(8, bool),
});

export const Duration = new MessageType({ seconds: one(1, int64), nanos: one(2, int32) });

export const Error = new MessageType({
  instruction: one(1, enumeration),
  code: one(2, string),
  message: one(3, string),
  hint: one(4, string),
  retryAfter: optional(5, Duration),
});

export type Error = MessageOf<typeof Error>;

export const ForgetRequest = new MessageType({
  pipeline: one(1, string),
  stage: one(2, string),
  network: one(3, string),
});

export const ForgetResponse = new MessageType({ done: repeated(1, string) });
