/** Bits of strings against a model that is a string of the characters 0 and 1. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Bits from "../src/store/Bits.ts"
import { growable, StringBuffer } from "../src/store/StringBuffer.ts"

/** Lengths around and far beyond those where whole words are looked at, with long runs of equal bytes. */
const bytes = fc
  .array(fc.tuple(fc.constantFrom(0, 255, 0, 255, 1, 128, 90), fc.integer({ min: 1, max: 60 })), {
    minLength: 1,
    maxLength: 6,
  })
  .map((runs) => Buffer.concat(runs.map(([byte, length]) => Buffer.alloc(length, byte))))
const model = (input: Uint8Array): string => Array.from(input, (byte) => byte.toString(2).padStart(8, "0")).join("")
const range = fc.tuple(bytes, fc.nat(), fc.nat()).map(([input, a, b]) => {
  const bits = input.length * 8
  return { input, first: Math.min(a % bits, b % bits), last: Math.max(a % bits, b % bits) }
})

describe("counting and finding", () => {
  it.prop("counts what a range has", [range], ([{ input, first, last }]) => {
    expect(Bits.countBits(input, first, last)).toBe(
      model(input)
        .slice(first, last + 1)
        .replaceAll("0", "").length,
    )
  })

  it.prop("counts from any byte to any byte", [range], ([{ input, first, last }]) => {
    const [start, end] = [first >> 3, last >> 3]
    expect(Bits.countBytes(input, start, end)).toBe(model(input.subarray(start, end)).replaceAll("0", "").length)
  })

  it.prop(
    "finds the first bit of a value in a range",
    [range, fc.constantFrom(0, 1)],
    ([{ input, first, last }, bit]) => {
      const found = model(input)
        .slice(0, last + 1)
        .indexOf(String(bit), first)
      expect(Bits.findBit(input, bit, first, last)).toBe(found)
    },
  )

  it("works where memory does not begin at a word", () => {
    const input = Buffer.alloc(301, 0xff).subarray(1)
    expect(Bits.countBytes(input, 0, 300)).toBe(2400)
    expect(Bits.findBit(input, 0, 0, 2399)).toBe(-1)
  })

  it("counts and finds in the longest string", () => {
    const value = StringBuffer.zeros(2 ** 29)
    value.setBit(2 ** 32 - 1, true)
    value.setBit(2 ** 31, true)
    expect(Bits.countBytes(value.bytes, 0, value.length)).toBe(2)
    expect(Bits.findBit(value.bytes, 1, 2 ** 31 + 1, 2 ** 32 - 1)).toBe(2 ** 32 - 1)
    expect(Bits.countBits(value.bytes, 2 ** 31, 2 ** 32 - 2)).toBe(1)
  })
})

describe("combining", () => {
  type Operation = "AND" | "OR" | "XOR"
  const operation = fc.constantFrom<[Operation, ...Array<Operation>]>("AND", "OR", "XOR")
  const apply = {
    AND: (a: number, b: number) => a & b,
    OR: (a: number, b: number) => a | b,
    XOR: (a: number, b: number) => a ^ b,
  }

  it.prop("combines byte by byte", [operation, bytes, bytes], ([operation, a, b]) => {
    const length = Math.max(a.length, b.length)
    const target = Buffer.alloc(length)
    target.set(a)
    Bits.combine(operation, target, b)
    expect([...target]).toEqual(Array.from({ length }, (_, n) => apply[operation](a[n] ?? 0, b[n] ?? 0)))
  })

  it.prop("inverts every bit", [bytes], ([input]) => {
    const target = Buffer.alloc(input.length)
    target.set(input)
    Bits.invert(target)
    expect([...target]).toEqual(Array.from(input, (byte) => 255 - byte))
  })
})

describe("fields", () => {
  const field = fc.tuple(bytes, fc.nat({ max: 300 }), fc.integer({ min: 1, max: 64 }))

  it.prop("reads an integer of any width at any bit, zeros behind the end", [field], ([[input, offset, width]]) => {
    const bits = model(input)
      .padEnd(offset + width, "0")
      .slice(offset, offset + width)
    expect(BigInt(Bits.readBits(input, input.length, offset, width))).toBe(BigInt(`0b${bits}`))
  })

  it.prop(
    "writes only the bits of the field",
    [field, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ([[input, offset, width], value]) => {
      const target = Buffer.concat([input, Buffer.alloc(64)])
      const before = model(target)
      const wide = Buffer.from(target)
      const written = BigInt.asIntN(width, value)
      Bits.writeBits(wide, offset, width, written)
      if (width <= 46) Bits.writeBits(target, offset, width, Number(written))
      else Bits.writeBits(target, offset, width, written)
      const digits = BigInt.asUintN(width, written).toString(2).padStart(width, "0")
      expect(model(wide)).toBe(before.slice(0, offset) + digits + before.slice(offset + width))
      expect(target).toEqual(wide)
    },
  )
})

describe("StringBuffer", () => {
  it.prop(
    "behaves as a string that is cut and joined",
    [
      fc.array(
        fc.oneof(
          fc.record({ append: fc.string({ unit: "binary-ascii", maxLength: 40 }) }),
          fc.record({
            at: fc.nat({ max: 100 }),
            set: fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 20 }),
          }),
          fc.record({ bit: fc.nat({ max: 900 }), on: fc.boolean() }),
        ),
        { maxLength: 30 },
      ),
    ],
    ([steps]) => {
      const value = growable("start")
      let text = "start"
      for (const step of steps) {
        if ("append" in step) {
          value.append(step.append)
          text += step.append
        } else if ("set" in step) {
          value.setRange(step.at, step.set)
          text = text.padEnd(step.at, "\0").slice(0, step.at) + step.set + text.slice(step.at + step.set.length)
        } else {
          const old = model(Buffer.from(text, "latin1"))[step.bit] ?? "0"
          expect(value.getBit(step.bit)).toBe(Number(old))
          expect(value.setBit(step.bit, step.on)).toBe(Number(old))
          const bits = model(Buffer.from(text.padEnd((step.bit >> 3) + 1, "\0"), "latin1"))
          const changed = bits.slice(0, step.bit) + (step.on ? "1" : "0") + bits.slice(step.bit + 1)
          text = String.fromCharCode(...changed.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)))
        }
      }
      expect(value.toString()).toBe(text)
      expect(value.size).toBe(text.length)
    },
  )

  it("copies without sharing", () => {
    const value = StringBuffer.from("abc")
    const copy = value.copy()
    value.setRange(0, "x")
    copy.append("d")
    expect([value.toString(), copy.toString()]).toEqual(["xbc", "abcd"])
  })

  it("takes no more than it needs at first, and reserves ahead when it grows: twice the length below 1 MiB, 1 MiB more above", () => {
    const fresh = StringBuffer.zeros(0)
    fresh.setRange(99_999, "x")
    expect(fresh.bytes.length).toBe(100_000)
    const small = StringBuffer.from("x")
    small.append("x".repeat(99))
    const large = StringBuffer.zeros(3 * 2 ** 20)
    large.append("x")
    expect([small.bytes.length, large.bytes.length]).toEqual([200, 4 * 2 ** 20 + 1])
  })
})
