/**
 * Builds the package where it is not built, or its sources have changed since: `node ready.js`.
 *
 * Plugins that take the SDK from this folder call it before they install. Several may do so at the
 * same time; one of them builds, the others wait.
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const LOCK = join(FOLDER, ".building");
const BUILT = join(FOLDER, "dist", ".digest");
const LOOK_EVERY_MS = 100;

function digest() {
  const sources = readdirSync(join(FOLDER, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const others = ["build.js", "package-lock.json", "package.json", "tsconfig.json", "../../spec/wit/plugin.wit"];
  const files = [...sources.sort(), ...others.map((name) => join(FOLDER, name))];
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

const isReady = (wanted) => existsSync(BUILT) && readFileSync(BUILT, "utf8") === wanted;

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Take the lock; false where another process that lives has it. It names its holder from the first moment. */
function take() {
  const mine = `${LOCK}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    linkSync(mine, LOCK);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  } finally {
    rmSync(mine, { force: true });
  }
  const holder = holderOf(LOCK);
  if (holder !== undefined && !isAlive(holder)) rmSync(LOCK, { force: true });
  return false;
}

/** The process that holds the lock; 0 where the file names none, undefined where there is no file any more. */
function holderOf(lock) {
  try {
    return Number(readFileSync(lock, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  }
}

function run(command, ...given) {
  const { status } = spawnSync(command, given, { cwd: FOLDER, stdio: "inherit" });
  if (status !== 0) throw new Error(`\`${command} ${given.join(" ")}\` failed`);
}

const wanted = digest();
while (!isReady(wanted)) {
  if (!take()) {
    await setTimeout(LOOK_EVERY_MS);
    continue;
  }
  try {
    if (!isReady(wanted)) {
      run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error");
      run(process.execPath, "build.js");
      writeFileSync(BUILT, wanted);
    }
  } finally {
    rmSync(LOCK, { force: true });
  }
}
