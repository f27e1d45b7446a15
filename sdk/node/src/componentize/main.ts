#!/usr/bin/env node
/** The command `cdpplugin-componentize`. */

import { extname, resolve } from "node:path";
import { parseArgs } from "node:util";

import { asPluginError, PluginError } from "../errors.js";
import { componentize } from "./componentize.js";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { output: { type: "string", short: "o" } },
    allowPositionals: true,
  });
  const [file, ...args] = positionals;
  if (file === undefined) {
    throw new PluginError("expected the file of a plugin", {
      code: "plugin.build_failed",
      hint: "cdpplugin-componentize FILE [ARGUMENT ...] -o PLUGIN.wasm",
    });
  }
  const output = values.output ?? `${file.slice(0, file.length - extname(file).length)}.wasm`;
  await componentize(resolve(file), args, resolve(output));
}

main().catch((thrown: unknown) => {
  const { code, message, hint } = asPluginError(thrown);
  console.error(`error[${code}]: ${message}${hint && `\n\nhint: ${hint}`}`);
  process.exitCode = 1;
});
