/** Memory outside the heap goes back when it is given back, not when the collector next happens to look at everything. */
import { describe, expect, it } from "vitest"
import * as Outside from "../src/store/bytes/Outside.ts"

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
