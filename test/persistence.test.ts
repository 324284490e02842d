/** Persistence in files, with the real file system: what a server wrote is there for the next one. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { readdirSync, readFileSync, writeFileSync, appendFileSync, existsSync } from "node:fs"
import type { Values } from "../src/config/Config.ts"
import * as Files from "../src/persistence/Files.ts"
import { noProgress } from "../src/persistence/Loading.ts"
import { Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import type { MemoryPeer } from "../src/socket/MemorySocket.ts"
import { FailingDisk, noFaults } from "./support/FailingDisk.ts"
import * as Reply from "../src/codec/Reply.ts"
import { directory, until, withFiles } from "./support/files.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

const logged = { appendonly: true, appendfsync: "always" } as const

describe("append-only log", () => {
  it.scoped("brings every acknowledged write back", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "a", "1")
          yield* run(client, "SELECT", "3")
          yield* run(client, "SET", "b", "2")
          yield* run(client, "INCR", "b")
        }),
      )
      expect(readdirSync(`${dir}/appendonlydir`).sort()).toEqual([
        "appendonly.aof.1.base.rdb",
        "appendonly.aof.1.incr.aof",
        "appendonly.aof.manifest",
      ])
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "a")).toMatchObject({ value: "1" })
          yield* run(client, "SELECT", "3")
          expect(yield* run(client, "GET", "b")).toMatchObject({ value: "3" })
        }),
      )
    }),
  )
  it.scoped("cuts off a torn command and goes on", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) => run(client, "SET", "a", "1"))
      const path = `${dir}/appendonlydir/appendonly.aof.1.incr.aof`
      const whole = readFileSync(path)
      appendFileSync(path, "*3\r\n$3\r\nSET\r\n$1\r\nb")
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(readFileSync(path).equals(whole)).toBe(true)
          expect(yield* run(client, "EXISTS", "a", "b", "c")).toMatchObject({ value: 1 })
          yield* run(client, "SET", "c", "1")
        }),
      )
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "EXISTS", "a", "b", "c")).toMatchObject({ value: 2 })
        }),
      )
    }),
  )
  it.scoped("refuses to start from a damaged log and names file and offset", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) => run(client, "SET", "a", "1"))
      const path = `${dir}/appendonlydir/appendonly.aof.1.incr.aof`
      const bytes = readFileSync(path)
      bytes.write("x", 0)
      writeFileSync(path, bytes)
      const failure = yield* Effect.flip(withFiles(dir, logged, () => Effect.void))
      expect(failure).toMatchObject({ _tag: "DamagedFile", path, offset: 0 })
    }),
  )
  it.scoped("refuses a directory that another server uses", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, () =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(withFiles(dir, logged, () => Effect.void))
          expect(failure).toMatchObject({ _tag: "DirectoryInUse" })
        }),
      )
      expect(existsSync(`${dir}/tiny-redis.lock`)).toBe(false)
    }),
  )
})

/** A server on a disk that can be made to fail. */
const onDisk = <A, E>(
  disk: FailingDisk,
  options: Partial<Values>,
  body: (client: TestClient & { readonly peer: MemoryPeer }) => Effect.Effect<A, E, Persistence>,
) =>
  Effect.flatMap(connect, body).pipe(
    Effect.provide(
      Server.layerTest({ ...testSettings, dir: "/tmp", ...options }, { persistence: Files.layer() }).pipe(
        Layer.provide(disk.layer),
      ),
    ),
  )

it.effect("nothing is added to the log of data that another server's has replaced", () =>
  Effect.gen(function* () {
    const disk = new FailingDisk(1)
    yield* onDisk(disk, logged, (client) =>
      Effect.gen(function* () {
        const persistence = yield* Persistence
        yield* run(client, "SET", "own", "1")
        persistence.replace(noProgress(0), "in place")(true)
        expect(persistence.active()).toBe(false)
        expect(persistence.isSynced(persistence.position())).toBe(false)
        yield* until(client, "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0")
        expect(persistence.active()).toBe(true)
        yield* run(client, "SET", "new", "1")
        expect(persistence.isSynced(persistence.position())).toBe(true)
      }),
    )
    yield* onDisk(disk.afterKill(), logged, (client) =>
      Effect.gen(function* () {
        expect(yield* run(client, "EXISTS", "own", "new")).toMatchObject({ value: 2 })
      }),
    )
  }),
)

describe("a process that is killed", () => {
  for (const policy of ["always", "everysec", "no"] as const) {
    it.effect(`has given the system what it acknowledged (${policy})`, () =>
      Effect.gen(function* () {
        const disk = new FailingDisk(1)
        const settings = { appendonly: true, appendfsync: policy }
        const left = yield* onDisk(disk, settings, (client) =>
          Effect.async<FailingDisk>((resume) => {
            // In the very call that brings the answers: whatever the fibers come to afterwards does not count.
            client.peer.onData(() => resume(Effect.succeed(disk.afterKill())))
            client.sendRaw("SET a 1\r\nRPUSH l 1 2 3\r\n")
          }),
        )
        yield* onDisk(left, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "GET", "a")).toMatchObject({ value: "1" })
            expect(yield* run(client, "LLEN", "l")).toMatchObject({ value: 3 })
          }),
        )
      }),
    )
  }

  it.effect("may have torn a write, of which the next one keeps whole changes", () =>
    Effect.gen(function* () {
      const disk = new FailingDisk(1)
      const settings = { appendonly: true, appendfsync: "no" } as const
      const left = yield* onDisk(disk, settings, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "a", "1")
          disk.faults = { ...noFaults, space: 12 + disk.used() }
          yield* run(client, "SET", "b", "1")
          return disk.afterKill()
        }),
      )
      yield* onDisk(left, settings, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "MGET", "a", "b")).toMatchObject({ values: [{ value: "1" }, { _tag: "Nil" }] })
        }),
      )
    }),
  )
})

const fullDisk = "Errors writing to the AOF file: No space left on device"

describe("a disk that fails", () => {
  for (const policy of ["always", "everysec"] as const) {
    it.effect(`a full disk refuses writes, answers reads, and loses nothing (${policy})`, () =>
      Effect.gen(function* () {
        const disk = new FailingDisk(1)
        const settings = { appendonly: true, appendfsync: policy }
        yield* onDisk(disk, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "SET", "before", "1")).toMatchObject({ value: "OK" })
            disk.faults = { ...noFaults, space: 0 }
            const first = yield* run(client, "SET", "while", "1")
            if (policy === "always") expect(first).toMatchObject({ code: "MISCONF", message: fullDisk })
            else expect(first).toMatchObject({ value: "OK" })
            yield* until(client, "aof_last_write_status:err")
            expect(yield* run(client, "SET", "refused", "1")).toMatchObject({ code: "MISCONF", message: fullDisk })
            expect(yield* run(client, "GET", "before")).toMatchObject({ value: "1" })
            disk.faults = noFaults
            yield* TestClock.adjust("1 second")
            yield* until(client, "aof_last_write_status:ok")
            expect(yield* run(client, "SET", "after", "1")).toMatchObject({ value: "OK" })
          }),
        )
        yield* onDisk(disk.afterKill(), settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "EXISTS", "before", "while", "after")).toMatchObject({ value: 3 })
            expect(yield* run(client, "EXISTS", "refused")).toMatchObject({ value: 0 })
          }),
        )
      }),
    )
  }
  it.effect("a sync that fails is not made good by a later one, but by writing the log anew", () =>
    Effect.gen(function* () {
      const disk = new FailingDisk(2)
      const settings = { appendonly: true, appendfsync: "always" } as const
      yield* onDisk(disk, settings, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "before", "1")
          disk.faults = { ...noFaults, sync: 1 }
          expect(yield* run(client, "SET", "while", "1")).toMatchObject({ code: "MISCONF" })
          disk.faults = noFaults
          expect(yield* run(client, "SET", "refused", "1")).toMatchObject({ code: "MISCONF" })
          yield* TestClock.adjust("2 seconds")
          yield* until(client, "aof_last_write_status:ok")
          expect(yield* run(client, "SET", "after", "1")).toMatchObject({ value: "OK" })
        }),
      )
      yield* onDisk(disk.afterPowerCut(), settings, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "EXISTS", "before", "while", "after")).toMatchObject({ value: 3 })
        }),
      )
    }),
  )
  it.effect("a snapshot that fails leaves the old one, and writes are refused as redis-server does", () =>
    Effect.gen(function* () {
      const disk = new FailingDisk(3)
      const settings = { appendonly: false, save: [{ seconds: 1000, changes: 1 }] }
      yield* onDisk(disk, settings, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "a", "1")
          expect(yield* run(client, "SAVE")).toMatchObject({ value: "OK" })
          const old = disk.contents().get("/tmp/dump.rdb")
          disk.faults = { ...noFaults, space: 0 }
          yield* run(client, "SET", "b", "1")
          expect(yield* run(client, "BGSAVE")).toMatchObject({ value: "Background saving started" })
          yield* until(client, "rdb_last_bgsave_status:err")
          expect(yield* run(client, "SET", "c", "1")).toMatchObject({ code: "MISCONF" })
          expect(disk.contents().get("/tmp/dump.rdb")).toEqual(old)
          expect([...disk.contents().keys()].filter((path) => path.includes("temp"))).toEqual([])
          yield* run(client, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
          expect(yield* run(client, "SET", "c", "1")).toMatchObject({ value: "OK" })
          disk.faults = noFaults
        }),
      )
    }),
  )
})

describe("a transaction", () => {
  it.effect("has BGSAVE and BGREWRITEAOF begin after its end, as in redis-server", () =>
    onDisk(new FailingDisk(4), { appendonly: false, save: [] }, (client) =>
      Effect.gen(function* () {
        for (const request of [["MULTI"], ["BGSAVE"], ["BGSAVE"], ["BGREWRITEAOF"], ["BGREWRITEAOF"]]) {
          yield* run(client, ...request)
        }
        expect(yield* run(client, "EXEC")).toEqual(
          Reply.array([
            ...[1, 2].map(() => Reply.simple("Background saving scheduled")),
            ...[1, 2].map(() => Reply.simple("Background append only file rewriting scheduled")),
          ]),
        )
        yield* until(client, "rdb_bgsave_in_progress:0")
        yield* until(client, "aof_rewrite_scheduled:1")
        yield* TestClock.adjust("1 second")
        yield* until(client, "aof_rewrites:1")
        yield* TestClock.adjust("1 second")
        yield* until(client, "rdb_saves:1")
      }),
    ),
  )
})

describe("snapshots", () => {
  it.scoped("hold the instant at which they began, whatever changes meanwhile", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      const keys = 3000
      yield* withFiles(dir, { appendonly: false }, (client) =>
        Effect.promise(async () => {
          for (let i = 0; i < keys; i++) client.send("SET", `key:${i}`, "before")
          for (let i = 0; i < keys; i++) await client.receive()
          await client.run("RPUSH", "list", "before")
          expect(await client.run("BGSAVE")).toMatchObject({ value: "Background saving started" })
          for (let i = 0; i < keys; i++) {
            if (i % 3 === 0) client.send("DEL", `key:${i}`)
            else client.send("SET", `key:${i}`, "after")
            client.send("SET", `new:${i}`, "after")
          }
          for (let i = 0; i < 2 * keys; i++) await client.receive()
          await client.run("RPUSH", "list", "after")
          await client.run("SWAPDB", "0", "1")
          await Effect.runPromise(until(client, "rdb_bgsave_in_progress:0"))
        }),
      )
      yield* withFiles(dir, { appendonly: false }, (client) =>
        Effect.promise(async () => {
          expect(await client.run("DBSIZE")).toMatchObject({ value: keys + 1 })
          for (let i = 0; i < keys; i++) expect(await client.run("GET", `key:${i}`)).toMatchObject({ value: "before" })
          expect(await client.run("LRANGE", "list", "0", "-1")).toMatchObject({ values: [{ value: "before" }] })
        }),
      )
    }),
  )
  it.scoped("hold large collections as they were, although these change while they are written", () =>
    Effect.gen(function* () {
      const count = 1200
      const range = Array.from({ length: count }, (_, i) => i)
      const word = (i: number) => `element ${i}`
      const kinds: ReadonlyArray<
        readonly [name: string, make: ReadonlyArray<string>, change: ReadonlyArray<ReadonlyArray<string>>]
      > = [
        [
          "set",
          range.map(word),
          [
            ["SREM", "set", ...range.slice(0, 700).map(word)],
            ["SADD", "set", "new"],
          ],
        ],
        [
          "hash",
          range.flatMap((i) => [word(i), `value ${i}`]),
          [
            ["HSET", "hash", word(5), "changed", word(1190), "changed"],
            ["HDEL", "hash", word(7)],
          ],
        ],
        [
          "zset",
          range.flatMap((i) => [String(i * 1.5), word(i)]),
          [
            ["ZADD", "zset", "-1", word(1199), "1e9", word(0)],
            ["ZREM", "zset", word(600)],
          ],
        ],
        [
          "list",
          range.map(word),
          [
            ["LPUSH", "list", "first"],
            ["LTRIM", "list", "0", "99"],
          ],
        ],
        [
          "stream",
          range.map(String),
          [
            ["XTRIM", "stream", "MAXLEN", "10"],
            ["XADD", "stream", "*", "f", "new"],
            ["XACK", "stream", "g", "1-1"],
          ],
        ],
      ]
      const add: Record<string, string> = { set: "SADD", hash: "HSET", zset: "ZADD", list: "RPUSH" }
      for (const settings of [{ appendonly: false }, { ...logged, aofUseRdbPreamble: false }]) {
        const dir = yield* directory
        const digest = yield* withFiles(dir, settings, (client) =>
          Effect.promise(async () => {
            for (const [name, make] of kinds) {
              if (name === "stream") {
                for (const i of range) client.send("XADD", name, `${i + 1}-1`, "f", word(i))
                for (const _ of range) await client.receive()
                await client.run("XGROUP", "CREATE", name, "g", "0")
                await client.run("XREADGROUP", "GROUP", "g", "c", "COUNT", "600", "STREAMS", name, ">")
              } else await client.run(add[name]!, name, ...make)
            }
            await client.run("HPEXPIREAT", "hash", "4102444800000", "FIELDS", "2", word(1), word(1100))
            const before = await client.run("DEBUG", "DIGEST")
            await client.run(settings.appendonly ? "BGREWRITEAOF" : "BGSAVE")
            const changes = kinds.flatMap(([, , change]) => change)
            for (const [index, change] of changes.entries()) {
              client.send("SET", `new:${index}`, "1")
              client.send(...change)
            }
            for (let left = 2 * changes.length; left > 0; left--) await client.receive()
            await Effect.runPromise(
              until(client, settings.appendonly ? "aof_rewrite_in_progress:0" : "rdb_bgsave_in_progress:0"),
            )
            return settings.appendonly ? await client.run("DEBUG", "DIGEST") : before
          }),
        )
        yield* withFiles(dir, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "DEBUG", "DIGEST")).toEqual(digest)
          }),
        )
      }
    }),
  )
  it.scoped("are written by themselves when a save point is reached", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, { appendonly: false, save: [{ seconds: 10, changes: 2 }] }, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "a", "1")
          yield* TestClock.adjust("20 seconds")
          expect(existsSync(`${dir}/dump.rdb`)).toBe(false)
          yield* run(client, "SET", "b", "1")
          yield* TestClock.adjust("1 second")
          yield* until(client, "rdb_saves:1")
          yield* until(client, "rdb_changes_since_last_save:0")
          expect(existsSync(`${dir}/dump.rdb`)).toBe(true)
        }),
      )
    }),
  )
  it.scoped("carry deadlines of keys and of hash fields, as the log does", () =>
    Effect.gen(function* () {
      for (const settings of [{ appendonly: false }, logged, { ...logged, aofUseRdbPreamble: false }]) {
        const dir = yield* directory
        yield* withFiles(dir, settings, (client) =>
          Effect.gen(function* () {
            yield* run(client, "SET", "key", "v", "PXAT", "4102444800000")
            yield* run(client, "HSET", "hash", "stays", "1", "goes", "2")
            yield* run(client, "HPEXPIREAT", "hash", "4102444800000", "FIELDS", "1", "goes")
            if (settings.appendonly) {
              yield* run(client, "BGREWRITEAOF")
              yield* until(client, "aof_rewrite_in_progress:0")
            } else yield* run(client, "SAVE")
          }),
        )
        yield* withFiles(dir, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "PEXPIRETIME", "key")).toMatchObject({ value: 4102444800000 })
            expect(yield* run(client, "HPEXPIRETIME", "hash", "FIELDS", "2", "stays", "goes")).toMatchObject({
              values: [{ value: -1 }, { value: 4102444800000 }],
            })
          }),
        )
      }
    }),
  )
})

describe("what is beside the keys", () => {
  const library = "#!lua name=mylib\nredis.register_function('f', function() return 'from the library' end)"
  it.scoped("function libraries come back from a snapshot and from either form of a log", () =>
    Effect.gen(function* () {
      for (const settings of [{ appendonly: false }, logged, { ...logged, aofUseRdbPreamble: false }]) {
        const dir = yield* directory
        yield* withFiles(dir, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "FUNCTION", "LOAD", library)).toMatchObject({ value: "mylib" })
            if (settings.appendonly) {
              yield* run(client, "BGREWRITEAOF")
              yield* until(client, "aof_rewrite_in_progress:0")
            } else yield* run(client, "SAVE")
          }),
        )
        yield* withFiles(dir, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "FCALL", "f", "0")).toMatchObject({ value: "from the library" })
          }),
        )
      }
    }),
  )
  it.scoped("idle times and counters of use come back where the policy keeps them", () =>
    Effect.gen(function* () {
      for (const [maxmemoryPolicy, word, value] of [
        ["allkeys-lru", "IDLETIME", 500],
        ["allkeys-lfu", "FREQ", 77],
      ] as const) {
        const dir = yield* directory
        const settings = { appendonly: false, maxmemoryPolicy }
        yield* withFiles(dir, settings, (client) =>
          Effect.promise(async () => {
            await client.run("SET", "k", "v")
            const payload = await client.run("DUMP", "k")
            if (payload._tag !== "Bulk") throw new Error("no payload")
            await client.run("RESTORE", "k", "0", payload.value, "REPLACE", word, String(value))
            await client.run("SAVE")
          }),
        )
        yield* withFiles(dir, settings, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "OBJECT", word, "k")).toMatchObject({ value })
          }),
        )
      }
    }).pipe((body) => Effect.zipRight(TestClock.setTime(1_700_000_000_000), body)),
  )
})
