/** A plugin as a process of its own: where it listens, whom it lets in, how it ends. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, Socket } from "node:net";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { PluginError, PluginServer } from "../src/index.js";
import { FunctionProcessor } from "../src/function.js";
import { HealthCheckRequest, HealthCheckResponse } from "../src/server/health.js";
import { readEnvironment } from "../src/server/environment.js";
import {
  MetadataRequest,
  MetadataResponse,
  ProcessRequest,
  ProcessResponse,
  StartRequest,
  StartResponse,
} from "../src/wire/messages.js";
import { Client, socketPath } from "./client.js";

const METADATA = [MetadataRequest, MetadataResponse] as const;
const PROCESS = [ProcessRequest, ProcessResponse] as const;
const FIXTURES = fileURLToPath(new URL("fixtures.js", import.meta.url));
const READY_MS = 20_000;

interface Launched {
  child: ChildProcess;
  lines: string[];
  ended: Promise<[number | null, string | null]>;
  line(text: string): Promise<void>;
}

function launch(test: TestContext, name: string, environment: NodeJS.ProcessEnv): Launched {
  const child = spawn(process.execPath, [FIXTURES, name], { env: { PATH: process.env.PATH, ...environment } });
  test.after(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      child.emit("line");
    });
  }
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  const line = async (text: string) => {
    while (!lines.some((held) => held.includes(text))) await Promise.race([once(child, "line"), ended]);
  };
  return { child, lines, ended, line };
}

/** Wait until GetMetadata answers, as a host does. */
async function ready(test: TestContext, address: string, token?: string): Promise<Client> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const client = new Client(address, token);
    try {
      await client.call("GetMetadata", [...METADATA]);
      test.after(() => client.close());
      return client;
    } catch (error) {
      client.close();
      if ((error as any).code !== 14 || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Return a port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

const onSocket = (socket: string) => ({ PLUGIN_MODE: "grpc", PLUGIN_SOCKET: socket });

describe("ends", () => {
  it("with 0 on SIGTERM, after the calls in progress, having stopped the plugin", async (test) => {
    const socket = socketPath(test);
    const plugin = launch(test, "slow", onSocket(socket));
    const client = await ready(test, `unix:${socket}`);
    await client.call("Start", [StartRequest, StartResponse]);
    const answer = client.call("Process", [...PROCESS], { id: "a", payload: Buffer.from("1") });
    await plugin.line("working");
    plugin.child.kill("SIGTERM");
    assert.equal("a", (await answer).id);
    assert.deepEqual([0, null], await plugin.ended);
    assert.equal(false, existsSync(socket));
    const logged = plugin.lines.filter((line) => line.includes("stopped"));
    const [line] = logged;
    assert.match(line!, /"big":9223372036854775808/);
    assert.match(JSON.parse(line!).error, /^Error: why\n/);
    assert.deepEqual(["info", "stopped"], [JSON.parse(line!).level, JSON.parse(line!).message]);
  });

  it("when its host is gone: end-of-file on standard input", async (test) => {
    const socket = socketPath(test);
    const plugin = launch(test, "echo", onSocket(socket));
    await ready(test, `unix:${socket}`);
    plugin.child.stdin!.end();
    assert.deepEqual([0, null], await plugin.ended);
  });

  it("at once, with 1, at a second signal", async (test) => {
    const socket = socketPath(test);
    const plugin = launch(test, "hanging", onSocket(socket));
    const client = await ready(test, `unix:${socket}`);
    client.call("Process", [...PROCESS], { id: "a" }).catch(() => undefined);
    await plugin.line("working");
    plugin.child.kill("SIGTERM");
    // The first signal is known to be taken once the plugin takes no new connection.
    while (await connects(socket)) await new Promise((resolve) => setTimeout(resolve, 10));
    plugin.child.kill("SIGTERM");
    assert.deepEqual([1, null], await plugin.ended);
  });

  it("with 1 and a reason when it cannot listen", async (test) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    test.after(() => server.close());
    const { port } = server.address() as { port: number };
    const plugin = launch(test, "echo", { PLUGIN_MODE: "grpc", PLUGIN_PORT: String(port) });
    assert.deepEqual([1, null], await plugin.ended);
    assert.equal("plugin.address_unavailable", JSON.parse(plugin.lines.at(-1)!).code);
  });
});

function connects(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = new Socket();
    probe.on("connect", () => (probe.destroy(), resolve(true)));
    probe.on("error", () => resolve(false));
    probe.connect(socket);
  });
}

describe("listens", () => {
  it("on the loopback's PLUGIN_PORT, where every call needs the token but health", async (test) => {
    const port = await freePort();
    const token = "ab".repeat(32);
    launch(test, "echo", { PLUGIN_MODE: "grpc", PLUGIN_PORT: String(port), PLUGIN_TOKEN: token });
    const client = await ready(test, `127.0.0.1:${port}`, token);
    const { features } = await client.call("GetMetadata", [...METADATA]);
    assert.equal(10, features.at(-1));
    for (const wrong of [undefined, "ba".repeat(32), "short"]) {
      const stranger = new Client(`127.0.0.1:${port}`, wrong);
      test.after(() => stranger.close());
      await assert.rejects(stranger.call("GetMetadata", [...METADATA]), { code: 16 });
      await assert.rejects(stranger.call("Process", [...PROCESS], { payload: Buffer.alloc(5_000_000) }), { code: 16 });
      assert.equal(1, (await stranger.call("Check", [HealthCheckRequest, HealthCheckResponse])).status);
    }
  });

  it("on the socket alone, without a token, where there is one", async (test) => {
    const socket = socketPath(test);
    const port = await freePort();
    launch(test, "echo", { ...onSocket(socket), PLUGIN_PORT: String(port), PLUGIN_TOKEN: "t" });
    const client = await ready(test, `unix:${socket}`);
    assert.deepEqual([1, 2, 3, 4, 5], (await client.call("GetMetadata", [...METADATA])).features);
    await assert.rejects(
      new Promise((resolve, reject) => new Socket().on("error", reject).connect(port, "127.0.0.1", resolve as never)),
    );
  });

  it("where an instance that was killed has left its socket", async (test) => {
    const socket = socketPath(test);
    const first = launch(test, "echo", onSocket(socket));
    await ready(test, `unix:${socket}`);
    first.child.kill("SIGKILL");
    await first.ended;
    assert.equal(true, existsSync(socket));
    launch(test, "echo", onSocket(socket));
    await ready(test, `unix:${socket}`);
  });

  it("never where somebody else listens, nor in place of a file", async (test) => {
    const plugin = new FunctionProcessor({ name: "p", version: "1.0.0" }, () => null);
    const unavailable = (error: unknown) => error instanceof PluginError && error.code === "plugin.address_unavailable";
    const taken = socketPath(test);
    const server = new PluginServer(plugin, { environment: { PLUGIN_SOCKET: taken } });
    await server.listen();
    await assert.rejects(new PluginServer(plugin, { environment: { PLUGIN_SOCKET: taken } }).listen(), unavailable);
    await server.stop();
    const file = socketPath(test);
    writeFileSync(file, "mine");
    await assert.rejects(new PluginServer(plugin, { environment: { PLUGIN_SOCKET: file } }).listen(), unavailable);
    assert.equal(true, existsSync(file));
  });
});

describe("environment", () => {
  for (const [what, variables, address] of [
    ["by hand: the loopback", {}, "127.0.0.1:50051"],
    ["a port: the loopback", { PLUGIN_PORT: "7" }, "127.0.0.1:7"],
    ["an address, which may be any", { PLUGIN_PORT: "7", PLUGIN_ADDRESS: "0.0.0.0:8" }, "0.0.0.0:8"],
    ["a socket before all", { PLUGIN_PORT: "7", PLUGIN_ADDRESS: "0.0.0.0:8", PLUGIN_SOCKET: "/s" }, "unix:/s"],
  ] as [string, NodeJS.ProcessEnv, string][]) {
    it(`says where to listen: ${what}`, () => assert.equal(address, readEnvironment(variables).address));
  }

  for (const variables of [{ PLUGIN_PORT: "x" }, { PLUGIN_PORT: "70000" }, { PLUGIN_MAX_MESSAGE_BYTES: "4MB" }]) {
    it(`refuses ${JSON.stringify(variables)}`, () => {
      assert.throws(() => readEnvironment(variables), { code: "plugin.environment_invalid" });
    });
  }

  it("standard input is a lifeline only where a host launched the plugin on a socket", () => {
    assert.equal(false, readEnvironment({ PLUGIN_MODE: "grpc", PLUGIN_PORT: "7" }).lifeline);
    assert.equal(false, readEnvironment({ PLUGIN_SOCKET: "/s" }).lifeline);
    assert.equal(true, readEnvironment({ PLUGIN_MODE: "grpc", PLUGIN_SOCKET: "/s" }).lifeline);
  });
});

describe("kinds", () => {
  for (const [name, feature] of [
    ["source", 6],
    ["consumer", 7],
  ] as const) {
    it(`a ${name} says so`, async (test) => {
      const socket = socketPath(test);
      launch(test, name, onSocket(socket));
      const { type, features } = await (await ready(test, `unix:${socket}`)).call("GetMetadata", [...METADATA]);
      assert.deepEqual([name, [1, 2, 3, feature]], [type, features]);
    });
  }
});
