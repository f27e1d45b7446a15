/** The errors that a payload or a configuration asks for. */

import { Fatal, PluginError, Retry } from "cdpplugin";

export const INSTRUCTIONS = ["fail", "retry", "fatal", "panic"];

/** Return the error that `kind` names, with what `wanted` says of it. */
export function instruction(kind, wanted) {
  const options = {
    ...("code" in wanted && { code: wanted.code }),
    ...("hint" in wanted && { hint: wanted.hint }),
  };
  switch (kind) {
    case "retry":
      return new Retry(wanted.message ?? "busy", { ...options, ...("after_s" in wanted && { afterS: wanted.after_s }) });
    case "panic":
      return new TypeError(wanted.message ?? "panicked");
    case "fatal":
      return new Fatal(wanted.message ?? "failed", options);
    default:
      return new PluginError(wanted.message ?? "failed", options);
  }
}

/** Return what the key `start` of a configuration asks for. */
export function startFailure(kind) {
  const message = kind === "panic" ? "start panicked" : "cannot start";
  return instruction(kind, { message, code: "reference.start", hint: "start it otherwise" });
}

/** Return what a source fails with at `position`. */
export function readFailure(kind, position) {
  const message = kind === "panic" ? `reading panicked at ${position}` : `cannot read position ${position}`;
  return instruction(kind, { message, code: "reference.read", hint: "read it later" });
}
