/** The laws of the store over each inside that a database can have, and what only one of them promises. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Clock } from "../src/clock/Clock.ts"
import { ByteReader } from "../src/persistence/rdb/ByteReader.ts"
import { ByteWriter } from "../src/persistence/rdb/ByteWriter.ts"
import { Container, Type } from "../src/persistence/rdb/Format.ts"
import { ListpackWriter } from "../src/persistence/rdb/Listpack.ts"
import { writeIntset } from "../src/persistence/rdb/OldEncodings.ts"
import * as PackedValues from "../src/persistence/rdb/PackedValues.ts"
import { makeBytes } from "../src/store/bytes/ByteKeyspace.ts"
import { Hash } from "../src/store/Hash.ts"
import { makeMap } from "../src/store/Keyspace.ts"
import { List } from "../src/store/List.ts"
import { SetValue } from "../src/store/SetValue.ts"
import { SortedSet } from "../src/store/SortedSet.ts"
import { Store } from "../src/store/Store.ts"
import * as Tidying from "../src/store/Tidying.ts"
import type { Value } from "../src/store/Value.ts"
import { defaultLimits } from "./support/limits.ts"
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

  it("take keys from the bytes of a file in batches as they take them one by one", () => {
    const below = random(9)
    const noise = (length: number) => Array.from({ length }, () => String.fromCharCode(below(256))).join("")
    for (const reserved of [0, 5000]) {
      const [loaded, put] = [make(), make()]
      if (reserved > 0) loaded.reserve!(reserved)
      const loader = loaded.loader!()
      put.put("key:7", "before")
      loaded.put("key:7", "before")
      expect(loaded.peek("key:11")).toBe(undefined)
      const refused: Array<string> = []
      for (let i = 10; i < 3000; i++) {
        const key = i % 3 === 0 ? `key:${i}` : `${i}${noise(below(60))}`
        const value = noise(i % 50 === 0 ? 4097 : i % 10 === 0 ? 128 + below(2000) : below(70))
        const deadline = i % 4 === 0 ? i * 1000 : undefined
        // Records that end where the buffer does, and others.
        const bytes = Buffer.from(`${key}${value}${"z".repeat(i % 5)}`, "latin1")
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        const source = {
          bytes,
          view,
          keyStart: 0,
          keyLength: key.length,
          valueStart: key.length,
          valueLength: value.length,
        }
        if (!loader.add(source, undefined, deadline, i)) {
          refused.push(key)
          continue
        }
        put.put(key, value)
        put.setDeadline(key, deadline)
        put.setAccess(key, i)
      }
      expect(refused).toHaveLength(59)
      expect(loader.flush()).toBe(undefined)
      expect(loaded.peek("key:12")).toBe(put.peek("key:12"))
      expect([loaded.size, loaded.volatileSize]).toEqual([put.size, put.volatileSize])
      for (let i = 0; i < put.size; i++) {
        const key = put.keyAt(i)
        const all = (keyspace: typeof put) => [keyspace.peek(key), keyspace.deadline(key), keyspace.access(key)]
        expect([loaded.keyAt(i), ...all(loaded)]).toEqual([key, ...all(put)])
      }
      // A key that is there keeps its value, and is named.
      const bytes = Buffer.from("key:7after")
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      loader.add(
        { bytes, view, keyStart: 0, keyLength: 5, valueStart: 5, valueLength: 5 },
        new SetValue(),
        5,
        undefined,
      )
      expect(loader.flush()).toBe("key:7")
      expect([loaded.peek("key:7"), loaded.size]).toEqual(["before", put.size])
    }
  })

  it("keep small collections of a file packed until they are used", () => {
    const keyspace = make()
    const loader = keyspace.loader!()
    const contents = (value: Value | undefined) =>
      value instanceof Hash
        ? [value.size, value.get("a"), value.get("b")]
        : value instanceof List
          ? [value.size, ...value]
          : value instanceof SortedSet
            ? [value.size, value.rank("a"), value.score("b")]
            : value instanceof SetValue
              ? [value.size, ...value]
              : value
    const whole = {
      hash: [2, "1", "text"],
      list: [4, "a", "1", "b", "text"],
      sortedSet: [2, 0, 2.5],
      set: [2, "a", "1"],
      integers: [2, "-1", "70000"],
    }
    for (let i = 0; i < 100; i++) {
      for (const [kind, type, elements] of [
        ["hash", Type.hashListpack, ["a", "1", "b", "text"]],
        ["list", Type.listQuicklist2, ["a", "1", "b", "text"]],
        ["sortedSet", Type.sortedSetListpack, ["a", "1", "b", "2.5"]],
        ["set", Type.set, ["a", "1"]],
        ["integers", Type.setIntset, ["-1", "70000"]],
      ] as const) {
        const pack = new ListpackWriter()
        const out = new ByteWriter(100, false)
        if (kind === "list") for (const head of [1, Container.packed]) out.length(head)
        if (kind === "integers") writeIntset(out, elements.map(Number))
        else if (kind === "set") {
          out.length(elements.length)
          for (const element of elements) out.string(element)
        } else {
          for (const element of elements) pack.string(element)
          pack.writeTo(out)
        }
        const bytes = Buffer.from(`${kind}:${i}`)
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        const source = { bytes, view, keyStart: 0, keyLength: bytes.length, valueStart: 0, valueLength: 0 }
        const packed = PackedValues.read(new ByteReader(Buffer.from(out.written)), type, defaultLimits)
        expect(loader.add(source, packed, i % 2 === 0 ? 1000 + i : undefined, i)).toBe(true)
      }
    }
    expect(loader.flush()).toBe(undefined)
    keyspace.scan(0, keyspace.size, (key, value) =>
      expect(contents(value)).toEqual(whole[key.slice(0, key.indexOf(":")) as keyof typeof whole]),
    )
    for (const [kind, all] of Object.entries(whole)) {
      const key = `${kind}:12`
      const { used } = keyspace.footprint()!
      // To look is not to unpack.
      expect(keyspace.peek(key)).not.toBe(keyspace.peek(key))
      expect([keyspace.collection(key), keyspace.footprint()!.used]).toEqual([undefined, used])
      const found = keyspace.find(key)
      expect(contents(found)).toEqual(all)
      for (const value of [keyspace.find(key), keyspace.peek(key), keyspace.collection(key)]) expect(value).toBe(found)
      expect([keyspace.deadline(key), keyspace.deadline(`${kind}:13`)]).toEqual([1012, undefined])
      // Another value in the place of a packed one, and a deadline for it.
      keyspace.put(`${kind}:14`, "text")
      keyspace.put(`${kind}:15`, 5)
      keyspace.setDeadline(`${kind}:17`, 1017)
      const moved = [14, 15, 16, 17].map((index) => keyspace.peek(`${kind}:${index}`))
      expect(moved.map(contents)).toEqual(["text", 5, all, all])
      expect([14, 15, 16, 17].map((index) => keyspace.deadline(`${kind}:${index}`))).toEqual([
        1014,
        undefined,
        1016,
        1017,
      ])
      expect(contents(keyspace.remove(`${kind}:18`))).toEqual(all)
    }
    ;(keyspace.find("list:20") as List).pushTail("more")
    expect(contents(keyspace.peek("list:20"))).toEqual([5, "a", "1", "b", "text", "more"])
    for (const kind of Object.keys(whole)) for (let i = 0; i < 100; i++) keyspace.remove(`${kind}:${i}`)
    while (keyspace.tidy());
    expect([keyspace.size, keyspace.footprint()!.used]).toEqual([0, 0])
  })

  it("hold nothing after the last key has gone", () => {
    const keyspace = fill(100_000, 100)
    for (let i = 0; i < 100_000; i++) keyspace.remove(`key:${i}`)
    while (keyspace.tidy());
    const { used, holes, allocated, index } = keyspace.footprint()!
    expect([used, holes]).toEqual([0, 0])
    expect(allocated + index).toBeLessThan(1024 * 1024)
  })
})
