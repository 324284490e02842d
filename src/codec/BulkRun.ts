/**
 * An array of short bulk strings, or of arrays of them, written as it is sent while its elements are found: 11 ns an element of three bytes, where an array of
 * strings put together with `+` takes 42, and 200 where there are so many that they outlive the young generation. Both protocol versions
 * send the same bytes.
 *
 * The idea to hold: one scratch buffer, used by one command at a time: `begin`, `add` for each element, `end`; where there are arrays in
 * the array, `addArray` comes before the elements of each, and `endNested` at the end. Whenever the buffer is full it becomes a piece of
 * the result, so that nothing of a long array is an object of its own, and a piece holds whole strings.
 */
import type * as Reply from "./Reply.ts"

const scratchSize = 64 * 1024
/** A piece of this length is outside the heap, in Node's own memory. */
const pieceSize = 1024 * 1024
/** Longer elements are better not copied. */
export const elementMax = 512

/** Below this many chars a loop writes faster than the native call. */
const loopMax = 24
/** `$`, three digits and two line ends; or `*`, ten digits and one. */
const headerMax = 13

const cr = 13
const lf = 10
const zero = 48
const dollar = 36
const star = 42

let bytes = Buffer.allocUnsafeSlow(scratchSize)
let at = 0
let count = 0
let pieces: Array<string> = []

export const begin = (): void => {
  at = count = 0
  // A command may have failed in the middle.
  if (pieces.length > 0) pieces = []
}

/** Adds the part of `text` from `start` up to but not including `end`. */
export const add = (text: string, start: number, end: number): void => {
  const length = end - start
  count++
  if (length > elementMax) return addLong(text.substring(start, end))
  if (at + length + headerMax > bytes.length) makeRoom()
  let to = at
  bytes[to++] = dollar
  if (length >= 100) bytes[to++] = zero + ((length / 100) | 0)
  if (length >= 10) bytes[to++] = zero + (((length / 10) | 0) % 10)
  bytes[to++] = zero + (length % 10)
  bytes[to++] = cr
  bytes[to++] = lf
  if (length > loopMax) {
    bytes.latin1Write(text.substring(start, end), to, length)
    to += length
  } else for (let i = start; i < end; i++) bytes[to++] = text.charCodeAt(i)
  bytes[to++] = cr
  bytes[to++] = lf
  at = to
}

/** Adds all of `text`. */
export const addText = (text: string): void => add(text, 0, text.length)

/** Adds two natural numbers with the char `between` them: the digits of a 13-digit number cost 20 ns so, and 100 as a string. */
export const addNumbers = (first: number, between: number, second: number): void => {
  const firstLength = digitsOf(first)
  const length = firstLength + 1 + digitsOf(second)
  count++
  if (at + length + headerMax > bytes.length) makeRoom()
  bytes[at++] = dollar
  if (length >= 10) bytes[at++] = zero + ((length / 10) | 0)
  bytes[at++] = zero + (length % 10)
  bytes[at++] = cr
  bytes[at++] = lf
  const end = at + length
  writeDigits(first, at + firstLength)
  bytes[at + firstLength] = between
  writeDigits(second, end)
  bytes[end] = cr
  bytes[end + 1] = lf
  at = end + 2
}

const digitsOf = (value: number): number => {
  let digits = 1
  for (let limit = 10; value >= limit; limit *= 10) digits++
  return digits
}

/** A part of a number in which V8 counts with 32 bits. */
const half = 10_000_000

/** Writes a number so that it ends before `end`. */
const writeDigits = (value: number, end: number): void => {
  let to = end
  let high = value
  for (; high >= half; high = Math.floor(high / half)) {
    let low = (high % half) | 0
    for (let i = 0; i < 7; i++, low = (low / 10) | 0) bytes[--to] = zero + (low % 10)
  }
  let rest = high | 0
  do bytes[--to] = zero + (rest % 10)
  while ((rest = (rest / 10) | 0) > 0)
}

/** Begins an array in the array: its `length` elements follow. */
export const addArray = (length: number): void => {
  if (at + headerMax > bytes.length) makeRoom()
  bytes[at++] = star
  at += digitsOf(length)
  writeDigits(length, at)
  bytes[at++] = cr
  bytes[at++] = lf
}

const addLong = (text: string): void => {
  if (at > 0) pieces.push(bytes.latin1Slice(0, at))
  at = 0
  pieces.push(`$${text.length}\r\n${text}\r\n`)
}

/** The array of what was added. */
export const end = (): Reply.Reply => new Run(written(), count)

/** The array, of `length` elements, of the arrays and strings that were added. */
export const endNested = (length: number): Reply.Reply => new NestedRun(written(), length)

/**
 * Longer strings are often cut out of others, and their chars then cost 3 ns each: 20 of them are joined with `+` for less. A part of a
 * string that `add` gets is read at 1 ns a char.
 */
const valueMax = 12
/** So many strings are better not kept until the reply is written: they outlive the young generation. */
export const manyMin = 4096

/** `values` as they are sent; absent when one of them is nil or not so short. */
export const write = (values: ReadonlyArray<string | undefined>): ReadonlyArray<string> | undefined => {
  begin()
  const longest = values.length >= manyMin ? elementMax : valueMax
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (value === undefined || value.length > longest) {
      pieces = []
      return undefined
    }
    add(value, 0, value.length)
  }
  return written()
}

const written = (): ReadonlyArray<string> => {
  const all = pieces
  pieces = []
  all.push(bytes.latin1Slice(0, at))
  if (bytes.length > scratchSize) bytes = Buffer.allocUnsafeSlow(scratchSize)
  return all
}

const makeRoom = (): void => {
  if (bytes.length < pieceSize) {
    const more = Buffer.allocUnsafeSlow(pieceSize)
    bytes.copy(more, 0, 0, at)
    bytes = more
  } else {
    pieces.push(bytes.latin1Slice(0, at))
    at = 0
  }
}

/** A `Bulks` whose elements are known as they are sent; whoever wants them one by one has them cut out. */
class Run implements Reply.Bulks {
  readonly _tag = "Bulks"
  readonly sent: ReadonlyArray<string>
  readonly count: number
  constructor(sent: ReadonlyArray<string>, count: number) {
    this.sent = sent
    this.count = count
  }

  get values(): ReadonlyArray<string> {
    const values: Array<string> = []
    for (const piece of this.sent) {
      for (let from = 0; from < piece.length;) {
        const start = piece.indexOf("\n", from) + 1
        const after = start + Number(piece.substring(from + 1, start - 2))
        values.push(piece.substring(start, after))
        from = after + 2
      }
    }
    return values
  }
}

/** An `Array` of arrays and bulk strings, likewise. */
class NestedRun implements Reply.Array {
  readonly _tag = "Array"
  readonly sent: ReadonlyArray<string>
  readonly count: number
  constructor(sent: ReadonlyArray<string>, count: number) {
    this.sent = sent
    this.count = count
  }

  get values(): ReadonlyArray<Reply.Reply> {
    const text = this.sent.join("")
    let from = 0
    const number = (): number => {
      const start = from + 1
      from = text.indexOf("\n", from) + 1
      return Number(text.substring(start, from - 2))
    }
    const element = (): Reply.Reply => {
      if (text.charCodeAt(from) === star) return { _tag: "Array", values: elements(number()) }
      const length = number()
      from += length + 2
      return { _tag: "Bulk", value: text.substring(from - length - 2, from - 2) }
    }
    const elements = (length: number) => Array.from({ length }, element)
    return elements(this.count)
  }
}
