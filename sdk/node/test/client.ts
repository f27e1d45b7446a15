/** Plugins served in the process of the test, and clients of them. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import type { Plugin } from "../src/index.js";
import { PluginServer, type ServeOptions } from "../src/index.js";
import * as testing from "../src/testing/client.js";

const DEADLINE_MS = 20_000;

/** Calls a plugin, but for no longer than a test may take. */
export class Client extends testing.Client {
  constructor(address: string, token?: string) {
    super(address, token, DEADLINE_MS);
  }
}

/** Make the path of a socket in a folder of its own. */
export function socketPath(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "cdpplugin-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "plugin.sock");
}

/** Serve `plugin` in this process over a Unix socket; return a client of it. */
export async function served(
  test: TestContext,
  plugin: Plugin,
  options: ServeOptions = {},
): Promise<Client & { server: PluginServer }> {
  const socket = socketPath(test);
  const server = new PluginServer(plugin, {
    ...options,
    environment: { PLUGIN_SOCKET: socket, ...options.environment },
  });
  await server.listen();
  const client = new Client(`unix:${socket}`);
  test.after(async () => {
    client.close();
    await server.stop();
  });
  return Object.assign(client, { server });
}
