/**
 * A cursor over the bytes of a snapshot: fixed numbers, Redis's variable lengths, and strings in their four forms. Knows nothing of
 * keys or values.
 *
 * The idea to hold: a file is read through a window that slides, so the bytes of a record may end before the record does. Then a read
 * throws `needMore`, the owner widens the window and starts the record again; at the end of the file the same read is `Damaged`.
 * The invariant: nothing is allocated for a length before that many bytes are known to be there.
 */
import { stringLengthMax } from "../../store/StringBuffer.ts"
import { Damaged, StringEncoding } from "./Format.ts"
import { decompress, expandedMax } from "./Lzf.ts"

/** Thrown where the window ends before the record; one shared object, since it is only a jump. */
export const needMore: unique symbol = Symbol.for("tiny-redis/rdb/needMore")

/** A new buffer for every compressed string costs more than decompressing a short one. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

const twoTo32 = 0x1_0000_0000

/** A piece of a file: the bytes from `start` up to `end`, where they are, with their offset in the file. A cut of the buffer costs 150 ns. */
export interface Blob {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  readonly offset: number
  /** The bytes were compressed, so an index in them is no place in the file. */
  readonly isCompressed: boolean
  /** See `ByteReader.isStrict`. */
  readonly isStrict: boolean
}

/** The bytes of a blob alone. */
export const contents = ({ bytes, start, end }: Blob): Buffer => bytes.subarray(start, end)

/** What is wrong with a blob, at an index of its bytes. */
export const damaged = ({ offset, isCompressed }: Blob, index: number, reason: string): Damaged =>
  new Damaged(isCompressed ? offset : offset + index, reason)

export class ByteReader {
  bytes: Buffer
  position = 0
  /** Offset in the file of the first byte of `bytes`. */
  base: number
  /** Whether the file ends where `bytes` ends. */
  last: boolean
  /** Whether what stands in packed values only for being walked backwards must be right, too: this server reads them forwards. */
  isStrict = false

  constructor(bytes: Buffer, base = 0, last = true) {
    this.bytes = bytes
    this.base = base
    this.last = last
  }

  get offset(): number {
    return this.base + this.position
  }

  fail(reason: string): never {
    throw new Damaged(this.offset, reason)
  }

  /** Makes sure that `count` bytes follow. */
  need(count: number): void {
    if (this.position + count <= this.bytes.length) return
    if (this.last) this.fail("unexpected end")
    throw needMore
  }

  byte(): number {
    if (this.position >= this.bytes.length) this.need(1)
    return this.bytes[this.position++]
  }

  uint16(): number {
    this.need(2)
    const value = this.bytes.readUInt16LE(this.position)
    this.position += 2
    return value
  }

  uint32(): number {
    this.need(4)
    const value = this.bytes.readUInt32LE(this.position)
    this.position += 4
    return value
  }

  /** A signed 64-bit number of milliseconds; beyond 2^53 it loses its last digits, which no clock reaches. */
  milliseconds(): number {
    this.need(8)
    const value = this.bytes.readInt32LE(this.position + 4) * twoTo32 + this.bytes.readUInt32LE(this.position)
    this.position += 8
    return value
  }

  double(): number {
    this.need(8)
    const value = this.bytes.readDoubleLE(this.position)
    this.position += 8
    return value
  }

  /** `count` bytes as they are. The buffer is the window's: it is valid until the next record. */
  raw(count: number): Buffer {
    this.need(count)
    const from = this.position
    this.position += count
    return this.bytes.subarray(from, from + count)
  }

  /** A length; what does not fit 2^53 cannot be a length of anything. */
  length(): number {
    const first = this.byte()
    if (first < 0x40) return first
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte()
    return this.longLength(first)
  }

  private longLength(first: number): number {
    const value = this.longNumber(first)
    if (typeof value === "bigint") this.fail("length out of range")
    return value
  }

  private longNumber(first: number): number | bigint {
    if (first === 0x80) {
      this.need(4)
      const value = this.bytes.readUInt32BE(this.position)
      this.position += 4
      return value
    }
    if (first === 0x81) {
      this.need(8)
      const high = this.bytes.readUInt32BE(this.position)
      const low = this.bytes.readUInt32BE(this.position + 4)
      this.position += 8
      return high < 0x20_0000 ? high * twoTo32 + low : (BigInt(high) << 32n) | BigInt(low)
    }
    this.position--
    this.fail("a string encoding where a length belongs")
  }

  /** An unsigned 64-bit number in the encoding of lengths; a bigint beyond 2^53. */
  number(): number | bigint {
    const first = this.byte()
    if (first < 0x40) return first
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte()
    return this.longNumber(first)
  }

  /** A string; flat, since it is cut from a buffer and not from another string. */
  string(): string {
    const first = this.byte()
    if (first < 0x40) return this.plain(first)
    if (first >= 0xc0) return this.encoded(first & 0x3f)
    return this.plain(first < 0x80 ? ((first & 0x3f) << 8) | this.byte() : this.longLength(first))
  }

  /** A string, as bytes of its own where it is longer than a string of V8 can be: SETBIT makes such values. */
  text(): string | Buffer {
    const start = this.position
    const first = this.byte()
    const isCompressed = first === (0xc0 | StringEncoding.lzf)
    if (isCompressed || first === 0x80) {
      const length = isCompressed ? (this.length(), this.length()) : this.longLength(first)
      this.position = start
      if (length > stringLengthMax) return this.ownBytes()
    }
    this.position = start
    return this.string()
  }

  private ownBytes(): Buffer {
    const blob = this.blob()
    return blob.isCompressed ? blob.bytes : Buffer.from(contents(blob))
  }

  private plain(length: number): string {
    const from = this.position
    if (from + length > this.bytes.length) this.need(length)
    if (length > stringLengthMax) this.fail("string longer than this server can hold")
    this.position = from + length
    return this.bytes.latin1Slice(from, from + length)
  }

  private encoded(encoding: number): string {
    switch (encoding) {
      case StringEncoding.int8:
        return String((this.byte() << 24) >> 24)
      case StringEncoding.int16:
        return String((this.uint16() << 16) >> 16)
      case StringEncoding.int32:
        return String(this.uint32() | 0)
      case StringEncoding.lzf:
        return this.compressed(true).latin1Slice(0, this.decompressedSize)
      default:
        this.position--
        this.fail(`unknown string encoding ${encoding}`)
    }
  }

  /** Writes the next string, if it has up to `lengthMax` bytes, to `target` from `at` on; returns its end there, or -1. */
  textInto(target: Buffer, at: number, lengthMax: number): number {
    const first = this.byte()
    if (first < 0x40) {
      const from = this.position
      this.need(first)
      if (first > lengthMax) return -1
      for (let i = 0; i < first; i++) target[at + i] = this.bytes[from + i]
      this.position = from + first
      return at + first
    }
    this.position--
    const text = this.string()
    return text.length > lengthMax ? -1 : at + target.latin1Write(text, at, text.length)
  }

  private decompressedSize = 0

  /** Decompresses into a buffer of its own, or for a moment only into one that the next call uses again. */
  private compressed(forNow: boolean): Buffer {
    const start = this.offset
    const compressedLength = this.length()
    const length = this.length()
    this.need(compressedLength)
    if (forNow && length > stringLengthMax) throw new Damaged(start, "string longer than this server can hold")
    if (length > expandedMax(compressedLength)) throw new Damaged(start, "compressed string with an impossible length")
    const output = forNow && length <= scratch.length ? scratch : Buffer.allocUnsafeSlow(length)
    const from = this.position
    this.position += compressedLength
    if (!decompress(this.bytes, from, this.position, output, length)) {
      throw new Damaged(start, "compressed string does not decompress")
    }
    this.decompressedSize = length
    return output
  }

  /** A string that is the inside of a value (a ziplist, a listpack, ...). Valid until the next record. */
  blob(): Blob {
    const offset = this.offset
    const first = this.byte()
    if (first >= 0xc0) {
      const bytes =
        first === (0xc0 | StringEncoding.lzf)
          ? this.compressed(false)
          : Buffer.from(this.encoded(first & 0x3f), "latin1")
      return { bytes, start: 0, end: bytes.length, offset, isCompressed: true, isStrict: this.isStrict }
    }
    const length = first < 0x40 ? first : first < 0x80 ? ((first & 0x3f) << 8) | this.byte() : this.longLength(first)
    const start = this.position
    this.need(length)
    this.position = start + length
    const end = start + length
    return { bytes: this.bytes, start, end, offset: this.base + start, isCompressed: false, isStrict: this.isStrict }
  }
}
