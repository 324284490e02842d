/**
 * HyperLogLogs as Redis stores them: string values of a documented layout, so that GET, DUMP and a snapshot of one are the
 * bytes that Redis would give. 16384 registers of 6 bits follow a 16-byte header (`HYLL`, encoding, three unused bytes, the
 * last counted cardinality in little-endian with its top bit set when it is out of date).
 *
 * Dense: registers one after the other, low bits first, 12288 bytes. Sparse: run lengths, `00nnnnnn` (n+1 zero registers),
 * `01nnnnnn nnnnnnnn` (n+1 zero registers) and `1vvvvvnn` (n+1 registers of value v+1), as long as they stay within
 * hll-sparse-max-bytes and no register exceeds 32.
 *
 * The idea to hold: the value is a `StringBuffer` changed in place. A sparse value may be damaged (clients can SET any
 * bytes), so every walk over it stops at its end and says so with `undefined` or -1.
 *
 * Differs: a two-byte opcode whose second byte is missing has a zero there; redis-server takes what lies behind the value in
 * its memory, which may be left over from an earlier change.
 */
import { murmurHash64A } from "../bytes/MurmurHash.ts"
import { StringBuffer } from "./StringBuffer.ts"

/** How many registers there are: 2^14, the standard error is 0.81 %. */
export const registerCount = 16384
const indexBits = 14
/** The bits of the hash that remain to count zeros in. */
const patternBits = 64 - indexBits
const registerBits = 6
const registerMax = 63
const headerLength = 16
const denseLength = headerLength + (registerCount * registerBits) / 8
const hashSeed = 0xadc83b19 | 0

const dense = 0
const sparse = 1
/** Where the header says which encoding the registers have. */
const encodingOffset = 4
const cacheOffset = 8

const zeroRunMax = 64
const valueRunMax = 4
const sparseValueMax = 32

/** The registers of a union, one a byte. */
export type Registers = Uint8Array

/** A new, empty, sparse HyperLogLog: one run of zeros, counted as 0. */
export const make = (): StringBuffer => {
  const bytes = Buffer.alloc(headerLength + 16)
  bytes.latin1Write("HYLL", 0, 4)
  bytes[encodingOffset] = sparse
  writeZeros(bytes, headerLength, registerCount)
  return new StringBuffer(bytes, headerLength + 2)
}

/** Whether the bytes have the header of a HyperLogLog and, when dense, its length. The registers are not looked at. */
export const isValid = (value: StringBuffer): boolean =>
  value.length >= headerLength &&
  value.slice(0, 4) === "HYLL" &&
  value.bytes[encodingOffset] <= sparse &&
  (value.bytes[encodingOffset] !== dense || value.length === denseLength)

export const encoding = (value: StringBuffer): "dense" | "sparse" =>
  value.bytes[encodingOffset] === dense ? "dense" : "sparse"

/** The cardinality counted last, or undefined when registers have changed since. */
export const cached = (value: StringBuffer): number | bigint | undefined => {
  const { bytes } = value
  if (bytes[cacheOffset + 7] & 0x80) return undefined
  const high = bytes.readUInt32LE(cacheOffset + 4)
  return high < 0x200000 ? high * 0x100000000 + bytes.readUInt32LE(cacheOffset) : bytes.readBigUInt64LE(cacheOffset)
}

const storeCached = (value: StringBuffer, cardinality: bigint): void => {
  value.bytes.writeBigUInt64LE(BigInt.asUintN(64, cardinality), cacheOffset)
}

/** Marks the cardinality as out of date. */
export const invalidate = (value: StringBuffer): void => {
  value.bytes[cacheOffset + 7] |= 0x80
}

const hash = new Int32Array(2)

/** Adds an element: 1 when a register changed, 0 when none did, -1 when the value is damaged. */
export const add = (value: StringBuffer, element: string, sparseBytesMax: number): number => {
  murmurHash64A(element, hashSeed, hash)
  const low = hash[0]
  const high = hash[1]
  // The position of the first 1 among the upper 50 bits, counted from 1; 51 when there is none.
  const rest = low >>> indexBits
  const count =
    rest !== 0 ? trailingZeros(rest) + 1 : high !== 0 ? trailingZeros(high) + 33 - indexBits : patternBits + 1
  return raise(value, low & (registerCount - 1), count, sparseBytesMax)
}

const trailingZeros = (bits: number): number => 31 - Math.clz32(bits & -bits)

/** Makes a register at least `count`: 1 when it changed, and the cardinality is out of date; 0 when not, -1 when damaged. */
export const raise = (value: StringBuffer, index: number, count: number, sparseBytesMax: number): number => {
  const changed =
    value.bytes[encodingOffset] === dense
      ? raiseDense(value.bytes, index, count)
      : raiseSparse(value, index, count, sparseBytesMax)
  if (changed === 1) invalidate(value)
  return changed
}

const readDense = (bytes: Uint8Array, index: number): number => {
  const bit = index * registerBits
  const at = headerLength + (bit >>> 3)
  // The last register ends with the last byte; what is read behind it is shifted out.
  return ((bytes[at] | ((bytes[at + 1] ?? 0) << 8)) >>> (bit & 7)) & registerMax
}

const raiseDense = (bytes: Uint8Array, index: number, count: number): number => {
  const bit = index * registerBits
  const at = headerLength + (bit >>> 3)
  const shift = bit & 7
  const pair = bytes[at] | ((bytes[at + 1] ?? 0) << 8)
  if (((pair >>> shift) & registerMax) >= count) return 0
  const changed = (pair & ~(registerMax << shift)) | (count << shift)
  bytes[at] = changed
  if (shift > 8 - registerBits) bytes[at + 1] = changed >>> 8
  return 1
}

/** Writes a run of zero registers at `at`; answers where it ends. */
const writeZeros = (bytes: Uint8Array, at: number, length: number): number => {
  if (length > zeroRunMax) {
    bytes[at] = ((length - 1) >>> 8) | 0x40
    bytes[at + 1] = length - 1
    return at + 2
  }
  bytes[at] = length - 1
  return at + 1
}

const valueRun = (value: number, length: number): number => ((value - 1) << 2) | (length - 1) | 0x80
const isValueRun = (opcode: number): boolean => opcode >= 0x80
const isLongZeroRun = (opcode: number): boolean => (opcode & 0xc0) === 0x40
const valueOf = (opcode: number): number => ((opcode >>> 2) & 0x1f) + 1
const lengthOfValueRun = (opcode: number): number => (opcode & 3) + 1

/** How many registers the opcode at `at` stands for. */
const runLength = (bytes: Uint8Array, at: number): number => {
  const opcode = bytes[at]
  if (opcode >= 0x80) return (opcode & 3) + 1
  return opcode >= 0x40 ? (((opcode & 0x3f) << 8) | bytes[at + 1]) + 1 : opcode + 1
}

/** The one to five opcodes that replace one, and how many they are. */
const replacement = new Uint8Array(5)

const raiseSparse = (value: StringBuffer, index: number, count: number, sparseBytesMax: number): number => {
  if (count > sparseValueMax) return promoteAndRaise(value, index, count)
  // Three bytes of room are all that one change can need.
  value.growTo(value.length + 3)
  value.length -= 3
  const { bytes } = value
  const end = value.length
  let at = headerLength
  let previous = -1
  let first = 0
  let span = 0
  while (at < end) {
    span = runLength(bytes, at)
    if (index < first + span) break
    previous = at
    at += isLongZeroRun(bytes[at]) ? 2 : 1
    first += span
  }
  if (span === 0 || at >= end) return -1

  const opcode = bytes[at]
  const opcodeLength = isLongZeroRun(opcode) ? 2 : 1
  if (isValueRun(opcode) && valueOf(opcode) >= count) return 0
  if (span === 1 && opcodeLength === 1) {
    bytes[at] = valueRun(count, 1)
  } else {
    const length = splitRun(opcode, index - first, first + span - 1 - index, count)
    const longer = length - opcodeLength
    if (longer > 0 && end + longer > sparseBytesMax) return promoteAndRaise(value, index, count)
    bytes.copyWithin(at + length, at + opcodeLength, end)
    for (let n = 0; n < length; n++) bytes[at + n] = replacement[n]
    value.length = end + longer
  }
  mergeRuns(value, previous < 0 ? headerLength : previous)
  return 1
}

/** Splits a run into what is before a register, the register with its new value, and what is after it. */
const splitRun = (opcode: number, before: number, after: number, count: number): number => {
  let n = 0
  if (isValueRun(opcode)) {
    if (before > 0) replacement[n++] = valueRun(valueOf(opcode), before)
    replacement[n++] = valueRun(count, 1)
    if (after > 0) replacement[n++] = valueRun(valueOf(opcode), after)
    return n
  }
  if (before > 0) n = writeZeros(replacement, n, before)
  replacement[n++] = valueRun(count, 1)
  return after > 0 ? writeZeros(replacement, n, after) : n
}

/** Joins neighbouring runs of one value among the few opcodes from `start` on, as many as Redis looks at. */
const mergeRuns = (value: StringBuffer, start: number): void => {
  const { bytes } = value
  let at = start
  for (let scans = 5; at < value.length && scans > 0; scans--) {
    const opcode = bytes[at]
    if (!isValueRun(opcode)) {
      at += isLongZeroRun(opcode) ? 2 : 1
      continue
    }
    if (at + 1 < value.length && isValueRun(bytes[at + 1]) && valueOf(bytes[at + 1]) === valueOf(opcode)) {
      const length = lengthOfValueRun(opcode) + lengthOfValueRun(bytes[at + 1])
      if (length <= valueRunMax) {
        bytes[at + 1] = valueRun(valueOf(opcode), length)
        bytes.copyWithin(at, at + 1, value.length)
        value.length--
        continue
      }
    }
    at++
  }
}

const promoteAndRaise = (value: StringBuffer, index: number, count: number): number =>
  toDense(value) ? raiseDense(value.bytes, index, count) : -1

/** Rewrites a sparse value as dense, in place. False, and nothing changed, when its runs do not add up. */
export const toDense = (value: StringBuffer): boolean => {
  const { bytes } = value
  if (bytes[encodingOffset] === dense) return true
  const grown = Buffer.alloc(denseLength)
  bytes.copy(grown, 0, 0, headerLength)
  grown[encodingOffset] = dense
  let index = 0
  for (let at = headerLength; at < value.length; at += isLongZeroRun(bytes[at]) ? 2 : 1) {
    const end = index + runLengthWithin(value, at)
    if (end > registerCount) return false
    if (isValueRun(bytes[at])) for (; index < end; index++) raiseDense(grown, index, valueOf(bytes[at]))
    index = end
  }
  if (index !== registerCount) return false
  value.bytes = grown
  value.length = denseLength
  return true
}

/** `runLength`, where a two-byte opcode cut off by the end of the value reads a zero. */
const runLengthWithin = (value: StringBuffer, at: number): number =>
  at + 1 < value.length || !isLongZeroRun(value.bytes[at])
    ? runLength(value.bytes, at)
    : ((value.bytes[at] & 0x3f) << 8) + 1

/** The value of one register of a dense value. */
export const register = (value: StringBuffer, index: number): number => readDense(value.bytes, index)

/** Raises the registers of a union by those of a value; false when the value is damaged. */
export const mergeInto = (union: Registers, value: StringBuffer): boolean => {
  const { bytes } = value
  if (bytes[encodingOffset] === dense) {
    // Four registers are three bytes.
    let at = headerLength
    for (let index = 0; index < registerCount; index += 4, at += 3) {
      const bits = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16)
      if (bits === 0) continue
      if ((bits & 63) > union[index]) union[index] = bits & 63
      if (((bits >>> 6) & 63) > union[index + 1]) union[index + 1] = (bits >>> 6) & 63
      if (((bits >>> 12) & 63) > union[index + 2]) union[index + 2] = (bits >>> 12) & 63
      if (bits >>> 18 > union[index + 3]) union[index + 3] = bits >>> 18
    }
    return true
  }
  let index = 0
  for (let at = headerLength; at < value.length; at += isLongZeroRun(bytes[at]) ? 2 : 1) {
    const end = index + runLengthWithin(value, at)
    if (end > registerCount) return false
    if (isValueRun(bytes[at])) {
      const run = valueOf(bytes[at])
      for (; index < end; index++) if (run > union[index]) union[index] = run
    }
    index = end
  }
  return index === registerCount
}

/** Raises the registers of a value to those of a union, staying sparse where that is possible, and marks it as uncounted. */
export const mergeFrom = (value: StringBuffer, union: Registers, sparseBytesMax: number): void => {
  for (let index = 0; index < registerCount; index++) {
    if (union[index] !== 0) raise(value, index, union[index], sparseBytesMax)
  }
  invalidate(value)
}

/** How many registers have each value. */
const histogram = new Int32Array(64)

/** Counts the distinct elements of a value and remembers the answer in it; undefined when the value is damaged. */
export const count = (value: StringBuffer): number | bigint | undefined => {
  const known = cached(value)
  if (known !== undefined) return known
  histogram.fill(0)
  const { bytes } = value
  if (bytes[encodingOffset] === dense) {
    let at = headerLength
    for (let index = 0; index < registerCount; index += 4, at += 3) {
      const bits = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16)
      histogram[bits & 63]++
      histogram[(bits >>> 6) & 63]++
      histogram[(bits >>> 12) & 63]++
      histogram[bits >>> 18]++
    }
  } else {
    let index = 0
    for (let at = headerLength; at < value.length; at += isLongZeroRun(bytes[at]) ? 2 : 1) {
      const length = runLengthWithin(value, at)
      histogram[isValueRun(bytes[at]) ? valueOf(bytes[at]) : 0] += length
      index += length
    }
    if (index !== registerCount) return undefined
  }
  const estimated = estimate()
  storeCached(value, BigInt(estimated))
  return estimated
}

/** Counts the distinct elements of a union. */
export const countUnion = (union: Registers): number | bigint => {
  histogram.fill(0)
  for (let index = 0; index < registerCount; index++) histogram[union[index] & registerMax]++
  return estimate()
}

/** Otmar Ertl's estimator over `histogram` ("New cardinality estimation algorithms for HyperLogLog sketches", 2017). */
const estimate = (): number | bigint => {
  let z = registerCount * tau((registerCount - histogram[patternBits + 1]) / registerCount)
  for (let value = patternBits; value >= 1; value--) z = (z + histogram[value]) * 0.5
  z += registerCount * sigma(histogram[0] / registerCount)
  const estimated = Math.round((0.7213475204444817 * registerCount * registerCount) / z)
  if (estimated <= Number.MAX_SAFE_INTEGER) return estimated
  // Only a forged value gets here; its count does not fit, or is infinite, and reads as Redis's conversion leaves it.
  return estimated < 2 ** 63 ? BigInt(estimated) : -(2n ** 63n)
}

const sigma = (start: number): number => {
  if (start === 1) return Infinity
  let x = start
  let y = 1
  let z = start
  for (let before = NaN; z !== before;) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

const tau = (start: number): number => {
  if (start === 0 || start === 1) return 0
  let x = start
  let y = 1
  let z = 1 - start
  for (let before = NaN; z !== before;) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) * (1 - x) * y
  }
  return z / 3
}

/** The runs of a sparse value for people, as PFDEBUG DECODE prints them: `Z:100 v:2,1 z:3`. */
export const describe = (value: StringBuffer): string => {
  const { bytes } = value
  const words: Array<string> = []
  for (let at = headerLength; at < value.length; at += isLongZeroRun(bytes[at]) ? 2 : 1) {
    const opcode = bytes[at]
    const length = runLengthWithin(value, at)
    words.push(isValueRun(opcode) ? `v:${valueOf(opcode)},${length}` : `${isLongZeroRun(opcode) ? "Z" : "z"}:${length}`)
  }
  return words.join(" ")
}
