/** Memory outside the heap goes back when it is given back, not when the collector next happens to look at everything. */
import { describe, expect, it } from "vitest"
import { IndexedScores } from "../src/store/IndexedScores.ts"
import * as Outside from "../src/store/bytes/Outside.ts"
import * as Pages from "../src/store/bytes/Pages.ts"
import { PositionList } from "../src/store/bytes/PositionList.ts"

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
    const source = new Pages.PageSource(() => {})
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
    const sources = [new Pages.PageSource(() => {}), new Pages.PageSource(() => {})] as const
    const pages = sources.map((): Array<Int32Array> => [])
    for (let i = 0; i < 300; i++) pages[i % 2]!.push(sources[i % 2]!.take(words))
    const both = Pages.regionCount()
    for (const page of pages[0]!) Pages.release(page)
    // All but the first few pages were in regions that have gone.
    expect(both - Pages.regionCount()).toBeGreaterThanOrEqual(2)
    for (const page of pages[1]!) Pages.release(page)
    expect(Pages.regionCount()).toBe(before)
  })

  it("that are left in a region of which most is free again move to another, and it goes", () => {
    const before = Pages.regionCount()
    const moves: Array<readonly [Int32Array, Int32Array]> = []
    const source = new Pages.PageSource((from, to) => {
      pages[pages.indexOf(from)] = to
      moves.push([from, to])
    })
    const pages: Array<Int32Array> = Array.from({ length: 16 + 2 * 128 }, () => source.take(words))
    pages.forEach((page, i) => page.fill(i))
    const regions = Pages.regionCount()
    let told = 0
    const unlisten = Pages.listen(() => told++)
    // A quarter of each region is no reason.
    for (const i of pages.keys()) if (i % 4 === 0) Pages.release(pages[i]!)
    while (Pages.tidy());
    expect([Pages.regionCount(), told, moves.length]).toEqual([regions, 0, 0])
    const left = [21, 101, 150, 201]
    for (const i of pages.keys()) if (i % 4 !== 0 && !left.includes(i)) Pages.release(pages[i]!)
    expect(told).toBe(1)
    while (Pages.tidy());
    unlisten()
    expect(moves.length).toBe(4)
    expect(left.map((i) => pages[i]!.every((word) => word === i))).toEqual([true, true, true, true])
    // Few pages are among those of others, whoever they are of.
    expect(Pages.regionCount() - before).toBeLessThanOrEqual(1)
    for (const i of left) Pages.release(pages[i]!)
    expect(Pages.regionCount()).toBe(before)
  })

  it("hold what a list of positions is made of, wherever they move", () => {
    const before = Pages.regionCount()
    const list = new PositionList()
    for (let i = 0; i < 3_000_000; i++) list.push(i * 7)
    // One piece more than the list needs stays: here the only page in a region of its own.
    while (list.size > 1_000_000) list.pop()
    expect(Pages.idleCount()).toBeGreaterThan(20)
    while (Pages.tidy());
    expect(Pages.idleCount()).toBeLessThan(10)
    let wrong = 0
    for (let i = 0; i < list.size; i++) if (list.at(i) !== i * 7) wrong++
    for (let i = 1_000_000; i < 1_200_000; i++) list.push(i * 7)
    expect([wrong, list.at(1_199_999)]).toEqual([0, 1_199_999 * 7])
    list.clear()
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

  it("leave the regions that they shared with those of sets that have gone, between any two changes", () => {
    const before = [Pages.regionCount(), Pages.idleCount()]
    const size = 100_000
    const last = new IndexedScores()
    const others = Array.from({ length: 9 }, () => new IndexedScores())
    const model = new Map<string, number>()
    for (let i = 0; i < size; i++) {
      const [member, score] = [`member:${i}`, (i * 7919) % 1000]
      last.append(member, score)
      model.set(member, score)
      if (i % 5 === 0) for (const set of others) set.append(member, score)
    }
    for (const set of others) while (set.release());
    const idle = Pages.idleCount()
    let moved = 0
    for (let step = 0; step < 5000; step++) {
      if (step % 100 === 0 && Pages.tidy()) moved++
      const member = `member:${(step * 7919) % (size * 2)}`
      const address = last.records.find(member)
      if (address === 0) last.append(member, step % 1000)
      else if (step % 3 === 0) last.remove(address)
      else last.setScore(address, step % 1000)
      if (address !== 0 && step % 3 === 0) model.delete(member)
      else model.set(member, step % 1000)
    }
    expect(moved).toBeGreaterThan(10)
    expect(Pages.idleCount()).toBeLessThan(idle / 2)
    const found: Array<readonly [string, number]> = []
    last.visit(0, last.tree.size, false, (member, score) => found.push([member, score]))
    const expected = [...model].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
    expect(found).toEqual(expected)
    while (last.release());
    expect([Pages.regionCount(), Pages.idleCount()]).toEqual(before)
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
