/** Builds the package into `dist`: the code, the world of components, and a command that can be run. */

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

rmSync(at("dist"), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [at("node_modules/typescript/bin/tsc"), "--project", at("tsconfig.json")], {
  stdio: "inherit",
});
if (status === 0) {
  copyFileSync(at("../../spec/wit/plugin.wit"), at("dist/plugin.wit"));
  chmodSync(at("dist/src/componentize/main.js"), 0o755);
}
process.exitCode = status ?? 1;
