/** Random requests of the bitmap family. Offsets stay small, so that a full read at the end stays short. */
import * as fc from "fast-check"
import { argv, type Family, integer, key, many, value } from "../Fuzz.ts"

const bytes = fc.oneof(
  fc
    .array(fc.constantFrom(0, 255, 255, 0, 1, 128, 170), { maxLength: 12 })
    .map((codes) => String.fromCharCode(...codes)),
  fc
    .tuple(fc.constantFrom("\x00", "\xff"), fc.integer({ min: 60, max: 200 }))
    .map(([char, length]) => char.repeat(length)),
  value,
)
const offset = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom("-1", "x", "4294967296", "9223372036854775808", "", "#1") },
)
const position = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -40, max: 90 }).map(String) },
  { weight: 1, arbitrary: fc.integer({ min: -1700, max: 1700 }).map(String) },
  { weight: 1, arbitrary: integer },
)
const bit = fc.oneof({ weight: 8, arbitrary: fc.constantFrom("0", "1") }, fc.constantFrom("2", "-1", "x", ""))
const unit = fc.constantFrom("BIT", "BYTE", "bit", "byte", "BITS")
const range = fc.oneof(
  argv(position, position),
  argv(position, position, unit),
  argv(position),
  argv(position, position, unit, "more"),
  argv(),
)

const width = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 64 }).map(String) },
  { weight: 3, arbitrary: fc.constantFrom("1", "8", "16", "32", "46", "47", "48", "53", "62", "63", "64") },
  { weight: 1, arbitrary: fc.constantFrom("0", "65", "", "x", "08", "-1") },
)
const type = fc.tuple(fc.constantFrom("i", "i", "u", "u", "U"), width).map(([sign, bits]) => sign + bits)
const fieldOffset = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 200 }).map(String) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 6 }).map((index) => `#${index}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "-1",
      "#-1",
      "#",
      "##1",
      "x",
      "4294967296",
      "#9223372036854775807",
      "#2305843009213693952",
    ),
  },
)
const operand = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -300, max: 300 }).map(String) },
  { weight: 3, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(1n, -1n), fc.integer({ min: 0, max: 62 }), fc.constantFrom(-1n, 0n, 1n))
      .map(([sign, power, step]) => String(sign * 2n ** BigInt(power) + step)),
  },
  { weight: 1, arbitrary: integer },
)
const operation = fc.oneof(
  argv(fc.constantFrom("GET", "get"), type, fieldOffset),
  argv("SET", type, fieldOffset, operand),
  argv("INCRBY", type, fieldOffset, operand),
  argv(
    "OVERFLOW",
    fc.constantFrom("WRAP", "SAT", "FAIL", "sat", "NONE"),
    fc.constantFrom("SET", "INCRBY"),
    type,
    fieldOffset,
    operand,
  ),
)
const operations = (max: number) => fc.array(operation, { maxLength: max }).map((words) => words.flat())

export const bitmaps: Family = {
  name: "bitmaps",
  command: fc.oneof(
    argv("SET", key, bytes),
    argv("SETBIT", key, offset, bit),
    argv("GETBIT", key, offset),
    argv("BITCOUNT", key, range),
    argv("BITPOS", key, bit, range),
    argv("BITOP", fc.constantFrom("AND", "OR", "XOR", "NOT", "not", "FOO"), key, many(key, 3)),
    argv("BITOP", "NOT", key, key),
    argv("BITFIELD", key, operations(3)),
    argv("BITFIELD", key, operation),
    argv("BITFIELD_RO", key, operations(2)),
    argv("BITFIELD_RO", key, "GET", type, fieldOffset),
    argv("ZADD", key, "1", "x"),
  ),
}
