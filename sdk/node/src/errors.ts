/**
 * What a plugin throws to tell the host what to do.
 *
 * ```
 * PluginError                 plugin.failed            the stage's `on_error` policy decides
 * ├── ConfigInvalid           plugin.config_invalid    `configure` refuses its configuration
 * ├── UnsupportedEncoding     plugin.encoding_unsupported  a payload cannot be read in that form
 * ├── Retry                   plugin.retry             try this message (or batch) again later
 * ├── Drop                    plugin.drop              leave this message out, on purpose
 * └── Fatal                   plugin.fatal             stop the pipeline
 * ```
 *
 * Any other error is treated like `PluginError`. Subclasses may set their own stable,
 * dotted `code`; the host shows code, message and hint to the user.
 */

/** What may be said about an error beside its message. */
export interface ErrorOptions {
  /** Stable dotted name of the kind of error, e.g. `lake.gap`. */
  code?: string;
  /** What the user can do about it, one sentence. */
  hint?: string;
  /** The error that led to this one. */
  cause?: unknown;
}

/** Something went wrong while working on a message. */
export class PluginError extends Error {
  /** Stable dotted name of the kind of error. */
  readonly code: string;
  /** What the user can do about it, or empty. */
  readonly hint: string;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = options.code ?? "plugin.failed";
    this.hint = options.hint ?? "";
  }
}

/** The configuration given to `configure` cannot be used. */
export class ConfigInvalid extends PluginError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { code: "plugin.config_invalid", ...options });
  }
}

/** A payload has no form in the encoding that was asked for. */
export class UnsupportedEncoding extends PluginError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { code: "plugin.encoding_unsupported", ...options });
  }
}

/** Try again: the failure is expected to pass. The stage waits, since order is kept. */
export class Retry extends PluginError {
  /** Wait before the next try, in seconds; undefined leaves it to the stage's back-off. */
  readonly afterS: number | undefined;

  constructor(message = "try again", options: ErrorOptions & { afterS?: number } = {}) {
    super(message, { code: "plugin.retry", ...options });
    this.afterS = options.afterS;
  }
}

/** Leave this message out on purpose; counted, never an error. */
export class Drop extends PluginError {
  /** Why, for the counters and the log. */
  readonly reason: string;

  constructor(reason = "") {
    super(reason || "dropped", { code: "plugin.drop" });
    this.reason = this.message;
  }
}

/** Stop the pipeline: going on would lose or corrupt data. */
export class Fatal extends PluginError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { code: "plugin.fatal", ...options });
  }
}

/** Return `error` as the contract knows it; foreign errors keep their name and text. */
export function asPluginError(error: unknown): PluginError {
  if (error instanceof PluginError) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
  return new PluginError(text, { cause: error });
}
