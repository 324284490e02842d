/**
 * MurmurHash64A (Austin Appleby, public domain), which decides the register an element of a HyperLogLog falls into: it has
 * to agree with Redis to the bit.
 *
 * The idea to hold: 64-bit arithmetic on two 32-bit halves, because bigint would cost microseconds an element. `multiply`
 * answers the low half and leaves the high one in `high`.
 */

const factorHigh = 0xc6a4a793 | 0
const factorLow = 0x5bd1e995

/** The high half of the last product. */
let high = 0

/** The product modulo 2^64 of (h, l) and the factor: answers its low half, leaves its high half in `high`. */
const multiply = (h: number, l: number): number => {
  // The full 64-bit product of the low halves by 16-bit digits: every sum below stays under 2^32.
  const l0 = l & 0xffff
  const l1 = l >>> 16
  const upper = (Math.imul(l1, 0xe995) >>> 0) + (Math.imul(l0, 0xe995) >>> 16)
  const middle = (upper & 0xffff) + (Math.imul(l0, 0x5bd1) >>> 0)
  high =
    (Math.imul(l1, 0x5bd1) + (upper >>> 16) + (middle >>> 16) + Math.imul(l, factorHigh) + Math.imul(h, factorLow)) | 0
  return Math.imul(l, factorLow)
}

const word = (bytes: string, at: number): number =>
  bytes.charCodeAt(at) |
  (bytes.charCodeAt(at + 1) << 8) |
  (bytes.charCodeAt(at + 2) << 16) |
  (bytes.charCodeAt(at + 3) << 24)

/** Hashes `bytes` with a 32-bit `seed`; `into[0]` receives the low and `into[1]` the high half. */
export const murmurHash64A = (bytes: string, seed: number, into: Int32Array): void => {
  const length = bytes.length
  let l = multiply(0, length) ^ seed
  let h = high
  const tail = length & ~7
  for (let at = 0; at < tail; at += 8) {
    let kl = multiply(word(bytes, at + 4), word(bytes, at))
    // k ^= k >> 47 changes the low half only: by the top 17 bits of the high one.
    kl = multiply(high, kl ^ (high >>> 15))
    l = multiply(h ^ high, l ^ kl)
    h = high
  }
  const left = length - tail
  if (left > 0) {
    for (let n = left - 1; n >= 4; n--) h ^= bytes.charCodeAt(tail + n) << (8 * (n - 4))
    for (let n = Math.min(left, 4) - 1; n >= 0; n--) l ^= bytes.charCodeAt(tail + n) << (8 * n)
    l = multiply(h, l)
    h = high
  }
  l = multiply(h, l ^ (h >>> 15))
  h = high
  into[0] = l ^ (h >>> 15)
  into[1] = h
}
