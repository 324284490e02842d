/**
 * What a key can hold. A string is a plain byte string, or a number when Redis would hold it as an integer (exact within
 * 2^53; larger integers stay strings); everything else is an instance of one class.
 *
 * The invariant: a stored string is flat (see bytes/Bytes.ts), a stored number is a safe integer, and no collection in the
 * store is empty, streams excepted.
 */
import * as Either from "effect/Either"
import { WrongType } from "../errors/CommandError.ts"
import { parseInteger } from "../bytes/Numbers.ts"

/** TYPE's words. */
export type TypeName = "string" | "list" | "set" | "zset" | "hash" | "stream"

/** The thresholds that decide which encoding OBJECT ENCODING reports; the settings of the same names. */
export interface Limits {
  readonly listMaxListpackSize: number
  readonly hashMaxListpackEntries: number
  readonly hashMaxListpackValue: number
  readonly setMaxIntsetEntries: number
  readonly zsetMaxListpackEntries: number
  readonly zsetMaxListpackValue: number
  readonly hllSparseMaxBytes: number
  /** The longest string, in bytes. */
  readonly protoMaxBulkLen: number
  readonly streamNodeMaxBytes: number
  readonly streamNodeMaxEntries: number
}

/** Elements looked at to estimate the memory of a large collection. */
export const elementSamples = 5

/** A value that is not a plain string: list, set, sorted set, hash, stream, or a string that is changed in place. */
export interface Collection {
  readonly type: TypeName
  /** Elements, fields, entries; bytes of a StringBuffer. */
  readonly size: number
  /** The name OBJECT ENCODING gives. */
  readonly encoding: string
  /** A copy that shares nothing that can change. */
  readonly copy: () => Collection
  /** Bytes of memory, by the rules of store/Memory.ts; samples at most `samples` elements (0: all). */
  readonly memoryUsage: (samples: number) => number
  /**
   * Gives back some of what it holds outside the heap, in well under a millisecond; false when that was all. It must not be used any more.
   * Absent where it holds nothing there.
   */
  readonly release?: () => boolean
  /** Unix ms of the earliest deadline of an element (hash fields); Infinity when none has one. */
  readonly nextDeadline?: number
  /** Unix ms at which all elements are past their deadlines, or later; Infinity when one has none. */
  readonly lastDeadline?: number
  /** Removes the elements whose deadline has passed, at most `max` of them (absent: all), and returns their names. */
  readonly expireElements?: (now: number, max?: number) => ReadonlyArray<string>
}

export type Value = string | number | Collection

export const typeOf = (value: Value): TypeName => (typeof value === "object" ? value.type : "string")

/** Longer integers are stored as text. */
export const storedNumberLengthMax = 16

/** Longer strings are "raw", others "embstr". */
const embeddedLengthMax = 44

export const encodingOf = (value: Value): string => {
  if (typeof value === "object") return value.encoding
  if (typeof value === "number") return "int"
  if (value.length <= 20 && parseInteger(value) !== undefined) return "int"
  return value.length <= embeddedLengthMax ? "embstr" : "raw"
}

type ValueClass<T extends Collection> = abstract new (...args: never) => T

const absent = Either.right(undefined)
const wrongType = Either.left(WrongType.error)

/** `value` as an instance of `type`; absent stays absent, anything else is WRONGTYPE. */
export const as = <T extends Collection>(
  value: Value | undefined,
  type: ValueClass<T>,
): Either.Either<T | undefined, WrongType> =>
  value === undefined ? absent : value instanceof type ? Either.right(value) : wrongType

export type StringValue = string | number | (Collection & { readonly type: "string" })

/** `value` as a string of any form; absent stays absent, anything else is WRONGTYPE. */
export const asString = (value: Value | undefined): Either.Either<StringValue | undefined, WrongType> =>
  value === undefined
    ? absent
    : typeof value !== "object" || value.type === "string"
      ? Either.right(value as StringValue)
      : wrongType

/** The bytes of a string value. */
export const bytesOf = (value: StringValue): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : value.toString()

/** The form in which a string is stored: a number when Redis would encode it as an integer, else the bytes. */
export const stored = (bytes: string): string | number => {
  if (bytes.length === 0 || bytes.length > storedNumberLengthMax) return bytes
  const first = bytes.charCodeAt(0)
  if (first > 57 || (first < 48 && first !== 45)) return bytes
  const integer = parseInteger(bytes)
  return typeof integer === "number" ? integer : bytes
}
