/** Plugins for tests: served in this process, or run as one of their own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import type { Context } from "../delivery.js";
import {
  type ConsumeFunction,
  FunctionConsumer,
  FunctionProcessor,
  FunctionSource,
  type MessageFunction,
  type SourceFunction,
} from "../function.js";
import type { JsonObject } from "../json.js";
import type { PluginMetadata } from "../metadata.js";
import type { Plugin } from "../protocols.js";
import type { FunctionOptions } from "../serve.js";
import { PluginServer } from "../server/server.js";
import { Client } from "./client.js";
import { TestPlugin } from "./plugin.js";

/** How long a plugin may take until it listens, and until its process has ended. */
const BOUND_MS = 60_000;

/** How a plugin is started in a test. */
export interface TestOptions {
  /** Its configuration; `{}` by default. */
  config?: JsonObject;
  /** Where it stands; the stage `test` of the pipeline `test` by default. */
  stage?: Partial<Context>;
}

/** What a plugin made of one function is made of; `metadata.type` says which, a processor by default. */
type PluginFunction = MessageFunction | SourceFunction | ConsumeFunction;

/**
 * Serve a plugin, configure and start it. Whoever starts it stops it.
 *
 * @throws ConfigInvalid, or whatever its `configure` or `start` throws.
 */
export async function startTestPlugin(plugin: Plugin, options?: TestOptions): Promise<TestPlugin>;
/** The same of a plugin made of one function, with the options that `serveProcessor` takes. */
export async function startTestPlugin(
  metadata: PluginMetadata,
  call: PluginFunction,
  options?: TestOptions & FunctionOptions,
): Promise<TestPlugin>;
export async function startTestPlugin(
  given: Plugin | PluginMetadata,
  second?: PluginFunction | TestOptions,
  third: TestOptions & FunctionOptions = {},
): Promise<TestPlugin> {
  const ofFunction = typeof second === "function";
  const plugin = ofFunction ? functionPlugin(given as PluginMetadata, second, third) : (given as Plugin);
  const options: TestOptions & FunctionOptions = ofFunction ? third : (second ?? {});
  return started(options, async (socket) => {
    const server = new PluginServer(plugin, { ...options, environment: { PLUGIN_SOCKET: socket } });
    await server.listen();
    return () => server.stop();
  });
}

function functionPlugin(metadata: PluginMetadata, call: PluginFunction, options: FunctionOptions): Plugin {
  switch (metadata.type) {
    case "source":
      return new FunctionSource(metadata, call as SourceFunction, options);
    case "consumer":
      return new FunctionConsumer(metadata, call as ConsumeFunction, options);
  }
  return new FunctionProcessor(metadata, call as MessageFunction, options);
}

/**
 * Run `file` with Node in a process of its own, as a host does, then configure and start what it
 * serves. What it writes to its log is in the error where it ends by itself.
 */
export async function startTestPluginProcess(file: string, options: TestOptions = {}): Promise<TestPlugin> {
  return started(options, async (socket, failed) => {
    const path = resolve(file);
    const plugin = spawn(process.execPath, [path], {
      cwd: dirname(path),
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PLUGIN_MODE: "grpc", PLUGIN_SOCKET: socket },
    });
    const log: Buffer[] = [];
    for (const stream of [plugin.stdout, plugin.stderr]) stream.on("data", (piece: Buffer) => log.push(piece));
    const ended = once(plugin, "close").then(([code, signal]) => {
      const text = Buffer.concat(log).toString();
      if (code !== 0) throw new Error(`the plugin ended with ${code ?? signal}, its log:\n${text}`);
    });
    ended.catch(failed);
    return () => stopped(plugin, ended);
  });
}

async function stopped(plugin: ChildProcess, ended: Promise<void>): Promise<void> {
  const killer = setTimeout(() => plugin.kill("SIGKILL"), BOUND_MS);
  plugin.kill("SIGTERM");
  await ended.finally(() => clearTimeout(killer));
}

/** Bring what `run` serves on a socket to the point where it takes messages; `run` returns its end. */
async function started(
  options: TestOptions,
  run: (socket: string, failed: (error: Error) => void) => Promise<() => Promise<void>>,
): Promise<TestPlugin> {
  const folder = await mkdtemp(join(tmpdir(), "cdpplugin-"));
  const socket = join(folder, "plugin.sock");
  const client = new Client(`unix:${socket}`);
  let fail!: (error: Error) => void;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);
  let end: (() => Promise<void>) | undefined;
  const close = async () => {
    client.close();
    await Promise.resolve(end?.()).finally(() => rm(folder, { recursive: true, force: true }));
  };
  try {
    end = await run(socket, fail);
    await listening(client, failed);
    const plugin = new TestPlugin(client, close);
    await plugin.begin(options.config ?? {}, { pipeline: "test", stage: "test", network: "", schemas: {}, ...options.stage });
    return plugin;
  } catch (error) {
    await close().catch(() => undefined); // why it did not start says more
    throw error;
  }
}

/** Wait until the plugin listens; throw what `failed` is rejected with before that. */
async function listening(client: Client, failed: Promise<never>): Promise<void> {
  for (const end = Date.now() + BOUND_MS; Date.now() < end; ) {
    // In short waits: each goes on to its end, and would hold up that of the tests.
    if (await Promise.race([client.listens(200), failed])) return;
  }
  throw new Error(`the plugin does not listen after ${BOUND_MS / 1000} seconds`);
}
