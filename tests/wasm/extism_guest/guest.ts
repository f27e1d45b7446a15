// A plugin made with Extism's kit for AssemblyScript; what it does stands in the message.
import { Config, Host, LogLevel, Memory, Var } from "@extism/as-pdk";
import { error_set, http_request } from "@extism/as-pdk/lib/env";

export function ended(message: string | null, file: string | null, line: u32, column: u32): void {
  error_set(Memory.allocateString(message === null ? "ended" : message).offset);
  unreachable();
}

export function metadata(): i32 {
  Host.outputString('{"name":"extism-guest","version":"1.0.0"}');
  return 0;
}

export function health(): i32 {
  Host.outputString('{"status":"degraded","message":"so so"}');
  return 0;
}

export function process(): i32 {
  const message = Host.inputString();
  if (message.includes('"do":"fail"')) {
    error_set(Memory.allocateString('{"message":"failed here","code":"as.failed"}').offset);
    return 1;
  }
  if (message.includes('"do":"retry"')) {
    error_set(Memory.allocateString('{"message":"busy","instruction":"retry"}').offset);
    return 1;
  }
  if (message.includes('"do":"silent failure"')) return 7;
  if (message.includes('"do":"drop"')) return 0;
  if (message.includes('"do":"trap"')) unreachable();
  if (message.includes('"do":"loop"')) while (true) {}
  if (message.includes('"do":"network"')) {
    const request = Memory.allocateString('{"url":"http://127.0.0.1/"}');
    http_request(request.offset, 0);
  }
  if (message.includes('"do":"config"')) {
    const greeting = Config.get("greeting"), number = Config.get("number"), none = Config.get("none");
    const told = (greeting === null ? "" : greeting) + "," + (number === null ? "" : number);
    Host.outputString('{"payload":"' + told + "," + (none === null ? "none" : "some") + '"}');
    return 0;
  }
  if (message.includes('"do":"count"')) {
    const held = Var.getString("count");
    const count = (held === null ? 0 : I32.parseInt(held)) + 1;
    Var.set("count", Uint8Array.wrap(String.UTF8.encode(count.toString())));
    Host.outputString('{"payload":' + count.toString() + "}");
    return 0;
  }
  if (message.includes('"do":"log"')) Host.log(LogLevel.Warn, "a line");
  const text = Uint8Array.wrap(String.UTF8.encode(message));
  Host.output(text);
  return 0;
}
