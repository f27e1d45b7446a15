/** Batches as text: the golden vectors mean the same, and texts are found exactly where they stand. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { errorText } from "../src/component/facts.js";
import { read, type Received } from "../src/component/reading.js";
import { elementTexts, memberTexts } from "../src/component/scan.js";
import { write } from "../src/component/writing.js";
import { Batch, Drop, encodeJson, Fatal, JsonPayloads, Outputs, PluginError, Retry, views } from "../src/index.js";
import { vectors } from "./protocol.js";

const NO_SOURCE = { name: "", network: "", uri: "" };

/** A message of the vectors as the host writes it: its payload is the exact text. */
function textOf({ payload, metadata = {}, source = NO_SOURCE, ...rest }: any): string {
  return `${encodeJson({ ...rest, metadata, source }).slice(0, -1)},"payload":${payload}}`;
}

const sound = (file: string) => vectors(file).filter((each) => !("refused" in each) && each.encoding !== "xdr");

function received(rows: number): Received {
  const message = { id: "m", type: "T", trace_id: "", content_type: "application/json", payload: "0" };
  return read(`[${new Array(rows).fill(textOf(message)).join()}]`, "json");
}

/** The error that the vectors describe. */
function errorOf({ instruction, message, code, hint, retry_after_s: afterS }: any): PluginError {
  const options = { ...(code && { code }), ...(hint && { hint }) };
  if (instruction === "retry") return new Retry(message, { ...options, ...(afterS !== undefined && { afterS }) });
  if (instruction === "drop") return new Drop(message);
  return instruction === "fatal" ? new Fatal(message, options) : new PluginError(message, options);
}

describe("batches.json as text", () => {
  for (const vector of sound("batches.json")) {
    it(`${vector.name}: ${vector.rule}`, () => {
      const { batch } = read(`[${vector.messages.map(textOf).join()}]`, vector.encoding);
      assert.equal(vector.encoding, batch.encoding);
      const found = Array.from(views(batch), (message) => ({
        ...{ id: message.id, type: message.type, trace_id: message.traceId, content_type: message.contentType },
        ...{ payload: message.payloadText, metadata: message.metadata, source: message.source },
      }));
      assert.deepEqual(vector.messages.map((each: any) => ({ metadata: {}, source: NO_SOURCE, ...each })), found);
    });
  }
});

describe("errors.json as text", () => {
  for (const vector of sound("errors.json")) {
    it(`${vector.name}: ${vector.rule}`, () => {
      const { instruction, ...told } = vector.error;
      const expected = { hint: "", ...told, ...(instruction !== "none" && { instruction }) };
      assert.deepEqual(expected, JSON.parse(errorText(errorOf(vector.error))));
    });
  }
});

describe("answers.json as text", () => {
  for (const vector of sound("answers.json")) {
    it(`${vector.name}: ${vector.rule}`, () => {
      const batch = new Batch(new JsonPayloads(vector.outputs.map((each: any) => each.payload)), {
        ids: vector.outputs.map((each: any) => each.id),
        types: vector.outputs.map((each: any) => each.type),
      });
      const errors = new Map<number, PluginError>(vector.errors.map((each: any) => [each.row, errorOf(each.error)]));
      const dropped = new Map<string, number>(Object.entries(vector.dropped));
      const answer = new Outputs([{ batch, rows: vector.output_rows }], { errors, dropped });
      const found = JSON.parse(write(answer, received(vector.rows)));
      assert.equal(vector.rows, found.length);
      const outputs = found.flatMap((each: any, row: number) => (each.outputs ?? []).map((o: any) => ({ ...o, row })));
      assert.deepEqual(vector.output_rows, outputs.map((each: any) => each.row));
      assert.deepEqual(vector.outputs.map((each: any) => each.id), outputs.map((each: any) => each.id));
      assert.deepEqual(vector.outputs.map((o: any) => JSON.parse(o.payload)), outputs.map((o: any) => o.payload));
      const failed = found.flatMap((each: any, row: number) => ("error" in each ? [row] : []));
      assert.deepEqual([...errors.keys()], failed);
      const reasons = found.flatMap((each: any) => each.dropped ?? []);
      for (const [reason, rows] of dropped) assert.equal(rows, reasons.filter((each: any) => each === reason).length);
    });
  }
});

describe("texts within a text", () => {
  const values = ["1", '"a"', "[]", "{}", '{"payload":[1,{"payload":2}],"b":"]}"}', '[[],{},"\\"[{,:"]', "-1.0e5", '"\\\\"'];
  const spaced = ` [ ${values.join(" ,\n ")} ] `;

  it("the members of an array are found as they stand", () => {
    assert.deepEqual(values, elementTexts(spaced));
    assert.deepEqual([[], []], [elementTexts("[]"), elementTexts(" [ ] ")]);
    for (const text of ["", "{}", "[1", "1]", "[1]]", "[1] x", '"[]"']) {
      assert.throws(() => elementTexts(text), { code: "message.payload_invalid" }, text);
    }
  });

  it("a member of each object is found as it stands, wherever that is", () => {
    const objects = values.map((value, row) =>
      row % 2 ? `{"payload" : ${value} , "id":"payload"}` : `{"a":{"payload":0},"id":"x","pay\\u006coad":${value}}`,
    );
    assert.deepEqual([...values, undefined], memberTexts(`[${[...objects, "{}"].join(" , ")}]`, "payload"));
  });

  it("of a name that comes twice the last one counts, as when it is read", () => {
    assert.deepEqual(["2"], memberTexts('[{"payload":1,"payload":2}]', "payload"));
  });
});
