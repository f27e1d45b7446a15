/** A plugin that listens: bind, serve, stop in order. */

import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";

import { Server, ServerCredentials } from "@grpc/grpc-js";

import { PluginError } from "../errors.js";
import type { Plugin } from "../protocols.js";
import { type Environment, readEnvironment } from "./environment.js";
import { HEALTH_SERVICE, healthHandlers } from "./health.js";
import { Life } from "./life.js";
import { PLUGIN_SERVICE, pluginHandlers } from "./service.js";
import { tokenCheck } from "./token.js";

/** How a plugin is served. */
export interface ServeOptions {
  /** How many batches it may work on at once; 1 by default. A stateful plugin always has 1. */
  workers?: number;
  /** TLS for a plugin that listens on TCP for hosts elsewhere; plain text by default. */
  credentials?: ServerCredentials;
  /** The environment variables of the handshake; those of the process by default. */
  environment?: NodeJS.ProcessEnv;
}

/** One plugin, served once. */
export class PluginServer {
  /** What the environment says. */
  readonly environment: Environment;
  private readonly stopping = new AbortController();
  private readonly life: Life;
  private readonly server: Server;
  private stopped: Promise<void> | undefined;

  /**
   * @throws PluginError `plugin.environment_invalid`.
   * @throws RangeError `workers` is below 1.
   */
  constructor(
    plugin: Plugin,
    private readonly options: ServeOptions = {},
  ) {
    const workers = options.workers ?? 1;
    if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`workers must be at least 1, got ${workers}`);
    this.environment = readEnvironment(options.environment ?? process.env);
    const { token, maxMessageBytes } = this.environment;
    this.life = new Life(plugin, token !== "");
    this.server = new Server({
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": maxMessageBytes,
      "grpc.so_reuseport": 0,
      ...(token && { interceptors: [tokenCheck(token)] }),
    });
    const bounds = { maxMessageBytes, stopping: this.stopping.signal };
    this.server.addService(PLUGIN_SERVICE, pluginHandlers(this.life, workers, bounds));
    this.server.addService(HEALTH_SERVICE, healthHandlers(this.stopping.signal));
  }

  /**
   * Listen; return the port, or 1 for a Unix socket.
   *
   * @throws PluginError `plugin.address_unavailable`: the address is taken or cannot be bound.
   */
  async listen(): Promise<number> {
    const { address, socket } = this.environment;
    if (socket) await removeLeftover(socket);
    const secure = socket ? undefined : this.options.credentials;
    return new Promise((resolve, reject) => {
      this.server.bindAsync(address, secure ?? ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(unavailable(address, error));
      });
    });
  }

  /** Take no new work, finish the calls in progress, close the plugin. Once. */
  stop(): Promise<void> {
    return (this.stopped ??= this.end());
  }

  private async end(): Promise<void> {
    this.stopping.abort();
    await new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    await this.life.end();
  }
}

/** Remove the socket that an instance which was killed has left, never one that somebody listens on. */
async function removeLeftover(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  if (await answers(path)) throw unavailable(`unix:${path}`, new Error("another process listens there"));
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

function unavailable(address: string, cause: Error): PluginError {
  return new PluginError(`cannot listen on \`${address}\`: ${cause.message}`, {
    code: "plugin.address_unavailable",
    hint: "end what listens there, or set PLUGIN_PORT to another port",
    cause,
  });
}
