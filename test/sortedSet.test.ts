/**
 * The sorted set against a model that is a plain sorted array: every way to ask, after random changes, at sizes that put the
 * members into one string and into the table and tree. What commands answer is in the transcripts.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { IndexedScores } from "../src/store/IndexedScores.ts"
import { type LexBound, SortedSet } from "../src/store/SortedSet.ts"

const limits = { zsetMaxListpackEntries: 128, zsetMaxListpackValue: 64 }

type Entry = readonly [member: string, score: number]

/** The members as Redis orders them. */
const sorted = (model: ReadonlyMap<string, number>): Array<Entry> =>
  [...model].sort(([a, x], [b, y]) => (x !== y ? x - y : a < b ? -1 : 1))

const entriesOf = (set: SortedSet, start = 0, count = set.size, reverse = false): Array<Entry> => {
  const entries: Array<Entry> = []
  set.visit(start, count, reverse, (member, score) => entries.push([member, score]))
  return entries
}

const least: LexBound = { member: undefined, side: "least", exclusive: false }
const greatest: LexBound = { member: undefined, side: "greatest", exclusive: false }
const bound = (member: string, exclusive: boolean): LexBound => ({ member, side: "least", exclusive })

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

describe("a sorted set agrees with a sorted array", () => {
  const step = fc.record({
    remove: fc.boolean(),
    member: fc.oneof(fc.nat(40).map(String), fc.string({ maxLength: 70, unit: "binary-ascii" })),
    score: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Infinity, -Infinity, 0.1, -0, 1e300)),
  })
  it("after any changes of a small set, except that a minus zero loses its sign", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const set = new SortedSet()
        const model = new Map<string, number>()
        for (const { remove, member, score } of steps) {
          if (remove) expect(set.remove(member)).toBe(model.delete(member))
          else {
            const old = model.get(member)
            const outcome = old === undefined ? "added" : old === score ? "unchanged" : "updated"
            expect(set.put(member, score, limits)).toBe(outcome)
            if (outcome !== "unchanged") model.set(member, score + 0)
          }
        }
        const expected = sorted(model)
        expect(entriesOf(set)).toEqual(expected)
        expect(entriesOf(set.copy())).toEqual(expected)
        expected.forEach(([member, score], rank) => {
          expect(set.rank(member)).toBe(rank)
          expect(set.score(member)).toBe(score)
          expect(set.memberAt(rank)).toBe(member)
        })
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    { members: 200, steps: 2_000, scores: 5 },
    { members: 5_000, steps: 12_000, scores: 100_000 },
    { members: 12_000, steps: 14_000, scores: 3 },
  ])("after $steps random changes among $members members with $scores scores", ({ members, steps, scores }) => {
    const draw = random(members)
    const set = new SortedSet()
    const model = new Map<string, number>()
    const change = (adding: number) => {
      const member = `member:${draw(members)}`
      if (draw(100) < adding) {
        const score = draw(scores) / 2
        set.put(member, score, limits)
        model.set(member, score)
      } else if (set.remove(member) !== model.delete(member)) expect(member).toBe("there or not")
    }
    const check = () => {
      const expected = sorted(model)
      expect(set.size).toBe(expected.length)
      expect(entriesOf(set)).toEqual(expected)
      expect(entriesOf(set, set.size - 1, set.size, true)).toEqual(expected.toReversed())
      for (let i = 0; i < 50 && expected.length > 0; i++) {
        const rank = draw(expected.length)
        expect(set.rank(expected[rank]![0])).toBe(rank)
        expect(set.memberAt(rank)).toBe(expected[rank]![0])
        const min = draw(scores) / 2
        const max = min + draw(scores) / 2
        const { start, end } = set.ranksOfScores({ min, max, minExclusive: i % 2 === 0, maxExclusive: i % 3 === 0 })
        expect(entriesOf(set, start, end - start)).toEqual(
          expected.filter(([, s]) => (i % 2 === 0 ? s > min : s >= min) && (i % 3 === 0 ? s < max : s <= max)),
        )
      }
    }
    for (let i = 0; i < steps; i++) change(80)
    check()
    for (let i = 0; i < steps; i++) change(20)
    check()
    for (const member of [...model.keys()]) {
      if (draw(50) === 0) continue
      set.remove(member)
      model.delete(member)
    }
    check()
    for (let i = 0; i < 500; i++) change(60)
    check()
  })

  it("where ranges of members are asked for", () => {
    const names = Array.from({ length: 300 }, (_, i) => `m${String(i * 7).padStart(4, "0")}`)
    for (const count of [100, 300]) {
      const set = new SortedSet()
      for (const name of names.slice(0, count)) set.put(name, 1, limits)
      const draw = random(count)
      for (let i = 0; i < 200; i++) {
        const min = draw(10) === 0 ? least : bound(`m${String(draw(2200)).padStart(4, "0")}`, draw(2) === 0)
        const max = draw(10) === 0 ? greatest : bound(`m${String(draw(2200)).padStart(4, "0")}`, draw(2) === 0)
        const expected = names
          .slice(0, count)
          .filter((name) => min.member === undefined || (min.exclusive ? name > min.member : name >= min.member))
          .filter((name) => max.member === undefined || (max.exclusive ? name < max.member : name <= max.member))
        const { start, end } = set.ranksOfMembers({ min, max }, i % 2 === 0)
        expect(entriesOf(set, start, end - start).map(([member]) => member)).toEqual(expected)
      }
    }
  })
})

describe("a sorted set", () => {
  it("puts a minus zero where zero is, and keeps its sign in a skiplist only", () => {
    for (const filler of [0, 200]) {
      const set = new SortedSet()
      for (let i = 0; i < filler; i++) set.put(`f${i}`, 1, limits)
      set.put("b", -0, limits)
      set.put("a", 0, limits)
      expect(set.rank("a")).toBe(0)
      expect(Object.is(set.score("b"), filler === 0 ? 0 : -0)).toBe(true)
      expect(set.put("b", 0, limits)).toBe("unchanged")
    }
  })

  it("becomes a skiplist at the limits and stays one", () => {
    const set = new SortedSet()
    for (let i = 0; i < 128; i++) set.put(`m${i}`, i, limits)
    expect(set.encoding).toBe("listpack")
    set.put("one more", 0, limits)
    expect(set.encoding).toBe("skiplist")
    for (let i = 0; i < 128; i++) set.remove(`m${i}`)
    expect(set.encoding).toBe("skiplist")
    expect(set.copy().encoding).toBe("skiplist")
    const long = new SortedSet()
    long.put("x".repeat(64), 0, limits)
    expect(long.encoding).toBe("listpack")
    long.put("x".repeat(65), 0, limits)
    expect(long.encoding).toBe("skiplist")
  })

  it("keeps its records and its tree in step when all goes and comes again, and records are moved meanwhile", () => {
    const indexed = new IndexedScores()
    const { records, tree } = indexed
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 9_000; i++) indexed.append(`${round}:${i}`, -i)
      expect(records.member(tree.at(0))).toBe(`${round}:8999`)
      while (records.size > 0) {
        const address = tree.at(tree.size >>> 1)
        indexed.remove(address)
      }
      expect(tree.size).toBe(0)
    }
  })

  it("gives up its ends in order", () => {
    for (const size of [5, 100, 3_000]) {
      const draw = random(size)
      const set = new SortedSet()
      const model = new Map<string, number>()
      for (let i = 0; i < size; i++) {
        const score = draw(size)
        set.put(`m${i}`, score, limits)
        model.set(`m${i}`, score)
      }
      const expected = sorted(model)
      let last = false
      while (set.size > 0) {
        // Many in a row at one end, then at the other.
        if (draw(12) === 0) last = !last
        const [member, score] = (last ? expected.pop() : expected.shift())!
        set.takeEnd(last, (...taken) => expect(taken).toEqual([member, score]))
        expect(set.score(member)).toBe(undefined)
      }
      expect(expected).toEqual([])
    }
  })

  it("orders members by their bytes, whatever their length", () => {
    const names = ["", "\0", "\0\0", "a", "a\0", "ab", "abc", "abcd", "abcd\0", "abcde", "abcdé", "b", "\xff", "\xff\0"]
    const set = new SortedSet()
    const model = new Map<string, number>()
    for (let i = 0; i < 40; i++) {
      for (const name of names) {
        const member = `${"x".repeat(i % 7)}${name}`
        set.put(member, i % 2, limits)
        model.set(member, i % 2)
        const other = `${name}${"x".repeat(i * 9)}`
        set.put(other, 1, limits)
        model.set(other, 1)
      }
    }
    expect(entriesOf(set)).toEqual(sorted(model))
  })

  it("visits every member that stays while it is scanned, whatever else comes and goes", () => {
    const draw = random(7)
    for (let round = 0; round < 20; round++) {
      const set = new SortedSet()
      const stay = new Set<string>()
      for (let i = 0; i < 600; i++) {
        set.put(`m${i}`, draw(1000), limits)
        if (i % 3 === 0) stay.add(`m${i}`)
      }
      const seen = new Set<string>()
      let cursor = 0
      do {
        cursor = set.scan(cursor, 10, (member) => seen.add(member))
        for (let i = 0; i < 20; i++) {
          const member = `m${draw(900)}`
          if (stay.has(member)) set.put(member, draw(1000), limits)
          else if (draw(2) === 0) set.remove(member)
          else set.put(member, draw(1000), limits)
        }
      } while (cursor !== 0)
      expect([...stay].filter((member) => !seen.has(member))).toEqual([])
    }
  })
})
