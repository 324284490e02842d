/** HyperLogLogs: the laws of both encodings, and damaged values. The bytes redis-server gives are in the transcript. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as HyperLogLog from "../src/store/HyperLogLog.ts"
import { StringBuffer } from "../src/store/StringBuffer.ts"

const sparseBytesMax = 3000
const element = fc.string({ unit: "binary-ascii", maxLength: 20 })
const elements = fc.oneof(
  fc.array(element, { maxLength: 50 }),
  fc
    .tuple(fc.nat({ max: 1000 }), fc.nat({ max: 1500 }))
    .map(([from, count]) => Array.from({ length: count }, (_, n) => `${from + n}`)),
)

const of = (items: ReadonlyArray<string>, bytesMax = sparseBytesMax): StringBuffer => {
  const value = HyperLogLog.make()
  for (const item of items) HyperLogLog.add(value, item, bytesMax)
  return value
}
const registers = (value: StringBuffer): Uint8Array => {
  const union = new Uint8Array(HyperLogLog.registerCount)
  expect(HyperLogLog.mergeInto(union, value)).toBe(true)
  return union
}

describe("HyperLogLog", () => {
  // PFDEBUG DECODE after PFADD, recorded.
  it("puts elements where Redis puts them", () => {
    expect(HyperLogLog.describe(of(["a", "b", "c"]))).toBe("Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603")
  })

  it.prop("has the same registers sparse and dense", [elements], ([items]) => {
    const sparse = of(items)
    const dense = HyperLogLog.make()
    HyperLogLog.toDense(dense)
    for (const item of items) HyperLogLog.add(dense, item, sparseBytesMax)
    expect(Buffer.compare(registers(sparse), registers(dense))).toBe(0)
    expect(HyperLogLog.count(sparse)).toBe(HyperLogLog.count(dense))
    expect(HyperLogLog.countUnion(registers(sparse))).toBe(HyperLogLog.count(dense))
    HyperLogLog.toDense(sparse)
    expect(sparse.toString().slice(16)).toBe(dense.toString().slice(16))
    const all = registers(dense)
    expect(all.every((register, index) => HyperLogLog.register(dense, index) === register)).toBe(true)
  })

  it.prop("says of an addition whether it changed anything", [elements, element], ([items, item]) => {
    const value = of(items)
    const before = registers(value)
    const changed = HyperLogLog.add(value, item, sparseBytesMax)
    expect(changed === 1).toBe(Buffer.compare(before, registers(value)) !== 0)
    expect(HyperLogLog.add(value, item, sparseBytesMax)).toBe(0)
  })

  it.prop("merges to what one that saw everything is", [elements, elements], ([some, others]) => {
    const target = of(some)
    HyperLogLog.mergeFrom(target, registers(of(others)), sparseBytesMax)
    expect(Buffer.compare(registers(target), registers(of([...some, ...others])))).toBe(0)
    expect(HyperLogLog.cached(target)).toBeUndefined()
  })

  it("stays within its standard error", () => {
    const value = HyperLogLog.make()
    for (let n = 1; n <= 200_000; n++) {
      HyperLogLog.add(value, `element:${n}`, sparseBytesMax)
      if (![10, 1000, 20_000, 200_000].includes(n)) continue
      HyperLogLog.invalidate(value)
      expect(Math.abs(Number(HyperLogLog.count(value)) - n) / n).toBeLessThan(3 * 0.0081)
    }
  })

  it.prop("is promoted at the configured size", [elements, fc.constantFrom(0, 20, 100, 3000)], ([items, bytesMax]) => {
    const value = of(items, bytesMax)
    if (HyperLogLog.encoding(value) === "sparse") expect(value.length).toBeLessThanOrEqual(Math.max(bytesMax, 18))
    else expect(value.length).toBe(16 + 12288)
  })

  it.prop(
    "survives any bytes behind its header",
    [fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0, 1), element],
    ([tail, encoding, item]) => {
      const header = Buffer.from("HYLL\0\0\0\0\0\0\0\0\0\0\0\x80", "latin1")
      header[4] = encoding
      const value = new StringBuffer(Buffer.concat([header, tail]))
      if (!HyperLogLog.isValid(value)) return
      HyperLogLog.describe(value)
      HyperLogLog.count(value)
      HyperLogLog.mergeInto(new Uint8Array(HyperLogLog.registerCount), value)
      expect([-1, 0, 1]).toContain(HyperLogLog.add(value, item, sparseBytesMax))
      HyperLogLog.toDense(value)
    },
  )
})
