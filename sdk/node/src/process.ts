/** Run a plugin as a process of its own, until its host goes away or tells it to stop. */

import { PluginError } from "./errors.js";
import { logger } from "./logger.js";
import type { Plugin } from "./protocols.js";
import { PluginServer, type ServeOptions } from "./server/server.js";

export { PluginServer };

/** Longest wait for calls in progress once the plugin is to stop, in seconds. */
export const GRACE_S = 30;

/**
 * Serve `plugin` until its host goes away, or SIGTERM or SIGINT comes, then end the process.
 *
 * Where to listen, and with which limits, is in the environment: see `spec/handshake.md`.
 * The process ends with 0 when the calls in progress have ended, with 1 when it cannot
 * listen, when they do not end within `GRACE_S`, or at a second signal.
 */
export async function serve(plugin: Plugin, options: ServeOptions = {}): Promise<never> {
  try {
    const server = new PluginServer(plugin, options);
    const told = untilTold(server.environment.lifeline);
    await server.listen();
    logger.debug("listening", { address: server.environment.address });
    await told;
    return await end(server);
  } catch (error) {
    const { message, code, hint } =
      error instanceof PluginError ? error : { message: String(error), code: "", hint: "" };
    logger.error(message, { code, hint });
    process.exit(1);
  }
}

async function end(server: PluginServer): Promise<never> {
  setTimeout(() => {
    logger.error("calls did not end in time", { grace_s: GRACE_S });
    process.exit(1);
  }, GRACE_S * 1000);
  await server.stop();
  process.exit(0);
}

/** Wait for a signal, or for the end of standard input where that is the host's. */
function untilTold(lifeline: boolean): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = () => {
      if (told) process.exit(1);
      told = true;
      resolve();
    };
    process.on("SIGTERM", tell);
    process.on("SIGINT", tell);
    if (!lifeline) return;
    // Without a listener for data the end would never be read.
    process.stdin.on("data", () => undefined);
    for (const event of ["end", "close", "error"]) process.stdin.on(event, () => resolve());
  });
}
