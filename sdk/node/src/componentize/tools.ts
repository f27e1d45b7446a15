/** Finds the tools that build a component: they are the plugin's, not this package's. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { PluginError } from "../errors.js";

/**
 * Import the package `name`, installed where a file in `folder` would find it, or beside this SDK.
 *
 * @throws PluginError `plugin.sdk_incomplete`: it is not installed.
 */
export async function importOf(name: string, folder: string): Promise<any> {
  const own = dirname(fileURLToPath(import.meta.url));
  const found = packageAbove(name, folder) ?? packageAbove(name, own);
  if (found !== undefined) return import(pathToFileURL(join(found, entryOf(found))).href);
  throw new PluginError(`a component is built by \`${name}\`, which is not installed`, {
    code: "plugin.sdk_incomplete",
    hint: "npm install --save-dev esbuild @bytecodealliance/componentize-js",
  });
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
