/**
 * The 64-bit CRC that Redis puts at the end of RDB files and DUMP payloads: the Jones polynomial, reflected, starting from
 * zero and without a final xor. The check value of "123456789" is e9c6d914c4b8d9ca.
 *
 * The idea to hold: JavaScript has no fast 64-bit integer, so the state is two 32-bit halves, and eight bytes are taken per
 * step through eight tables (slicing by eight): 400 MB/s measured, where bigint gives 5.
 */

/** The polynomial ad93d23594c935a9 with its bits in reverse order, as two halves. */
const polynomialHigh = 0x95ac9329 | 0
const polynomialLow = 0xac4bc9b5 | 0

/** `low[256 * n + b]` and `high[...]`: what byte `b` contributes with `n` further bytes behind it. */
const low = new Int32Array(8 * 256)
const high = new Int32Array(8 * 256)
for (let byte = 0; byte < 256; byte++) {
  let l = byte
  let h = 0
  for (let bit = 0; bit < 8; bit++) {
    const odd = (l & 1) === 1
    l = (l >>> 1) | (h << 31)
    h = h >>> 1
    if (odd) {
      l ^= polynomialLow
      h ^= polynomialHigh
    }
  }
  low[byte] = l
  high[byte] = h
}
for (let index = 256; index < low.length; index++) {
  const l = low[index - 256]
  const h = high[index - 256]
  low[index] = low[l & 255] ^ ((l >>> 8) | (h << 24))
  high[index] = high[l & 255] ^ (h >>> 8)
}

/** Bytes of a string are looked at through this buffer, a piece at a time. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

/** A checksum in progress: feed it bytes in any pieces, read `value` at any time. */
export class Crc64 {
  /** The halves of the state, signed 32-bit. */
  private low = 0
  private high = 0

  /** Takes `bytes` from `start` up to but not including `end`. The bytes are not kept. */
  update(bytes: Uint8Array, start = 0, end = bytes.length): this {
    let l = this.low
    let h = this.high
    let at = start
    for (const last = end - 7; at < last; at += 8) {
      const a = l ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24))
      const b = h ^ (bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24))
      const t7 = 1792 + (a & 255)
      const t6 = 1536 + ((a >>> 8) & 255)
      const t5 = 1280 + ((a >>> 16) & 255)
      const t4 = 1024 + (a >>> 24)
      const t3 = 768 + (b & 255)
      const t2 = 512 + ((b >>> 8) & 255)
      const t1 = 256 + ((b >>> 16) & 255)
      const t0 = b >>> 24
      l = low[t7] ^ low[t6] ^ low[t5] ^ low[t4] ^ low[t3] ^ low[t2] ^ low[t1] ^ low[t0]
      h = high[t7] ^ high[t6] ^ high[t5] ^ high[t4] ^ high[t3] ^ high[t2] ^ high[t1] ^ high[t0]
    }
    for (; at < end; at++) {
      const index = (l ^ bytes[at]) & 255
      l = low[index] ^ ((l >>> 8) | (h << 24))
      h = high[index] ^ (h >>> 8)
    }
    this.low = l
    this.high = h
    return this
  }

  /** Takes the bytes of a byte string. */
  updateString(bytes: string): this {
    for (let at = 0; at < bytes.length; at += scratch.length) {
      const piece = bytes.length <= scratch.length ? bytes : bytes.slice(at, at + scratch.length)
      this.update(scratch, 0, scratch.latin1Write(piece, 0, piece.length))
    }
    return this
  }

  /** The checksum of everything taken so far. */
  get value(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0)
  }

  /** Writes the checksum as eight bytes, little-endian, as RDB files and DUMP payloads end. */
  write(target: Buffer, offset: number): void {
    target.writeInt32LE(this.low, offset)
    target.writeInt32LE(this.high, offset + 4)
  }

  /** Whether the eight bytes at `offset` are this checksum. */
  matches(source: Buffer, offset: number): boolean {
    return source.readInt32LE(offset) === this.low && source.readInt32LE(offset + 4) === this.high
  }
}

/** The checksum of one piece of bytes. */
export const crc64 = (bytes: Uint8Array | string): bigint =>
  typeof bytes === "string" ? new Crc64().updateString(bytes).value : new Crc64().update(bytes).value
