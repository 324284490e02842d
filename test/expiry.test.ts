/**
 * Deadlines under the virtual clock: a key is there until the last millisecond and gone at the next, whether somebody looks or
 * not; and nothing happens in between.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import fc from "fast-check"
import { Clock } from "../src/clock/Clock.ts"
import { pause } from "../src/clock/EventLoop.ts"
import * as Reply from "../src/codec/Reply.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { Store } from "../src/store/Store.ts"
import {
  atStartTime,
  connect,
  run,
  startTimeMs,
  type TestClient,
  testSettings,
  withServer,
} from "./support/TestServer.ts"

/** The number of keys, looked up without touching any of them. */
const size = (client: TestClient) => run(client, "DBSIZE")

describe("a deadline", () => {
  const inSeconds = `${startTimeMs / 1000 + 2}`
  const inMillis = `${startTimeMs + 2000}`
  it.effect.each([
    ["SET k v EX 2"],
    ["SET k v PX 2000"],
    [`SET k v EXAT ${inSeconds}`],
    [`SET k v PXAT ${inMillis}`],
    ["SETEX k 2 v"],
    ["PSETEX k 2000 v"],
    ["EXPIRE k 2"],
    ["PEXPIRE k 2000"],
    [`EXPIREAT k ${inSeconds}`],
    [`PEXPIREAT k ${inMillis}`],
    ["GETEX k EX 2"],
    [`GETEX k PXAT ${inMillis}`],
    ["SET k v KEEPTTL"],
    ["RENAME other k"],
    ["COPY other k REPLACE"],
  ])("of %s is met to the millisecond", ([request]) =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "k", "v", ...(request.includes("KEEPTTL") ? ["PX", "2000"] : []))
        yield* run(client, "SET", "other", "v", "PX", "2000")
        yield* run(client, ...request.split(" "))
        yield* run(client, "DEL", "other")
        yield* TestClock.adjust("1999 millis")
        expect(yield* run(client, "PTTL", "k")).toEqual(Reply.one)
        expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk("v"))
        yield* TestClock.adjust("1 millis")
        expect(yield* run(client, "GET", "k")).toEqual(Reply.nil)
      }),
    ),
  )

  it.effect("is met when nobody looks, logged, and told at that instant", () =>
    Effect.suspend(() => {
      const changes: Array<Change> = []
      return Effect.gen(function* () {
        const [client, listener] = [yield* connect, yield* connect]
        yield* run(client, "CONFIG", "SET", "notify-keyspace-events", "Ex")
        yield* run(listener, "SUBSCRIBE", "__keyevent@0__:expired")
        yield* run(client, "SET", "k", "v", "PX", "500")
        yield* run(client, "SET", "stays", "v")
        yield* TestClock.adjust("499 millis")
        expect([yield* size(client), listener.arrived()]).toEqual([Reply.int(2), []])
        yield* TestClock.adjust("1 millis")
        expect(yield* Effect.promise(() => listener.receive())).toMatchObject({
          values: [{ value: "message" }, { value: "__keyevent@0__:expired" }, { value: "k" }],
        })
        expect(yield* size(client)).toEqual(Reply.one)
        expect(changes.map(({ argv }) => argv.join(" "))).toEqual([
          `SET k v PXAT ${startTimeMs + 500}`,
          "SET stays v",
          "DEL k",
        ])
        expect(yield* run(client, "INFO", "stats")).toMatchObject({
          value: expect.stringContaining("expired_keys:1\r\n"),
        })
      }).pipe(
        Effect.provide(Server.layerTest(testSettings, { persistence: Persistence.layerMemory(changes) })),
        atStartTime,
      )
    }),
  )

  it.effect("that was taken away, moved or replaced is not met", () =>
    withServer((client) =>
      Effect.gen(function* () {
        for (const key of ["persisted", "set", "later", "getset", "renamed", "deleted"]) {
          yield* run(client, "SET", key, "v", "PX", "1000")
        }
        yield* run(client, "PERSIST", "persisted")
        yield* run(client, "SET", "set", "new")
        yield* run(client, "PEXPIRE", "later", "5000")
        yield* run(client, "GETSET", "getset", "new")
        yield* run(client, "RENAME", "renamed", "name")
        yield* run(client, "DEL", "deleted")
        yield* run(client, "SET", "deleted", "again")
        yield* run(client, "SET", "renamed", "again")
        yield* TestClock.adjust("1000 millis")
        expect(yield* run(client, "EXISTS", "persisted", "set", "later", "getset", "renamed", "deleted")).toEqual(
          Reply.int(6),
        )
        expect(yield* run(client, "EXISTS", "name")).toEqual(Reply.zero)
        yield* TestClock.adjust("4000 millis")
        expect(yield* size(client)).toEqual(Reply.int(5))
      }),
    ),
  )

  it.effect("may be further away than timers of Node reach", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const days = 100
        yield* run(client, "SET", "k", "v", "EX", `${days * 86_400}`)
        yield* TestClock.adjust(`${days} days`)
        expect(yield* size(client)).toEqual(Reply.zero)
      }),
    ),
  )

  it.effect("sooner than all others wakes who meets them", () =>
    withServer((client) =>
      Effect.gen(function* () {
        for (const seconds of [100, 50, 10, 1, 30, 70]) yield* run(client, "SET", `${seconds}`, "v", "EX", `${seconds}`)
        const left: Array<unknown> = []
        for (const seconds of [1, 9, 20, 20, 20, 30]) {
          yield* TestClock.adjust(`${seconds} seconds`)
          left.push(yield* size(client))
        }
        expect(left).toEqual([5, 4, 3, 2, 1, 0].map((count) => Reply.int(count)))
      }),
    ),
  )

  it.effect("that many keys share is met for all of them, in every database", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const script = "for i = 1, 5000 do redis.call('SET', KEYS[1] .. i, 'v', 'PX', 1000) end"
        for (const db of ["0", "9"]) {
          yield* run(client, "SELECT", db)
          yield* run(client, "EVAL", script, "1", "k")
          yield* run(client, "SET", "stays", "v")
        }
        yield* TestClock.adjust("1000 millis")
        // Whoever asks meanwhile is answered.
        expect(yield* size(client)).not.toEqual(Reply.one)
        for (const db of ["0", "9"]) {
          yield* run(client, "SELECT", db)
          let left = yield* size(client)
          for (let turns = 0; turns < 100 && left !== Reply.one; turns++)
            left = yield* Effect.zipRight(pause, size(client))
          expect(left).toEqual(Reply.one)
        }
      }),
    ),
  )

  it.effect("that many fields share is met a slice at a time, and seen at once by who looks", () => {
    const changes: Array<Change> = []
    return Effect.gen(function* () {
      const client = yield* connect
      const fields = Array.from({ length: 2000 }, (_, i) => `f${i}`)
      for (const key of ["alone", "looked at"]) {
        yield* run(client, "HSET", key, "stays", "v", ...fields.flatMap((field) => [field, "v"]))
        yield* run(client, "HPEXPIRE", key, "1000", "FIELDS", "2000", ...fields)
      }
      changes.length = 0
      yield* TestClock.adjust("1000 millis")
      expect(yield* run(client, "HLEN", "looked at")).toEqual(Reply.one)
      const removed = (key: string) => changes.flatMap(({ argv }) => (argv[1] === key ? [argv.length - 2] : []))
      expect(removed("looked at").reduce((sum, count) => sum + count)).toBe(2000)
      expect(removed("alone").length).toBeLessThan(4)
      for (let turns = 0; turns < 100 && removed("alone").length < 4; turns++) yield* pause
      expect(removed("alone")).toEqual([500, 500, 500, 500])
      expect(yield* run(client, "HLEN", "alone")).toEqual(Reply.one)
    }).pipe(
      Effect.provide(Server.layerTest(testSettings, { persistence: Persistence.layerMemory(changes) })),
      atStartTime,
    )
  })

  it.effect("is met in slices, and one that holds others up is an event of LATENCY", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const store = yield* Store
        const slices: Array<number> = []
        store.events.swept.push((micros) => void slices.push(micros))
        yield* run(client, "SET", "k", "v", "PX", "100")
        yield* TestClock.adjust("100 millis")
        expect(yield* size(client)).toEqual(Reply.zero)
        // No time passes in a test while one is measured.
        expect(new Set(slices)).toEqual(new Set([0]))
        const told = (micros: number) => store.events.swept.forEach((listener) => listener(micros))
        told(1_000_000)
        yield* run(client, "CONFIG", "SET", "latency-monitor-threshold", "20")
        told(19_999)
        expect(yield* run(client, "LATENCY", "LATEST")).toEqual(Reply.array([]))
        told(31_200)
        told(20_000)
        const latest = [Reply.bulk("expire-cycle"), Reply.int(startTimeMs / 1000), Reply.int(31), Reply.int(31)]
        expect(yield* run(client, "LATENCY", "LATEST")).toEqual(Reply.array([Reply.array(latest)]))
      }),
    ),
  )

  it.effect("that SCAN or RANDOMKEY comes across takes each key by itself, and EXEC takes them together", () => {
    const changes: Array<Change> = []
    const overdue = (client: TestClient, ...requests: ReadonlyArray<ReadonlyArray<string>>) =>
      Effect.gen(function* () {
        yield* run(client, "MSET", "a", "1", "b", "2")
        yield* run(client, "PEXPIRE", "a", "1")
        yield* run(client, "PEXPIRE", "b", "1")
        yield* TestClock.adjust("2 millis")
        changes.length = 0
        for (const request of requests) yield* run(client, ...request)
        return changes.map(({ argv }) => argv[0]).join(" ")
      })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* run(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
      expect(yield* overdue(client, ["SCAN", "0"])).toBe("DEL DEL")
      expect(yield* overdue(client, ["RANDOMKEY"])).toBe("DEL DEL")
      expect(yield* overdue(client, ["MGET", "a", "b"])).toBe("MULTI DEL DEL EXEC")
      expect(yield* overdue(client, ["MULTI"], ["SCAN", "0"], ["EXEC"])).toBe("MULTI DEL DEL EXEC")
    }).pipe(
      Effect.provide(Server.layerTest(testSettings, { persistence: Persistence.layerMemory(changes) })),
      atStartTime,
    )
  })

  it.effect("that all of very many fields share takes the key as one", () => {
    const changes: Array<Change> = []
    return Effect.gen(function* () {
      const client = yield* connect
      const fields = Array.from({ length: 2000 }, (_, i) => `f${i}`)
      for (const key of ["all", "all but one"]) {
        yield* run(client, "HSET", key, ...fields.flatMap((field) => [field, "v"]))
        yield* run(client, "HPEXPIRE", key, "1000", "FIELDS", "2000", ...fields)
      }
      yield* run(client, "HPEXPIRE", "all but one", "2000", "FIELDS", "1", "f7")
      changes.length = 0
      yield* TestClock.adjust("1000 millis")
      expect(yield* run(client, "EXISTS", "all")).toEqual(Reply.zero)
      expect(changes.filter(({ argv }) => argv[1] === "all")).toMatchObject([{ db: 0, argv: ["DEL", "all"] }])
      expect(yield* run(client, "HKEYS", "all but one")).toEqual(Reply.array([Reply.bulk("f7")]))
      yield* TestClock.adjust("1000 millis")
      expect(yield* size(client)).toEqual(Reply.zero)
    }).pipe(
      Effect.provide(Server.layerTest(testSettings, { persistence: Persistence.layerMemory(changes) })),
      atStartTime,
    )
  })

  it.effect("is seen by those who look, also when nobody meets it", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for (const key of ["a", "b"]) yield* run(client, "SET", key, "v", "PX", "100")
        yield* TestClock.adjust("1 hour")
        expect(yield* size(client)).toEqual(Reply.int(2))
        expect(yield* run(client, "EXISTS", "a")).toEqual(Reply.zero)
        expect(yield* size(client)).toEqual(Reply.one)
        yield* run(client, "DEBUG", "SET-ACTIVE-EXPIRE", "1")
        yield* run(client, "SET", "c", "v", "PX", "1")
        yield* TestClock.adjust("1 second")
        expect(yield* size(client)).toEqual(Reply.zero)
      }),
    ),
  )

  it.effect("of a hash's field takes the field, and the last one the hash", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "HSET", "h", "a", "1", "b", "2", "c", "3")
        yield* run(client, "HPEXPIRE", "h", "1000", "FIELDS", "1", "a")
        yield* run(client, "HPEXPIRE", "h", "2000", "FIELDS", "2", "b", "c")
        yield* TestClock.adjust("999 millis")
        expect(yield* run(client, "HLEN", "h")).toEqual(Reply.int(3))
        yield* TestClock.adjust("1 millis")
        expect(yield* run(client, "HLEN", "h")).toEqual(Reply.int(2))
        yield* TestClock.adjust("1000 millis")
        expect(yield* size(client)).toEqual(Reply.zero)
      }),
    ),
  )
})

describe("while deadlines are far", () => {
  it.effect("the clock is not looked at", () =>
    Effect.suspend(() => {
      let used = 0
      const counting = Layer.effect(
        Clock,
        Effect.map(Clock, (clock) => ({
          ...clock,
          now: () => {
            used++
            return clock.now()
          },
          sleepUntil: (atMs: number) => {
            used++
            return clock.sleepUntil(atMs)
          },
        })),
      ).pipe(Layer.provide(Clock.layer))
      return Effect.gen(function* () {
        const client = yield* connect
        for (let i = 0; i < 1000; i++) client.send("SET", `k${i}`, "v", "EX", `${3600 + i}`)
        expect(yield* size(client)).toBeDefined()
        const before = used
        yield* TestClock.adjust("3599 seconds")
        expect(used).toBe(before)
        yield* TestClock.adjust("1 seconds")
        expect(used).toBeGreaterThan(before)
      }).pipe(Effect.provide(Server.layerTest(testSettings, { clock: counting })), atStartTime)
    }),
  )
})

type Step =
  | { readonly kind: "set" | "expire"; readonly key: number; readonly ms: number }
  | { readonly kind: "plain" | "persist" | "delete" | "rename"; readonly key: number }
  | { readonly kind: "pass"; readonly ms: number }

const key = fc.nat(4)
const ms = fc.integer({ min: 1, max: 20 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom("set" as const, "expire" as const), key, ms }),
  fc.record({ kind: fc.constantFrom("plain" as const, "persist" as const, "delete" as const, "rename" as const), key }),
  fc.record({ kind: fc.constant("pass" as const), ms }),
)

describe("any history of deadlines", () => {
  it.effect("leaves what a table of keys and times says", () =>
    Effect.suspend(() => {
      let now = startTimeMs
      const byHand = Layer.succeed(Clock, {
        now: () => now,
        nowMicros: () => now * 1000,
        sleepUntil: () => Effect.never,
      })
      return Effect.gen(function* () {
        const client = yield* connect
        /** Deadlines by key; a key without one is there for ever. */
        const model = new Map<number, number>()
        const alive = (name: number) => (model.get(name) ?? 0) > now
        const act = async (each: Step): Promise<void> => {
          switch (each.kind) {
            case "pass":
              now += each.ms
              return
            case "set":
              await client.run("SET", `${each.key}`, "v", "PX", `${each.ms}`)
              return void model.set(each.key, now + each.ms)
            case "expire":
              await client.run("PEXPIRE", `${each.key}`, `${each.ms}`)
              if (alive(each.key)) model.set(each.key, now + each.ms)
              return
            case "plain":
              await client.run("SET", `${each.key}`, "v")
              return void model.set(each.key, Infinity)
            case "persist":
              await client.run("PERSIST", `${each.key}`)
              if (alive(each.key)) model.set(each.key, Infinity)
              return
            case "delete":
              await client.run("DEL", `${each.key}`)
              return void model.delete(each.key)
            case "rename": {
              const target = (each.key + 1) % 5
              await client.run("RENAME", `${each.key}`, `${target}`)
              if (!alive(each.key)) return
              model.set(target, model.get(each.key)!)
              return void model.delete(each.key)
            }
          }
        }
        const law = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          await client.run("FLUSHALL")
          model.clear()
          for (const each of steps) {
            await act(each)
            for (let name = 0; name < 5; name++) {
              const deadline = alive(name) ? model.get(name)! : undefined
              const expected = deadline === undefined ? -2 : deadline === Infinity ? -1 : deadline - now
              expect(await client.run("PTTL", `${name}`)).toEqual(Reply.int(expected))
            }
          }
        })
        yield* Effect.promise(() => fc.assert(law, { numRuns: 100 }))
      }).pipe(Effect.provide(Server.layerTest(testSettings, { clock: byHand })))
    }),
  )
})
