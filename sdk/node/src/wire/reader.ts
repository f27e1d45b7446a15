/** Reads the protobuf wire format: varints, lengths and the slices they announce. */

import { PluginError } from "../errors.js";

const HIGH = 0x1_0000_0000;

/** How a field's value is laid out. */
export const enum Wire {
  Varint = 0,
  Fixed64 = 1,
  Bytes = 2,
  Fixed32 = 5,
}

/** A position in the bytes of one message. */
export class Reader {
  position: number;

  constructor(
    readonly bytes: Buffer,
    start = 0,
    readonly end: number = bytes.length,
  ) {
    this.position = start;
  }

  /** Whether there is more. */
  get more(): boolean {
    return this.position < this.end;
  }

  /** Read a varint as an unsigned 32-bit number; higher bits are dropped, as protobuf does. */
  uint32(): number {
    const { bytes } = this;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.end) break;
      const byte = bytes[this.position++] as number;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed("a varint has no end");
  }

  /**
   * Read a varint as a signed 64-bit integer.
   *
   * @throws PluginError `message.number_too_large`: it is beyond 2^53.
   */
  int64(): number {
    const [low, high] = this.halves();
    return exact((high | 0) * HIGH + low);
  }

  /** Read a varint as an unsigned 64-bit integer; errors as in `int64`. */
  uint64(): number {
    const [low, high] = this.halves();
    return exact(high * HIGH + low);
  }

  private halves(): [number, number] {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.end) break;
      const byte = this.bytes[this.position++] as number;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 24) high |= shift < 32 ? bits >>> (32 - shift) : bits << (shift - 32);
      if (byte < 0x80) return [low >>> 0, high >>> 0];
    }
    throw malformed("a varint has no end");
  }

  /** Read a double. */
  double(): number {
    const start = this.advance(8);
    return this.bytes.readDoubleLE(start);
  }

  /** Read a length and step over what it announces; return where that ends, and where it starts in `start`. */
  slice(): number {
    const length = this.uint32();
    this.start = this.advance(length);
    return this.position;
  }

  /** Where the slice that was read last starts. */
  start = 0;

  /** Step over a value of the given wire type. */
  skip(wire: number): void {
    if (wire === Wire.Varint) this.uint32();
    else if (wire === Wire.Fixed64) this.advance(8);
    else if (wire === Wire.Bytes) this.slice();
    else if (wire === Wire.Fixed32) this.advance(4);
    else throw malformed(`unknown wire type ${wire}`);
  }

  private advance(length: number): number {
    const start = this.position;
    if (start + length > this.end) throw malformed(`${length} bytes announced, ${this.end - start} left`);
    this.position = start + length;
    return start;
  }
}

function exact(value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new PluginError("an integer beyond 2^53 has no exact JavaScript number", { code: "message.number_too_large" });
}

/** Return the error of bytes that are no protobuf message. */
export function malformed(why: string): PluginError {
  return new PluginError(`expected a protobuf message: ${why}`, { code: "message.wire_invalid" });
}
