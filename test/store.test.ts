/** The laws of the store over each inside that a database can have, and what only one of them promises. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Clock } from "../src/clock/Clock.ts"
import { makeBytes } from "../src/store/bytes/ByteKeyspace.ts"
import { makeMap } from "../src/store/Keyspace.ts"
import { Store } from "../src/store/Store.ts"
import * as Tidying from "../src/store/Tidying.ts"
import { random, suite } from "./support/StoreSuite.ts"

suite("keys as objects in a map", Store.layerMemory({ databases: 2, keyspace: makeMap }))
suite("keys as bytes outside the heap", Store.layerMemory({ databases: 2, keyspace: makeBytes }))

describe("bytes outside the heap", () => {
  const make = () => makeBytes({ stamp: () => 1 })
  const fill = (count: number, length: number) => {
    const keyspace = make()
    for (let i = 0; i < count; i++) keyspace.put(`key:${i}`, "v".repeat(length))
    return keyspace
  }

  it("give memory back after most keys have gone, down to 1.5 times what is left", () => {
    const keyspace = fill(100_000, 100)
    const before = keyspace.footprint()!
    for (let i = 0; i < 100_000; i++) if (i % 10 !== 0) keyspace.remove(`key:${i}`)
    while (keyspace.tidy());
    const after = keyspace.footprint()!
    expect(after.used).toBe(before.used / 10)
    expect(after.used + after.holes).toBeLessThan(after.used * 1.5)
    expect(after.index).toBeLessThan(before.index / 3)
    for (let i = 0; i < 100_000; i += 10)
      if (keyspace.peek(`key:${i}`)?.toString().length !== 100) expect(i).toBe("there")
  })

  it("fit what is written anew into what was left by values of other lengths", () => {
    const keyspace = fill(20_000, 100)
    const below = random(5)
    let most = 0
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 20_000; i++) keyspace.put(`key:${i}`, "w".repeat(50 + below(100)))
      const { used, holes } = keyspace.footprint()!
      most = Math.max(most, (used + holes) / used)
    }
    expect(most).toBeLessThan(1.5)
  })

  it.effect("are tidied up in a quiet moment when deletion stops half-way", () =>
    Effect.gen(function* () {
      const { databases } = yield* Store
      const [{ keyspace }] = databases
      for (let i = 0; i < 30_000; i++) keyspace.put(`key:${i}`, "v".repeat(100))
      const isUntidy = () => {
        const { used, holes } = keyspace.footprint()!
        return (holes - 256 * 1024) * 4 > used
      }
      for (let i = 0; i < 30_000 && !isUntidy(); i++) keyspace.remove(`key:${i}`)
      expect(isUntidy()).toBe(true)
      yield* TestClock.adjust("100 millis")
      for (let turns = 0; isUntidy() && turns < 1000; turns++) {
        yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
      }
      expect(isUntidy()).toBe(false)
    }).pipe(
      Effect.provide(Tidying.layer.pipe(Layer.provideMerge(Store.layerMemory({ databases: 1, keyspace: makeBytes })))),
      Effect.provide(Clock.layer),
    ),
  )

  it("hold nothing after the last key has gone", () => {
    const keyspace = fill(100_000, 100)
    for (let i = 0; i < 100_000; i++) keyspace.remove(`key:${i}`)
    while (keyspace.tidy());
    const { used, holes, allocated, index } = keyspace.footprint()!
    expect([used, holes]).toEqual([0, 0])
    expect(allocated + index).toBeLessThan(1024 * 1024)
  })
})
