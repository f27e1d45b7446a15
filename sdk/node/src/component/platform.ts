/** What a component gives beside the language; in the place of `platform.ts`. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const byteLength = (held: string | Uint8Array): number =>
  typeof held === "string" ? encoder.encode(held).length : held.length;

export const encodeText = (text: string): Uint8Array => encoder.encode(text);

export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes);

export const isHosted = (): boolean => true;

/** A line each: `console` adds the end of the line itself. */
export const writeError = (text: string): void => console.error(text.replace(/\n$/, ""));
