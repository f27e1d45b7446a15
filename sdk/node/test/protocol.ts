/** The proto file as an independent library reads it, to compare the SDK with. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import protobuf from "protobufjs";

const ROOT = new URL("../../../../", import.meta.url);

export const proto = protobuf.loadSync(fileURLToPath(new URL("proto/cdpplugin/v1/plugin.proto", ROOT)));

/** Parse `bytes` as the message `name`; defaults are filled in, numbers are numbers, bytes are base64. */
export function parse(name: string, bytes: Uint8Array): any {
  const type = proto.lookupType(`plugin.v1.${name}`);
  return type.toObject(type.decode(bytes), { defaults: true, longs: Number, bytes: String, enums: Number });
}

/** Serialize `value` as the message `name`. */
export function serialize(name: string, value: object): Buffer {
  const type = proto.lookupType(`plugin.v1.${name}`);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

/** The cases of a file of golden vectors. */
export function vectors(file: string): any[] {
  const { cases } = JSON.parse(readFileSync(new URL(`spec/vectors/${file}`, ROOT), "utf8"));
  return cases;
}
