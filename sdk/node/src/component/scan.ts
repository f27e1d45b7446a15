/** Finds texts within a JSON text, exactly as they stand there, without reading their values. */

import { PluginError } from "../errors.js";

const MARK = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]/gs;

/**
 * Return the members of the array `text`.
 *
 * @throws PluginError `message.payload_invalid`: it is no array.
 */
export function elementTexts(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let begin = 0;
  for (const { 0: mark, index } of text.matchAll(MARK)) {
    if (mark === "[" || mark === "{") {
      if (++depth === 1) begin = index + 1;
    } else if (mark === "]" || mark === "}") depth--;
    if (depth > 1 || mark === ":" || mark[0] === '"') continue;
    if ((mark === "," && depth === 1) || (mark === "]" && depth === 0)) {
      const element = text.slice(begin, index).trim();
      if (element !== "") found.push(element);
      begin = index + 1;
    }
  }
  if (depth === 0 && text.trimStart().startsWith("[") && text.slice(begin).trim() === "") return found;
  throw notAnArray();
}

/** Return the error for a text that is no array of messages. */
export function notAnArray(): PluginError {
  return new PluginError("expected an array of messages, got something else", { code: "message.payload_invalid" });
}

/** Return the member `name` of each object in the array `text`, which is JSON; undefined where it has none. */
export function memberTexts(text: string, name: string): (string | undefined)[] {
  const found: (string | undefined)[] = [];
  let depth = 0;
  let last = "";
  let begin = -1;
  for (const { 0: mark, index } of text.matchAll(MARK)) {
    if (begin >= 0 && depth === 2 && (mark === "," || mark === "}")) {
      found[found.length - 1] = text.slice(begin, index).trim();
      begin = -1;
    }
    if (mark === "[" || mark === "{") {
      if (++depth === 2) found.push(undefined);
    } else if (mark === "]" || mark === "}") depth--;
    else if (depth === 2 && mark[0] === '"') last = mark;
    else if (depth === 2 && mark === ":" && begin < 0 && JSON.parse(last) === name) begin = index + 1;
  }
  return found;
}
