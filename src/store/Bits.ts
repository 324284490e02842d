/**
 * Bits of string values: counting, searching, combining, and integers of any width. Bit 0 is the most significant bit of the
 * first byte, as SETBIT counts.
 *
 * The idea to hold: whole 32-bit words are handled at once wherever a range allows it (order of bytes does not matter for
 * counting and combining), so a 512 MiB bitmap is counted in a fraction of a second. Positions reach 2^32 and beyond, so
 * they are divided, never shifted.
 */
import { StringBuffer } from "./StringBuffer.ts"
import { bytesOf, type StringValue } from "./Value.ts"

const scratch = Buffer.allocUnsafeSlow(16 * 1024)

/** The bytes of a value, to be read before the next call; they count up to `lengthOf(value)` only. */
export const readable = (value: StringValue): Uint8Array => {
  if (value instanceof StringBuffer) return value.bytes
  const bytes = bytesOf(value)
  const into = bytes.length <= scratch.length ? scratch : Buffer.allocUnsafeSlow(bytes.length)
  into.latin1Write(bytes, 0, bytes.length)
  return into
}

/** Like `readable`, in memory of their own. */
export const copied = (value: StringValue): Uint8Array => {
  if (value instanceof StringBuffer) return value.view()
  const bytes = bytesOf(value)
  const into = Buffer.allocUnsafeSlow(bytes.length)
  into.latin1Write(bytes, 0, bytes.length)
  return into
}

export const lengthOf = (value: StringValue): number =>
  typeof value === "string" ? value.length : typeof value === "number" ? String(value).length : value.size

const onesInByte = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length)

/** From this many bytes on, a view of words pays for itself. */
const wordsPayFrom = 64

/** How many bits are set in the bytes from `start` up to but not including `end`. */
export const countBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let count = 0
  let at = start
  if (end - start >= wordsPayFrom && (bytes.byteOffset & 3) === 0) {
    while ((at & 3) !== 0) count += onesInByte[bytes[at++]]
    const wordEnd = end >>> 2
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, wordEnd)
    for (let index = at >>> 2; index < wordEnd; index++) {
      let word = words[index]
      word = (word & 0x55555555) + ((word >>> 1) & 0x55555555)
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
      count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
    }
    at = wordEnd * 4
  }
  while (at < end) count += onesInByte[bytes[at++]]
  return count
}

/** How many bits are set from bit `first` to bit `last`, both included. */
export const countBits = (bytes: Uint8Array, first: number, last: number): number => {
  const start = Math.floor(first / 8)
  const end = Math.floor(last / 8)
  const before = bytes[start] & ~(0xff >>> (first & 7))
  const after = bytes[end] & (0xff >>> ((last & 7) + 1))
  return countBytes(bytes, start, end + 1) - onesInByte[before] - onesInByte[after]
}

/** The position of the first bit of value `bit` from bit `first` to bit `last`, both included, or -1. */
export const findBit = (bytes: Uint8Array, bit: number, first: number, last: number): number => {
  // Bytes are turned so that a set bit is what is looked for.
  const turn = bit === 1 ? 0 : 0xff
  const end = Math.floor(last / 8)
  let at = Math.floor(first / 8)
  let byte = (bytes[at] ^ turn) & (0xff >>> (first & 7))
  if (byte === 0 && at < end) {
    at = skipBytes(bytes, turn, at + 1, end)
    byte = bytes[at] ^ turn
  }
  if (byte === 0) return -1
  const found = at * 8 + Math.clz32(byte) - 24
  return found <= last ? found : -1
}

/** The first position from `start` on whose byte is not `skipped`, at most `end`. */
const skipBytes = (bytes: Uint8Array, skipped: number, start: number, end: number): number => {
  let at = start
  if (end - start >= wordsPayFrom && (bytes.byteOffset & 3) === 0) {
    while ((at & 3) !== 0 && bytes[at] === skipped) at++
    if ((at & 3) === 0) {
      const wordEnd = end >>> 2
      const words = new Int32Array(bytes.buffer, bytes.byteOffset, wordEnd)
      const word = skipped === 0 ? 0 : -1
      let index = at >>> 2
      while (index < wordEnd && words[index] === word) index++
      at = index * 4
    }
  }
  while (at < end && bytes[at] === skipped) at++
  return at
}

/** `target[i] op= source[i]` for BITOP; where the source ends it reads as zeros. Both begin their memory. */
export const combine = (operation: "AND" | "OR" | "XOR", target: Buffer, source: Uint8Array): void => {
  const common = Math.min(source.length, target.length)
  const wordCount = (source.byteOffset & 3) === 0 && common >= wordsPayFrom ? common >>> 2 : 0
  const into = new Int32Array(target.buffer, target.byteOffset, wordCount)
  const from = wordCount === 0 ? into : new Int32Array(source.buffer, source.byteOffset, wordCount)
  let at = wordCount * 4
  switch (operation) {
    case "AND":
      for (let index = 0; index < wordCount; index++) into[index] &= from[index]
      for (; at < common; at++) target[at] &= source[at]
      target.fill(0, common)
      return
    case "OR":
      for (let index = 0; index < wordCount; index++) into[index] |= from[index]
      for (; at < common; at++) target[at] |= source[at]
      return
    case "XOR":
      for (let index = 0; index < wordCount; index++) into[index] ^= from[index]
      for (; at < common; at++) target[at] ^= source[at]
  }
}

/** Inverts every bit. */
export const invert = (target: Buffer): void => {
  const wordCount = target.length >>> 2
  const words = new Int32Array(target.buffer, target.byteOffset, wordCount)
  for (let index = 0; index < wordCount; index++) words[index] = ~words[index]
  for (let at = wordCount * 4; at < target.length; at++) target[at] ^= 0xff
}

/**
 * The unsigned integer of `width` bits at bit `offset`; bytes from `length` on read as zeros. A number up to 46 bits, which
 * then span at most 53, and a bigint for wider ones.
 */
export const readBits = (bytes: Uint8Array, length: number, offset: number, width: number): number | bigint => {
  const start = Math.floor(offset / 8)
  const skip = offset & 7
  const count = Math.ceil((skip + width) / 8)
  const behind = count * 8 - skip - width
  if (width <= 46) {
    let value = start < length ? bytes[start] & (0xff >>> skip) : 0
    for (let n = 1; n < count; n++) value = value * 256 + (start + n < length ? bytes[start + n] : 0)
    return Math.floor(value / 2 ** behind)
  }
  let value = 0n
  for (let n = 0; n < count; n++) value = (value << 8n) | BigInt(start + n < length ? bytes[start + n] : 0)
  return BigInt.asUintN(width, value >> BigInt(behind))
}

/** Writes the lowest `width` bits of `value` at bit `offset`; the bytes must be there. */
export const writeBits = (bytes: Uint8Array, offset: number, width: number, value: number | bigint): void => {
  if (typeof value === "bigint") return writeWide(bytes, offset, width, value)
  let rest = value < 0 ? value + 2 ** width : value
  for (let left = width; left > 0;) {
    const taken = Math.min(left, ((offset + left - 1) & 7) + 1)
    writePart(bytes, offset + left - 1, taken, rest % 256)
    rest = Math.floor(rest / 2 ** taken)
    left -= taken
  }
}

const writeWide = (bytes: Uint8Array, offset: number, width: number, value: bigint): void => {
  let rest = BigInt.asUintN(width, value)
  for (let left = width; left > 0;) {
    const taken = Math.min(left, ((offset + left - 1) & 7) + 1)
    writePart(bytes, offset + left - 1, taken, Number(rest & 0xffn))
    rest >>= BigInt(taken)
    left -= taken
  }
}

/** Writes the lowest `count` bits of `bits` into one byte, so that the last of them is bit `last`. */
const writePart = (bytes: Uint8Array, last: number, count: number, bits: number): void => {
  const at = Math.floor(last / 8)
  const behind = 7 - (last & 7)
  const mask = (0xff >>> (8 - count)) << behind
  bytes[at] = (bytes[at] & ~mask) | ((bits << behind) & mask)
}
