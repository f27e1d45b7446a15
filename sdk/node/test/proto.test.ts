/** The tables of fields are those of `proto/cdpplugin/v1/plugin.proto`. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import protobuf from "protobufjs";

import * as batches from "../src/wire/batches.js";
import { type Field, MessageType } from "../src/wire/fields.js";
import * as messages from "../src/wire/messages.js";
import { parse, proto, serialize } from "./protocol.js";

const tables: Record<string, any> = { ...messages, ...batches };
const declared = (proto.lookup("plugin.v1") as protobuf.Namespace).nestedArray.filter(
  (nested): nested is protobuf.Type => nested instanceof protobuf.Type,
);

/** A field as both sides can say it: number, label, kind. */
function declaredField(field: protobuf.Field): unknown[] {
  field.resolve();
  const label = field.map ? "map" : field.repeated ? "repeated" : "one";
  const kind = field.resolvedType instanceof protobuf.Type ? "message" : field.resolvedType ? "enum" : field.type;
  return [field.name, field.id, label, kind];
}

/** Messages that stay bytes here until somebody reads them, and presence, which only messages and `optional` have. */
function tableField([name, field]: [string, Field<any>], lazily: Set<string>): unknown[] {
  const label = field.label === "optional" ? "one" : field.label;
  return [name, field.number, label, lazily.has(name) ? "message" : field.kind];
}

const LAZY: Record<string, string[]> = {
  ProcessRequest: ["metadata"],
  ProcessResponse: ["metadata"],
  ProcessBatchRequest: ["batch"],
  StreamRequest: ["batch"],
  ConsumeRequest: ["batch"],
};

describe("tables", () => {
  for (const type of declared.filter((held) => held.name !== "MessageBatch")) {
    it(`${type.name} has the fields of the proto file`, () => {
      const table = tables[type.name];
      assert.ok(table instanceof MessageType, `${type.name} has no table`);
      const lazily = new Set(LAZY[type.name] ?? []);
      const got = Object.entries(table.fields).map((field) => tableField(field as never, lazily));
      assert.deepEqual(type.fieldsArray.map(declaredField), got);
    });
    it(`${type.name} tells absent from initial where the proto file does`, () => {
      const present = type.fieldsArray.filter((field) => field.options?.proto3_optional);
      for (const { name } of present) assert.equal("optional", tables[type.name].fields[name].label);
    });
  }

  it("the proto file has fields that may be absent", () => {
    const first = proto.lookupType("plugin.v1.SourceDescription").fields.first;
    assert.equal(true, first?.options?.proto3_optional);
  });

  it("MessageBatch has the columns of the proto file", () => {
    const type = proto.lookupType("plugin.v1.MessageBatch");
    assert.deepEqual(Object.fromEntries(type.fieldsArray.map((f) => [f.name, f.id])), batches.BATCH_FIELDS);
  });

  it("features and instructions have the numbers of the proto file", () => {
    const { FEATURE_UNSPECIFIED: _, ...features } = proto.lookupEnum("plugin.v1.Feature").values;
    const named = Object.entries(messages.Feature).map(([name, number]) => [`FEATURE_${name}`, number]);
    assert.deepEqual(features, Object.fromEntries(named));
    const { UNSPECIFIED, ...instructions } = Object.fromEntries(
      Object.entries(proto.lookupEnum("plugin.v1.Error.Instruction").values).map(([n, v]) => [n.slice(12), v]),
    );
    assert.deepEqual({ NONE: UNSPECIFIED, ...instructions }, messages.Instruction);
  });
});

describe("bytes", () => {
  const metadata = {
    name: "n",
    version: "1.0.0",
    type: "source",
    inputTypes: ["a", "ą"],
    configSchema: Buffer.from("{}"),
    outputSchema: { T: Buffer.from('{"x":1}'), "": Buffer.from("") },
    resources: { maxMemoryMb: 4294967295, gpuRequired: true },
    stateful: true,
    protocol: 1,
    features: [1, 200, 3],
  };

  it("what the SDK writes is what another protobuf library reads", () => {
    const bytes = messages.MetadataResponse.encode({
      ...metadata,
      outputSchema: new Map(Object.entries(metadata.outputSchema)),
    } as never);
    assert.deepEqual(
      parse("MetadataResponse", serialize("MetadataResponse", metadata)),
      parse("MetadataResponse", bytes),
    );
  });

  it("what another protobuf library writes is what the SDK reads", () => {
    const got = messages.MetadataResponse.decode(serialize("MetadataResponse", metadata));
    assert.deepEqual(metadata.features, got.features);
    assert.deepEqual({ minMemoryMb: 0, maxMemoryMb: 4294967295, cpuShares: 0, gpuRequired: true }, got.resources);
    assert.equal('{"x":1}', got.outputSchema.get("T")?.toString());
  });

  for (const position of [0, 1, -1, 127, 128, 2 ** 31, 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1]) {
    it(`a position of ${position} passes exactly`, () => {
      const bytes = batches.ReadRequest.encode({ afterPosition: position });
      assert.equal(position, parse("ReadRequest", bytes).afterPosition);
      assert.equal(
        position,
        batches.ReadRequest.decode(serialize("ReadRequest", { afterPosition: position })).afterPosition,
      );
    });
  }

  it("a position beyond 2^53 is refused, never rounded", () => {
    const bytes = Buffer.from([0x08, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    assert.throws(() => batches.ReadRequest.decode(bytes), { code: "message.number_too_large" });
  });

  it("unknown fields, and known ones of another layout, are skipped", () => {
    const bytes = Buffer.from([0x0d, 1, 2, 3, 4, 0x20, 0x07, 0xfa, 0x01, 0x01, 0x41]);
    assert.deepEqual({ ...batches.ReadRequest.initial(), credits: 7 }, batches.ReadRequest.decode(bytes));
  });

  for (const [what, bytes] of [
    ["a length beyond the end", [0x12, 0x7f, 0x41]],
    ["a varint without an end", [0x20, 0xff]],
    ["a group", [0x0b, 0x0c]],
  ] as [string, number[]][]) {
    it(`${what} is refused`, () => {
      assert.throws(() => batches.ReadRequest.decode(Buffer.from(bytes)), { code: "message.wire_invalid" });
    });
  }
});
