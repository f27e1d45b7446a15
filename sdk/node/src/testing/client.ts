/** A host's side of the wire: a client of the two services, over real connections. */

import {
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";

import { HEALTH_SERVICE, HealthCheckRequest, HealthCheckResponse } from "../server/health.js";
import { PLUGIN_SERVICE } from "../server/service.js";
import type { MessageOf, MessageType } from "../wire/fields.js";

const NO_LIMIT = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 200,
};

/** Calls a plugin. */
export class Client {
  private readonly calls: any;
  private readonly healthCalls: any;

  constructor(
    address: string,
    private readonly token?: string,
    /** The longest that a call may take. */
    private readonly deadlineMs?: number,
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

  private get options(): { deadline?: number } {
    return this.deadlineMs === undefined ? {} : { deadline: Date.now() + this.deadlineMs };
  }

  /** Tell whether the plugin listens, waiting for no longer than `waitMs`. */
  listens(waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.calls.waitForReady(Date.now() + waitMs, (error?: Error) => resolve(error === undefined));
    });
  }

  /** Make a unary call; a refusal is thrown as gRPC's error. */
  async call<I extends Record<string, any>, O extends Record<string, any>>(
    name: string,
    [request, response]: [MessageType<I>, MessageType<O>],
    message: Partial<MessageOf<MessageType<I>>> = {},
  ): Promise<MessageOf<MessageType<O>>> {
    const service = name in HEALTH_SERVICE ? this.healthCalls : this.calls;
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      service[name](
        request.encode(message as never),
        this.metadata(),
        this.options,
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
    const call = this.calls[name](this.metadata(), this.options);
    return new Duplex(call, request, response);
  }
}

/** A call of two streams: what is sent, what comes, how it ends. */
export class Duplex<I extends Record<string, any>, O extends Record<string, any>> {
  private readonly items: AsyncIterator<Buffer>;
  /** How the call ended. */
  readonly status: Promise<StatusObject>;

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
