/**
 * The list against a model that is a plain array: random changes at sizes and with elements that put it into one packed
 * string, into packed blocks, and into blocks of long strings. What commands answer is in the transcripts.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { List } from "../src/store/List.ts"
import * as Packed from "../src/store/PackedStrings.ts"

const element = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("", "a", "b", "ab", "\x01a\x01", "12345678901234567890") },
  { weight: 2, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 250, max: 300 }).map((length) => "l".repeat(length)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code).repeat(255)) },
)
const place = fc.nat(1000)
const change = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant("pushHead" as const), element, fc.integer({ min: 1, max: 90 })) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("pushTail" as const), element, fc.integer({ min: 1, max: 90 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("popHead" as const), element, fc.integer({ min: 1, max: 90 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("popTail" as const), element, fc.integer({ min: 1, max: 90 })) },
  fc.tuple(fc.constant("insert" as const), element, place),
  fc.tuple(fc.constant("set" as const), element, place),
  fc.tuple(fc.constant("removeFirst" as const), element, fc.nat(70)),
  fc.tuple(fc.constant("removeLast" as const), element, fc.nat(70)),
  fc.tuple(fc.constant("removeMatching" as const), element, fc.integer({ min: -3, max: 3 })),
  fc.tuple(fc.constant("copy" as const), element, place),
)

const all = (list: List): Array<string> => list.slice(0, list.size)

const indexes = (model: ReadonlyArray<string>, value: string, fromTail: boolean): Array<number> => {
  const found = model.flatMap((item, index) => (item === value ? [index] : []))
  return fromTail ? found.reverse() : found
}

const removeFrom = (model: Array<string>, value: string, count: number): number => {
  const found = indexes(model, value, count < 0).slice(0, count === 0 ? undefined : Math.abs(count))
  for (const index of found.sort((a, b) => b - a)) model.splice(index, 1)
  return found.length
}

describe("a list agrees with an array", () => {
  it("does not join packed strings to one that is longer than it may be", () => {
    const half = Packed.join("", ["x".repeat(200)], 0, 1, "")!
    const long = half.repeat(Math.floor(Packed.lengthMax / half.length))
    expect(Packed.join(long, [], 0, 0, long)).toBe(undefined)
    expect(Packed.join(half, [], 0, 0, half)).toBe(half + half)
  })

  it("after any changes, and so does the copy made before them", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.boolean(), (changes, startsLong) => {
        const model: Array<string> = startsLong ? Array.from({ length: 400 }, (_, i) => `item:${i % 7}`) : []
        let list = List.from(model)
        let before = { list: list.copy(), model: [...model] }
        for (const [name, value, n] of changes) {
          switch (name) {
            case "pushHead":
              for (let i = 0; i < n; i++) list.pushHead(value + (i % 3))
              for (let i = 0; i < n; i++) model.unshift(value + (i % 3))
              break
            case "pushTail":
              for (let i = 0; i < n; i++) list.pushTail(value + (i % 3))
              for (let i = 0; i < n; i++) model.push(value + (i % 3))
              break
            case "popHead":
              for (let i = 0; i < n && model.length > 0; i++) expect(list.popHead()).toBe(model.shift())
              break
            case "popTail":
              for (let i = 0; i < n && model.length > 0; i++) expect(list.popTail()).toBe(model.pop())
              break
            case "insert": {
              const index = n % (model.length + 1)
              list.insert(index, value)
              model.splice(index, 0, value)
              break
            }
            case "set":
              if (model.length === 0) break
              list.set(n % model.length, value)
              model[n % model.length] = value
              break
            case "removeFirst":
              list.removeFirst(Math.min(n, model.length))
              model.splice(0, n)
              break
            case "removeLast":
              list.removeLast(Math.min(n, model.length))
              model.splice(Math.max(0, model.length - n))
              break
            case "removeMatching":
              expect(list.removeMatching(value, n < 0, n === 0 ? Infinity : Math.abs(n))).toBe(
                removeFrom(model, value, n),
              )
              break
            case "copy":
              before = { list, model: [...model] }
              list = list.copy()
          }
          expect(list.size).toBe(model.length)
        }
        expect(all(list)).toEqual(model)
        expect([...list]).toEqual(model)
        expect(all(before.list)).toEqual(before.model)
        for (const index of [0, 1, model.length >>> 1, model.length - 1]) {
          if (index >= 0 && index < model.length) expect(list.at(index)).toBe(model[index])
        }
        const from = model.length >>> 2
        expect(list.slice(from, model.length - 2 * from)).toEqual(model.slice(from, model.length - from))
      }),
      { numRuns: 300 },
    )
  })

  it("on where a value stands, from either end, with any skip, limit and number of looks", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "long".repeat(70)), { maxLength: 400 }),
        fc.boolean(),
        fc.nat(5),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(500),
        (items, fromTail, skipped, limit, lookedMax) => {
          const looked = fromTail ? items.length - lookedMax : lookedMax
          const expected = indexes(items, "b", fromTail)
            .filter((index) => (fromTail ? index >= looked : index < looked))
            .slice(skipped, skipped + limit)
          expect(List.from(items).indexesOf("b", { fromTail, skipped, limit, lookedMax })).toEqual(expected)
        },
      ),
    )
  })
})

describe("a long list", () => {
  const count = 200_000
  it("gives back at either end what was pushed, and shrinks to nothing", () => {
    const list = new List()
    for (let i = 0; i < count; i++) list.pushHead(`h${i}`)
    for (let i = 0; i < count; i++) list.pushTail(`t${i}`)
    expect(list.size).toBe(2 * count)
    expect(list.at(count)).toBe("t0")
    expect(list.at(count - 1)).toBe("h0")
    expect(list.at(count + 12_345)).toBe("t12345")
    let wrong = 0
    for (let i = count - 1; i >= 0; i--) if (list.popTail() !== `t${i}`) wrong++
    for (let i = 0; i < count; i++) if (list.popTail() !== `h${i}`) wrong++
    expect([wrong, list.size]).toEqual([0, 0])
  })

  it("costs little more than its bytes", () => {
    const list = new List()
    for (let i = 0; i < count; i++) list.pushTail(`item:${100_000 + i}`)
    expect(list.memoryUsage(0) / count).toBeLessThan(16)
    expect(list.memoryUsage(5) / count).toBeLessThan(16)
  })

  it("drops what LREM leaves empty", () => {
    const list = List.from(Array.from({ length: 10_000 }, (_, i) => (i % 100 === 0 ? "kept" : "gone")))
    expect(list.removeMatching("gone", false, Infinity)).toBe(9_900)
    expect(list.size).toBe(100)
    expect(new Set(list)).toEqual(new Set(["kept"]))
  })
})

describe("packed strings", () => {
  it("refuse what is too long for a block", () => {
    expect(Packed.joinOne("", "x".repeat(256), "")).toBe(undefined)
    expect(Packed.join("", ["x", "x".repeat(256)], 0, 2, "")).toBe(undefined)
    expect(
      Packed.join(
        "",
        Array.from({ length: 100 }, () => "x".repeat(200)),
        0,
        100,
        "",
      ),
    ).toBe(undefined)
  })

  it("hold the longest element they take", () => {
    const value = "\xff".repeat(255)
    const packed = Packed.joinOne("", value, "")!
    expect([Packed.first(packed), Packed.last(packed), Packed.unpack(packed)]).toEqual([value, value, [value]])
  })
})
