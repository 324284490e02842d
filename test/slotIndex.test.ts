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

/** What is lost or not found while addresses come and go by turns, `adds` of 256 steps each adding one. */
const run = (seed: number, index: SlotIndex, steps: number, equal: number, look: number): ReadonlyArray<string> => {
  const lost: Array<string> = []
  const draw = random(seed * 7919)
  const hashes: Array<readonly [hash: number, address: number]> = []
  let next = 1
  for (let step = 0; step < steps; step++) {
    const adds = (draw() & 255) < (step < steps * 0.4 ? 220 : 60)
    if (adds || hashes.length === 0) {
      // Some hashes are equal.
      const hash = (draw() & equal) === 0 && hashes.length > 0 ? hashes[0]![0] : draw()
      index.add(hash, next)
      hashes.push([hash, next++])
    } else {
      const [[hash, address]] = hashes.splice((draw() >>> 1) % hashes.length, 1) as [readonly [number, number]]
      if (!holds(index, hash, address)) lost.push(`${seed}: ${address} before it was removed`)
      else index.remove(hash, address)
    }
    if (step % look === 0 && hashes.some(([hash, address]) => !holds(index, hash, address))) {
      lost.push(`${seed}: after step ${step}`)
    }
  }
  expect(index.size).toBe(hashes.length)
  return lost
}

describe("an index of slots", () => {
  it("finds every address at every moment of its growth and its shrinking", () => {
    for (let seed = 1; seed <= 300; seed++) expect(run(seed, new SlotIndex(), 300, 15, 1)).toEqual([])
  })

  it("finds every address also where its tables are in pieces, and gives them back", () => {
    for (let seed = 1; seed <= 3; seed++) {
      const index = new SlotIndex(1024)
      expect(run(seed, index, 40_000, 0xfff, 97)).toEqual([])
      index.clear()
      expect([index.bytes, index.first(1)]).toEqual([128, 0])
      index.reserve(5000)
      expect(index.bytes).toBe(8 * 8192)
      expect(run(seed, index, 4000, 0xfff, 13)).toEqual([])
    }
  })
})
