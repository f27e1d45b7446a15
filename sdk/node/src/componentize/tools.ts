/** Finds the tools that build a component: they are the plugin's, not this package's. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { PluginError } from "../errors.js";

/** What a plugin's `devDependencies` name; the first leaves it to others to install the second. */
const TOOLS = "@bytecodealliance/componentize-js@0.20 @bytecodealliance/preview2-shim esbuild";

/**
 * Import the package `name`, installed where a file in `folder` would find it, or beside this SDK.
 *
 * @throws PluginError `plugin.sdk_incomplete`: it is not installed, or not all that it needs.
 */
export async function importOf(name: string, folder: string): Promise<any> {
  const own = dirname(fileURLToPath(import.meta.url));
  const found = packageAbove(name, folder) ?? packageAbove(name, own);
  if (found === undefined) throw incomplete(`a component is built by \`${name}\`, which is not installed`);
  try {
    return await import(pathToFileURL(join(found, entryOf(found))).href);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw incomplete(`\`${name}\` lacks something: ${(error as Error).message}`);
  }
}

function incomplete(message: string): PluginError {
  return new PluginError(message, { code: "plugin.sdk_incomplete", hint: `npm install --save-dev ${TOOLS}` });
}

function packageAbove(name: string, folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const found = join(at, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (at === dirname(at)) return undefined;
  }
}

function entryOf(found: string): string {
  const { exports, main } = JSON.parse(readFileSync(join(found, "package.json"), "utf8"));
  return exports?.import ?? main;
}
