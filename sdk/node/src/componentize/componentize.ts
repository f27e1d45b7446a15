/**
 * Makes a WebAssembly component of a plugin's file.
 *
 *     cdpplugin-componentize FILE [ARGUMENT ...] -o PLUGIN.wasm
 *
 * The file is the one that a process would run, with the same arguments. It is run once in a
 * process, to see what plugin it serves, and once within the component, whose memory is kept as
 * it is then: what the file makes at its top level is part of the component.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { PluginError } from "../errors.js";
import { bundle } from "./bundle.js";
import { importOf } from "./tools.js";

const TOOL = "@bytecodealliance/componentize-js";
const WORLD = "plugin";

/** Of what the engine could import, what no host of components gives. */
const DISABLED = ["http", "fetch-event"];

/**
 * Write the component of `file`, run with `args`, to `output`.
 *
 * @throws PluginError `plugin.sdk_incomplete`, `plugin.component_unsupported` or
 *   `plugin.build_failed`: it cannot be made.
 */
export async function componentize(file: string, args: readonly string[], output: string): Promise<void> {
  const { componentize: build } = await importOf(TOOL, dirname(file));
  const { code, absent } = await bundle(file, args);
  for (const name of absent) console.error(`warning: \`${name}\` does not exist in a component: calls of it fail`);
  const folder = mkdtempSync(join(tmpdir(), "cdp-component-"));
  try {
    const sourcePath = join(folder, "component.js");
    writeFileSync(sourcePath, code);
    const witPath = join(folder, "plugin.wit");
    writeFileSync(witPath, worldOf(functionsOf(sourcePath, file)));
    const { component } = await build({ sourcePath, witPath, worldName: WORLD, disableFeatures: DISABLED });
    mkdirSync(dirname(output), { recursive: true });
    const draft = join(dirname(output), `.${basename(output)}.new`);
    writeFileSync(draft, component);
    renameSync(draft, output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Return the functions of the world that the plugin in `module` has. */
function functionsOf(module: string, file: string): readonly string[] {
  const told = `${module}.told`;
  const program = `
    import { writeFileSync } from "node:fs";
    const { exportsOf } = await import(${JSON.stringify(`file://${module}`)});
    let told;
    try { told = { functions: exportsOf() }; }
    catch ({ message, code, hint }) { told = { error: { message, code, hint } }; }
    writeFileSync(${JSON.stringify(told)}, JSON.stringify(told));`;
  spawnSync(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", 2, 2] });
  if (!existsSync(told)) {
    throw new PluginError(`\`${basename(file)}\` cannot be loaded; what it says stands above`, {
      code: "plugin.build_failed",
      hint: "at its top level it can use nothing that Node gives beside the language",
    });
  }
  const { functions, error } = JSON.parse(readFileSync(told, "utf8"));
  if (error === undefined) return functions;
  throw new PluginError(error.message, error);
}

/** Return the world of components with those of its functions that a plugin has. */
export function worldOf(functions: readonly string[]): string {
  const text = readFileSync(new URL("../../plugin.wit", import.meta.url), "utf8");
  return text.replace(/\n {2}\/\/\/[^\n]*\n {2}export ([a-z-]+):[^\n]*\n/g, (whole, name) =>
    functions.includes(name) ? whole : "",
  );
}
