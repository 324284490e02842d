/**
 * Stream ids: two unsigned 64-bit numbers, milliseconds and a sequence, written `ms-seq` and ordered in that order.
 *
 * The idea to hold: each half is a JavaScript number up to 2^53 - 1 and a bigint beyond, never the other way round. That
 * one canonical form makes `===` and `<` right between any two halves, and real ids never touch a bigint.
 * Which spellings a command takes (`5`, `$`, `(5-1`) is decided in `commands/streams`.
 */

/** An unsigned 64-bit number: `number` up to 2^53 - 1, `bigint` above. */
export type U64 = number | bigint

/** Anything that is found by a stream id: entries, nodes, pending entries. */
export interface StreamId {
  readonly ms: U64
  readonly seq: U64
}

const two32 = 2 ** 32
export const u64Max: U64 = 18446744073709551615n
const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

/** The canonical form of a number modulo 2^64. */
export const u64 = (value: bigint): U64 => {
  const wrapped = BigInt.asUintN(64, value)
  return wrapped <= safeMax ? Number(wrapped) : wrapped
}

/** The canonical form of a number modulo 2^64, read as signed. */
export const i64 = (value: bigint): number | bigint => {
  const wrapped = BigInt.asIntN(64, value)
  return wrapped >= -safeMax && wrapped <= safeMax ? Number(wrapped) : wrapped
}

/** `base + delta` modulo 2^64. */
export const addU64 = (base: U64, delta: number | bigint): U64 => {
  if (typeof base === "number" && typeof delta === "number") {
    const sum = base + delta
    if (sum >= 0 && sum <= Number.MAX_SAFE_INTEGER) return sum
  }
  return u64(BigInt(base) + BigInt(delta))
}

/** `left - right` as a signed 64-bit number. */
export const subtract64 = (left: number | bigint, right: number | bigint): number | bigint =>
  typeof left === "number" && typeof right === "number" && Number.isSafeInteger(left - right)
    ? left - right
    : i64(BigInt(left) - BigInt(right))

export const make = (ms: U64, seq: U64): StreamId => ({ ms, seq })
export const zero: StreamId = make(0, 0)
export const max: StreamId = make(u64Max, u64Max)

export const isZero = (id: StreamId): boolean => id.ms === 0 && id.seq === 0
export const isMax = (id: StreamId): boolean => id.ms === u64Max && id.seq === u64Max
export const equals = (left: StreamId, right: StreamId): boolean => left.ms === right.ms && left.seq === right.seq

/** Negative, 0 or positive, as `left` is before, at or after `right`. */
export const compare = (left: StreamId, right: StreamId): number =>
  left.ms === right.ms ? (left.seq === right.seq ? 0 : left.seq < right.seq ? -1 : 1) : left.ms < right.ms ? -1 : 1

export const format = (id: StreamId): string => `${id.ms}-${id.seq}`

/** The id after `id`; after the greatest one there is none. */
export const next = (id: StreamId): StreamId | undefined =>
  id.seq !== u64Max ? make(id.ms, addU64(id.seq, 1)) : id.ms !== u64Max ? make(addU64(id.ms, 1), 0) : undefined

/** The id before `id`; before 0-0 there is none. */
export const previous = (id: StreamId): StreamId | undefined =>
  id.seq !== 0 ? make(id.ms, addU64(id.seq, -1)) : id.ms !== 0 ? make(addU64(id.ms, -1), u64Max) : undefined

/** How many of the first 8 bytes two halves share, written with the highest byte first. */
const commonBytes = (left: U64, right: U64): number => {
  const [leftHigh, leftLow] = halves(left)
  const [rightHigh, rightLow] = halves(right)
  if (leftHigh !== rightHigh) return Math.clz32(leftHigh ^ rightHigh) >> 3
  return leftLow === rightLow ? 8 : 4 + (Math.clz32(leftLow ^ rightLow) >> 3)
}

const halves = (value: U64): readonly [number, number] =>
  typeof value === "number"
    ? [Math.floor(value / two32), value >>> 0]
    : [Number(value >> 32n), Number(value & 0xffffffffn)]

/** How many leading bytes two ids share in their 16-byte form, 0 to 16. */
export const commonPrefix = (left: StreamId, right: StreamId): number =>
  left.ms === right.ms ? 8 + commonBytes(left.seq, right.seq) : commonBytes(left.ms, right.ms)
