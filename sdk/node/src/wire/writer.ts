/** Writes the protobuf wire format into one growing buffer. */

import { PluginError } from "../errors.js";

const HIGH = 0x1_0000_0000;

/** The bytes of one message in the making. */
export class Writer {
  private buffer = Buffer.allocUnsafe(1024);
  private position = 0;

  /** Return what was written. The writer is not used again. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.position);
  }

  /** Write an unsigned 32-bit number as a varint. */
  uint32(value: number): void {
    this.reserve(5);
    this.put(value);
  }

  private put(value: number): void {
    while (value > 0x7f) {
      this.buffer[this.position++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.buffer[this.position++] = value;
  }

  /**
   * Write an integer as a varint of 64 bits; a negative one in two's complement.
   *
   * @throws PluginError `message.number_too_large`: it is no integer, or beyond 2^53.
   */
  int64(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new PluginError(`expected an integer below 2^53, got \`${value}\``, { code: "message.number_too_large" });
    }
    this.reserve(10);
    let high = Math.floor(value / HIGH) >>> 0;
    let low = value >>> 0;
    while (high > 0 || low > 0x7f) {
      this.buffer[this.position++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.buffer[this.position++] = low;
  }

  /** Write a double. */
  double(value: number): void {
    this.reserve(8);
    this.position = this.buffer.writeDoubleLE(value, this.position);
  }

  /** Write a text or bytes with their length. */
  bytes(value: string | Uint8Array): void {
    if (typeof value !== "string") return this.copy(value, 0, value.length);
    const length = Buffer.byteLength(value);
    this.reserve(length + 5);
    this.put(length);
    this.position += this.buffer.write(value, this.position);
  }

  /** Write bytes `start` to `end` of `from` with their length. */
  copy(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start + 5);
    this.put(end - start);
    if (Buffer.isBuffer(from)) from.copy(this.buffer, this.position, start, end);
    else this.buffer.set(from.subarray(start, end), this.position);
    this.position += end - start;
  }

  /** Write whatever `write` writes, with its length before it. */
  nested(write: () => void): void {
    this.reserve(1);
    const start = ++this.position;
    write();
    const length = this.position - start;
    if (length > 0x7f) this.widen(start, length);
    else this.buffer[start - 1] = length;
  }

  /** Make room for a length of more than one byte before what begins at `start`. */
  private widen(start: number, length: number): void {
    const extra = length < 1 << 14 ? 1 : length < 1 << 21 ? 2 : length < 1 << 28 ? 3 : 4;
    this.reserve(extra);
    this.buffer.copyWithin(start + extra, start, this.position);
    const end = this.position + extra;
    this.position = start - 1;
    this.put(length);
    this.position = end;
  }

  private reserve(length: number): void {
    const needed = this.position + length;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.position);
    this.buffer = grown;
  }
}
