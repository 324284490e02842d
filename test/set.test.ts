/**
 * The set against a model that is JavaScript's own: random changes at sizes that make it one string of integers, a few
 * compared members, and a table of records that are moved together when most have gone. What commands answer is in the transcripts.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { MemberTable } from "../src/store/MemberTable.ts"
import * as Integers from "../src/store/PackedIntegers.ts"
import { SetValue } from "../src/store/SetValue.ts"

const limits = { setMaxIntsetEntries: 512 }

const bySize = (a: string, b: string): number => (BigInt(a) < BigInt(b) ? -1 : 1)

const edges = [0n, 1n, 127n, 128n, 32_767n, 32_768n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 62n]
const int64 = fc.oneof(
  fc.integer({ min: -50, max: 50 }).map(String),
  fc
    .tuple(fc.constantFrom(...edges), fc.constantFrom(1n, -1n), fc.integer({ min: -2, max: 2 }))
    .map(([edge, sign, step]) => String(edge * sign + BigInt(step))),
  fc.constantFrom("9223372036854775807", "-9223372036854775808", "9223372036854775806", "-9223372036854775807"),
)

/** A generator of numbers below `bound` that gives the same row for the same seed. */
const random = (seed: number) => {
  let state = seed | 1
  return (bound: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

describe("a set of integers", () => {
  it("keeps them exact and in ascending order, whatever their width", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(int64, fc.boolean()), { maxLength: 80 }), (steps) => {
        const set = new SetValue()
        const model = new Set<string>()
        for (const [member, removes] of steps) {
          if (removes) expect(set.remove(member)).toBe(model.delete(member))
          else {
            expect(set.add(member, limits)).toBe(!model.has(member))
            model.add(member)
          }
        }
        expect(set.encoding).toBe("intset")
        expect(set.members()).toEqual([...model].sort(bySize))
        for (const [member] of steps) expect(set.has(member)).toBe(model.has(member))
      }),
      { numRuns: 300 },
    )
  })

  it("becomes a table with the first member that is no integer as Redis spells it, and stays one", () => {
    for (const member of ["x", "", "01", "+1", "-0", " 1", "9223372036854775808", "1.0"]) {
      const set = new SetValue()
      for (const integer of ["3", "1", "-9223372036854775808"]) set.add(integer, limits)
      expect(set.has(member)).toBe(false)
      expect(set.remove(member)).toBe(false)
      expect(set.encoding).toBe("intset")
      expect(set.add(member, limits)).toBe(true)
      expect(set.encoding).toBe("hashtable")
      expect(set.remove(member)).toBe(true)
      expect(set.encoding).toBe("hashtable")
      expect(new Set(set)).toEqual(new Set(["1", "3", "-9223372036854775808"]))
    }
  })

  it("becomes a table with one member more than the setting allows", () => {
    const set = new SetValue()
    for (let i = 0; i < 512; i++) set.add(String(i * 1000), limits)
    expect(set.encoding).toBe("intset")
    set.add("0", limits)
    expect(set.encoding).toBe("intset")
    set.add("1", limits)
    expect(set.encoding).toBe("hashtable")
    expect(set.size).toBe(513)
    const none = new SetValue()
    none.add("1", { setMaxIntsetEntries: 0 })
    expect(none.encoding).toBe("hashtable")
  })

  it("finds no value wider than all of its own", () => {
    const packed = Integers.insert(Integers.insert(Integers.empty, 5, 0), 7, 1)
    expect([Integers.find(packed, 2 ** 40), Integers.find(packed, -(2 ** 40)), Integers.find(packed, 6)]).toEqual([
      -3, -1, -2,
    ])
  })
})

describe("a table of members", () => {
  it.each([
    { members: 24, steps: 2_000 },
    { members: 3_000, steps: 20_000 },
    { members: 60_000, steps: 90_000 },
  ])("agrees with a Set after $steps random changes among $members members", ({ members, steps }) => {
    const draw = random(members)
    const table = new MemberTable()
    const model = new Set<string>()
    let wrong = 0
    for (let step = 0; step < steps; step++) {
      const member = `member:${draw(members)}`
      if (draw(3) > 0) {
        if (table.add(member) === model.has(member)) wrong++
        model.add(member)
      } else if (table.remove(member) !== model.delete(member)) wrong++
    }
    expect([wrong, table.size]).toEqual([0, model.size])
    const membersOf = (of: MemberTable) => Array.from({ length: of.size }, (_, position) => of.at(position))
    expect(new Set(membersOf(table))).toEqual(model)
    expect([...model].filter((member) => !table.has(member))).toEqual([])
    const copy = table.copy()
    expect(new Set(membersOf(copy))).toEqual(model)
    const left = new Set(model)
    while (copy.size > 0) {
      if (!left.delete(copy.removeAt(draw(copy.size)))) wrong++
      // Records are moved together meanwhile, and what is left must still be found.
      if (copy.size % 1000 === 1 && [...left].some((member) => !copy.has(member))) wrong++
    }
    expect([wrong, left.size, copy.has("member:1"), table.size]).toEqual([0, 0, false, model.size])
  })

  it("tells members apart that differ in length, in zero bytes at the end or far behind the beginning", () => {
    const table = new MemberTable()
    const model = new Set<string>()
    for (const length of [0, 1, 3, 4, 5, 1023, 1024, 1025, 5000, 200_000]) {
      for (const end of ["", "\0", "\0\0", "x", "\xff"]) {
        const member = "m".repeat(length) + end
        expect(table.add(member)).toBe(!model.has(member))
        model.add(member)
      }
    }
    for (let round = 0; round < 2; round++) {
      for (const member of model) expect([table.has(member), table.add(member)]).toEqual([true, false])
      expect(new Set(table.slice(0, table.size))).toEqual(model)
      expect(table.slice(3, 20)).toEqual(Array.from({ length: 20 }, (_, i) => table.at(3 + i)))
      for (const member of model) expect([table.remove(member), table.has(member)]).toEqual([true, false])
      expect(table.size).toBe(0)
      for (const member of model) expect(table.add(member)).toBe(true)
    }
  })
})

describe("a scan", () => {
  it("meets every member that is there from start to end, whatever comes and goes meanwhile", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1, max: 300 }), (seed, kept) => {
        const draw = random(seed)
        const set = new SetValue()
        const others: Array<string> = []
        for (let i = 0; i < kept * 3; i++) {
          const member = i % 3 === 0 ? `kept:${i / 3}` : `other:${i}`
          if (i % 3 !== 0) others.push(member)
          set.add(member, limits)
        }
        const met = new Set<string>()
        let cursor = 0
        do {
          cursor = set.scan(cursor, 1 + draw(20), (member) => met.add(member))
          for (let n = draw(8); n > 0; n--) {
            if (draw(2) === 0) set.add(`new:${draw(1000)}`, limits)
            else if (others.length > 0) set.remove(others.splice(draw(others.length), 1)[0])
          }
        } while (cursor !== 0)
        for (let i = 0; i < kept; i++) expect(met.has(`kept:${i}`)).toBe(true)
      }),
    )
  })

  it("gives an intset whole", () => {
    const set = new SetValue()
    for (let i = 0; i < 100; i++) set.add(String(i), limits)
    const met: Array<string> = []
    expect(set.scan(0, 1, (member) => met.push(member))).toBe(0)
    expect(met).toEqual(set.members())
  })
})

describe("a copy of a set", () => {
  it("shares nothing that can change", () => {
    for (const extra of ["7", "x"]) {
      const set = new SetValue()
      for (let i = 0; i < 40; i++) set.add(String(i), limits)
      set.add(extra, limits)
      const copy = set.copy()
      copy.remove("1")
      set.add("100", limits)
      expect([set.has("1"), copy.has("1"), copy.has("100"), copy.encoding]).toEqual([true, false, false, set.encoding])
    }
  })
})
