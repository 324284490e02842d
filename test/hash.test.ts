/**
 * The hash against naive models, at sizes that put the fields into one string and into the table; the deadlines of its
 * fields under the virtual clock; and what hash commands write to the stream of changes (recorded from the append-only file
 * of redis-server 7.0.15, where it has the command). What the commands answer is in the transcripts.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { Hash } from "../src/store/Hash.ts"
import { formatReply } from "./support/Transcript.ts"
import * as TestServer from "./support/TestServer.ts"

const { run } = TestServer

const limits = { hashMaxListpackEntries: 128, hashMaxListpackValue: 64 }

const entriesOf = (hash: Hash): Array<readonly [string, string]> => {
  const entries: Array<readonly [string, string]> = []
  hash.forEach((field, value) => entries.push([field, value]))
  return entries
}

/** A generator of numbers below `bound` that gives the same row for the same seed. */
const random = (seed: number) => {
  let state = seed | 1
  return (bound: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

describe("a hash agrees with a Map", () => {
  const name = fc.oneof(
    { weight: 4, arbitrary: fc.nat(12).map((n) => `f${n}`) },
    { weight: 1, arbitrary: fc.array(fc.nat(255), { maxLength: 6 }).map((bytes) => String.fromCharCode(...bytes)) },
  )
  const value = (lengthMax: number) =>
    fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.nat(255), { maxLength: 30 }).map((bytes) => String.fromCharCode(...bytes)) },
      { weight: 1, arbitrary: fc.nat(lengthMax).map((length) => "v".repeat(length)) },
    )
  const step = (lengthMax: number) =>
    fc.oneof(
      fc.record({ what: fc.constant("put" as const), field: name, value: value(lengthMax) }),
      fc.record({
        what: fc.constant("putAll" as const),
        pairs: fc.array(fc.tuple(name, value(lengthMax)), { maxLength: 6 }),
      }),
      fc.record({ what: fc.constant("remove" as const), field: name }),
    )

  /** Long values are up to `lengthMax` bytes, of which a listpack holds them all. */
  it.each([{ lengthMax: 64 }, { lengthMax: 70_000 }])(
    "and keeps the order of insertion in a listpack of values up to $lengthMax bytes",
    ({ lengthMax }) => {
      const wide = { hashMaxListpackEntries: 128, hashMaxListpackValue: lengthMax }
      fc.assert(
        fc.property(fc.array(step(lengthMax), { maxLength: 40 }), (steps) => {
          const hash = new Hash()
          const model = new Map<string, string>()
          for (const change of steps) {
            if (change.what === "put") {
              expect(hash.put(change.field, change.value, wide)).toBe(!model.has(change.field))
              model.set(change.field, change.value)
            } else if (change.what === "putAll") {
              const before = model.size
              for (const [field, content] of change.pairs) model.set(field, content)
              expect(hash.putAll(["HSET", "k", ...change.pairs.flat()], 2, wide)).toBe(model.size - before)
            } else expect(hash.remove(change.field)).toBe(model.delete(change.field))
          }
          const expected = [...model]
          expect(hash.encoding).toBe("listpack")
          expect(hash.size).toBe(model.size)
          expect(entriesOf(hash)).toEqual(expected)
          expect(entriesOf(hash.copy())).toEqual(expected)
          expected.forEach(([field, content], position) => {
            expect(hash.get(field)).toBe(content)
            expect(hash.has(field)).toBe(true)
            expect(hash.valueLength(field)).toBe(content.length)
            expect(hash.fieldAt(position)).toBe(field)
            expect(hash.valueAt(position)).toBe(content)
          })
        }),
        { numRuns: 200 },
      )
    },
  )

  it.each([
    { fields: 250, steps: 3_000 },
    { fields: 20_000, steps: 50_000 },
  ])("after $steps random changes of $fields fields", ({ fields, steps }) => {
    const draw = random(fields)
    const hash = new Hash()
    const model = new Map<string, string>()
    for (let i = 0; i < steps; i++) {
      const field = `field:${draw(fields)}`
      // More comes than goes in the first half, then the other way round.
      if (draw(100) < (i < steps / 2 ? 80 : 30)) {
        if (hash.put(field, `value:${i}`, limits) === model.has(field)) expect(field).toBe("new or not")
        model.set(field, `value:${i}`)
      } else if (hash.remove(field) !== model.delete(field)) expect(field).toBe("there or not")
    }
    expect(hash.encoding).toBe("hashtable")
    expect(hash.size).toBe(model.size)
    const sorted = [...model].sort()
    expect(entriesOf(hash).sort()).toEqual(sorted)
    expect(entriesOf(hash.copy()).sort()).toEqual(sorted)
    for (const [field, content] of model) if (hash.get(field) !== content) expect(hash.get(field)).toBe(content)
    const inPlace = (position: number) => hash.get(hash.fieldAt(position)) === hash.valueAt(position)
    expect(Array.from({ length: hash.size }, (_, position) => position).filter((n) => !inPlace(n))).toEqual([])
  })
})

describe("a hash gives room back", () => {
  const mebibyte = 1024 * 1024

  it("when its fields are set again and again to values of all lengths", () => {
    const draw = random(7)
    const hash = new Hash()
    const model = new Map<string, string>()
    for (let i = 0; i < 3_000; i++) {
      const field = `field:${i % 20}`
      const value = String.fromCharCode(draw(256)).repeat(5_000 + draw(55_000))
      hash.put(field, value, limits)
      model.set(field, value)
    }
    // 20 values take 0.6 MiB, all that there ever were 90.
    expect(hash.memoryUsage()).toBeLessThan(8 * mebibyte)
    expect(new Map(entriesOf(hash))).toEqual(model)
  })

  it("to other values of about the same length, so that it is not much larger than they are", () => {
    const draw = random(11)
    const hash = new Hash()
    const model = new Map<string, string>()
    let used = 0
    let most = 0
    for (let i = 0; i < 6_000; i++) {
      const field = `field:${draw(300)}`
      const value = String.fromCharCode(draw(256)).repeat(5_000 + draw(15_000))
      used += value.length - (model.get(field)?.length ?? 0)
      hash.put(field, value, limits)
      model.set(field, value)
      if (i > 2_000) most = Math.max(most, hash.memoryUsage() / used)
    }
    expect(most).toBeLessThan(2)
    for (const [field, value] of model) expect(hash.get(field)).toBe(value)
  })

  it("when a large field comes and goes among many small ones", () => {
    const hash = new Hash()
    for (let i = 0; i < 20_000; i++) hash.put(`field:${i}`, "value", limits)
    for (let i = 0; i < 500; i++) {
      hash.put("large", "x".repeat(90_000 + i), limits)
      hash.remove("large")
    }
    // The small ones take 2 MiB, all that there ever were of the large one 43.
    expect(hash.memoryUsage()).toBeLessThan(12 * mebibyte)
    expect(hash.size).toBe(20_000)
    for (let i = 0; i < 20_000; i += 7) expect(hash.get(`field:${i}`)).toBe("value")
  })
})

describe("a hash becomes a table and never a listpack again", () => {
  it.each([
    { why: "with one field too many", words: Array.from({ length: 129 }, (_, i) => [`f${i}`, "v"]).flat() },
    { why: "with a field of 65 bytes", words: ["f".repeat(65), "v"] },
    { why: "with a value of 65 bytes", words: ["f", "v".repeat(65)] },
    { why: "with a long value that a later pair replaces", words: ["f", "v".repeat(65), "f", "v"] },
  ])("$why", ({ words }) => {
    for (const all of [true, false]) {
      const hash = new Hash()
      expect(hash.encoding).toBe("listpack")
      if (all) hash.putAll(words, 0, limits)
      else for (let i = 0; i < words.length; i += 2) hash.put(words[i], words[i + 1], limits)
      expect(hash.encoding).toBe("hashtable")
      for (let i = 2; i < words.length; i += 2) hash.remove(words[i])
      expect(hash.encoding).toBe("hashtable")
    }
  })

  it("when a limit was lowered, at the next change", () => {
    const hash = new Hash()
    hash.putAll(["a", "1", "b", "2"], 0, limits)
    hash.put("a", "1", { ...limits, hashMaxListpackEntries: 1 })
    expect(hash.encoding).toBe("hashtable")
    expect(entriesOf(hash)).toEqual([
      ["a", "1"],
      ["b", "2"],
    ])
  })
})

describe("a scan over a hash", () => {
  it("returns every field that is there from its start to its end, whatever comes and goes meanwhile", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 1, max: 40 }), (seed, count) => {
        const draw = random(seed)
        const hash = new Hash()
        const staying = Array.from({ length: 200 + draw(200) }, (_, i) => `stays:${i}`)
        for (const field of staying) hash.put(field, "v", limits)
        for (let i = draw(300); i > 0; i--) hash.put(`comes:${draw(400)}`, "v", limits)
        const seen = new Set<string>()
        let cursor = 0
        do {
          cursor = hash.scan(cursor, count, (field) => seen.add(field))
          for (let i = draw(30); i > 0; i--) {
            if (draw(2) === 0) hash.put(`comes:${draw(400)}`, "v", limits)
            else hash.remove(`comes:${draw(400)}`)
          }
        } while (cursor !== 0)
        expect(staying.filter((field) => !seen.has(field))).toEqual([])
      }),
      { numRuns: 100 },
    )
  })
})

describe("the deadlines of fields", () => {
  it("agree with a Map of deadlines after any changes", () => {
    const field = fc.nat(40).map((n) => `f${n}`)
    const step = fc.oneof(
      fc.record({ what: fc.constant("put" as const), field }),
      fc.record({ what: fc.constant("set" as const), field, atMs: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ what: fc.constant("persist" as const), field }),
      fc.record({ what: fc.constant("remove" as const), field }),
      fc.record({ what: fc.constant("expire" as const), now: fc.nat(50) }),
      fc.record({ what: fc.constant("copy" as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.constantFrom(8, 128), (steps, entries) => {
        const some = { ...limits, hashMaxListpackEntries: entries }
        let hash = new Hash()
        const model = new Map<string, number>()
        for (const change of steps) {
          if (change.what === "put") {
            hash.put(change.field, "v", some)
            if (!model.has(change.field)) model.set(change.field, Infinity)
          } else if (change.what === "set" && model.has(change.field)) {
            expect(hash.setDeadline(change.field, change.atMs)).toBe(model.get(change.field) !== Infinity)
            model.set(change.field, change.atMs)
          } else if (change.what === "persist" && model.has(change.field)) {
            expect(hash.setDeadline(change.field, undefined)).toBe(model.get(change.field) !== Infinity)
            model.set(change.field, Infinity)
          } else if (change.what === "remove") expect(hash.remove(change.field)).toBe(model.delete(change.field))
          else if (change.what === "expire") {
            const due = [...model.keys()].filter((name) => model.get(name)! <= change.now)
            for (const name of due) model.delete(name)
            expect([...hash.expireElements(change.now)].sort()).toEqual(due.sort())
          } else if (change.what === "copy") hash = hash.copy()
          expect(hash.nextDeadline).toBe(Math.min(Infinity, ...model.values()))
          expect(hash.size).toBe(model.size)
          for (const [name, atMs] of model) expect(hash.deadline(name) ?? Infinity).toBe(atMs)
        }
        expect(
          entriesOf(hash)
            .map(([name]) => name)
            .sort(),
        ).toEqual([...model.keys()].sort())
      }),
      { numRuns: 100 },
    )
  })

  const lines = (...replies: ReadonlyArray<Parameters<typeof formatReply>[0]>) =>
    replies.map((reply) => formatReply(reply).join(" "))
  const adjust = (ms: number) => TestClock.adjust(Duration.millis(ms))

  it.effect("let a field go at its millisecond, seen by whoever looks, with active expiry off", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
        yield* run(client, "HSET", "h", "a", "1", "b", "2")
        yield* run(client, "HPEXPIRE", "h", "1000", "FIELDS", "1", "a")
        yield* adjust(999)
        expect(
          lines(yield* run(client, "HGET", "h", "a"), yield* run(client, "HPTTL", "h", "FIELDS", "1", "a")),
        ).toEqual(['"1"', "*1   :1"])
        yield* adjust(1)
        expect(lines(yield* run(client, "HGETALL", "h"), yield* run(client, "HLEN", "h"))).toEqual([
          '*2   "b"   "2"',
          ":1",
        ])
      }),
    ),
  )

  it.effect("let fields go when nobody looks, and the key with the last of them", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        const listener = yield* TestServer.connect
        yield* run(client, "CONFIG", "SET", "notify-keyspace-events", "KA")
        yield* run(client, "HSET", "h", "a", "1", "b", "2")
        yield* run(client, "HPEXPIRE", "h", "1000", "FIELDS", "1", "a")
        yield* run(client, "HPEXPIRE", "h", "2000", "FIELDS", "1", "b")
        yield* run(listener, "SUBSCRIBE", "__keyspace@0__:h")
        let seen = 0
        const events = () => {
          const arrived = listener.arrived().slice(seen)
          seen += arrived.length
          return arrived.map((message) => formatReply(message).at(-1)!.trim())
        }
        yield* adjust(999)
        expect(events()).toEqual([])
        yield* adjust(1)
        expect(events()).toEqual(['"hexpired"'])
        expect(lines(yield* run(client, "DBSIZE"))).toEqual([":1"])
        yield* adjust(1000)
        expect(events()).toEqual(['"hexpired"', '"del"'])
        expect(lines(yield* run(client, "DBSIZE"))).toEqual([":0"])
      }),
    ),
  )

  it.effect("go with a copy, a new name and a dumped payload, and end where a field is set anew", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        const times = (key: string) =>
          Effect.map(run(client, "HPTTL", key, "FIELDS", "3", "a", "b", "c"), (reply) =>
            formatReply(reply)
              .slice(1)
              .map((line) => Number(line.trim().slice(1))),
          )
        yield* run(client, "HSET", "h", "a", "1", "b", "2", "c", "3")
        yield* run(client, "HPEXPIRE", "h", "1000", "FIELDS", "2", "a", "b")
        const dumped = yield* run(client, "DUMP", "h")
        expect(dumped._tag).toBe("Bulk")
        yield* run(client, "COPY", "h", "copied")
        yield* run(client, "RENAME", "h", "renamed")
        if (dumped._tag === "Bulk") yield* run(client, "RESTORE", "restored", "0", dumped.value)
        for (const key of ["copied", "renamed", "restored"]) expect(yield* times(key)).toEqual([1000, 1000, -1])
        yield* run(client, "HSET", "copied", "a", "1")
        expect(yield* times("copied")).toEqual([-1, 1000, -1])
        yield* run(client, "HINCRBY", "copied", "b", "1")
        yield* run(client, "HINCRBYFLOAT", "copied", "b", "0.5")
        yield* run(client, "HSETNX", "copied", "b", "9")
        expect(yield* times("copied")).toEqual([-1, 1000, -1])
        yield* run(client, "HDEL", "copied", "b")
        yield* run(client, "HSETNX", "copied", "b", "9")
        expect(yield* times("copied")).toEqual([-1, -1, -1])
        yield* adjust(1000)
        for (const key of ["renamed", "restored"]) {
          expect(lines(yield* run(client, "HGETALL", key))).toEqual(['*2   "c"   "3"'])
        }
      }),
    ),
  )
})

describe("the stream of changes", () => {
  /** The changes that `requests` leave in the log, one line a change, at the instant 1000; `@500` lets 500 ms pass. */
  const logged = (...requests: ReadonlyArray<string>) => {
    const log: Array<Change> = []
    return TestClock.adjust(1000).pipe(
      Effect.zipRight(TestServer.connect),
      Effect.flatMap((client) =>
        Effect.forEach(requests, (request) =>
          request.startsWith("@") ? TestClock.adjust(Number(request.slice(1))) : run(client, ...request.split(" ")),
        ),
      ),
      Effect.map(() => log.map(({ argv }) => argv.join(" "))),
      Effect.provide(Server.layerTest(TestServer.testSettings, { persistence: Persistence.layerMemory(log) })),
    )
  }

  const cases: ReadonlyArray<[requests: ReadonlyArray<string>, changes: ReadonlyArray<string>]> = [
    [
      ["HSET h a 1 b 2", "HMSET h a 1", "HSET h a"],
      ["HSET h a 1 b 2", "HMSET h a 1"],
    ],
    [["HSETNX h c 3", "HSETNX h c 4"], ["HSETNX h c 3"]],
    [["HINCRBY h a 5", "HINCRBY h a x"], ["HINCRBY h a 5"]],
    [["HINCRBYFLOAT h a 1.50", "HINCRBYFLOAT h a x"], ["HSET h a 1.5"]],
    [
      ["HSET h a 1 b 2", "HDEL h a zz b", "HDEL h zz", "HGETALL h"],
      ["HSET h a 1 b 2", "HDEL h a zz b"],
    ],
    [
      ["HSET h a 1 b 2", "HEXPIRE h 10 FIELDS 3 a b c", "HEXPIRE h 10 NX FIELDS 1 a"],
      ["HSET h a 1 b 2", "HPEXPIREAT h 11000 FIELDS 2 a b"],
    ],
    [
      ["HSET h a 1 b 2", "HEXPIREAT h 20 FIELDS 1 a", "HPEXPIRE h 30 LT FIELDS 2 a b"],
      ["HSET h a 1 b 2", "HPEXPIREAT h 20000 FIELDS 1 a", "HPEXPIREAT h 1030 FIELDS 2 a b"],
    ],
    [
      ["HSET h a 1 b 2", "HPEXPIREAT h 1000 FIELDS 2 a c", "HPEXPIRE h 0 FIELDS 1 b"],
      ["HSET h a 1 b 2", "HDEL h a", "HDEL h b"],
    ],
    [
      ["HSET h a 1", "HPERSIST h FIELDS 1 a", "HPEXPIRE h 5 FIELDS 1 a", "HPERSIST h FIELDS 2 a b"],
      ["HSET h a 1", "HPEXPIREAT h 1005 FIELDS 1 a", "HPERSIST h FIELDS 2 a b"],
    ],
    [
      ["HSET h a 1 b 2", "HPEXPIRE h 5 FIELDS 1 a", "@5", "HGET h a"],
      ["HSET h a 1 b 2", "HPEXPIREAT h 1005 FIELDS 1 a", "HDEL h a"],
    ],
    [
      ["HSET h a 1", "HPEXPIRE h 5 FIELDS 1 a", "HINCRBYFLOAT h a 1"],
      ["HSET h a 1", "HPEXPIREAT h 1005 FIELDS 1 a", "MULTI", "HSET h a 2", "HPEXPIREAT h 1005 FIELDS 1 a", "EXEC"],
    ],
  ]

  it.effect.each(cases)("%j is logged as %j", ([requests, changes]) =>
    Effect.gen(function* () {
      expect(yield* logged(...requests)).toEqual(changes)
    }),
  )
})
