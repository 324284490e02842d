/** The index from hashes to addresses against a map: whatever comes and goes, while a table is being left and when it is not. */
import { describe, expect, it } from "vitest"
import { SlotIndex } from "../src/store/bytes/SlotIndex.ts"

/** A generator of 32-bit numbers that gives the same row for the same seed. */
const random = (seed: number) => {
  let state = seed | 1
  return (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state | 0
  }
}

const holds = (index: SlotIndex, hash: number, address: number): boolean => {
  let found = index.first(hash)
  while (found !== 0 && found !== address) found = index.next()
  return found === address
}

describe("an index of slots", () => {
  it("finds every address at every moment of its growth and its shrinking", () => {
    const lost: Array<string> = []
    for (let seed = 1; seed <= 300; seed++) {
      const draw = random(seed * 7919)
      const index = new SlotIndex()
      const hashes: Array<readonly [hash: number, address: number]> = []
      let next = 1
      for (let step = 0; step < 300; step++) {
        const adds = (draw() & 255) < (step < 120 ? 220 : 60)
        if (adds || hashes.length === 0) {
          // Some hashes are equal.
          const hash = (draw() & 15) === 0 && hashes.length > 0 ? hashes[0]![0] : draw()
          index.add(hash, next)
          hashes.push([hash, next++])
        } else {
          const [[hash, address]] = hashes.splice((draw() >>> 1) % hashes.length, 1) as [readonly [number, number]]
          if (!holds(index, hash, address)) lost.push(`${seed}: ${address} before it was removed`)
          else index.remove(hash, address)
        }
        if (hashes.some(([hash, address]) => !holds(index, hash, address))) lost.push(`${seed}: after step ${step}`)
      }
    }
    expect(lost).toEqual([])
  })
})
