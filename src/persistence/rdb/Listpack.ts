/**
 * The listpack, in which Redis 7 keeps small lists, hashes, sorted sets and the entries of streams: a header of total bytes (4) and
 * element count (2), then elements, then 0xff. An element is an encoded integer or string followed by its own length, to be walked
 * backwards.
 *
 * The idea to hold: an element that reads as a canonical 64-bit integer is stored as one; callers only ever see byte strings, or
 * numbers where they ask for numbers.
 */
import { parseInteger } from "../../bytes/Numbers.ts"
import { isBackLength } from "../../store/ListpackElement.ts"
import { type Blob, damaged } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"

const headerSize = 6
const terminator = 0xff
/** The count in the header from which on it means "count them". */
const countUnknown = 0xffff

/** How many bytes the length of an element of `size` bytes takes behind it: 7 bits a byte. The odd limits are Redis's. */
const backLengthSize = (size: number): number =>
  size <= 127 ? 1 : size < 16383 ? 2 : size < 2097151 ? 3 : size < 268435455 ? 4 : 5

/** Walks the elements of one listpack, checking every step against the end. */
export class ListpackReader {
  private readonly bytes: Buffer
  private readonly blob: Blob
  /** Index of the terminator. */
  private readonly end: number
  private position: number

  constructor(blob: Blob) {
    const { bytes, start, end } = blob
    if (end - start < headerSize + 1) throw damaged(blob, 0, "listpack too short")
    if (bytes.readUInt32LE(start) !== end - start) throw damaged(blob, 0, "listpack with a wrong length")
    if (bytes[end - 1] !== terminator) throw damaged(blob, 0, "listpack without an end")
    this.bytes = bytes
    this.blob = blob
    this.end = end - 1
    this.position = start + headerSize
  }

  get done(): boolean {
    return this.position >= this.end
  }

  /** The count that the header states, or -1. */
  get count(): number {
    const count = this.bytes.readUInt16LE(this.blob.start + 4)
    return count === countUnknown ? -1 : count
  }

  fail(reason: string): never {
    throw damaged(this.blob, this.position - this.blob.start, reason)
  }

  /** Takes `payload` bytes behind `header` bytes and the length behind them; returns where the payload starts. */
  private take(header: number, payload: number): number {
    const size = header + payload
    const start = this.position + header
    const next = this.position + size + backLengthSize(size)
    if (next > this.end) this.fail("listpack element crosses the end")
    if (this.blob.isStrict && !isBackLength(this.bytes, start - header, next))
      this.fail("listpack element with a wrong length behind it")
    this.position = next
    return start
  }

  next(): string {
    const bytes = this.bytes
    const first = this.peek()
    if (first < 0x80) {
      this.take(1, 0)
      return String(first)
    }
    if (first < 0xc0) {
      const length = first & 0x3f
      const start = this.take(1, length)
      return bytes.latin1Slice(start, start + length)
    }
    if (first >= 0xe0 && first < 0xf1) {
      const length = first === 0xf0 ? this.wideLength() : ((first & 0x0f) << 8) | this.second()
      const start = this.take(first === 0xf0 ? 5 : 2, length)
      return bytes.latin1Slice(start, start + length)
    }
    return String(this.integer(first))
  }

  /** The next element if it is an integer of up to 32 bits; else it stays. */
  smallInteger(): number | undefined {
    const first = this.peek()
    if (first < 0x80) {
      this.take(1, 0)
      return first
    }
    return (first >= 0xc0 && first < 0xe0) || (first >= 0xf1 && first <= 0xf3) ? Number(this.integer(first)) : undefined
  }

  /** Writes the bytes of the next element to `target` from `at` on, where there must be room; returns their end. */
  textInto(target: Buffer, at: number): number {
    const { bytes } = this
    const first = this.peek()
    if (first >= 0x80 && first < 0xc0) {
      const length = first & 0x3f
      const start = this.take(1, length)
      for (let i = 0; i < length; i++) target[at + i] = bytes[start + i]
      return at + length
    }
    if (first < 100) {
      this.take(1, 0)
      if (first < 10) {
        target[at] = 48 + first
        return at + 1
      }
      const tens = (first / 10) | 0
      target[at] = 48 + tens
      target[at + 1] = 48 + first - 10 * tens
      return at + 2
    }
    const text = this.next()
    return at + target.latin1Write(text, at, text.length)
  }

  /** All elements. */
  all(): Array<string> {
    const values: Array<string> = []
    while (this.position < this.end) values.push(this.next())
    const count = this.count
    if (count >= 0 && count !== values.length) throw damaged(this.blob, 0, "listpack with a wrong count")
    return values
  }

  private peek(): number {
    if (this.position >= this.end) this.fail("listpack ends early")
    return this.bytes[this.position]
  }

  private second(): number {
    if (this.position + 1 >= this.end) this.fail("listpack element crosses the end")
    return this.bytes[this.position + 1]
  }

  private wideLength(): number {
    if (this.position + 5 > this.end) this.fail("listpack element crosses the end")
    return this.bytes.readUInt32LE(this.position + 1)
  }

  private integer(first: number): number | bigint {
    const bytes = this.bytes
    if (first < 0xe0) {
      const low = this.second()
      this.take(2, 0)
      return ((((first & 0x1f) << 8) | low) << 19) >> 19
    }
    switch (first) {
      case 0xf1:
        return bytes.readInt16LE(this.take(1, 2))
      case 0xf2:
        return bytes.readIntLE(this.take(1, 3), 3)
      case 0xf3:
        return bytes.readInt32LE(this.take(1, 4))
      case 0xf4: {
        const value = bytes.readBigInt64LE(this.take(1, 8))
        const narrow = Number(value)
        return Number.isSafeInteger(narrow) ? narrow : value
      }
      default:
        this.fail("unknown listpack element")
    }
  }
}

/** Builds one listpack after another in the same buffer. */
export class ListpackWriter {
  private bytes = Buffer.allocUnsafeSlow(1024)
  private position = headerSize
  count = 0

  /** Bytes so far, the end included. */
  get size(): number {
    return this.position + 1
  }

  clear(): void {
    this.position = headerSize
    this.count = 0
  }

  private room(count: number): void {
    const wanted = this.position + count
    if (wanted <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.position)
    this.bytes = larger
  }

  string(value: string): void {
    const length = value.length
    if (length > 0 && length <= 20) {
      const first = value.charCodeAt(0)
      if (first <= 57 && (first >= 48 || first === 45)) {
        const integer = parseInteger(value)
        if (integer !== undefined) {
          this.integer(integer)
          return
        }
      }
    }
    this.room(length + 10)
    const start = this.position
    const bytes = this.bytes
    let at = start
    if (length < 64) bytes[at++] = 0x80 | length
    else if (length < 4096) {
      bytes[at++] = 0xe0 | (length >> 8)
      bytes[at++] = length & 255
    } else {
      bytes[at++] = 0xf0
      at = bytes.writeUInt32LE(length, at)
    }
    at += bytes.latin1Write(value, at, length)
    this.finishElement(start, at)
  }

  integer(value: number | bigint): void {
    this.room(10)
    const start = this.position
    const bytes = this.bytes
    let at = start
    if (typeof value === "bigint") {
      bytes[at++] = 0xf4
      at = bytes.writeBigInt64LE(value, at)
    } else if (value >= 0 && value < 128) bytes[at++] = value
    else if (value >= -4096 && value < 4096) {
      bytes[at++] = 0xc0 | ((value >> 8) & 0x1f)
      bytes[at++] = value & 255
    } else if (value >= -32768 && value < 32768) {
      bytes[at++] = 0xf1
      at = bytes.writeInt16LE(value, at)
    } else if (value >= -8388608 && value < 8388608) {
      bytes[at++] = 0xf2
      at = bytes.writeIntLE(value, at, 3)
    } else if (value >= -2147483648 && value < 2147483648) {
      bytes[at++] = 0xf3
      at = bytes.writeInt32LE(value, at)
    } else {
      bytes[at++] = 0xf4
      at = bytes.writeBigInt64LE(BigInt(value), at)
    }
    this.finishElement(start, at)
  }

  /** Writes the length of the element behind it, most significant 7 bits first, as it is read from the right. */
  private finishElement(start: number, end: number): void {
    const size = end - start
    const bytes = this.bytes
    const count = backLengthSize(size)
    let at = end
    for (let i = count - 1; i >= 0; i--) {
      const seven = Math.floor(size / 128 ** i) & 127
      bytes[at++] = i === count - 1 ? seven : seven | 128
    }
    this.position = at
    this.count++
  }

  /** Ends the listpack and puts it into `out` as a string; then a new one begins. */
  writeTo(out: ByteWriter): void {
    this.room(1)
    this.bytes[this.position++] = terminator
    this.bytes.writeUInt32LE(this.position, 0)
    this.bytes.writeUInt16LE(Math.min(this.count, countUnknown), 4)
    out.blob(this.bytes.subarray(0, this.position))
    this.clear()
  }
}
