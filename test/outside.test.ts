/** Memory outside the heap goes back when it is given back, not when the collector next happens to look at everything. */
import { describe, expect, it } from "vitest"
import { IndexedScores } from "../src/store/IndexedScores.ts"
import * as Outside from "../src/store/bytes/Outside.ts"
import * as Pages from "../src/store/bytes/Pages.ts"

const mib = 2 ** 20
const held = (): number => process.memoryUsage().arrayBuffers

describe("arrays outside the heap", () => {
  it("are freed on the spot, with all views of them", () => {
    const before = held()
    const arrays = [mib / 16, mib / 4, 4 * mib].flatMap((words) => Array.from({ length: 8 }, () => Outside.take(words)))
    const views = arrays.map(({ buffer }) => new Uint8Array(buffer))
    expect(held() - before).toBeGreaterThan(8 * 17 * mib)
    for (const array of arrays) Outside.release(array)
    expect(held() - before).toBeLessThan(mib)
    expect([...arrays, ...views].every(({ length }) => length === 0)).toBe(true)
  })

  it("have nothing behind them that counts: what the system has not given is no memory", () => {
    const before = Outside.spareBytes()
    const array = Outside.take(mib)
    expect([array.length, array.every((word) => word === 0)]).toEqual([mib, true])
    expect(Outside.spareBytes() - before).toBe(array.buffer.byteLength - 4 * mib)
    Outside.release(array)
    expect(Outside.spareBytes()).toBe(before)
  })
})

describe("pages", () => {
  const words = Pages.pageBytes / 4
  const takeMany = (count: number) => {
    const source = new Pages.PageSource()
    return Array.from({ length: count }, () => source.take(words))
  }

  it("are parts of large regions, each of which goes with the last of its pages", () => {
    const before = [Pages.regionCount(), Outside.spareBytes()]
    const pages = takeMany(300)
    pages.forEach((page, i) => page.fill(i))
    expect(pages.every((page, i) => page.length === words && page[0] === i && page.at(-1) === i)).toBe(true)
    expect(new Set(pages.map(({ buffer }) => buffer)).size).toBeLessThanOrEqual(5)
    expect(Pages.regionCount() - before[0]!).toBeGreaterThanOrEqual(2)
    const [first, ...rest] = pages
    for (const page of rest) Pages.release(page)
    expect(first!.every((word) => word === 0)).toBe(true)
    Pages.release(first!)
    // A second time is no harm.
    Pages.release(first!)
    expect([Pages.regionCount(), Outside.spareBytes()]).toEqual(before)
  })

  it("of large collections that grow by turns lie in regions of their own", () => {
    const before = Pages.regionCount()
    const sources = [new Pages.PageSource(), new Pages.PageSource()] as const
    const pages = sources.map((): Array<Int32Array> => [])
    for (let i = 0; i < 300; i++) pages[i % 2]!.push(sources[i % 2]!.take(words))
    const both = Pages.regionCount()
    for (const page of pages[0]!) Pages.release(page)
    // All but the first few pages were in regions that have gone.
    expect(both - Pages.regionCount()).toBeGreaterThanOrEqual(2)
    for (const page of pages[1]!) Pages.release(page)
    expect(Pages.regionCount()).toBe(before)
  })

  it("that nobody gave back are found by the collector", async () => {
    const before = Pages.regionCount()
    takeMany(200)
    expect(Pages.regionCount()).toBeGreaterThan(before)
    for (let turns = 0; turns < 100 && Pages.regionCount() > before; turns++) {
      Outside.collectAll()
      await new Promise((resume) => setImmediate(resume))
    }
    expect(Pages.regionCount()).toBeLessThanOrEqual(before)
  })
})

describe("the leaves of a large sorted set", () => {
  const make = (size: number) => {
    const scores = new IndexedScores()
    for (let i = 0; i < size; i++) scores.append(`member:${i}`, (i * 7919) % size)
    return scores
  }

  it("are given back with it", () => {
    const before = [Pages.regionCount(), Outside.spareBytes()]
    const scores = make(100_000)
    expect(scores.tree.slabBytes).toBeGreaterThan(16 * 100_000)
    expect(Pages.regionCount()).toBeGreaterThan(before[0]!)
    while (scores.release());
    expect([scores.tree.slabBytes, Pages.regionCount(), Outside.spareBytes()]).toEqual([0, ...before])
  })

  it("take no more than they need after most members were removed, from wherever", () => {
    const size = 100_000
    const scores = make(size)
    const full = scores.tree.slabBytes
    const model: Array<number> = []
    for (let i = 0; i < size; i++) {
      if ((i * 31) % 20 === 0) model.push(i)
      else scores.remove(scores.records.find(`member:${i}`))
    }
    expect(scores.tree.size).toBe(model.length)
    // Nodes are joined when they are a quarter full, so the leaves take up to four times what they hold; and slabs three times that.
    expect(scores.tree.slabBytes).toBeLessThan(full / 3)
    const expected = model.map((i) => [`member:${i}`, (i * 7919) % size] as const).sort(([, a], [, b]) => a - b)
    const found: Array<readonly [string, number]> = []
    scores.visit(0, model.length, false, (member, score) => found.push([member, score]))
    expect(found).toEqual(expected)
    expect(expected.map(([member]) => scores.rank(member))).toEqual(expected.map((_, rank) => rank))
  })
})
