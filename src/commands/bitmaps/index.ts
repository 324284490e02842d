/**
 * The bitmap commands: SETBIT GETBIT BITCOUNT BITPOS BITOP BITFIELD BITFIELD_RO. A bitmap is a string value; the first
 * command that writes a bit turns it into a `StringBuffer`, which is then changed in place.
 *
 * The idea to hold: what is a bit where lives in store/Bits.ts; here are the words of the requests and the order in which
 * Redis checks them, which tells which of two errors is answered.
 */
import * as Either from "effect/Either"
import { parseInteger } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, one, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import { keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { NotABit, SingleSource } from "../../errors/BitmapErrors.ts"
import { type CommandError, NotInteger, SyntaxError } from "../../errors/CommandError.ts"
import * as Bits from "../../store/Bits.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { growable, StringBuffer } from "../../store/StringBuffer.ts"
import { asString, type StringValue } from "../../store/Value.ts"
import { bitfield, bitfieldRo } from "./bitField.ts"
import { bitOffset, fromStart } from "./offset.ts"

const minusOne: Answer = Either.right(Reply.int(-1))
const notInteger: Answer = Either.left(NotInteger.error)
const syntaxError: Answer = Either.left(SyntaxError.error)

const setbit = Command.make({
  name: "setbit",
  summary: "Sets or clears the bit at offset in the string value stored at key",
  since: "2.2.0",
  group: "bitmap",
  complexity: "O(1)",
  arity: 4,
  flags: "write denyoom",
  acl: "bitmap",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.integer("offset"), Arg.integer("value")],
  parse: (args, { limits }) => ({
    key: args.key(),
    offset: bitOffset(args.next(), limits),
    bit: args.intIn(0, 1, NotABit.set, NotABit.set),
  }),
  run: ({ key, offset, bit }, { db }) => {
    const found = db.writeString(key)
    if (Either.isLeft(found)) return Either.left(found.left)
    const value = found.right === undefined ? new StringBuffer(Buffer.alloc(0)) : growable(found.right)
    const before = value.length
    const old = value.setBit(offset, bit === 1)
    if (value !== found.right) db.put(key, value)
    if (old !== bit || value.length !== before) db.changed(key, EventClass.string, "setbit")
    return old === 1 ? one : zero
  },
})

const getbit = Command.make({
  name: "getbit",
  summary: "Returns the bit value at offset in the string value stored at key",
  since: "2.2.0",
  group: "bitmap",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly fast",
  acl: "bitmap",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("offset")],
  parse: (args, { limits }) => ({ key: args.key(), offset: bitOffset(args.next(), limits) }),
  run: ({ key, offset }, { db }) => {
    const found = db.readString(key)
    if (Either.isLeft(found)) return Either.left(found.left)
    const value = found.right
    if (value === undefined) return zero
    if (value instanceof StringBuffer) return value.getBit(offset) === 1 ? one : zero
    // Beyond the end this reads NaN, which has no bits.
    const byte = String(value).charCodeAt(Math.floor(offset / 8))
    return (byte >> (7 - (offset & 7))) & 1 ? one : zero
  },
})

/** A range of a string as BITCOUNT and BITPOS take it, in bits, both ends included; empty when `first > last`. */
interface BitRange {
  readonly first: number
  readonly last: number
}

/** Reads `start end [BYTE|BIT]`, of which the last two words may be absent. The order of its checks is Redis's. */
const bitRange = (start: number | bigint, end: number | bigint, isBit: boolean, length: number): BitRange => {
  const total = isBit ? length * 8 : length
  const first = fromStart(start, total)
  const last = Math.min(fromStart(end, total), total - 1)
  return isBit ? { first, last } : { first: first * 8, last: last * 8 + 7 }
}

/** True for `BIT`, false for `BYTE` and nothing at all, undefined for another word. */
const isBitUnit = (word: string | undefined): boolean | undefined => {
  const unit = word === undefined ? undefined : keyword(word)
  return unit === "BIT" ? true : unit === undefined || unit === "BYTE" ? false : undefined
}

const bitcount = Command.make({
  name: "bitcount",
  summary: "Count set bits in a string",
  since: "2.6.0",
  group: "bitmap",
  complexity: "O(N)",
  history: [["7.0.0", "Added the `BYTE|BIT` option."]],
  arity: -2,
  flags: "readonly",
  acl: "bitmap",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.block(
      "index",
      [
        Arg.integer("start"),
        Arg.integer("end"),
        Arg.oneOf("index_unit", [Arg.token("BYTE"), Arg.token("BIT")], { optional: true, since: "7.0.0" }),
      ],
      { optional: true },
    ),
  ],
  parse: (args) => ({ key: args.key(), words: args.rest() }),
  run: ({ key, words }, { db }) => {
    const found = db.readString(key)
    if (Either.isLeft(found)) return Either.left(found.left)
    const value = found.right
    if (value === undefined) return zero
    const length = Bits.lengthOf(value)
    if (words.length === 0) return Either.right(Reply.int(Bits.countBytes(Bits.readable(value), 0, length)))
    if (words.length !== 2 && words.length !== 3) return syntaxError
    const start = parseInteger(words[0])
    const end = parseInteger(words[1])
    if (start === undefined || end === undefined) return notInteger
    if (start < 0 && end < 0 && start > end) return zero
    const isBit = isBitUnit(words[2])
    if (isBit === undefined) return syntaxError
    const { first, last } = bitRange(start, end, isBit, length)
    return first > last ? zero : Either.right(Reply.int(Bits.countBits(Bits.readable(value), first, last)))
  },
})

const bitpos = Command.make({
  name: "bitpos",
  summary: "Find first bit set or clear in a string",
  since: "2.8.7",
  group: "bitmap",
  complexity: "O(N)",
  history: [["7.0.0", "Added the `BYTE|BIT` option."]],
  arity: -3,
  flags: "readonly",
  acl: "bitmap",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.integer("bit"),
    Arg.block(
      "index",
      [
        Arg.integer("start"),
        Arg.block(
          "end_index",
          [
            Arg.integer("end"),
            Arg.oneOf("index_unit", [Arg.token("BYTE"), Arg.token("BIT")], { optional: true, since: "7.0.0" }),
          ],
          { optional: true },
        ),
      ],
      { optional: true },
    ),
  ],
  parse: (args) => {
    const key = args.key()
    const bit = args.int()
    if (bit !== 0 && bit !== 1) args.fail(NotABit.find)
    return { key, bit, words: args.rest() }
  },
  run: ({ key, bit, words }, { db }) => {
    const found = db.readString(key)
    if (Either.isLeft(found)) return Either.left(found.left)
    const value = found.right
    // A missing key is an endless row of zeros, whatever the range.
    if (value === undefined) return bit === 1 ? minusOne : zero
    if (words.length > 3) return syntaxError
    const start = words.length > 0 ? parseInteger(words[0]) : 0
    if (start === undefined) return notInteger
    const isBit = isBitUnit(words[2])
    if (isBit === undefined) return syntaxError
    const end = words.length > 1 ? parseInteger(words[1]) : -1
    if (end === undefined) return notInteger
    const length = Bits.lengthOf(value)
    const { first, last } = bitRange(start, end, isBit, length)
    if (first > last) return minusOne
    const position = Bits.findBit(Bits.readable(value), bit, first, last)
    // Without an end, the string goes on with zeros.
    if (position < 0 && bit === 0 && words.length < 2) return Either.right(Reply.int(length * 8))
    return Either.right(Reply.int(position))
  },
})

type Operation = "AND" | "OR" | "XOR" | "NOT"

/** Combines the sources; the answer has the length of the longest, and what is shorter is filled up with zeros. */
const combined = (operation: Operation, sources: ReadonlyArray<StringValue | undefined>): Buffer => {
  let length = 0
  for (const source of sources) if (source !== undefined) length = Math.max(length, Bits.lengthOf(source))
  const result = Buffer.alloc(length)
  if (length === 0) return result
  if (sources[0] !== undefined) result.set(Bits.copied(sources[0]))
  if (operation === "NOT") Bits.invert(result)
  else
    for (let n = 1; n < sources.length; n++) {
      Bits.combine(operation, result, sources[n] === undefined ? nothing : Bits.copied(sources[n]!))
    }
  return result
}
const nothing = new Uint8Array(0)

const parseOperation = (word: string): Operation => {
  const operation = keyword(word)
  if (operation === "AND" || operation === "OR" || operation === "XOR" || operation === "NOT") return operation
  throw SyntaxError.error
}

/** The values of all keys, or the error that one of them is not a string. */
const readStrings = (
  db: Database,
  keys: ReadonlyArray<string>,
): Either.Either<Array<StringValue | undefined>, CommandError> => {
  const values: Array<StringValue | undefined> = []
  for (const key of keys) {
    const value = asString(db.read(key))
    if (Either.isLeft(value)) return Either.left(value.left)
    values.push(value.right)
  }
  return Either.right(values)
}

const bitop = Command.make({
  name: "bitop",
  summary: "Perform bitwise operations between strings",
  since: "2.6.0",
  group: "bitmap",
  complexity: "O(N)",
  arity: -4,
  flags: "write denyoom",
  acl: "bitmap",
  keys: [Key.at(2, "OW update"), Key.range(3, "RO access", { last: -1 })],
  args: [Arg.string("operation"), Arg.key("destkey"), Arg.key("key", { multiple: true, keySpec: 1 })],
  parse: (args) => {
    const operation = parseOperation(args.next())
    if (operation === "NOT" && args.left !== 2) args.fail(SingleSource.error)
    return { operation, destination: args.key(), keys: args.rest() }
  },
  run: ({ operation, destination, keys }, { db }) => {
    const sources = readStrings(db, keys)
    if (Either.isLeft(sources)) return Either.left(sources.left)
    const result = combined(operation, sources.right)
    if (result.length > 0) {
      db.set(destination, new StringBuffer(result))
      db.changed(destination, EventClass.string, "set")
    } else if (db.remove(destination) !== undefined) db.changed(destination, EventClass.generic, "del")
    return Either.right(Reply.int(result.length))
  },
})

export const bitmapCommands = [setbit, getbit, bitcount, bitpos, bitop, bitfield, bitfieldRo]
