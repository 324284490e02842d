/**
 * Numbers as Redis reads and prints them. The expected texts were recorded from redis-server 7.0.15: integers by INCRBY k 0,
 * doubles by ZADD and ZSCORE, long doubles by INCRBYFLOAT.
 */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Numbers from "../src/bytes/Numbers.ts"

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const narrow = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) && BigInt(Number(value)) === value ? Number(value) : value

describe("parseInteger", () => {
  it.each([
    ["0", 0],
    ["7", 7],
    ["-1", -1],
    ["123456789012345", 123456789012345],
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["-9007199254740992", -9007199254740992n],
    ["9223372036854775807", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
  ])("reads %j", (text, value) => expect(Numbers.parseInteger(text)).toBe(value))

  it.each([
    "",
    "-",
    "+1",
    " 1",
    "1 ",
    "01",
    "-0",
    "-01",
    "00",
    "1.0",
    "1e3",
    "0x1",
    "a",
    "1\0",
    "--1",
    "9223372036854775808",
    "-9223372036854775809",
    "100000000000000000000",
    "999999999999999999999999999999",
  ])("refuses %j", (text) => expect(Numbers.parseInteger(text)).toBe(undefined))

  it.prop("reads what it prints, whatever the size", [int64], ([value]) => {
    expect(Numbers.parseInteger(String(value))).toBe(narrow(value))
  })

  it("gives counts as numbers, the largest possible where they are larger", () => {
    expect(["12", "9223372036854775807", "-9223372036854775808", "x"].map(Numbers.parseSafeInteger)).toEqual([
      12,
      Number.MAX_SAFE_INTEGER,
      -Number.MAX_SAFE_INTEGER,
      undefined,
    ])
  })
})

it.each([
  ["7", 7],
  ["007", 7],
  ["+8", 8],
  [" 9", 9],
  ["18446744073709551615", 18446744073709551615n],
  ["18446744073709551616", undefined],
  ["-01", 18446744073709551615n],
  ["-1", undefined],
  ["-", undefined],
  ["", undefined],
  ["1 ", undefined],
])("parseUnsigned64 of %j is %s", (text, value) => expect(Numbers.parseUnsigned64(text)).toBe(value))

describe("addInt64", () => {
  it.prop("adds exactly, or not at all outside of 64 bits", [int64, int64], ([a, b]) => {
    const sum = a + b
    expect(Numbers.addInt64(narrow(a), narrow(b))).toBe(BigInt.asIntN(64, sum) === sum ? narrow(sum) : undefined)
  })

  it("becomes a bigint beyond 2^53 and a number again below", () => {
    expect(Numbers.addInt64(Number.MAX_SAFE_INTEGER, 1)).toBe(9007199254740992n)
    expect(Numbers.addInt64(9007199254740992n, -1)).toBe(Number.MAX_SAFE_INTEGER)
    expect(Numbers.addInt64(9223372036854775807n, 1)).toBe(undefined)
    expect(Numbers.addInt64(-9223372036854775808n, -1)).toBe(undefined)
  })
})

describe("parseDouble", () => {
  it.each([
    ["0", 0],
    ["-0", -0],
    ["1.", 1],
    [".5", 0.5],
    ["+.5e1", 5],
    ["1E-3", 0.001],
    ["0e-9999999999", 0],
    ["4e-324", 5e-324],
    ["1e-310", 1e-310],
    ["0x10", 16],
    ["0x1p3", 8],
    ["0X1.8P-1", 0.75],
    ["-0x.8p1", -1],
    ["0x1p-1074", 5e-324],
    ["0x1.8p-1075", 5e-324],
    ["0x1fffffffffffff7p967", Number.MAX_VALUE],
    ["inf", Infinity],
    ["+INF", Infinity],
    ["-Infinity", -Infinity],
  ])("reads %j", (text, value) => expect(Numbers.parseDouble(text)).toBe(value))

  it.each([
    "",
    " ",
    "1 ",
    " 1",
    "nan",
    "NaN",
    "infini",
    ".",
    "+",
    "1e",
    "1e+",
    "1-2",
    "1_0",
    "0b1",
    "0o1",
    "0x",
    "0x.",
    "0x1p",
    "1\0",
    "\0",
    "1e400",
    "1e-400",
    "2e-324",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "0x1p1024",
    "0x1p-1075",
    "0x1fffffffffffff8p971",
    "0x1p99999999999",
    "-0x1p-2000",
  ])("refuses %j", (text) => expect(Numbers.parseDouble(text)).toBe(undefined))

  it.each([
    ["", 0],
    ["0\0x", 0],
    [" \t7", 7],
    ["1e400", Infinity],
    ["-1e-400", -0],
    ["nan", undefined],
    ["inf ", undefined],
    [" ", undefined],
  ])("parseDoubleLoosely of %j is %s", (text, value) => expect(Numbers.parseDoubleLoosely(text)).toBe(value))
})

describe("formatDouble", () => {
  it.each([
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [0.1, "0.10000000000000001"],
    [0.5, "0.5"],
    [-2.25, "-2.25"],
    [3.141, "3.141"],
    [123456.789, "123456.789"],
    [1700000000.123, "1700000000.1229999"],
    [100000000000.5, "100000000000.5"],
    [1e16, "10000000000000000"],
    [99_999_999_999_999_984, "99999999999999984"],
    [1e17, "1e+17"],
    [1e20, "1e+20"],
    [1.2345678901234568e17, "1.2345678901234568e+17"],
    [12345678901234568, "12345678901234568"],
    [9007199254740992, "9007199254740992"],
    [0.0001, "0.0001"],
    [0.00001, "1.0000000000000001e-05"],
    [1e100, "1e+100"],
    [5e-324, "4.9406564584124654e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    // Ties of the 18th digit, which C rounds to even and JavaScript up.
    [0.5 + 2 ** -18, "0.50000381469726562"],
    [0.5 + 3 * 2 ** -18, "0.50001144409179688"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
  ])("prints %d as %j", (value, text) => expect(Numbers.formatDouble(value)).toBe(text))

  it.prop("prints digits that read as the same number", [fc.double({ noNaN: true })], ([value]) => {
    expect(Numbers.parseDouble(Numbers.formatDouble(value))).toBe(value)
  })
})

describe("long doubles", () => {
  const incrbyfloat = (stored: string, increment: string): string => {
    const a = Numbers.parseLongDouble(stored)
    const b = Numbers.parseLongDouble(increment)
    if (a === undefined || b === undefined) return "not a float"
    const sum = Numbers.addLongDouble(a, b)
    return sum === undefined ? "infinite" : Numbers.formatLongDouble(sum)
  }

  it.each([
    ["10.5", "0.1", "10.6"],
    ["5.0e3", "2.0e2", "5200"],
    ["3", "1.1", "4.1"],
    ["-0", "0", "0"],
    ["0.1", "0.2", "0.3"],
    ["1000.1", "0.1", "1000.19999999999999996"],
    ["123456789.123", "0.001", "123456789.12399999999615829"],
    ["1e18", "0.5", "1000000000000000000.5"],
    ["9223372036854775807", "1", "9223372036854775808"],
    ["18446744073709551615", "2", "18446744073709551616"],
    ["99999999999999999999", "0.1", "100000000000000000000"],
    ["1e30", "1", "1000000000000000000024696061952"],
    ["1e-17", "0", "0.00000000000000001"],
    ["1.5e-17", "0", "0.00000000000000002"],
    ["5e-18", "0", "0"],
    ["-5e-18", "0", "0"],
    ["0x1p-18", "0", "0.00000381469726562"],
    ["0x10", "0x.8p1", "17"],
    ["+.5", "-.25", "0.25"],
    ["1e-4930", "0", "0"],
    ["1e-4960", "0", "not a float"],
    ["1e4933", "0", "not a float"],
    ["nan", "1", "not a float"],
    ["", "1", "not a float"],
    [" 1", "1", "not a float"],
    ["1e", "1", "not a float"],
    ["0".repeat(5120), "1", "not a float"],
    ["inf", "1", "infinite"],
    ["1", "-Infinity", "infinite"],
    ["1e4932", "1e4932", "infinite"],
  ])("%j plus %j is %s", (stored, increment, sum) => expect(incrbyfloat(stored, increment)).toBe(sum))

  it("prints a huge number with all its digits", () => {
    const digits = incrbyfloat("1e400", "0")
    expect(digits.length).toBe(401)
    expect(digits.slice(0, 40)).toBe("1000000000000000000028188068394758651458")
  })

  it.prop("adds sums of 64 bits exactly", [fc.maxSafeInteger(), fc.maxSafeInteger()], ([a, b]) => {
    expect(incrbyfloat(String(a), String(b))).toBe(String(BigInt(a) + BigInt(b)))
  })

  it.prop(
    "takes over every double as it is",
    [fc.double({ noNaN: true, min: -(2 ** 60), max: 2 ** 60 })],
    ([value]) => {
      const exact = Numbers.longDoubleOf(value)
      expect(Number(exact.mantissa) * 2 ** exact.exponent * (exact.negative ? -1 : 1)).toBe(value)
    },
  )
})
