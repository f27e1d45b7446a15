/** What a launched plugin finds in its environment: `spec/handshake.md`, section 1. */

import { PluginError } from "../errors.js";

/** Largest gRPC message where the host names none, in bytes. */
export const MOST_MESSAGE_BYTES = 256 * 1024 * 1024;
/** Where a plugin listens that somebody runs by hand. */
const BY_HAND = "127.0.0.1:50051";

/** How a plugin is to listen. */
export interface Environment {
  /** Address in gRPC's notation: `unix:PATH` or `HOST:PORT`. */
  readonly address: string;
  /** Path of the Unix socket, or empty. */
  readonly socket: string;
  /** The secret that calls over TCP must bring, or empty. */
  readonly token: string;
  /** Largest message either way, in bytes. */
  readonly maxMessageBytes: number;
  /** Whether standard input is the host's lifeline. */
  readonly lifeline: boolean;
}

/**
 * Read the environment variables of the handshake.
 *
 * @throws PluginError `plugin.environment_invalid`: one of them cannot be used.
 */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  const socket = variables.PLUGIN_SOCKET ?? "";
  return {
    socket,
    address: socket ? `unix:${socket}` : tcpAddress(variables),
    token: socket ? "" : (variables.PLUGIN_TOKEN ?? ""),
    maxMessageBytes: wholeNumber(variables, "PLUGIN_MAX_MESSAGE_BYTES", 2 ** 31 - 1) ?? MOST_MESSAGE_BYTES,
    lifeline: variables.PLUGIN_MODE === "grpc" && socket !== "",
  };
}

function tcpAddress(variables: NodeJS.ProcessEnv): string {
  if (variables.PLUGIN_ADDRESS) return variables.PLUGIN_ADDRESS;
  const port = wholeNumber(variables, "PLUGIN_PORT", 65535);
  return port === undefined ? BY_HAND : `127.0.0.1:${port}`;
}

function wholeNumber(variables: NodeJS.ProcessEnv, name: string, largest: number): number | undefined {
  const text = variables[name];
  if (!text) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= largest) return number;
  throw new PluginError(`expected \`${name}\` to be from 1 to ${largest}, got \`${text}\``, {
    code: "plugin.environment_invalid",
  });
}
