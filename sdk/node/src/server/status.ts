/** Errors as gRPC statuses, with details in the trailing metadata `cdp-error-bin`. */

import { Metadata, status } from "@grpc/grpc-js";

import { asPluginError, Fatal, type PluginError, Retry } from "../errors.js";
import { logger } from "../logger.js";
import { encodeError } from "../wire/errors.js";

/** Trailing metadata that hold a serialized `Error`. */
const DETAILS = "cdp-error-bin";
/** Most characters of a text in a trailer: HTTP/2 peers refuse headers beyond some kilobytes. */
const MOST_CHARACTERS = 700;

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
  return { code: codeOf(error, known ? status.INVALID_ARGUMENT : foreign), details: short(error.message), metadata };
}

function codeOf(error: PluginError, otherwise: status): status {
  if (error instanceof Retry) return status.UNAVAILABLE;
  if (error instanceof Fatal) return status.FAILED_PRECONDITION;
  return otherwise;
}

function shortened(error: PluginError): PluginError {
  const copy = Object.create(error) as PluginError;
  return Object.defineProperties(copy, {
    message: { value: short(error.message) },
    hint: { value: short(error.hint) },
  });
}

/** Cut a text; what a cut leaves of a character outside the basic plane would not survive encoding. */
function short(text: string): string {
  const cut = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}...` : text;
  return cut.replace(/\p{Surrogate}/gu, "\uFFFD");
}

/** The status of a call that a stopping plugin can no longer serve. */
export const STOPPING: CallStatus = { code: status.UNAVAILABLE, details: "the plugin is stopping" };
