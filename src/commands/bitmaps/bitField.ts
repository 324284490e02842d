/**
 * BITFIELD and BITFIELD_RO: integers of any width at any bit of a string, read, set and counted up, with three ways of
 * handling overflow.
 *
 * The idea to hold: all operations are parsed before the first one runs, and the string grows once, to the highest bit that
 * any of them writes. Fields up to 46 bits are numbers; wider ones, and increments beyond 2^52, are bigints.
 */
import * as Either from "effect/Either"
import { parseInteger } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { type Args, keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import type { Ctx } from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { BitField } from "../../errors/BitmapErrors.ts"
import { type CommandError, SyntaxError } from "../../errors/CommandError.ts"
import * as Bits from "../../store/Bits.ts"
import { EventClass } from "../../store/Events.ts"
import { growable, StringBuffer } from "../../store/StringBuffer.ts"
import type { Limits } from "../../store/Value.ts"
import { bitOffset } from "./offset.ts"

type Overflow = "WRAP" | "SAT" | "FAIL"

interface Operation {
  readonly name: "GET" | "SET" | "INCRBY"
  readonly signed: boolean
  readonly width: number
  readonly offset: number
  /** What is set or added. */
  readonly operand: number | bigint
  readonly overflow: Overflow
}

const widthMaxSigned = 64
/** One bit less than signed fields have, because an unsigned 64-bit answer would not be a Redis integer. */
const widthMaxUnsigned = 63

/** `u8` or `i64`: whether it is signed, and how wide. Throws when it is neither. */
const parseType = (word: string): { readonly signed: boolean; readonly width: number } => {
  const signed = word.charCodeAt(0) === 105
  if (!signed && word.charCodeAt(0) !== 117) throw BitField.type
  const width = parseInteger(word.slice(1))
  if (width === undefined || width < 1 || width > (signed ? widthMaxSigned : widthMaxUnsigned)) throw BitField.type
  return { signed, width: Number(width) }
}

const parseOverflow = (word: string): Overflow => {
  const overflow = keyword(word)
  if (overflow === "WRAP" || overflow === "SAT" || overflow === "FAIL") return overflow
  throw BitField.overflow
}

/** Reads the operations; an error of any leaves everything as it is. */
const parseOperations = (args: Args, limits: Limits): ReadonlyArray<Operation> => {
  const operations: Array<Operation> = []
  let overflow: Overflow = "WRAP"
  while (args.more) {
    if (args.optionWith("OVERFLOW", 1)) {
      overflow = parseOverflow(args.next())
      continue
    }
    const name = args.optionWith("GET", 2)
      ? "GET"
      : args.optionWith("SET", 3)
        ? "SET"
        : args.optionWith("INCRBY", 3)
          ? "INCRBY"
          : args.fail(SyntaxError.error)
    const { signed, width } = parseType(args.next())
    const offset = bitOffset(args.next(), limits, width)
    operations.push({ name, signed, width, offset, operand: name === "GET" ? 0 : args.int64(), overflow })
  }
  return operations
}

/** What a field becomes: its new content, and whether the wanted one did not fit. */
interface Fitted {
  readonly value: number | bigint
  readonly overflowed: boolean
}

/** Fields and operands below these are exact as numbers, sums included. */
const numberWidthMax = 46
const numberOperandMax = 2 ** 52

/** Makes `old + operand` fit, as far as numbers are exact. */
const fitNumber = ({ signed, width, overflow }: Operation, sum: number): Fitted => {
  const size = 2 ** width
  const max = signed ? size / 2 - 1 : size - 1
  const min = signed ? -size / 2 : 0
  if (sum >= min && sum <= max) return { value: sum, overflowed: false }
  if (overflow === "SAT") return { value: sum > max ? max : min, overflowed: true }
  const wrapped = ((sum % size) + size) % size
  return { value: wrapped > max ? wrapped - size : wrapped, overflowed: true }
}

/** The same with bigints. `tooLarge` says on which side a sum is that does not fit. */
const fitWide = ({ signed, width, overflow }: Operation, sum: bigint, tooLarge = sum > 0n): Fitted => {
  let value = signed ? BigInt.asIntN(width, sum) : BigInt.asUintN(width, sum)
  const overflowed = value !== sum
  if (overflowed && overflow === "SAT") {
    const max = signed ? (1n << BigInt(width - 1)) - 1n : (1n << BigInt(width)) - 1n
    value = tooLarge ? max : signed ? -max - 1n : 0n
  }
  // In the form in which a field of this width is read, so that the two compare.
  return { value: width <= numberWidthMax ? Number(value) : value, overflowed }
}

/** What SET or INCRBY makes of a field that holds `old`. */
const fit = (operation: Operation, old: number | bigint): Fitted => {
  const { name, signed, width, operand } = operation
  const isNumber = width <= numberWidthMax && typeof operand === "number" && Math.abs(operand) <= numberOperandMax
  if (name === "INCRBY") {
    return isNumber ? fitNumber(operation, Number(old) + operand) : fitWide(operation, BigInt(old) + BigInt(operand))
  }
  if (isNumber && (signed || operand >= 0)) return fitNumber(operation, operand)
  // For an unsigned field a negative operand is a very large one.
  if (!signed) return fitWide(operation, BigInt.asUintN(64, BigInt(operand)))
  // Redis measures in 64 bits how far the operand is from the field's maximum. So far below that this wraps around, the
  // operand counts as too large.
  const distance = (1n << BigInt(width - 1)) - 1n - BigInt(operand)
  return fitWide(operation, BigInt(operand), BigInt.asIntN(64, distance) < 0n)
}

const read = (bytes: Uint8Array, length: number, { signed, width, offset }: Operation): number | bigint => {
  const value = Bits.readBits(bytes, length, offset, width)
  if (!signed) return value
  if (typeof value === "bigint") return BigInt.asIntN(width, value)
  return value >= 2 ** (width - 1) ? value - 2 ** width : value
}

/** Runs one operation on a value that is long enough for it. The answer is undefined where FAIL forbids the change. */
const apply = (
  value: StringBuffer,
  operation: Operation,
): { readonly answer: number | bigint | undefined; readonly changed: boolean } => {
  const old = read(value.bytes, value.length, operation)
  if (operation.name === "GET") return { answer: old, changed: false }
  const fitted = fit(operation, old)
  if (fitted.overflowed && operation.overflow === "FAIL") return { answer: undefined, changed: false }
  Bits.writeBits(value.bytes, operation.offset, operation.width, fitted.value)
  return { answer: operation.name === "SET" ? old : fitted.value, changed: old !== fitted.value }
}

const runReads = (
  key: string,
  operations: ReadonlyArray<Operation>,
  { db }: Ctx,
): Either.Either<Reply.Reply, CommandError> =>
  Either.map(db.readString(key), (found) => {
    const value = found ?? ""
    const bytes = Bits.readable(value)
    const length = Bits.lengthOf(value)
    return Reply.array(operations.map((operation) => Reply.int(read(bytes, length, operation))))
  })

const runWrites = (
  key: string,
  operations: ReadonlyArray<Operation>,
  { db }: Ctx,
): Either.Either<Reply.Reply, CommandError> => {
  const found = db.writeString(key)
  if (Either.isLeft(found)) return Either.left(found.left)
  let last = 0
  for (const { name, offset, width } of operations) if (name !== "GET") last = Math.max(last, offset + width - 1)
  const value = found.right === undefined ? new StringBuffer(Buffer.alloc(0)) : growable(found.right)
  const before = value.length
  value.growTo(Math.floor(last / 8) + 1)
  if (value !== found.right) db.put(key, value)
  let changes = 0
  const replies = operations.map((operation) => {
    const { answer, changed } = apply(value, operation)
    if (operation.name !== "GET" && answer !== undefined && (changed || value.length !== before)) changes++
    return answer === undefined ? Reply.nil : Reply.int(answer)
  })
  if (changes > 0) db.changed(key, EventClass.string, "setbit", changes)
  return Either.right(Reply.array(replies))
}

/** BITFIELD only reads its key when all it has is whole GETs. */
const keysOfBitField = (argv: ReadonlyArray<string>): ReadonlyArray<Key.Found> => {
  let i = 2
  while (i < argv.length) {
    const word = argv[i]!.toLowerCase()
    const left = argv.length - 1 - i
    if (word === "get" && left >= 2) i += 3
    else if (word === "overflow" && left >= 1) i += 2
    else break
  }
  return [{ position: 1, flags: i < argv.length ? ["RW", "access", "update"] : ["RO", "access"] }]
}

export const bitfield = Command.make({
  name: "bitfield",
  summary: "Perform arbitrary bitfield integer operations on strings",
  since: "3.2.0",
  group: "bitmap",
  complexity: "O(1) for each subcommand specified",
  arity: -2,
  flags: "write denyoom",
  acl: "bitmap",
  keys: [
    Key.at(1, "RW access update variable_flags", {
      notes: "This command allows both access and modification of the key",
    }),
  ],
  args: [
    Arg.key("key"),
    Arg.oneOf(
      "operation",
      [
        Arg.block("encoding_offset", [Arg.string("encoding"), Arg.integer("offset")], { token: "GET" }),
        Arg.block("write", [
          Arg.oneOf("wrap_sat_fail", [Arg.token("WRAP"), Arg.token("SAT"), Arg.token("FAIL")], {
            token: "OVERFLOW",
            optional: true,
          }),
          Arg.oneOf("write_operation", [
            Arg.block("encoding_offset_value", [Arg.string("encoding"), Arg.integer("offset"), Arg.integer("value")], {
              token: "SET",
            }),
            Arg.block(
              "encoding_offset_increment",
              [Arg.string("encoding"), Arg.integer("offset"), Arg.integer("increment")],
              { token: "INCRBY" },
            ),
          ]),
        ]),
      ],
      { optional: true, multiple: true },
    ),
  ],
  keysOf: keysOfBitField,
  parse: (args, { limits }) => ({ key: args.key(), operations: parseOperations(args, limits) }),
  run: ({ key, operations }, ctx) =>
    operations.some(({ name }) => name !== "GET") ? runWrites(key, operations, ctx) : runReads(key, operations, ctx),
})

export const bitfieldRo = Command.make({
  name: "bitfield_ro",
  summary: "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
  since: "6.0.0",
  group: "bitmap",
  complexity: "O(1) for each subcommand specified",
  arity: -2,
  flags: "readonly fast",
  acl: "bitmap",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.block("encoding_offset", [Arg.string("encoding"), Arg.integer("offset")], {
      token: "GET",
      optional: true,
      multiple: true,
      multipleToken: true,
    }),
  ],
  parse: (args, { limits }) => {
    const key = args.key()
    const operations = parseOperations(args, limits)
    if (operations.some(({ name }) => name !== "GET")) args.fail(BitField.readonly)
    return { key, operations }
  },
  run: ({ key, operations }, ctx) => runReads(key, operations, ctx),
})
