/** Refuses calls that do not bring the token the plugin was launched with. */

import { timingSafeEqual } from "node:crypto";

import {
  type Metadata,
  type ServerInterceptor,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
} from "@grpc/grpc-js";

const OPEN = "/grpc.health.v1.Health/";

/** Return an interceptor that lets through calls with `cdp-token: token`, and health checks. */
export function tokenCheck(token: string): ServerInterceptor {
  const expected = Buffer.from(token);
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        if (method.path.startsWith(OPEN)) return next();
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, proceed) => {
          if (brings(metadata, expected)) proceed(metadata);
          else
            call.sendStatus({
              code: status.UNAUTHENTICATED,
              details: "expected the metadata `cdp-token` of this launch",
            });
        });
        next(listener.build());
      },
    });
}

function brings(metadata: Metadata, expected: Buffer): boolean {
  return metadata.get("cdp-token").some((value) => {
    const given = Buffer.from(value);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
