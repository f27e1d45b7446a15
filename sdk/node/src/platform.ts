/** What a Node process gives beside the language: bytes and texts, variables, standard error. */

/** Number of bytes of `text` in UTF-8, or of bytes. */
export const byteLength = (held: string | Uint8Array): number => Buffer.byteLength(held);

/** Return `text` in UTF-8. */
export const encodeText = (text: string): Uint8Array => Buffer.from(text);

/** Return the text that `bytes` are in UTF-8. */
export const decodeText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

/** Whether a host reads the log lines. */
export const isHosted = (): boolean => process.env.PLUGIN_MODE === "grpc";

/** Write `text` to standard error. */
export const writeError = (text: string): void => void process.stderr.write(text);
