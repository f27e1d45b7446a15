/** One module of a plugin's file and all that it imports, for an engine without Node. */

import { builtinModules, createRequire } from "node:module";
import { basename, dirname } from "node:path";

import type { BuildOptions, Plugin } from "esbuild";

import { PluginError } from "../errors.js";
import { importOf } from "./tools.js";

/** What `import` looks for in a package: what is made for a component, or else for no Node. */
const CONDITIONS = ["component", "worker", "browser"];
const FIELDS = ["browser", "module", "main"];
const BUILT_IN = new RegExp(`^(node:.*|${builtinModules.join("|")})$`);

/** A bundle. */
export interface Bundle {
  /** The module. */
  code: string;
  /** Modules of Node that it imports: what it calls of them fails. */
  absent: readonly string[];
}

/**
 * Return the module of `file`, run with `args`, that exports what a component does.
 *
 * @throws PluginError `plugin.sdk_incomplete`, or `plugin.build_failed`: something is not found.
 */
export async function bundle(file: string, args: readonly string[]): Promise<Bundle> {
  const folder = dirname(file);
  const esbuild: typeof import("esbuild") = await importOf("esbuild", folder);
  const absent = new Set<string>();
  const options: BuildOptions = {
    stdin: { contents: entry(file), resolveDir: folder, sourcefile: "component.js" },
    banner: { js: processOf(file, args) },
    plugins: [withoutNode(absent)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    conditions: CONDITIONS,
    mainFields: FIELDS,
  };
  try {
    const { outputFiles } = await esbuild.build(options);
    return { code: outputFiles?.[0]?.text ?? "", absent: [...absent].sort() };
  } catch (error) {
    throw new PluginError(`\`${basename(file)}\` cannot be bundled: ${(error as Error).message}`, {
      code: "plugin.build_failed",
      hint: "install what it imports; packages that need Node itself have no place in a component",
      cause: error,
    });
  }
}

/** The file goes first: it serves the plugin that the functions are of. */
function entry(file: string): string {
  return `import ${JSON.stringify(`./${basename(file)}`)};\nexport * from "cdpplugin/component";\n`;
}

/** Return what stands for the process: its arguments, and an end that is an error. */
function processOf(file: string, args: readonly string[]): string {
  const argv = JSON.stringify(["node", basename(file), ...args]);
  const exit = "exit(status) { throw new Error(`the plugin called process.exit(${status})`); }";
  return `globalThis.process = { argv: ${argv}, env: {}, ${exit} };`;
}

/** Put modules in the places of Node's whose functions say that they are not there. */
function withoutNode(absent: Set<string>): Plugin {
  return {
    name: "without-node",
    setup(build) {
      build.onResolve({ filter: BUILT_IN }, ({ path }) => {
        const name = path.startsWith("node:") ? path : `node:${path}`;
        absent.add(name);
        return { path: name, namespace: "absent" };
      });
      build.onLoad({ filter: /.*/, namespace: "absent" }, ({ path }) => ({ contents: absentModule(path) }));
    },
  };
}

function absentModule(name: string): string {
  const names = Object.keys(createRequire(import.meta.url)(name)).filter((each) => /^[A-Za-z_$][\w$]*$/.test(each));
  const members = names.filter((each) => each !== "default");
  const said = JSON.stringify(`does not exist in a component`);
  return [
    `const absent = (called) => function () { throw new Error("\`${name}\`.\`" + called + "\` " + ${said}); };`,
    ...members.map((each) => `const _${each} = absent("${each}");`),
    `export { ${members.map((each) => `_${each} as ${each}`).join(", ")} };`,
    `export default { ${members.map((each) => `${each}: _${each}`).join(", ")} };`,
  ].join("\n");
}
