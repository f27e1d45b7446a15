/** Messages, columns, outputs and JSON, as an author meets them. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  Batch,
  concat,
  decodeJson,
  Delivery,
  encodeJson,
  JsonPayloads,
  Message,
  OutputCollector,
  view,
  views,
} from "../src/index.js";
import { createLogger } from "../src/logger.js";
import { decodeBatch, writeBatch } from "../src/wire/batches.js";
import { Writer } from "../src/wire/writer.js";

const EXACT = '{"n":9007199254740993,"low":-9223372036854775808,"ids":[18446744073709551615],"f":0.5}';

function received(batch: Batch): Batch {
  const writer = new Writer();
  writeBatch(writer, batch);
  return decodeBatch(writer.finish());
}

const one = (payload: string) =>
  received(new Batch(new JsonPayloads([payload]), { ids: "a", types: "T", metadata: { k: { deep: 1 } } }));

function passed(batch: Batch, call: (message: Message) => Message): Message {
  const collector = new OutputCollector(batch);
  for (const [row, message] of [...views(batch)].entries()) collector.addResult(row, call(message));
  return view(received(collector.outputs().parts[0]!.batch), 0);
}

describe("json", () => {
  it("an integer beyond 2^53 is a bigint and goes out with the same digits", () => {
    const value = decodeJson(EXACT);
    assert.deepEqual(
      [9007199254740993n, -9223372036854775808n, [18446744073709551615n], 0.5],
      [value.n, value.low, value.ids, value.f],
    );
    assert.equal(EXACT, encodeJson(value));
  });

  it("digits within texts, keys and fractions are no integers", () => {
    const text =
      '{"12345678901234567890":"12345678901234567890 : -12345678901234567890","a":"\\" 12345678901234567890","f":1234567890123456.5}';
    assert.deepEqual(JSON.parse(text), decodeJson(text));
  });

  it("an integer below 2^53 is a number, however it is spaced", () => {
    assert.deepEqual([9007199254740991, 1], decodeJson("[\n9007199254740991 ,1]"));
  });

  for (const text of ["", "{", "12345678901234567890x", "{12345678901234567890:1}", "-"]) {
    it(`\`${text}\` is no JSON`, () => assert.throws(() => decodeJson(text), { code: "message.payload_invalid" }));
  }

  it("a number beyond the range of a double is refused wherever it stands, and a hash that looks like one is text", () => {
    for (const huge of ["1e400", "[-1E+0400]", '{"a":[1,2.5e309]}', '{ "a" : 9e999 }', `${"1".repeat(400)}.0`]) {
      assert.throws(() => decodeJson(huge), { code: "message.payload_invalid" }, huge);
    }
    for (const plain of ['{"hash":"9e12345a"}', '["-1e999", ":1e999", " 1e999"]', "1e308", "1e-999", "[1e+30]"]) {
      assert.deepEqual(JSON.parse(plain), decodeJson(plain));
    }
  });

  it("what has no form in JSON is refused", () => {
    const cycle: any = {};
    cycle.self = cycle;
    for (const value of [undefined, () => 1, cycle, NaN, [null, -Infinity], { n: new Number(NaN), big: 1n }]) {
      assert.throws(() => encodeJson(value), { code: "message.payload_invalid" });
    }
    assert.equal('{"a":null,"b":[null],"c":"null"}', encodeJson({ a: null, b: [null], c: "null" }));
  });

  it("a fraction beyond the range of a double is refused, an integer of any size is exact", () => {
    for (const text of ["1e400", "[-1e999]", `{"n":${"9".repeat(250)}.5e99}`]) {
      assert.throws(() => decodeJson(text), { code: "message.payload_invalid" });
    }
    const exact = `{"n":${"9".repeat(400)},"f":1e+300,"text":"1e400"}`;
    assert.equal(exact, encodeJson(decodeJson(exact)));
  });
});

describe("message", () => {
  it("an untouched payload passes as the bytes it came in", () => {
    const text = '{ "n" : 9007199254740993, "f": 1.0 }';
    assert.equal(text, passed(one(text), (message) => message).payloadText);
    assert.equal(text, passed(one(text), (message) => ((message.type = "U"), message)).payloadText);
    assert.equal(text, passed(one(text), (message) => (assert.equal(text, message.payloadText), message)).payloadText);
    assert.equal(text, passed(one(text), (message) => (Buffer.from(message.payloadBytes), message)).payloadText);
  });

  it("a payload that was read keeps every digit, changed or not", () => {
    assert.equal(EXACT, passed(one(EXACT), (message) => (message.payload, message)).payloadText);
    const changed = passed(one(EXACT), (message) => ((message.payload.f = 1), message)).payloadText;
    assert.equal(EXACT.replace("0.5", "1"), changed);
  });

  it("its payload and metadata are its own", () => {
    const batch = Batch.of("T", [{ n: 1 }], { metadata: [{ k: 1 }] });
    const [first, second] = [view(batch, 0), view(batch, 0)];
    first.payload.n = 2;
    first.metadata.k = 2;
    assert.deepEqual([{ n: 1 }, { k: 1 }], [second.payload, second.metadata]);
  });

  it("takes raw bytes as its payload", () => {
    const got = passed(one("1"), (message) => ((message.payloadBytes = Buffer.from("[ 2 ]")), message));
    assert.deepEqual(["[ 2 ]", [2]], [got.payloadText, got.payload]);
  });

  it("a new message has defaults, and its payload is null", () => {
    const message = new Message();
    assert.deepEqual(
      ["", "", null, {}, "", "", "application/json"],
      [
        message.id,
        message.type,
        message.payload,
        message.metadata,
        message.source.name,
        message.traceId,
        message.contentType,
      ],
    );
  });
});

describe("outputs", () => {
  it("hold a payload as it was when it was returned", () => {
    const collector = new OutputCollector(one("1"));
    const message = new Message({ payload: { n: 1 } });
    collector.add(0, message);
    message.payload.n = 2;
    assert.equal('{"n":1}', collector.outputs().parts[0]!.batch.payloads.text(0));
  });

  it("a result is taken whole or not at all", () => {
    const collector = new OutputCollector(one("1"));
    assert.throws(() => collector.addResult(0, [new Message(), "no message" as never]), {
      code: "plugin.output_invalid",
    });
    assert.deepEqual([], collector.outputs().parts);
  });

  it("may be rows of other batches, and rows out of order", () => {
    const batch = received(Batch.of("T", [10, 11, 12], { ids: ["a", "b", "c"] }));
    const collector = new OutputCollector(batch);
    collector.add(0, view(batch, 2));
    collector.add(1, view(received(Batch.of("O", ["other"], { ids: ["o"] })), 0));
    const got = received(collector.outputs().parts[0]!.batch);
    assert.deepEqual(
      [
        ["c", "T", 12],
        ["o", "O", "other"],
      ],
      Array.from(views(got), (m) => [m.id, m.type, m.payload]),
    );
  });

  it("of one answer do not mix XDR and JSON", () => {
    const xdr = received(new Batch(new JsonPayloads([Buffer.from([1]), Buffer.from([2])], "xdr"), { types: "L" }));
    const collector = new OutputCollector(xdr);
    collector.add(0, view(xdr, 0));
    collector.add(1, new Message({ payload: 1 }));
    assert.throws(() => collector.outputs(), { code: "plugin.encoding_unsupported" });
  });

  it("mixed SEP-51 and JSON are JSON", () => {
    const sep51 = received(new Batch(new JsonPayloads(["{}", "{}"], "sep51")));
    const collector = new OutputCollector(sep51);
    collector.add(0, view(sep51, 0));
    collector.add(1, new Message({ payload: 1 }));
    assert.equal("json", collector.outputs().parts[0]!.batch.encoding);
  });
});

describe("batch", () => {
  it("takes, slices, replaces and joins rows", () => {
    const batch = received(Batch.of("T", [0, 1, 2], { ids: ["a", "b", "c"], traceIds: "t" }));
    const joined = concat([batch.take([2, 0]), batch.slice(1, 2).replace({ types: "U" })]);
    assert.deepEqual(
      [
        ["c", "T", 2, "t"],
        ["a", "T", 0, "t"],
        ["b", "U", 1, "t"],
      ],
      Array.from(views(joined), (m) => [m.id, m.type, m.payload, m.traceId]),
    );
  });

  it("columns of another length are refused", () => {
    assert.throws(() => Batch.of("T", [1, 2], { ids: ["a"] }), { code: "message.batch_invalid" });
  });

  it("a delivery leaves out rows that are durable", () => {
    const delivery = new Delivery(Batch.of("T", [0, 1, 2]), [4, 5, 5], 5);
    assert.deepEqual([5, 5], delivery.after(4).positions);
    assert.deepEqual([0, 5], [delivery.after(5).batch.length, delivery.after(5).completedThrough]);
    assert.equal(delivery, delivery.after(3));
  });
});

describe("logger", () => {
  it("writes text where no host listens, with fields bound or given", () => {
    const lines: string[] = [];
    const log = createLogger((line) => lines.push(line)).bind({ plugin: "p" });
    log.warning("slow", { rows: 3, at: { a: 1 } });
    assert.deepEqual(['warning: slow plugin=p rows=3 at={"a":1}\n'], lines);
  });

  it("never fails the code that logs", () => {
    const cycle: any = {};
    cycle.self = cycle;
    createLogger(() => undefined).error("odd", { cycle });
  });
});

describe("outputs", () => {
  it("hold a message as it was when it was returned", () => {
    const batch = Batch.of("T", [1, 2]);
    const collector = new OutputCollector(batch);
    const message = new Message({ payload: { n: 0 }, metadata: { n: 0 } });
    for (const row of [0, 1]) {
      message.id = `id-${row}`;
      message.payload.n = message.metadata.n = row;
      collector.addResult(row, message);
    }
    const got = Array.from(views(received(collector.outputs().parts[0]!.batch)));
    assert.deepEqual(
      [
        ["id-0", 0, 0],
        ["id-1", 1, 1],
      ],
      got.map(({ id, payload, metadata }) => [id, payload.n, metadata.n]),
    );
  });

  it("keep what is untouched beside what is changed", () => {
    const batch = Batch.of("T", [1, 2, 3], { ids: ["a", "b", "c"], metadata: { k: [1] } });
    const collector = new OutputCollector(batch);
    for (const [row, message] of [...views(batch)].entries()) {
      if (row === 1) message.metadata.k = 2;
      collector.addResult(row, row === 2 ? new Message({ id: "new" }) : message);
    }
    const got = Array.from(views(received(collector.outputs().parts[0]!.batch)));
    assert.deepEqual(
      [
        ["a", "T", { k: [1] }],
        ["b", "T", { k: 2 }],
        ["new", "", {}],
      ],
      got.map(({ id, type, metadata }) => [id, type, metadata]),
    );
  });

  for (const [what, code, fields] of [
    ["an id that is no text", "plugin.output_invalid", { id: 5 }],
    ["a type that is no text", "plugin.output_invalid", { type: Symbol("t") }],
    ["a source that is no object", "plugin.output_invalid", { source: "lake" }],
    ["metadata that are no object", "message.payload_invalid", { metadata: [1] }],
    ["metadata with a number that is none", "message.payload_invalid", { metadata: { n: NaN } }],
  ] as const) {
    it(`refuse ${what}`, () => {
      const collector = new OutputCollector(Batch.of("T", [1]));
      assert.throws(() => collector.addResult(0, new Message(fields as never)), { code });
      assert.deepEqual([], collector.outputs().parts);
    });
  }
});
