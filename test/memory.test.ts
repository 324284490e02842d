/** The memory limit: what is evicted, what is refused, and that it follows the data. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { Reply } from "../src/codec/Reply.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import * as TestServer from "./support/TestServer.ts"
import { formatReply } from "./support/Transcript.ts"

const text = (reply: Reply) => formatReply(reply).join("\n")

const fill = (client: TestServer.TestClient, prefix: string, count: number, ...options: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    let last: Reply = { _tag: "Nil" }
    for (let i = 0; i < count; i++) last = await client.run("SET", `${prefix}${i}`, "v".repeat(100), ...options)
    return last
  })

describe("maxmemory", () => {
  it.effect("refuses what needs memory and serves the rest, under noeviction", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        yield* fill(client, "k", 100)
        yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "2000")
        const oom = "-OOM command not allowed when used memory > 'maxmemory'."
        expect(text(yield* TestServer.run(client, "SET", "more", "x"))).toBe(oom)
        expect(text(yield* TestServer.run(client, "GET", "more"))).toBe("$-1")
        expect(text(yield* TestServer.run(client, "DBSIZE"))).toBe(":100")
        expect(text(yield* TestServer.run(client, "FLUSHALL"))).toBe("+OK")
        expect(text(yield* TestServer.run(client, "SET", "more", "x"))).toBe("+OK")
      }),
    ),
  )

  for (const policy of ["allkeys-lru", "allkeys-lfu", "allkeys-random"]) {
    it.effect(`keeps the data within the limit under ${policy}`, () =>
      TestServer.withServer(
        (client) =>
          Effect.gen(function* () {
            expect(text(yield* fill(client, "k", 1000))).toBe("+OK")
            const size = Number(text(yield* TestServer.run(client, "DBSIZE")).slice(1))
            // 100 bytes of value and about as many of key and entry.
            expect(size).toBeGreaterThan(150)
            expect(size).toBeLessThan(500)
            expect(text(yield* TestServer.run(client, "EXISTS", "k999"))).toBe(":1")
          }),
        { maxmemory: 60_000, maxmemoryPolicy: policy as "allkeys-lru" },
      ),
    )
  }

  it.effect("evicts what was used longest ago under allkeys-lru", () =>
    TestServer.withServer(
      (client) =>
        Effect.gen(function* () {
          yield* fill(client, "old", 100)
          yield* TestClock.adjust("1 hour")
          yield* fill(client, "new", 100)
          yield* TestClock.adjust("1 minute")
          yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "16000")
          const left = yield* TestServer.run(client, "KEYS", "*")
          const names = left._tag === "Array" || left._tag === "Bulks" ? text(left) : ""
          const count = (prefix: string) => names.split(`"${prefix}`).length - 1
          expect(count("new")).toBeGreaterThan(3 * count("old"))
        }),
      { maxmemoryPolicy: "allkeys-lru", maxmemorySamples: 10 },
    ),
  )

  for (const policy of ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]) {
    it.effect(`evicts only keys with a deadline under ${policy}`, () =>
      TestServer.withServer(
        (client) =>
          Effect.gen(function* () {
            yield* fill(client, "stays", 50)
            yield* fill(client, "goes", 50, "EX", "1000")
            yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "10000")
            const left = text(yield* TestServer.run(client, "KEYS", "stays*"))
            expect(left.startsWith("*50")).toBe(true)
            expect(Number(text(yield* TestServer.run(client, "DBSIZE")).slice(1))).toBeLessThan(80)
            yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "1000")
            expect(text(yield* TestServer.run(client, "SET", "x", "y"))).toContain("-OOM")
          }),
        { maxmemoryPolicy: policy as "volatile-lru" },
      ),
    )
  }

  it.effect("evicts and refuses nothing during CLIENT PAUSE", () =>
    TestServer.withServer(
      (client) =>
        Effect.gen(function* () {
          const other = yield* TestServer.connect
          yield* fill(client, "k", 20)
          yield* TestServer.run(client, "CLIENT", "PAUSE", "1000", "WRITE")
          yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "2000")
          other.send("SET", "more", "x")
          expect(text(yield* TestServer.run(client, "DBSIZE"))).toBe(":20")
          expect(other.arrived()).toEqual([])
          yield* TestClock.adjust("1 second")
          expect(text(yield* Effect.promise(() => other.receive()))).toBe("+OK")
          expect(Number(text(yield* TestServer.run(client, "DBSIZE")).slice(1))).toBeLessThan(20)
        }),
      { maxmemoryPolicy: "allkeys-lru" },
    ),
  )

  it.effect("counts function libraries, and has no room for one below what an empty database takes", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        const call = (...argv: ReadonlyArray<string>) => Effect.map(TestServer.run(client, ...argv), text)
        const oom = "-OOM command not allowed when used memory > 'maxmemory'."
        const library = (name: string, rest = "") =>
          `#!lua name=${name}\nredis.register_function("${name}", function() return 1 end) ${rest}`
        yield* call("CONFIG", "SET", "maxmemory", "1")
        expect(yield* call("FUNCTION", "LOAD", library("f"))).toBe(oom)
        expect(yield* call("SET", "k", "v")).toBe(oom)
        yield* call("CONFIG", "SET", "maxmemory", "3000")
        expect(yield* call("FUNCTION", "LOAD", library("f", `-- ${"x".repeat(3000)}`))).toBe('"f"')
        expect(yield* call("SET", "k", "v")).toBe(oom)
        expect(yield* call("FCALL", "f", "0")).toBe(oom)
        expect(yield* call("FUNCTION", "FLUSH")).toBe("+OK")
        expect(yield* call("SET", "k", "v")).toBe("+OK")
      }),
    ),
  )

  it.effect("tells of each evicted key by an event and a counter", () =>
    TestServer.withServer(
      (client) =>
        Effect.gen(function* () {
          const listener = yield* TestServer.connect
          yield* TestServer.run(client, "CONFIG", "SET", "notify-keyspace-events", "Ee")
          yield* TestServer.run(listener, "SUBSCRIBE", "__keyevent@0__:evicted")
          yield* fill(client, "k", 3)
          yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "300")
          const event = yield* Effect.promise(() => listener.receive())
          expect(text(event)).toContain('"message"\n  "__keyevent@0__:evicted"\n  "k')
          expect(text(yield* TestServer.run(client, "INFO", "stats"))).toMatch(/evicted_keys:[1-3]\\r/)
        }),
      { maxmemoryPolicy: "allkeys-random" },
    ),
  )
})

describe("a limit that is lowered", () => {
  it.effect("lets keys go after the transaction that lowered it, one by one, though no request comes", () => {
    const changes: Array<Change> = []
    return Effect.gen(function* () {
      const client = yield* TestServer.connect
      yield* fill(client, "k", 300)
      changes.length = 0
      yield* TestServer.run(client, "MULTI")
      yield* TestServer.run(client, "INCR", "x")
      yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "1")
      yield* TestServer.run(client, "INCR", "x")
      expect(text(yield* TestServer.run(client, "EXEC"))).toBe("*3\n  :1\n  +OK\n  :2")
      for (let turns = 0; turns < 100 && changes.length < 305; turns++) {
        yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
      }
      const names = changes.map(({ argv }) => argv[0])
      expect(names).toEqual(["MULTI", "INCR", "INCR", "EXEC", ...Array.from({ length: 301 }, () => "DEL")])
    }).pipe(
      Effect.provide(
        Server.layerTest(
          { ...TestServer.testSettings, maxmemoryPolicy: "allkeys-random" },
          { persistence: Persistence.layerMemory(changes) },
        ),
      ),
      TestServer.atStartTime,
    )
  })

  it.effect("costs no keys for telling clients of the others", () =>
    TestServer.withServer(
      (client) =>
        Effect.gen(function* () {
          const name = (i: number) => `${i}${"k".repeat(1000)}`
          const tracker = yield* TestServer.connect
          yield* TestServer.run(tracker, "HELLO", "3")
          yield* TestServer.run(tracker, "CLIENT", "TRACKING", "ON")
          for (let i = 0; i < 300; i++) {
            yield* TestServer.run(client, "SET", name(i), "v")
            yield* TestServer.run(tracker, "GET", name(i))
          }
          tracker.peer.setPaused(true)
          const used = /used_memory:(\d+)/.exec(text(yield* TestServer.run(client, "INFO", "memory")))![1]
          client.send("CONFIG", "SET", "maxmemory", String(Number(used) - 150_000))
          client.send("DBSIZE")
          expect(text(yield* Effect.promise(() => client.receive()))).toBe("+OK")
          const left = Number(text(yield* Effect.promise(() => client.receive())).slice(1))
          expect(left).toBeGreaterThan(100)
          expect(left).toBeLessThan(200)
        }),
      { maxmemoryPolicy: "allkeys-random" },
    ),
  )
})

describe("what clients hold", () => {
  const dbsize = (client: TestServer.TestClient) =>
    Effect.map(TestServer.run(client, "DBSIZE"), (reply) => Number(text(reply).slice(1)))

  it.effect("counts against maxmemory: what is not read, and what is not complete", () =>
    TestServer.withServer(
      (client) =>
        Effect.gen(function* () {
          yield* fill(client, "k", 100)
          yield* TestServer.run(client, "SET", "big", "v".repeat(10_000))
          yield* TestServer.run(client, "CONFIG", "SET", "maxmemory", "60000")
          expect(yield* dbsize(client)).toBe(101)
          const slow = yield* TestServer.connect
          slow.peer.setPaused(true)
          for (let i = 0; i < 4; i++) slow.send("GET", "big")
          const afterOutput = yield* dbsize(client)
          expect(afterOutput).toBeLessThan(100)
          expect(text(yield* TestServer.run(client, "INFO", "memory"))).toMatch(/used_memory:[45]\d{4}\\r/)
          slow.peer.destroy()
          yield* Effect.promise(() => slow.closed)
          yield* fill(client, "k", 100)
          yield* TestServer.run(client, "SET", "big", "v".repeat(10_000))
          expect(yield* dbsize(client)).toBe(101)
          const partial = yield* TestServer.connect
          partial.peer.write(`*3\r\n$3\r\nSET\r\n$20000\r\n${"k".repeat(20_000)}\r\n$50000\r\n${"v".repeat(20_000)}`)
          expect(yield* dbsize(client)).toBeLessThan(100)
          expect(text(yield* TestServer.run(client, "INFO", "stats"))).toContain("evicted_clients:0\\r")
        }),
      { maxmemoryPolicy: "allkeys-random" },
    ),
  )

  const holding: ReadonlyArray<
    readonly [what: string, hold: (client: Effect.Effect.Success<typeof TestServer.connect>) => void]
  > = [
    ["an argument that is not complete", ({ peer }) => peer.write(`*2\r\n$100000\r\n${"v".repeat(90_000)}`)],
    [
      "arguments of a request that is not complete",
      ({ peer }) => peer.write(`*9\r\n${`$30000\r\n${"v".repeat(30_000)}\r\n`.repeat(3)}`),
    ],
    [
      "a transaction",
      (client) => {
        client.send("MULTI")
        for (let i = 0; i < 3; i++) client.send("SET", "k", "v".repeat(30_000))
      },
    ],
    ["a request, before it is served", (client) => client.send("SET", "k", "v".repeat(130_000))],
    ["keys under WATCH", (client) => client.send("WATCH", ...Array.from({ length: 500 }, (_, i) => `key ${i}`))],
    ["subscriptions", (client) => client.send("SUBSCRIBE", ...Array.from({ length: 700 }, (_, i) => `channel ${i}`))],
    [
      "prefixes",
      (client) => {
        client.send("HELLO", "3")
        client.send(
          "CLIENT",
          "TRACKING",
          "ON",
          "BCAST",
          ...Array.from({ length: 500 }, (_, i) => ["PREFIX", `p${1000 + i}`]).flat(),
        )
      },
    ],
  ]
  for (const [what, hold] of holding) {
    it.effect(`counts against maxmemory-clients: ${what}`, () =>
      TestServer.withServer(
        (client) =>
          Effect.gen(function* () {
            const greedy = yield* TestServer.connect
            yield* TestServer.run(client, "PING")
            expect(greedy.isClosed()).toBe(false)
            hold(greedy)
            yield* Effect.promise(() => greedy.closed)
            expect(text(yield* TestServer.run(client, "INFO", "stats"))).toContain("evicted_clients:1\\r")
            expect(yield* dbsize(client)).toBe(0)
          }),
        { maxmemoryClients: 120_000 },
      ),
    )
  }

  it.effect("is looked at when the limit, or who is exempt from it, changes", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        yield* TestServer.run(client, "CLIENT", "NO-EVICT", "ON")
        const [large, small, exempt] = [yield* TestServer.connect, yield* TestServer.connect, yield* TestServer.connect]
        yield* TestServer.run(exempt, "CLIENT", "NO-EVICT", "ON")
        large.peer.write(`*2\r\n$100000\r\n${"v".repeat(60_000)}`)
        small.peer.write(`*2\r\n$60000\r\n${"v".repeat(50_000)}`)
        yield* TestServer.run(exempt, "MULTI")
        yield* TestServer.run(exempt, "CLIENT", "NO-EVICT", "OFF")
        yield* TestServer.run(exempt, "SET", "k", "v".repeat(80_000))
        yield* TestServer.run(client, "CONFIG", "SET", "maxmemory-clients", "260000")
        yield* Effect.promise(() => large.closed)
        expect([small.isClosed(), exempt.isClosed()]).toEqual([false, false])
        yield* TestServer.run(client, "CONFIG", "SET", "maxmemory-clients", "150000")
        yield* Effect.promise(() => small.closed)
        expect(exempt.isClosed()).toBe(false)
        exempt.send("EXEC")
        expect(yield* dbsize(client)).toBe(1)
        exempt.send("WATCH", ...Array.from({ length: 1000 }, (_, i) => `key ${i}`))
        yield* Effect.promise(() => exempt.closed)
      }),
    ),
  )
})

describe("maxmemory-clients", () => {
  it.effect("ends no more clients than it has to", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        yield* TestServer.run(client, "CLIENT", "NO-EVICT", "ON")
        for (let i = 0; i < 4; i++) (yield* TestServer.connect).peer.write(`*2\r\n$100000\r\n${"v".repeat(100_000)}`)
        const list = Effect.map(TestServer.run(client, "CLIENT", "LIST"), text)
        const memory = Array.from((yield* list).matchAll(/tot-mem=(\d+)/g), ([, bytes]) => Number(bytes))
        expect(memory).toHaveLength(5)
        yield* TestServer.run(client, "CONFIG", "SET", "maxmemory-clients", `${memory[0]! + 2 * memory[1]!}`)
        yield* TestServer.run(client, "PING")
        expect((yield* list).match(/tot-mem/g)).toHaveLength(3)
      }),
    ),
  )

  it.effect("ends the client that holds the most, unless it is exempt", () =>
    TestServer.withServer(
      (client) =>
        Effect.gen(function* () {
          const slow = yield* TestServer.connect
          const exempt = yield* TestServer.connect
          yield* TestServer.run(client, "SET", "big", "v".repeat(50_000))
          yield* TestServer.run(exempt, "CLIENT", "NO-EVICT", "ON")
          exempt.peer.setPaused(true)
          slow.peer.setPaused(true)
          exempt.send("GET", "big")
          slow.send("GET", "big")
          slow.send("GET", "big")
          slow.send("GET", "big")
          yield* Effect.promise(() => slow.closed)
          expect(exempt.isClosed()).toBe(false)
          expect(text(yield* TestServer.run(client, "INFO", "stats"))).toContain("evicted_clients:1\\r")
        }),
      { maxmemoryClients: 120_000 },
    ),
  )
})

describe("MEMORY PURGE", () => {
  it.effect(
    "gives back what values that have gone held outside the heap, without waiting for the collector's mood",
    () =>
      TestServer.withServer((client) =>
        Effect.gen(function* () {
          const held = () => process.memoryUsage().arrayBuffers
          yield* TestServer.run(client, "MEMORY", "PURGE")
          const before = held()
          const size = 100_000
          for (let i = 0; i < 200; i++) yield* TestServer.run(client, "SET", `k${i}`, "v".repeat(size))
          expect(held() - before).toBeGreaterThanOrEqual(200 * size)
          yield* TestServer.run(client, "FLUSHALL")
          expect(text(yield* TestServer.run(client, "MEMORY", "PURGE"))).toBe("+OK")
          // What the collector found is freed by another thread.
          for (let turns = 0; turns < 1000 && held() - before >= 10 * size; turns++) {
            yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
          }
          expect(held() - before).toBeLessThan(10 * size)
        }),
      ),
  )
})
