/**
 * One key as words, and its hash: what a look-up compares and where it begins to look.
 *
 * The idea to hold: a look-up writes its key once into a scratch area, four bytes a word, the rest of the last word zero. Hashing and
 * comparing then go by words. Charwise work wins below some 20 bytes (45 ns for 16, where a call of `latin1Write` costs 65).
 *
 * The hash is HalfSipHash-1-3 (Aumasson and Bernstein), which Linux uses for its tables: 18 ns for 16 bytes, and since it is keyed per
 * process a client cannot prepare keys that collide. Multiplying and shifting alone would be 10 ns cheaper, but keys that differ in
 * high bits of two words then collide under every seed.
 */
import { randomBytes } from "node:crypto"

/** Keys up to so many bytes stand in the record of their value; longer ones are kept as strings. */
export const inlineKeyMax = 1024

const writtenCharwiseMax = 20

const scratch = Buffer.alloc(inlineKeyMax + 8)
/** The words of the key that `load` got last; meaningless for keys longer than `inlineKeyMax`. */
export const words = new Int32Array(scratch.buffer, scratch.byteOffset, scratch.length >>> 2)

const secret = randomBytes(8)
const secretLow = secret.readInt32LE(0)
const secretHigh = secret.readInt32LE(4)

/** How many words hold `length` bytes. */
export const wordsFor = (length: number): number => (length + 3) >>> 2

/**
 * How often `words` was written, so that who wrote them knows whether they are still there. A number, since keeping the key itself costs
 * the collector's note about an old object that points to a new one.
 */
export let loads = 0

/** Writes `key` into `words` and answers its hash. */
export const load = (key: string): number => {
  loads = (loads + 1) | 0
  const { length } = key
  if (length > writtenCharwiseMax) return loadLong(key)
  const whole = length & ~3
  let at = 0
  let word = 0
  for (; at < whole; at += 4) {
    words[word++] =
      key.charCodeAt(at) |
      (key.charCodeAt(at + 1) << 8) |
      (key.charCodeAt(at + 2) << 16) |
      (key.charCodeAt(at + 3) << 24)
  }
  if (at < length) {
    let last = key.charCodeAt(at)
    if (at + 1 < length) last |= key.charCodeAt(at + 1) << 8
    if (at + 2 < length) last |= key.charCodeAt(at + 2) << 16
    words[word++] = last
  }
  return hashOf(words, 0, length)
}

/** As `load`, for a key of up to `inlineKeyMax` bytes that stands in `source` from `start` on. */
export const loadBytes = (source: DataView, start: number, length: number): number => {
  loads = (loads + 1) | 0
  const end = start + length
  let at = start
  let word = 0
  for (; at + 4 <= end; at += 4) words[word++] = source.getInt32(at, true)
  if (at < end) {
    let last = source.getUint8(at)
    if (at + 1 < end) last |= source.getUint8(at + 1) << 8
    if (at + 2 < end) last |= source.getUint8(at + 2) << 16
    words[word] = last
  }
  return hashOf(words, 0, length)
}

/** As `load`, for a key of up to `inlineKeyMax` bytes whose words are there, without its hash. */
export const loadWords = (source: Int32Array, from: number, length: number): void => {
  loads = (loads + 1) | 0
  const count = wordsFor(length)
  for (let i = 0; i < count; i++) words[i] = source[from + i]
}

const loadLong = (key: string): number => {
  const { length } = key
  if (length > inlineKeyMax) {
    // Piece by piece, each with the hash of those before it.
    let hash = 0
    for (let from = 0; from < length; from += inlineKeyMax) {
      hash = (Math.imul(hash, 31) + load(key.substring(from, from + inlineKeyMax))) | 0
    }
    return hash
  }
  words[(length - 1) >>> 2] = 0
  scratch.latin1Write(key, 0, length)
  return hashOf(words, 0, length)
}

/** The hash of a key of `length` bytes that stands in `source` from word `from` on, filled up with zero bytes. */
export const hashOf = (source: Int32Array, from: number, length: number): number => {
  let a = secretLow
  let b = secretHigh
  let c = secretLow ^ 0x6c796765
  let d = secretHigh ^ 0x74656462
  const end = from + ((length + 3) >>> 2)
  for (let at = from; at <= end; at++) {
    // The length comes last, so that zero bytes at the end of a key count.
    const word = at < end ? source[at] : length
    d ^= word
    a = (a + b) | 0
    b = ((b << 5) | (b >>> 27)) ^ a
    a = (a << 16) | (a >>> 16)
    c = (c + d) | 0
    d = ((d << 8) | (d >>> 24)) ^ c
    a = (a + d) | 0
    d = ((d << 7) | (d >>> 25)) ^ a
    c = (c + b) | 0
    b = ((b << 13) | (b >>> 19)) ^ c
    c = (c << 16) | (c >>> 16)
    a ^= word
  }
  c ^= 0xff
  for (let round = 0; round < 3; round++) {
    a = (a + b) | 0
    b = ((b << 5) | (b >>> 27)) ^ a
    a = (a << 16) | (a >>> 16)
    c = (c + d) | 0
    d = ((d << 8) | (d >>> 24)) ^ c
    a = (a + d) | 0
    d = ((d << 7) | (d >>> 25)) ^ a
    c = (c + b) | 0
    b = ((b << 13) | (b >>> 19)) ^ c
    c = (c << 16) | (c >>> 16)
  }
  return b ^ d
}
