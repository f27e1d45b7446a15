/** `grpc.health.v1.Health`: whether the process serves, for hosts and for container platforms. */

import { type ServerWritableStream, status, type UntypedServiceImplementation } from "@grpc/grpc-js";

import { enumeration, MessageType, one, string } from "../wire/fields.js";
import { method } from "./calls.js";

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
const SERVICES = ["", "plugin.v1.PluginService"];

export const HealthCheckRequest = new MessageType({ service: one(1, string) });
export const HealthCheckResponse = new MessageType({ status: one(1, enumeration) });

const path = (name: string) => `/grpc.health.v1.Health/${name}`;

/** The service's methods. */
export const HEALTH_SERVICE = {
  Check: method(path("Check"), { request: false, response: false }),
  Watch: method(path("Watch"), { request: false, response: true }),
};

/** Return the service's handlers; it serves until `stopping` is aborted. */
export function healthHandlers(stopping: AbortSignal): UntypedServiceImplementation {
  const now = () => (stopping.aborted ? NOT_SERVING : SERVING);
  return {
    Check: (call: { request: Buffer }, callback: (error: object | null, answer?: Buffer) => void) => {
      const { service } = HealthCheckRequest.decode(call.request);
      if (SERVICES.includes(service)) callback(null, HealthCheckResponse.encode({ status: now() }));
      else callback({ code: status.NOT_FOUND, details: `unknown service \`${service}\`` });
    },
    Watch: (call: ServerWritableStream<Buffer, Buffer>) => {
      const { service } = HealthCheckRequest.decode(call.request);
      const known = SERVICES.includes(service);
      call.write(HealthCheckResponse.encode({ status: known ? now() : SERVICE_UNKNOWN }));
      const stop = () => {
        if (known) call.write(HealthCheckResponse.encode({ status: NOT_SERVING }));
        call.end();
      };
      stopping.addEventListener("abort", stop, { once: true });
      call.on("cancelled", () => stopping.removeEventListener("abort", stop));
    },
  };
}
