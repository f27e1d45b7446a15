/** A host's side of the wire: a client of the two services, over real connections. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import {
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

import type { Plugin } from "../src/index.js";
import { PluginServer, type ServeOptions } from "../src/index.js";
import { HEALTH_SERVICE, HealthCheckRequest, HealthCheckResponse } from "../src/server/health.js";
import { PLUGIN_SERVICE } from "../src/server/service.js";
import type { MessageOf, MessageType } from "../src/wire/fields.js";

const NO_LIMIT = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
const DEADLINE_MS = 20_000;

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

/** Calls a plugin. */
export class Client {
  private readonly calls: any;
  private readonly healthCalls: any;

  constructor(
    address: string,
    private readonly token?: string,
  ) {
    const Plugins = makeGenericClientConstructor(PLUGIN_SERVICE, "plugin.v1.PluginService");
    const Health = makeGenericClientConstructor(HEALTH_SERVICE, "grpc.health.v1.Health");
    this.calls = new Plugins(address, credentials.createInsecure(), NO_LIMIT);
    this.healthCalls = new Health(address, credentials.createInsecure());
  }

  close(): void {
    this.calls.close();
    this.healthCalls.close();
  }

  private metadata(): Metadata {
    const metadata = new Metadata();
    if (this.token) metadata.set("cdp-token", this.token);
    return metadata;
  }

  /** Make a unary call; a refusal is thrown as gRPC's error. */
  async call<I extends Record<string, any>, O extends Record<string, any>>(
    name: string,
    [request, response]: [MessageType<I>, MessageType<O>],
    message: Partial<MessageOf<MessageType<I>>> = {},
  ): Promise<MessageOf<MessageType<O>>> {
    const service = name in HEALTH_SERVICE ? this.healthCalls : this.calls;
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS };
      service[name](
        request.encode(message as never),
        this.metadata(),
        options,
        (error: ServiceError | null, answer: Buffer) => (error ? reject(error) : resolve(answer)),
      );
    });
    return response.decode(bytes) as MessageOf<MessageType<O>>;
  }

  /** Watch the health of a service; yields its states until the server ends the call. */
  async *watch(service: string): AsyncGenerator<number> {
    const call = this.healthCalls.Watch(HealthCheckRequest.encode({ service }));
    for await (const bytes of call) yield HealthCheckResponse.decode(bytes).status;
  }

  /** Open a call of two streams. */
  open<I extends Record<string, any>, O extends Record<string, any>>(
    name: string,
    request: MessageType<I>,
    response: MessageType<O>,
  ): Duplex<I, O> {
    const call = this.calls[name](this.metadata(), { deadline: Date.now() + DEADLINE_MS });
    return new Duplex(call, request, response);
  }
}

/** A call of two streams: what is sent, what comes, how it ends. */
export class Duplex<I extends Record<string, any>, O extends Record<string, any>> {
  private readonly items: AsyncIterator<Buffer>;
  /** How the call ended. */
  readonly status: Promise<{ code: number; details: string }>;

  constructor(
    readonly call: ClientDuplexStream<Buffer, Buffer>,
    private readonly request: MessageType<I>,
    private readonly response: MessageType<O>,
  ) {
    this.status = new Promise((resolve) => call.once("status", resolve));
    call.on("error", () => undefined);
    this.items = call[Symbol.asyncIterator]();
  }

  send(message: Partial<MessageOf<MessageType<I>>>): void {
    this.call.write(this.request.encode(message as never));
  }

  /** Return the next message, or undefined at the end. */
  async next(): Promise<MessageOf<MessageType<O>> | undefined> {
    const { done, value } = await this.items.next();
    return done ? undefined : (this.response.decode(value) as MessageOf<MessageType<O>>);
  }

  end(): void {
    this.call.end();
  }
}
