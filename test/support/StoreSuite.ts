/**
 * The laws of the store, which every inside of a database keeps: `suite(name, layer)` runs them. A second layer without the suite is
 * not finished.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { Clock } from "../../src/clock/Clock.ts"
import type { Database } from "../../src/store/Database.ts"
import type { Keyspace } from "../../src/store/Keyspace.ts"
import { sizeOf } from "../../src/store/Memory.ts"
import { SetValue } from "../../src/store/SetValue.ts"
import { Store } from "../../src/store/Store.ts"
import type { Value } from "../../src/store/Value.ts"
import { defaultLimits } from "./limits.ts"

/** A generator of numbers below `bound` that gives the same row for the same seed. */
export const random = (seed: number) => {
  let state = seed | 1
  return (bound: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

/** Steps of 7 through every byte, long enough for what the tests ask. */
const allNoise = Buffer.from(Uint8Array.from({ length: 140_000 }, (_, i) => i * 7)).latin1Slice()

/** Every byte, `length` of them in steps of 7, the first being `from`. */
const noise = (length: number, from = 0): string => {
  // 183 * 7 is 1 modulo 256.
  const start = (from * 183) & 0xff
  return allNoise.slice(start, start + length)
}

const keys: ReadonlyArray<string> = [
  "",
  "\0",
  "\0\0",
  "k",
  "key",
  "keys",
  "keys\0",
  ...[15, 16, 17, 20, 21, 24, 255, 256, 1023, 1024, 1025, 2048, 70_000].map((length) => noise(length, length)),
  `${noise(1025, 1025)}!`,
]

const texts = [0, 1, 3, 4, 12, 13, 32, 44, 45, 1000, 4095, 4096, 4097, 16_383, 16_384, 131_072, 131_073].map((length) =>
  noise(length, 3),
)
const integers = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1]
const values = (): ReadonlyArray<Value> => [...texts, ...integers, new SetValue(), new SetValue()]

/** A long string that differs from others of its length at its ends. */
const longText = (length: number, seed: number): string => noise(8, seed).padEnd(length - 8, "x") + noise(8, seed + 1)

/** A key of the model: what the store should say of it. */
interface Kept {
  value: Value
  deadline: number | undefined
  stamp: number
}

/** What there is, from the keyspace alone. */
const contents = (keyspace: Keyspace): Map<string, Value> => {
  const found = new Map<string, Value>()
  keyspace.scan(0, keyspace.size, (key, value) => found.set(key, value))
  return found
}

const expectAgrees = (keyspace: Keyspace, model: ReadonlyMap<string, Kept>): void => {
  expect(keyspace.size).toBe(model.size)
  const volatile = [...model].filter(([, { deadline }]) => deadline !== undefined)
  expect(keyspace.volatileSize).toBe(volatile.length)
  expect([...keyspace.volatileKeys()].sort()).toEqual(volatile.map(([key]) => key).sort())
  const at = new Set<string>()
  for (let position = 0; position < keyspace.size; position++) at.add(keyspace.keyAt(position))
  let bytes = 0
  for (const [key, kept] of model) {
    bytes += sizeOf(keyspace, key, kept.value)
    // Comparing long strings by `toBe` is slow only when it fails.
    if (keyspace.peek(key) !== kept.value) expect([key, keyspace.peek(key)]).toEqual([key, kept.value])
    if (keyspace.deadline(key) !== kept.deadline) expect([key, keyspace.deadline(key)]).toEqual([key, kept.deadline])
    if (keyspace.access(key) !== kept.stamp) expect([key, keyspace.access(key)]).toEqual([key, kept.stamp])
    if (!at.delete(key)) expect(`position of ${key}`).toBe("known")
  }
  expect(at.size).toBe(0)
  const counted = keyspace.dataBytes()
  // A record keeps its block while less than half of it is empty.
  if (counted < bytes || counted > 2 * bytes) expect(counted).toBe(bytes)
  const found = contents(keyspace)
  expect(found.size).toBe(model.size)
  for (const [key, kept] of model)
    if (found.get(key) !== kept.value) expect([key, found.get(key)]).toEqual([key, kept.value])
}

/** One change of a keyspace and its model; `n` and `m` choose what the change needs. */
type Change = (keyspace: Keyspace, model: Map<string, Kept>, key: string, n: number) => void

const put = (keyspace: Keyspace, model: Map<string, Kept>, key: string, value: Value): void => {
  const old = model.get(key)
  if (keyspace.put(key, value) !== (old === undefined)) expect(`put of ${key}`).toBe("right about the key being new")
  if (old === undefined) {
    model.set(key, { value, deadline: undefined, stamp: keyspace.access(key) })
  } else old.value = value
}

const changes: ReadonlyArray<Change> = [
  (keyspace, model, key, n) => put(keyspace, model, key, noise(n % 100, n)),
  (keyspace, model, key, n) => put(keyspace, model, key, noise(n % 6000, n)),
  (keyspace, model, key, n) => put(keyspace, model, key, integers[n % integers.length]),
  (keyspace, model, key) => put(keyspace, model, key, new SetValue()),
  (keyspace, model, key) => {
    const old = model.get(key)
    const removed = keyspace.remove(key)
    if (removed !== old?.value) expect([key, removed]).toEqual([key, old?.value])
    model.delete(key)
  },
  (keyspace, model, key, n) => {
    const old = model.get(key)
    if (old === undefined) return
    old.deadline = 1_700_000_000_000 + n
    keyspace.setDeadline(key, old.deadline)
  },
  (keyspace, model, key) => {
    const old = model.get(key)
    if (old === undefined) return
    old.deadline = undefined
    keyspace.setDeadline(key, undefined)
  },
  (keyspace, _model, key) => keyspace.touch(key),
  (keyspace) => void keyspace.dataBytes(),
  (keyspace, model, key, n) => {
    const old = model.get(key)
    keyspace.setAccess(key, n & 0xffffff)
    if (old !== undefined) old.stamp = n & 0xffffff
  },
  (keyspace, model, key) => {
    const old = model.get(key)
    const found = keyspace.find(key)
    if (found !== old?.value) expect([key, found]).toEqual([key, old?.value])
    if (old !== undefined) old.stamp = keyspace.access(key)
  },
  (keyspace, model, key) => {
    const old = model.get(key)?.value
    expect(keyspace.has(key)).toBe(old !== undefined)
    expect(keyspace.collection(key)).toBe(typeof old === "object" ? old : undefined)
  },
  (keyspace) => void keyspace.tidy(),
  (keyspace, _model, key) => {
    keyspace.expect(key)
    for (let i = 0; i < 100; i++) keyspace.expect(`key ${i * 7}`)
    keyspace.fetchExpected()
    keyspace.expect(key)
  },
  (keyspace, model, key, n) => put(keyspace, model, key, longText(16_000 + (n % 18_000), n)),
]

export const suite = (name: string, layer: Layer.Layer<Store, never, Clock>): void => {
  /** Runs `test` with two fresh databases. */
  const law = (sentence: string, test: (db: Database, other: Database) => void, timeoutMs?: number) =>
    it.effect(
      sentence,
      () =>
        Effect.map(Store, ({ databases }) => test(databases[0], databases[1])).pipe(
          Effect.provide(layer),
          Effect.provide(Clock.layer),
        ),
      timeoutMs,
    )

  describe(`laws of the store: ${name}`, () => {
    law("holds every kind of value under every kind of key", ({ keyspace }) => {
      for (const value of values()) {
        const model = new Map<string, Kept>()
        for (const key of keys) put(keyspace, model, key, value)
        expectAgrees(keyspace, model)
        for (const key of keys) expect(keyspace.remove(key)).toBe(value)
        expect(keyspace.size).toBe(0)
      }
    })

    law("knows the bytes of all keys, whatever has changed since it was asked last", ({ keyspace }) => {
      const names = Array.from({ length: 20 }, (_, i) => `key ${i}`)
      const size = () => names.reduce((sum, key) => sum + sizeOf(keyspace, key, keyspace.peek(key)!), 0)
      for (const key of names) keyspace.put(key, new SetValue())
      expect(keyspace.dataBytes()).toBe(size())
      for (const [i, key] of names.entries()) {
        const value = keyspace.find(key) as SetValue
        for (let n = 0; n < i * 20; n++) value.add(`member ${n}`, defaultLimits)
      }
      expect(keyspace.dataBytes()).toBe(size())
      const before = keyspace.dataBytes()
      const value = keyspace.peek(names[3]) as SetValue
      for (let n = 0; n < 1000; n++) value.add(`other member ${n}`, defaultLimits)
      keyspace.touch(names[3])
      expect(keyspace.dataBytes()).toBe(size())
      expect(keyspace.dataBytes()).toBeGreaterThan(before + 10_000)
      // A slot that was not weighed yet goes and is used again.
      keyspace.find(names[3])
      keyspace.remove(names.splice(3, 1)[0])
      names.push("another")
      keyspace.put("another", new SetValue())
      expect(keyspace.dataBytes()).toBe(size())
      for (const key of names.splice(0)) keyspace.remove(key)
      expect(keyspace.dataBytes()).toBe(0)
    })

    law("replaces any value by any other, and the deadline stays", ({ keyspace }) => {
      const all = values()
      for (const hasDeadline of [false, true]) {
        for (const [i, key] of keys.entries()) {
          const model = new Map<string, Kept>()
          put(keyspace, model, key, "first")
          if (hasDeadline) changes[5](keyspace, model, key, i)
          for (const from of all) {
            for (const to of all) {
              keyspace.put(key, from)
              keyspace.put(key, to)
              if (keyspace.peek(key) !== to) expect([key, from, keyspace.peek(key)]).toEqual([key, from, to])
            }
          }
          model.get(key)!.value = all.at(-1)!
          expectAgrees(keyspace, model)
          keyspace.remove(key)
        }
      }
    })

    law("keeps databases apart", (db, other) => {
      expect(db.keyspace.peek("a")).toBe(undefined)
      expect(other.keyspace.peek("b")).toBe(undefined)
      db.keyspace.put("a", "of the first")
      expect(other.keyspace.has("a")).toBe(false)
      other.keyspace.put("b", "of the second")
      other.keyspace.put("a", "of the second too")
      expect(contents(db.keyspace)).toEqual(new Map([["a", "of the first"]]))
      db.swap(other)
      expect(db.peek("a")).toBe("of the second too")
      expect(other.peek("b")).toBe(undefined)
    })

    law("is empty after clear, and can be filled again", ({ keyspace }) => {
      const model = new Map<string, Kept>()
      const below = random(3)
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 3000; i++)
          changes[below(changes.length)](keyspace, model, `key ${below(500)}`, below(10_000))
        expectAgrees(keyspace, model)
        keyspace.clear()
        model.clear()
        expectAgrees(keyspace, model)
        expect(keyspace.peek("key 1")).toBe(undefined)
      }
    })

    law("agrees with a model after any changes", ({ keyspace }) => {
      const change = fc.tuple(fc.nat(changes.length - 1), fc.nat(keys.length + 30), fc.nat(10_000))
      fc.assert(
        fc.property(fc.array(change, { maxLength: 200 }), (steps) => {
          keyspace.clear()
          const model = new Map<string, Kept>()
          for (const [what, which, n] of steps) changes[what](keyspace, model, keys[which] ?? `key:${which}`, n)
          expectAgrees(keyspace, model)
        }),
        { numRuns: 200 },
      )
    })

    law(
      "agrees with a model while it grows and shrinks",
      ({ keyspace }) => {
        const model = new Map<string, Kept>()
        const below = random(7)
        for (const range of [40_000, 100, 20_000, 10]) {
          for (let i = 0; i < 30_000; i++) {
            const key = `key:${below(range)}`
            // More puts than removals, so that most of the range is there.
            changes[below(3) === 0 ? below(changes.length) : 0](keyspace, model, key, below(10_000))
          }
          for (const key of [...model.keys()])
            if (Number(key.slice(4)) >= range / 10) changes[4](keyspace, model, key, 0)
          expectAgrees(keyspace, model)
        }
        while (keyspace.tidy());
        expectAgrees(keyspace, model)
      },
      60_000,
    )

    law("meets in a scan each key that is there from start to end, whatever else changes", ({ keyspace }) => {
      const below = random(11)
      const model = new Map<string, Kept>()
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 500; i++) put(keyspace, model, `stays ${i}`, i)
        const met = new Set<string>()
        let calls = 0
        for (let cursor = 0; calls === 0 || cursor !== 0; calls++) {
          cursor = keyspace.scan(cursor, 10, (key, value) => {
            met.add(key)
            if (value !== model.get(key)!.value) expect([key, value]).toEqual([key, model.get(key)!.value])
          })
          for (let i = 0; i < 10; i++) {
            const key = `goes ${below(2000)}`
            if (below(2) === 0) changes[4](keyspace, model, key, 0)
            else put(keyspace, model, key, noise(below(200)))
          }
          expect(calls).toBeLessThan(1000)
        }
        for (let i = 0; i < 500; i++) if (!met.has(`stays ${i}`)) expect(`stays ${i}`).toBe("met")
      }
    })

    law("walks each key that was there exactly once, and none that came later", ({ keyspace }) => {
      const below = random(13)
      const model = new Map<string, Kept>()
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 300; i++) put(keyspace, model, `key ${below(1000)}`, noise(below(100)))
        const walk = keyspace.walk()
        const ahead = new Map([...model].map(([key, { value }]) => [key, value]))
        const met = (key: string, value: Value) => {
          if (value !== ahead.get(key)) expect([key, value]).toEqual([key, ahead.get(key)])
          if (!ahead.delete(key)) expect(key).toBe("ahead")
        }
        while (walk.next(7, met)) {
          for (let i = 0; i < 5; i++) {
            const key = `key ${below(1000)}`
            if (walk.isAhead(key) !== ahead.has(key)) expect([key, walk.isAhead(key)]).toEqual([key, ahead.has(key)])
            // As a snapshot does: what is about to change is given out first.
            if (walk.isAhead(key)) {
              walk.skip(key)
              met(key, keyspace.peek(key)!)
            }
            changes[below(5)](keyspace, model, key, below(1000))
          }
        }
        walk.end()
        expect(ahead.size).toBe(0)
      }
    })

    law("names each key with a deadline in one round, also while they go", ({ keyspace }) => {
      for (let i = 0; i < 1000; i++) {
        keyspace.put(`key ${i}`, i)
        if (i % 3 === 0) keyspace.setDeadline(`key ${i}`, i + 1)
      }
      const named = new Set<string>()
      for (const key of keyspace.volatileKeys()) {
        named.add(key)
        keyspace.remove(key)
      }
      expect(named.size).toBe(334)
      expect(keyspace.volatileSize).toBe(0)
      expect(keyspace.size).toBe(666)
    })

    law("marks a key as used when it is found, not when it is peeked at", ({ keyspace }) => {
      keyspace.put("k", "v")
      keyspace.setAccess("k", 0)
      keyspace.peek("k")
      expect(keyspace.access("k")).toBe(0)
      keyspace.setAccess("k", 0xffffff)
      expect(keyspace.access("k")).toBe(0xffffff)
      expect(keyspace.peek("k")).toBe("v")
      keyspace.find("k")
      expect(keyspace.access("k")).not.toBe(0xffffff)
      expect(keyspace.access("absent")).toBe(0)
    })

    law("keeps nothing of the string that a key or value was cut from", (db) => {
      // Checked by content only: what a cut keeps alive is measured where strings are received.
      const chunk = noise(10_000)
      db.set(chunk.substring(100, 200), chunk.substring(200, 300))
      expect(db.peek(chunk.substring(100, 200))).toBe(chunk.substring(200, 300))
    })
  })
}
