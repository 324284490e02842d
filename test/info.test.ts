/** INFO and MEMORY STATS beside redis-server's: the same sections and fields in the same order, and figures that are counted. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RealServer from "./support/RealServer.ts"
import { directory, withFiles } from "./support/files.ts"
import { info } from "./support/Connections.ts"
import { connect, run, type TestClient, withServer } from "./support/TestServer.ts"

const prepare = async (client: TestClient) => {
  await client.run("SET", "k", "v", "EX", "100")
  await client.run("GET", "k")
  await client.run("NOSUCH")
}

const everything = async (client: TestClient): Promise<string> => {
  const reply = await client.run("INFO", "everything")
  return reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : ""
}

/** Headings and names of fields. */
const names = (text: string): ReadonlyArray<string> =>
  text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/:.*/, ""))
    // These depend on what was asked before.
    .filter((name) => !/^(cmdstat|latency_percentiles)/.test(name))

/** What says how redis-server was compiled, or of a timer that this server does not have. */
const onlyTheirs = new Set(["atomicvar_api", "gcc_version", "hz", "configured_hz"])

describe.skipIf(!RealServer.isInstalled)("beside redis-server", () => {
  let server: RealServer.RealServer
  let real: TestClient
  beforeAll(async () => {
    server = await RealServer.start()
    real = await server.connect()
    await prepare(real)
  })
  afterAll(() => server.stop())

  it.scoped("INFO has every section and field, in the same order", () =>
    Effect.flatMap(directory, (dir) =>
      withFiles(dir, { appendonly: false }, (client) =>
        Effect.promise(async () => {
          await prepare(client)
          const theirs = names(await everything(real)).filter((name) => !onlyTheirs.has(name))
          const ours = names(await everything(client))
          expect(ours.filter((name) => theirs.includes(name))).toEqual(theirs)
        }),
      ),
    ),
  )

  it.scoped("CONFIG RESETSTAT begins to count anew", () =>
    Effect.flatMap(directory, (dir) =>
      withFiles(dir, { appendonly: false }, (client) =>
        Effect.promise(async () => {
          const counts = async (of: TestClient) => {
            const found = Object.fromEntries((await everything(of)).split("\r\n").map((line) => line.split(":")))
            const { rdb_saves, total_error_replies, keyspace_misses, expired_keys, total_connections_received } = found
            return { rdb_saves, total_error_replies, keyspace_misses, expired_keys, total_connections_received }
          }
          for (const server of [client, real]) {
            for (const request of ["CONFIG RESETSTAT", "SAVE", "INCR k x", "GET nosuch", "GETEX nosuch", "SAVE"])
              await server.run(...request.split(" "))
          }
          const before = { ...{ rdb_saves: "2", total_error_replies: "1", keyspace_misses: "2" } }
          expect(await counts(client)).toMatchObject(before)
          expect(await counts(real)).toMatchObject(before)
          for (const server of [client, real]) {
            await server.run("CONFIG", "RESETSTAT")
            expect(new Set(Object.values(await counts(server)))).toEqual(new Set(["0"]))
          }
        }),
      ),
    ),
  )

  it.effect("MEMORY STATS has every field, in the same order", () =>
    withServer((client) =>
      Effect.promise(async () => {
        const fields = async (of: TestClient) => {
          const reply = await of.run("MEMORY", "STATS")
          if (reply._tag !== "Array") throw new Error("no array")
          return reply.values.flatMap((value, i) => (i % 2 === 0 && value._tag === "Bulk" ? [value.value] : []))
        }
        await client.run("SET", "k", "v", "EX", "100")
        expect(await fields(client)).toEqual(await fields(real))
      }),
    ),
  )
})

describe("INFO counts", () => {
  it.effect("who subscribes and watches, and what is read and written", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const [subscriber, watcher] = [yield* connect, yield* connect]
        yield* run(subscriber, "SUBSCRIBE", "c")
        yield* run(watcher, "WATCH", "a", "b")
        expect(yield* info(client, "pubsub_clients")).toBe("1")
        expect(yield* info(client, "watching_clients")).toBe("1")
        expect(yield* info(client, "total_watched_keys")).toBe("2")
        expect(yield* info(client, "total_reads_processed")).toBe("6")
        expect(yield* info(client, "total_writes_processed")).toBe("6")
      }),
    ),
  )

  it.effect("scripts, functions and the interpreter's memory", () =>
    withServer((client) =>
      Effect.gen(function* () {
        expect(yield* info(client, "used_memory_lua")).toBe("0")
        yield* run(client, "EVAL", "return 1", "0")
        yield* run(client, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
        expect(yield* info(client, "number_of_cached_scripts")).toBe("1")
        expect(yield* info(client, "number_of_libraries")).toBe("1")
        expect(yield* info(client, "number_of_functions")).toBe("1")
        expect(Number(yield* info(client, "used_memory_scripts"))).toBeGreaterThan(50)
        expect(Number(yield* info(client, "used_memory_lua"))).toBeGreaterThan(100_000)
        yield* run(client, "SCRIPT", "FLUSH")
        yield* run(client, "FUNCTION", "FLUSH")
        expect(yield* info(client, "used_memory_scripts")).toBe("0")
        expect(yield* info(client, "number_of_functions")).toBe("0")
      }),
    ),
  )

  it.effect("large collections that were removed, until and since their memory went back", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SADD", "set", ...Array.from({ length: 2000 }, (_, i) => `member ${i}`))
        yield* run(client, "DEL", "set")
        expect(yield* info(client, "lazyfree_pending_objects")).toBe("1")
        expect(yield* info(client, "lazyfreed_objects")).toBe("0")
        yield* run(client, "MEMORY", "PURGE")
        expect(yield* info(client, "lazyfree_pending_objects")).toBe("0")
        expect(yield* info(client, "lazyfreed_objects")).toBe("1")
        yield* run(client, "CONFIG", "RESETSTAT")
        expect(yield* info(client, "lazyfreed_objects")).toBe("0")
      }),
    ),
  )

  it.effect("the bytes of the data, limit or not, and not what the collector has yet to find", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const used = Effect.map(info(client, "used_memory"), Number)
        const empty = yield* used
        expect(empty).toBeLessThan(2000)
        for (let i = 0; i < 10; i++) yield* run(client, "SET", `k${i}`, "v".repeat(100_000))
        yield* run(client, "RPUSH", "list", ...Array.from({ length: 1000 }, (_, i) => `element ${i}`))
        const before = yield* used
        expect(before).toBeGreaterThan(1_010_000)
        expect(before).toBeLessThan(1_100_000)
        expect(yield* used).toBe(before)
        yield* run(client, "CONFIG", "SET", "maxmemory", "100mb")
        expect(yield* used).toBe(before)
        yield* run(client, "LTRIM", "list", "0", "9")
        expect(yield* used).toBeLessThan(before - 10_000)
        yield* run(client, "FLUSHALL")
        expect(yield* used).toBe(empty)
        expect(Number(yield* info(client, "used_memory_peak"))).toBe(before)
        expect(yield* info(client, "mem_not_counted_for_evict")).toBe("0")
      }),
    ),
  )
})
