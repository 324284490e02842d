/**
 * Builds the bytes of a snapshot in one growing buffer: fixed numbers, Redis's variable lengths, and strings in the shortest of their
 * forms. Knows nothing of keys or values; whoever owns it empties it to the file from time to time.
 *
 * The idea to hold: a string of up to 11 digits becomes a number and one longer than 20 bytes is tried with LZF, exactly where
 * redis-server does so, which keeps the payloads of DUMP comparable.
 */
import { parseInteger } from "../../bytes/Numbers.ts"
import { StringEncoding } from "./Format.ts"
import { compress } from "./Lzf.ts"

const twoTo32 = 0x1_0000_0000
/** Strings up to this length may be a 32-bit number in digits. */
const integerCharsMax = 11
/** Shorter strings are never compressed. */
const compressedLengthMin = 21

/** Where a string stands while it is compressed: a buffer for each would be a collection now and then. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024)

export class ByteWriter {
  bytes: Buffer
  /** The buffer that was written before this one. */
  private other: Buffer | undefined
  /** How many of `bytes` are written. */
  size = 0
  readonly compression: boolean

  constructor(capacity: number, compression: boolean) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
    this.compression = compression
  }

  /** Makes room for `count` more bytes. */
  room(count: number): void {
    const wanted = this.size + count
    if (wanted <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.size)
    this.bytes = larger
  }

  /** What is written so far, as a view that the next write invalidates. */
  get written(): Buffer {
    return this.bytes.subarray(0, this.size)
  }

  clear(): void {
    this.size = 0
  }

  /** What is written so far, which stays until this is called again: what comes now is written into another buffer. */
  swap(): Buffer {
    const { written, bytes } = this
    this.bytes = this.other ?? Buffer.allocUnsafeSlow(bytes.length)
    this.other = bytes
    this.size = 0
    return written
  }

  byte(value: number): void {
    this.room(1)
    this.bytes[this.size++] = value
  }

  uint16(value: number): void {
    this.room(2)
    this.size = this.bytes.writeUInt16LE(value, this.size)
  }

  milliseconds(value: number): void {
    this.room(8)
    const high = Math.floor(value / twoTo32)
    this.bytes.writeUInt32LE(value - high * twoTo32, this.size)
    this.bytes.writeInt32LE(high, this.size + 4)
    this.size += 8
  }

  double(value: number): void {
    this.room(8)
    this.size = this.bytes.writeDoubleLE(value, this.size)
  }

  /** An unsigned 64-bit number, big-endian: half of a stream id. */
  bigEndian64(value: number | bigint): void {
    this.room(8)
    this.size = this.bytes.writeBigUInt64BE(BigInt(value), this.size)
  }

  /** An unsigned number in the encoding of lengths. */
  length(value: number | bigint): void {
    this.room(9)
    if (value < 0x40) this.bytes[this.size++] = Number(value)
    else if (value < 0x4000) this.size = this.bytes.writeUInt16BE(Number(value) | 0x4000, this.size)
    else if (value < twoTo32) {
      this.bytes[this.size++] = 0x80
      this.size = this.bytes.writeUInt32BE(Number(value), this.size)
    } else {
      this.bytes[this.size++] = 0x81
      this.size = this.bytes.writeBigUInt64BE(BigInt(value), this.size)
    }
  }

  string(value: string): void {
    const length = value.length
    if (length <= integerCharsMax && this.integerString(value)) return
    if (this.compression && length >= compressedLengthMin) {
      const bytes = length <= scratch.length ? scratch : Buffer.allocUnsafeSlow(length)
      bytes.latin1Write(value, 0, length)
      if (this.compressedString(bytes, length)) return
    }
    this.length(length)
    this.room(length)
    this.size += this.bytes.latin1Write(value, this.size, length)
  }

  /** Bytes that are the inside of a value, as a string. */
  blob(value: Buffer): void {
    if (this.compression && value.length >= compressedLengthMin && this.compressedString(value, value.length)) return
    this.length(value.length)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    this.room(value.length)
    this.bytes.set(value, this.size)
    this.size += value.length
  }

  private integerString(value: string): boolean {
    const first = value.charCodeAt(0)
    if (!(first <= 57 && (first >= 48 || first === 45))) return false
    const integer = parseInteger(value)
    if (typeof integer !== "number" || (integer | 0) !== integer) return false
    this.integer(integer)
    return true
  }

  /** A string that is a 32-bit number. */
  integer(value: number): void {
    this.room(5)
    if ((value << 24) >> 24 === value) {
      this.bytes[this.size++] = 0xc0 | StringEncoding.int8
      this.size = this.bytes.writeInt8(value, this.size)
    } else if ((value << 16) >> 16 === value) {
      this.bytes[this.size++] = 0xc0 | StringEncoding.int16
      this.size = this.bytes.writeInt16LE(value, this.size)
    } else {
      this.bytes[this.size++] = 0xc0 | StringEncoding.int32
      this.size = this.bytes.writeInt32LE(value, this.size)
    }
  }

  /** False, with nothing written, if compression would not save at least four bytes. */
  private compressedString(value: Buffer, length: number): boolean {
    const start = this.size
    // The compressed length stands in front and is known afterwards: compress behind the longest header, then close the gap.
    const headerMax = 1 + 9 + 9
    this.room(headerMax + length)
    const from = start + headerMax
    const end = compress(value, this.bytes, from, length - 4, length)
    if (end < 0) return false
    this.bytes[this.size++] = 0xc0 | StringEncoding.lzf
    this.length(end - from)
    this.length(length)
    this.bytes.copyWithin(this.size, from, end)
    this.size += end - from
    return true
  }
}
