/** Errors as gRPC statuses, with details in the trailing metadata `cdp-error-bin`. */

import { Metadata, status } from "@grpc/grpc-js";

import { asPluginError, Fatal, type PluginError, Retry } from "../errors.js";
import { logger } from "../logger.js";
import { encodeError } from "../wire/errors.js";

/** Trailing metadata that hold a serialized `Error`. */
const DETAILS = "cdp-error-bin";
/** Most bytes of the texts in the end of a call, where an HTTP/2 peer takes 8 KB in all. */
const MOST_BYTES = { message: 2000, hint: 500, details: 800 };

/** What a call ends with. */
export interface CallStatus {
  code: status;
  details: string;
  metadata?: Metadata;
}

/** Return the status of `thrown`; an error that is no `PluginError` has the code `foreign`. */
export function failure(thrown: unknown, foreign: status = status.INTERNAL): CallStatus {
  const error = asPluginError(thrown);
  const known = error === thrown;
  if (!known) logger.error("a call failed", { error: thrown });
  const metadata = new Metadata();
  metadata.set(DETAILS, encodeError(shortened(error)));
  return { code: codeOf(error, known ? status.INVALID_ARGUMENT : foreign), details: short(error.message, MOST_BYTES.details), metadata };
}

function codeOf(error: PluginError, otherwise: status): status {
  if (error instanceof Retry) return status.UNAVAILABLE;
  if (error instanceof Fatal) return status.FAILED_PRECONDITION;
  return otherwise;
}

function shortened(error: PluginError): PluginError {
  const copy = Object.create(error) as PluginError;
  return Object.defineProperties(copy, {
    message: { value: short(error.message, MOST_BYTES.message) },
    hint: { value: short(error.hint, MOST_BYTES.hint) },
  });
}

/** Return `text` in no more than `bytes` of UTF-8. */
function short(text: string, bytes: number): string {
  const held = Buffer.from(text);
  if (held.length <= bytes) return held.toString();
  // What the cut leaves of a character is left out too.
  return `${held.subarray(0, bytes - 4).toString().replace(/\uFFFD+$/, "")} ...`;
}

/** The status of a call that a stopping plugin can no longer serve. */
export const STOPPING: CallStatus = { code: status.UNAVAILABLE, details: "the plugin is stopping" };
