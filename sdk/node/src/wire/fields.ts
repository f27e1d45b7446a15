/**
 * Protobuf messages as tables of fields: the table is the type, the decoder and the encoder.
 *
 * A test compares every table with `proto/cdpplugin/v1/plugin.proto`.
 */

import { Reader, Wire } from "./reader.js";
import { Writer } from "./writer.js";

/** How one value is laid out. */
export interface Kind<T> {
  /** Its name in the proto file; a message is `message`. */
  readonly name: string;
  readonly wire: Wire;
  readonly initial: () => T;
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
  isInitial(value: T): boolean;
}

const scalar = <T>(
  name: string,
  wire: Wire,
  initial: T,
  read: (reader: Reader) => T,
  write: (writer: Writer, value: T) => void,
): Kind<T> => ({ name, wire, initial: () => initial, read, write, isInitial: (value) => value === initial });

export const uint32 = scalar(
  "uint32",
  Wire.Varint,
  0,
  (r) => r.uint32(),
  (w, v) => w.uint32(v),
);
export const int64 = scalar(
  "int64",
  Wire.Varint,
  0,
  (r) => r.int64(),
  (w, v) => w.int64(v),
);
export const uint64 = scalar(
  "uint64",
  Wire.Varint,
  0,
  (r) => r.uint64(),
  (w, v) => w.int64(v),
);
/** An int32 that is never negative here: nanoseconds of a duration. */
export const int32 = scalar(
  "int32",
  Wire.Varint,
  0,
  (r) => r.uint32() | 0,
  (w, v) => w.int64(v),
);
export const enumeration = scalar(
  "enum",
  Wire.Varint,
  0,
  (r) => r.uint32(),
  (w, v) => w.uint32(v),
);
export const bool = scalar(
  "bool",
  Wire.Varint,
  false,
  (r) => r.uint32() !== 0,
  (w, v) => w.uint32(v ? 1 : 0),
);
export const string = scalar(
  "string",
  Wire.Bytes,
  "",
  (r) => {
    const end = r.slice();
    return r.bytes.toString("utf8", r.start, end);
  },
  (w, v) => w.bytes(v),
);
export const bytes: Kind<Buffer> = {
  name: "bytes",
  wire: Wire.Bytes,
  initial: () => Buffer.alloc(0),
  read: (r) => {
    const end = r.slice();
    return r.bytes.subarray(r.start, end);
  },
  write: (w, v) => w.bytes(v),
  isInitial: (value) => value.length === 0,
};

/** One field of a message. */
export interface Field<T> {
  readonly number: number;
  readonly label: "one" | "optional" | "repeated" | "map";
  readonly kind: string;
  /** Tell whether a value may be laid out like this; another is skipped. */
  accepts(wire: number): boolean;
  initial(): T;
  read(reader: Reader, wire: number, held: T): T;
  write(writer: Writer, value: T): void;
}

const tag = (writer: Writer, number: number, wire: Wire) => writer.uint32((number << 3) | wire);

/** A field that has its kind's initial value where it is absent. */
export function one<T>(number: number, kind: Kind<T>): Field<T> {
  return {
    number,
    label: "one",
    kind: kind.name,
    accepts: (wire) => wire === kind.wire,
    initial: kind.initial,
    read: (reader) => kind.read(reader),
    write: (writer, value) => {
      if (kind.isInitial(value)) return;
      tag(writer, number, kind.wire);
      kind.write(writer, value);
    },
  };
}

/** A field that is undefined where it is absent. */
export function optional<T>(number: number, kind: Kind<T>): Field<T | undefined> {
  return {
    number,
    label: "optional",
    kind: kind.name,
    accepts: (wire) => wire === kind.wire,
    initial: () => undefined,
    read: (reader) => kind.read(reader),
    write: (writer, value) => {
      if (value === undefined) return;
      tag(writer, number, kind.wire);
      kind.write(writer, value);
    },
  };
}

/** A list; numbers are written packed and read either way. */
export function repeated<T>(number: number, kind: Kind<T>): Field<T[]> {
  const packed = kind.wire === Wire.Varint;
  return {
    number,
    label: "repeated",
    kind: kind.name,
    accepts: (wire) => wire === kind.wire || wire === Wire.Bytes,
    initial: () => [],
    read: (reader, wire, held) => {
      if (wire !== Wire.Bytes || !packed) held.push(kind.read(reader));
      else {
        const end = reader.slice();
        for (const inner = new Reader(reader.bytes, reader.start, end); inner.more;) held.push(kind.read(inner));
      }
      return held;
    },
    write: (writer, values) => {
      if (values.length === 0) return;
      if (packed) {
        tag(writer, number, Wire.Bytes);
        writer.nested(() => values.forEach((value) => kind.write(writer, value)));
      } else {
        for (const value of values) {
          tag(writer, number, kind.wire);
          kind.write(writer, value);
        }
      }
    },
  };
}

/** A map from texts. */
export function map<T>(number: number, kind: Kind<T>): Field<Map<string, T>> {
  const entry = new MessageType({ key: one(1, string), value: one(2, kind) });
  return {
    number,
    label: "map",
    kind: kind.name,
    accepts: (wire) => wire === Wire.Bytes,
    initial: () => new Map(),
    read: (reader, _wire, held) => {
      const { key, value } = entry.read(reader);
      return held.set(key, value as T);
    },
    write: (writer, values) => {
      for (const [key, value] of values) {
        tag(writer, number, Wire.Bytes);
        entry.write(writer, { key, value } as never);
      }
    },
  };
}

type Fields = Record<string, Field<any>>;
type Held<F extends Fields> = { [name in keyof F]: F[name] extends Field<infer T> ? T : never };

/** A message: its fields by name. */
export class MessageType<F extends Fields> implements Kind<Held<F>> {
  readonly name = "message";
  readonly wire = Wire.Bytes;
  private readonly byNumber = new Map<number, [string, Field<any>]>();

  constructor(readonly fields: F) {
    for (const [name, field] of Object.entries(fields)) this.byNumber.set(field.number, [name, field]);
  }

  /** Return the message that `source` holds; errors as in `Reader`. */
  decode(source: Buffer): Held<F> {
    return this.readFields(new Reader(source));
  }

  /** Return the bytes of `value`; what it leaves out is absent. */
  encode(value: Partial<Held<F>>): Buffer {
    const writer = new Writer();
    this.writeFields(writer, value);
    return writer.finish();
  }

  initial = (): Held<F> => {
    const held: Record<string, unknown> = {};
    for (const name in this.fields) held[name] = (this.fields[name] as Field<any>).initial();
    return held as Held<F>;
  };

  isInitial(): boolean {
    return false;
  }

  read(reader: Reader): Held<F> {
    const end = reader.slice();
    return this.readFields(new Reader(reader.bytes, reader.start, end));
  }

  write(writer: Writer, value: Partial<Held<F>>): void {
    writer.nested(() => this.writeFields(writer, value));
  }

  /** @internal */
  readFields(reader: Reader): Held<F> {
    const held = this.initial() as Record<string, unknown>;
    while (reader.more) {
      const key = reader.uint32();
      const known = this.byNumber.get(key >>> 3);
      if (known?.[1].accepts(key & 7)) held[known[0]] = known[1].read(reader, key & 7, held[known[0]]);
      else reader.skip(key & 7);
    }
    return held as Held<F>;
  }

  private writeFields(writer: Writer, value: Partial<Held<F>>): void {
    for (const name in this.fields) {
      const held = value[name];
      if (held !== undefined) (this.fields[name] as Field<any>).write(writer, held);
    }
  }
}

/** What a message type holds. */
export type MessageOf<M> = M extends MessageType<infer F> ? Held<F> : never;
