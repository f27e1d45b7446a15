/** Within a component: `serve` hands the plugin over to the functions that the host calls. */

import { PluginError } from "../errors.js";
import type { Plugin } from "../protocols.js";
import type { ServeOptions } from "../server/server.js";

/** Nothing waits for the end of calls here: they come one at a time. */
export const GRACE_S = 0;

const served: Plugin[] = [];

/** Keep `plugin` for the host's calls. Unlike a process, the file goes on behind it. */
export async function serve(plugin: Plugin, _options: ServeOptions = {}): Promise<never> {
  served.push(plugin);
  return undefined as never;
}

/**
 * Return the one plugin that was served.
 *
 * @throws PluginError `plugin.component_unsupported`: none was, or several were.
 */
export function servedPlugin(): Plugin {
  const [plugin] = served;
  if (plugin !== undefined && served.length === 1) return plugin;
  throw unsupported(`expected the file to serve one plugin, it serves ${served.length}`, "end it with one `serve...`");
}

/** Return the error for what no component can do. */
export function unsupported(message: string, hint: string): PluginError {
  return new PluginError(message, { code: "plugin.component_unsupported", hint });
}

/** Not to be had here. */
export class PluginServer {
  /** @throws PluginError `plugin.component_unsupported`. */
  constructor(_plugin: Plugin, _options: ServeOptions = {}) {
    throw unsupported("a component listens nowhere", "call `serve`: the host calls what it is given");
  }
}
