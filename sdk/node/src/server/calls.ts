/** From gRPC calls to functions of messages: bytes in, bytes out, statuses for what is thrown. */

import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerErrorResponse,
  status,
} from "@grpc/grpc-js";

import type { MessageOf, MessageType } from "../wire/fields.js";
import { type CallStatus, failure } from "./status.js";

/** A call whose messages are bytes. */
export type Duplex = ServerDuplexStream<Buffer, Buffer>;

const bytes = (message: Buffer) => message;

/** Return the definition of a method; messages cross gRPC as bytes and are decoded by the handler. */
export function method(
  path: string,
  stream: { request: boolean; response: boolean },
): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream: stream.request,
    responseStream: stream.response,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
}

/** Return the handler of a unary call that `answer` answers with bytes. */
export function unary<F extends Record<string, any>>(
  request: MessageType<F>,
  answer: (message: MessageOf<MessageType<F>>) => Promise<Buffer>,
  foreign?: status,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const answering = async () => answer(request.decode(call.request) as MessageOf<MessageType<F>>);
    answering().then(
      (response) => callback(null, response),
      (error: unknown) => callback(failure(error, foreign)),
    );
  };
}

/** Return the handler of a call of two streams that `serve` serves; what it throws ends the call. */
export function duplex(serve: (call: Duplex) => Promise<void>): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    // A call that broke off says so by `cancelled`; what is written to it afterwards goes nowhere.
    serve(call).then(
      () => call.end(),
      (error: unknown) => refuse(call, error),
    );
  };
}

function refuse(call: Duplex, error: unknown): void {
  if (call.cancelled || call.destroyed) return;
  call.emit("error", (isStatus(error) ? error : failure(error)) as ServerErrorResponse);
}

function isStatus(error: unknown): error is CallStatus {
  return typeof error === "object" && error !== null && !(error instanceof Error) && "details" in error;
}

/** Return the handlers of a call that this kind of plugin does not have. */
export function unimplemented(kind: string): {
  unary: handleUnaryCall<Buffer, Buffer>;
  duplex: handleBidiStreamingCall<Buffer, Buffer>;
} {
  const refusal = { code: status.UNIMPLEMENTED, details: `the plugin is a ${kind} and has no such call` };
  return {
    unary: (_call, callback) => callback(refusal),
    duplex: (call) => void call.emit("error", refusal),
  };
}
