/** Errors that came over the wire, as the plugin's author knows them. */

import { status, type StatusObject } from "@grpc/grpc-js";

import { ConfigInvalid, Drop, Fatal, PluginError, Retry } from "../errors.js";
import { Error as Told, Instruction } from "../wire/messages.js";

/** Return what the plugin told as what it threw. */
export function errorFrom({ instruction, code, message, hint, retryAfter }: Partial<Told>): PluginError {
  const rest = { ...(code && { code }), hint: hint ?? "" };
  switch (instruction) {
    case Instruction.DROP:
      return new Drop(message);
    case Instruction.RETRY:
      if (retryAfter === undefined) return new Retry(message, rest);
      return new Retry(message, { ...rest, afterS: (retryAfter.seconds ?? 0) + (retryAfter.nanos ?? 0) / 1e9 });
    case Instruction.FATAL:
      return new Fatal(message ?? "", rest);
  }
  return code === "plugin.config_invalid" ? new ConfigInvalid(message ?? "", rest) : new PluginError(message ?? "", rest);
}

/** Return the error with which a call ended; one that the plugin says nothing of stays gRPC's. */
export function failureOf(ended: Partial<StatusObject>): unknown {
  const [told] = ended.metadata?.get("cdp-error-bin") ?? [];
  if (told !== undefined) return errorFrom(Told.decode(told as Buffer));
  if (ended instanceof Error) return ended;
  return Object.assign(new Error(`${ended.code} ${status[ended.code ?? status.UNKNOWN]}: ${ended.details}`), ended);
}
