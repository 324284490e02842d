/**
 * A small set of 64-bit integers in one byte string, ascending: one byte that says how wide an integer is (2, 4 or 8
 * bytes), then the integers, most significant byte first. All are as wide as the widest needs.
 *
 * The idea to hold: nothing here holds state. A change makes a new string, which at some hundred integers is as cheap as
 * moving them in place would be, and a copy of the set is the same string.
 */
const scratchSize = 64 * 1024
const scratch = Buffer.allocUnsafeSlow(scratchSize)

export const empty = ""

const widthOf = (packed: string): number => packed.charCodeAt(0)

const widthFor = (value: number | bigint): number => {
  if (typeof value === "bigint") return 8
  if (value >= -0x8000 && value <= 0x7fff) return 2
  return (value | 0) === value ? 4 : 8
}

export const count = (packed: string): number => (packed.length === 0 ? 0 : (packed.length - 1) / widthOf(packed))

const int16At = (packed: string, at: number): number =>
  (((packed.charCodeAt(at) << 8) | packed.charCodeAt(at + 1)) << 16) >> 16

const int32At = (packed: string, at: number): number =>
  (packed.charCodeAt(at) << 24) |
  (packed.charCodeAt(at + 1) << 16) |
  (packed.charCodeAt(at + 2) << 8) |
  packed.charCodeAt(at + 3)

const two32 = 2 ** 32

/** The upper half, with the sign, and the lower half, without one. */
const highOf = (value: number | bigint): number =>
  typeof value === "bigint" ? Number(value >> 32n) : Math.floor(value / two32)
const lowOf = (value: number | bigint): number =>
  typeof value === "bigint" ? Number(value & 0xffffffffn) : value - Math.floor(value / two32) * two32

const read = (packed: string, at: number, width: number): number | bigint => {
  if (width === 2) return int16At(packed, at)
  if (width === 4) return int32At(packed, at)
  const high = int32At(packed, at)
  const low = int32At(packed, at + 4) >>> 0
  const value = high * two32 + low
  return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low)
}

/** The integer at `index` in ascending order. */
export const at = (packed: string, index: number): number | bigint => {
  const width = widthOf(packed)
  return read(packed, 1 + index * width, width)
}

/** All of them as text. */
export const texts = (packed: string): Array<string> => {
  const all: Array<string> = []
  const size = count(packed)
  for (let index = 0; index < size; index++) all.push(String(at(packed, index)))
  return all
}

/** The index of `value`; when it is not there, -1 less the index at which it belongs. */
export const find = (packed: string, value: number | bigint): number => {
  if (packed.length === 0) return -1
  const width = widthOf(packed)
  let low = 0
  let high = count(packed) - 1
  // A value that needs more room than all others have is less or greater than each of them.
  if (widthFor(value) > width) return value < 0 ? -1 : -2 - high
  const valueHigh = width === 8 ? highOf(value) : 0
  const valueLow = width === 8 ? lowOf(value) : 0
  while (low <= high) {
    const middle = (low + high) >>> 1
    const start = 1 + middle * width
    let order: number
    if (width === 2) order = int16At(packed, start) - Number(value)
    else if (width === 4) order = int32At(packed, start) - Number(value)
    else order = int32At(packed, start) - valueHigh || (int32At(packed, start + 4) >>> 0) - valueLow
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return -1 - low
}

const write = (into: Buffer, at: number, value: number | bigint, width: number): void => {
  if (width === 2) into.writeInt16BE(Number(value), at)
  else if (width === 4) into.writeInt32BE(Number(value), at)
  else {
    into.writeInt32BE(highOf(value), at)
    into.writeUInt32BE(lowOf(value), at + 4)
  }
}

/** Adds `value` at the index where `find` says that it belongs. */
export const insert = (packed: string, value: number | bigint, index: number): string => {
  const needed = widthFor(value)
  const wide = packed.length === 0 || widthOf(packed) < needed ? widened(packed, needed) : packed
  const width = widthOf(wide)
  const start = 1 + index * width
  const length = wide.length + width
  const into = length <= scratchSize ? scratch : Buffer.allocUnsafeSlow(length)
  into.latin1Write(wide, 0, start)
  write(into, start, value, width)
  into.latin1Write(wide.substring(start), start + width, wide.length - start)
  return into.latin1Slice(0, length)
}

/** Removes the integer at `index`. */
export const remove = (packed: string, index: number): string => {
  const width = widthOf(packed)
  const start = 1 + index * width
  const length = packed.length - width
  if (length === 1) return empty
  const into = length <= scratchSize ? scratch : Buffer.allocUnsafeSlow(length)
  into.latin1Write(packed, 0, start)
  into.latin1Write(packed.substring(start + width), start, length - start)
  return into.latin1Slice(0, length)
}

/** The same integers in more bytes each. */
const widened = (packed: string, width: number): string => {
  const size = count(packed)
  const into = Buffer.allocUnsafeSlow(1 + size * width)
  into[0] = width
  for (let index = 0; index < size; index++) write(into, 1 + index * width, at(packed, index), width)
  return into.latin1Slice(0, into.length)
}
