/** Large collections that go give back what they hold outside the heap, and those that only change their key keep it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Clock } from "../src/clock/Clock.ts"
import { makeBytes } from "../src/store/bytes/ByteKeyspace.ts"
import { Hash } from "../src/store/Hash.ts"
import { makeMap } from "../src/store/Keyspace.ts"
import { SetValue } from "../src/store/SetValue.ts"
import { SortedSet } from "../src/store/SortedSet.ts"
import { Store } from "../src/store/Store.ts"
import * as Tidying from "../src/store/Tidying.ts"
import type { Collection } from "../src/store/Value.ts"
import { defaultLimits as limits } from "./support/limits.ts"

const size = 40_000

const makers: Readonly<Record<string, () => Collection>> = {
  set: () => {
    const set = new SetValue()
    for (let i = 0; i < size; i++) set.add(`member:${i}`, limits)
    return set
  },
  hash: () => {
    const hash = new Hash()
    for (let i = 0; i < size; i++) hash.put(`field:${i}`, `value:${i}`, limits)
    return hash
  },
  "sorted set": () => {
    const set = new SortedSet()
    for (let i = 0; i < size; i++) set.put(`member:${i}`, i, limits)
    return set
  },
}

/** Bytes the collection takes, by its own count: next to nothing once it has been taken apart. */
const held = (collection: Collection): number => collection.memoryUsage(0)

/** Lets the fiber that tidies up work until `done`, at most so long that a failure shows. */
const tidied = (done: () => boolean) =>
  Effect.gen(function* () {
    yield* TestClock.adjust("100 millis")
    for (let turns = 0; turns < 1000 && !done(); turns++) {
      yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
    }
  })

for (const [inside, keyspace] of [
  ["a map", makeMap],
  ["bytes", makeBytes],
] as const) {
  const layer = Tidying.layer.pipe(
    Layer.provideMerge(Store.layerMemory({ databases: 2, keyspace })),
    Layer.provideMerge(Clock.layer),
  )
  describe(`large collections in ${inside}`, () => {
    for (const [name, make] of Object.entries(makers)) {
      it.effect(`give their memory back when they go: ${name}`, () =>
        Effect.gen(function* () {
          const store = yield* Store
          const [db, other] = store.databases as [(typeof store.databases)[0], (typeof store.databases)[0]]
          const all = Array.from({ length: 5 }, make)
          const [removed, replaced, flushed, renamed, moved] = all as [
            Collection,
            Collection,
            Collection,
            Collection,
            Collection,
          ]
          const full = all.map(held)
          // What a sorted set holds in its tree is in the heap.
          const little = held(removed) / 2
          all.forEach((value, i) => db.set(`key:${i}`, value))
          db.remove("key:0")
          db.set("key:1", "text")
          other.set("flushed", db.remove("key:2")!)
          other.clear()
          db.set("renamed", db.remove("key:3")!)
          other.set("moved", db.remove("key:4")!)
          const gone = [removed, replaced, flushed]
          expect(gone.map(held)).toEqual(full.slice(0, 3))
          yield* tidied(() => gone.every((value) => held(value) < little))
          for (const value of gone) expect(held(value)).toBeLessThan(little)
          expect(store.dropped.isEmpty).toBe(true)
          expect([held(renamed), held(moved)]).toEqual(full.slice(3))
          expect(db.peek("renamed")).toBe(renamed)
          expect(other.peek("moved")).toBe(moved)
        }).pipe(Effect.provide(layer)),
      )
    }

    it.effect("stay whole where one is put in its own place", () =>
      Effect.gen(function* () {
        const { databases, dropped } = yield* Store
        const set = makers["set"]!()
        databases[0]!.set("key", set)
        databases[0]!.put("key", set)
        expect(dropped.isEmpty).toBe(true)
        yield* tidied(() => false)
        expect((set as SetValue).has("member:39999")).toBe(true)
      }).pipe(Effect.provide(layer)),
    )
  })
}
