/** The map that names may come and go in: it answers as a `Map` does, and keeps no trail of what has gone. */
import { expect, it } from "@effect/vitest"
import fc from "fast-check"
import { LastingMap } from "../src/store/LastingMap.ts"

it("answers as a Map, however keys come and go", () => {
  // More names than removed keys are kept, so that all of them get their turn.
  const step = fc.record({ add: fc.boolean(), from: fc.nat(3000), count: fc.integer({ min: 1, max: 2000 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const map = new LastingMap()
      const model = new Map<string, number>()
      for (const { add, from, count } of steps) {
        for (let i = from; i < from + count; i++) {
          if (add) map.set(`k${i}`, i)
          else map.delete(`k${i}`)
          if (add) model.set(`k${i}`, i)
          else model.delete(`k${i}`)
        }
        expect(map.size).toBe(model.size)
      }
      expect([...map.keys()].sort()).toEqual([...model.keys()].sort())
      for (let i = 0; i < 5000; i++) if (map.get(`k${i}`) !== model.get(`k${i}`)) expect(`k${i}`).toBe("equal")
    }),
    { numRuns: 30 },
  )
})
