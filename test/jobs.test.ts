/** Snapshots and rewrites as jobs: when they begin by themselves, how they end, what they leave behind, and what waits for them. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import * as FileSystem from "../src/persistence/disk/FileSystem.ts"
import * as Files from "../src/persistence/Files.ts"
import * as Server from "../src/Server.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

/** A disk whose operations on files can be watched, held back and replaced. */
interface Watched {
  readonly disk: FailingDisk
  /** What was done, as `sync /tmp/...`. */
  readonly done: Array<string>
  /** Comes before an operation. */
  before: (operation: "write" | "sync", path: string) => Effect.Effect<void>
}

const watched = (disk = new FailingDisk(1)): Watched => ({ disk, done: [], before: () => Effect.void })

const layerOf = (watch: Watched) => {
  const { service } = watch.disk
  const note = (operation: "write" | "sync", path: string) =>
    Effect.suspend(() => {
      watch.done.push(`${operation} ${path}`)
      return watch.before(operation, path)
    })
  return Layer.succeed(FileSystem.FileSystem, {
    ...service,
    open: (path, how) =>
      Effect.map(service.open(path, how), (file) => ({
        ...file,
        sync: Effect.zipRight(note("sync", path), file.sync),
        writeAll: (bytes) => Effect.zipRight(note("write", path), file.writeAll(bytes)),
      })),
  } satisfies FileSystem.FileSystem)
}

const withDisk = <A, E>(
  watch: Watched,
  options: Partial<Values>,
  body: (client: TestClient, other: TestClient) => Effect.Effect<A, E>,
) =>
  Effect.flatMap(Effect.all([connect, connect]), ([client, other]) => body(client, other)).pipe(
    Effect.provide(
      Server.layerTest(
        { ...testSettings, dir: "/tmp", ...options },
        { persistence: Files.layer().pipe(Layer.provide(layerOf(watch))) },
      ),
    ),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
  )

const field = (client: TestClient, name: string) =>
  Effect.map(run(client, "INFO", "persistence"), (reply) => {
    const text = reply._tag === "Verbatim" || reply._tag === "Bulk" ? String(reply.value) : ""
    return new RegExp(`^${name}:(.*)\\r$`, "m").exec(text)?.[1]
  })

/** How long from now those who sleep would like to; the virtual clock does not forget those who have been interrupted. */
const sleepsMs = Effect.map(Effect.all([TestClock.sleeps(), TestClock.currentTimeMillis]), ([sleeps, now]) =>
  Array.from(sleeps, (at) => at - now),
)

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Gives the event loop turns until a field of INFO persistence has a value. */
const until = (client: TestClient, name: string, value: string): Effect.Effect<void> =>
  Effect.flatMap(field(client, name), (found) =>
    found === value ? Effect.void : Effect.zipRight(turn, until(client, name, value)),
  )

const log = { appendonly: true, appendfsync: "always" } as const
const incremental = "/tmp/appendonlydir/appendonly.aof.1.incr.aof"

describe("a job that dies of a bug", () => {
  const dies = (operation: string, path: string) =>
    operation === "write" && path.includes("temp-") ? Effect.die(new Error("a bug")) : Effect.void

  it.effect("is a failed rewrite: INFO says so, nothing is left behind, and the next one succeeds", () => {
    const watch = watched()
    return withDisk(watch, log, (client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "k", "v")
        watch.before = dies
        yield* run(client, "BGREWRITEAOF")
        yield* until(client, "aof_rewrite_in_progress", "0")
        expect(yield* field(client, "aof_last_bgrewrite_status")).toBe("err")
        expect(yield* field(client, "aof_rewrites_consecutive_failures")).toBe("1")
        expect([...watch.disk.contents().keys()].filter((path) => path.includes("temp"))).toEqual([])
        expect(yield* run(client, "SET", "k", "w")).toEqual(Reply.ok)
        watch.before = () => Effect.void
        yield* run(client, "BGREWRITEAOF")
        yield* until(client, "aof_rewrites", "2")
        expect(yield* field(client, "aof_last_bgrewrite_status")).toBe("ok")
        expect(yield* field(client, "aof_rewrites_consecutive_failures")).toBe("0")
      }),
    )
  })

  it.effect("is a failed snapshot: INFO says so, and writes are refused until one succeeds", () => {
    const watch = watched()
    return withDisk(watch, { save: [{ seconds: 900, changes: 1000 }] }, (client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "k", "v")
        watch.before = dies
        yield* run(client, "BGSAVE")
        yield* until(client, "rdb_bgsave_in_progress", "0")
        expect(yield* field(client, "rdb_last_bgsave_status")).toBe("err")
        expect(yield* run(client, "SET", "k", "w")).toMatchObject({ code: "MISCONF" })
        expect([...watch.disk.contents().keys()].filter((path) => path.includes("temp"))).toEqual([])
        watch.before = () => Effect.void
        yield* run(client, "BGSAVE")
        yield* until(client, "rdb_last_bgsave_status", "ok")
        expect(yield* run(client, "SET", "k", "w")).toEqual(Reply.ok)
      }),
    )
  })
})

it.effect("what a server that was killed has left of its jobs goes at the next start", () =>
  Effect.gen(function* () {
    const first = watched()
    yield* withDisk(first, log, (client) => run(client, "SET", "k", "v"))
    const disk = first.disk.afterKill()
    const manifest = "/tmp/appendonlydir/appendonly.aof.manifest"
    const names = [...disk.contents().keys()]
    const listed = disk.contents().get(manifest)!
    const history = "/tmp/appendonlydir/appendonly.aof.7.base.rdb"
    disk.put(manifest, Buffer.concat([listed, Buffer.from("file appendonly.aof.7.base.rdb seq 7 type h\n")]))
    for (const path of ["/tmp/temp-tiny-redis.rdb", "/tmp/appendonlydir/temp-rewriteaof-tiny-redis.aof", history]) {
      disk.put(path, Buffer.from("unfinished"))
    }
    disk.put(`${manifest}.tmp`, Buffer.from("file"))
    const second = watched(disk)
    yield* withDisk(second, log, (client) =>
      Effect.gen(function* () {
        expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk("v"))
        expect([...disk.contents().keys()].filter((path) => !path.endsWith(".lock"))).toEqual(names)
        expect(disk.contents().get(manifest)).toEqual(listed)
      }),
    )
  }),
)

describe("the log is rewritten by itself", () => {
  const settings = { ...log, autoAofRewriteMinSize: 2000, autoAofRewritePercentage: 100, rdbcompression: false }
  /** Writes so many bytes, lets a second pass, and tells how often the log has been rewritten. */
  const rewritesAfter = (client: TestClient, bytes: number) =>
    Effect.gen(function* () {
      yield* run(client, "SET", "k", "v".repeat(bytes))
      yield* TestClock.adjust("2 seconds")
      yield* until(client, "aof_rewrite_in_progress", "0")
      return Number(yield* field(client, "aof_rewrites"))
    })

  it.effect("when it has grown by auto-aof-rewrite-percentage since it was, and to auto-aof-rewrite-min-size", () =>
    withDisk(watched(), settings, (client) =>
      Effect.gen(function* () {
        // The first is the beginning of the log.
        expect(yield* rewritesAfter(client, 1500)).toBe(1)
        expect(yield* rewritesAfter(client, 600)).toBe(2)
        // 600 bytes and the rest of a base: twice as many are below the least size.
        expect(yield* rewritesAfter(client, 900)).toBe(2)
        expect(yield* rewritesAfter(client, 3000)).toBe(3)
        // Of 3000 bytes, half is not enough, and more than all is.
        expect(yield* rewritesAfter(client, 1500)).toBe(3)
        expect(yield* rewritesAfter(client, 2000)).toBe(4)
      }),
    ),
  )

  it.effect.each([
    { setting: "auto-aof-rewrite-percentage", value: "0" },
    { setting: "auto-aof-rewrite-min-size", value: "1mb" },
  ])("not with $setting $value", ({ setting, value }) =>
    withDisk(watched(), settings, (client) =>
      Effect.gen(function* () {
        yield* run(client, "CONFIG", "SET", setting, value)
        expect(yield* rewritesAfter(client, 50_000)).toBe(1)
        yield* run(client, "CONFIG", "SET", setting, "1")
        expect(yield* rewritesAfter(client, 10)).toBe(2)
      }),
    ),
  )
})

describe("no-appendfsync-on-rewrite", () => {
  it.effect.each([
    { setting: "no", policy: "always", synced: true },
    { setting: "yes", policy: "always", synced: false },
    { setting: "no", policy: "everysec", synced: true },
    { setting: "yes", policy: "everysec", synced: false },
  ] as const)("$setting: under $policy the log is synced meanwhile: $synced, and afterwards", (one) => {
    const watch = watched()
    const latch = Effect.unsafeMakeLatch(false)
    return withDisk(watch, { ...log, appendfsync: one.policy }, (client) =>
      Effect.gen(function* () {
        const syncs = () => watch.done.filter((line) => line === `sync ${incremental}`).length
        yield* run(client, "CONFIG", "SET", "no-appendfsync-on-rewrite", one.setting)
        watch.before = (_, path) => (path.includes("temp-") ? latch.await : Effect.void)
        yield* run(client, "BGSAVE")
        const before = syncs()
        expect(yield* run(client, "SET", "k", "v")).toEqual(Reply.ok)
        yield* TestClock.adjust("3 seconds")
        yield* turn
        expect(yield* field(client, "rdb_bgsave_in_progress")).toBe("1")
        expect(syncs() > before).toBe(one.synced)
        yield* latch.open
        yield* until(client, "rdb_bgsave_in_progress", "0")
        yield* TestClock.adjust("2 seconds")
        yield* turn
        expect(syncs()).toBeGreaterThan(before)
      }),
    )
  })
})

it.effect("two SAVE while the log is rewritten come one after the other", () => {
  const watch = watched()
  const latch = Effect.unsafeMakeLatch(false)
  return withDisk(watch, log, (client, other) =>
    Effect.gen(function* () {
      for (let i = 0; i < 100; i++) yield* run(client, "SET", `k${i}`, "v".repeat(i))
      watch.before = (_, path) => (path.includes("temp-rewriteaof") ? latch.await : Effect.void)
      yield* run(client, "BGREWRITEAOF")
      client.send("SAVE")
      other.send("SAVE")
      for (const each of [client, other]) expect(yield* Effect.promise(each.receive)).toEqual(Reply.ok)
      const written = watch.done.filter((line) => line.includes("temp-tiny-redis"))
      expect(written.slice(0, written.length / 2)).toEqual(written.slice(written.length / 2))
      yield* latch.open
      yield* until(client, "aof_rewrite_in_progress", "0")
      expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toEqual(Reply.ok)
      expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(100))
    }),
  )
})

it.effect("a snapshot holds the instant of BGSAVE, and nothing of what follows in the same packet", () => {
  const watch = watched()
  return withDisk(watch, {}, (client) =>
    Effect.gen(function* () {
      yield* run(client, "SET", "k", "before")
      client.sendRaw("SET k now\r\nBGSAVE\r\nSET k after\r\nSET other after\r\n")
      for (let i = 0; i < 4; i++) yield* Effect.promise(client.receive)
      yield* until(client, "rdb_bgsave_in_progress", "0")
      expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toEqual(Reply.ok)
      expect(yield* run(client, "MGET", "k", "other")).toMatchObject({ values: [{ value: "now" }, { _tag: "Nil" }] })
    }),
  )
})

describe("time that passes while nothing is to be kept", () => {
  it.effect("wakes nobody, until a setting or a request makes something due", () => {
    const watch = watched()
    return withDisk(watch, {}, (client, other) =>
      Effect.gen(function* () {
        const sleepers = Effect.map(sleepsMs, (sleeps) => sleeps.filter((ms) => ms <= 1000).length)
        yield* TestClock.adjust("1 second")
        expect(yield* sleepers).toBe(0)
        yield* run(client, "SET", "a", "1")
        expect(yield* sleepers).toBe(0)
        // A save point that is set now is met.
        yield* run(client, "CONFIG", "SET", "save", "5 1")
        yield* TestClock.adjust("7 seconds")
        yield* until(client, "rdb_changes_since_last_save", "0")
        yield* run(client, "CONFIG", "SET", "save", "")
        yield* TestClock.adjust("1 second")
        yield* turn
        expect(yield* sleepers).toBe(0)
        // So is a snapshot that has to wait for a transaction to end.
        yield* run(client, "SET", "a", "2")
        yield* run(other, "MULTI")
        yield* run(other, "BGSAVE")
        expect(yield* run(other, "EXEC")).toMatchObject({ values: [{ value: "Background saving scheduled" }] })
        yield* TestClock.adjust("1 second")
        yield* until(client, "rdb_changes_since_last_save", "0")
        // And the log's second, which begins with what was written: then one sleeper looks after the log's growth, one syncs.
        yield* run(client, "CONFIG", "SET", "appendonly", "yes")
        yield* until(client, "aof_rewrite_in_progress", "0")
        yield* TestClock.adjust("2 seconds")
        yield* turn
        expect(yield* sleepers).toBe(0)
        const synced = () => watch.done.filter((what) => what === `sync ${incremental}`).length
        const before = synced()
        yield* run(client, "SET", "a", "3")
        yield* until(client, "aof_buffer_length", "0")
        yield* turn
        expect([yield* sleepers, synced()]).toEqual([2, before])
        yield* TestClock.adjust("1 second")
        yield* turn
        expect(synced()).toBe(before + 1)
        yield* TestClock.adjust("2 seconds")
        yield* turn
        expect([yield* sleepers, synced()]).toEqual([0, before + 1])
      }),
    )
  })

  it.effect(
    "wakes nobody before the time of a save point with its changes, and soon after the changes of one whose time has come",
    () =>
      withDisk(
        watched(),
        {
          save: [
            { seconds: 3600, changes: 1 },
            { seconds: 60, changes: 2 },
          ],
        },
        (client) =>
          Effect.gen(function* () {
            const sleepsSeconds = Effect.map(TestClock.sleeps(), (sleeps) => Array.from(sleeps, (at) => at / 1000))
            yield* TestClock.adjust("1 second")
            // A day, the longest rest.
            const [day, ...others] = yield* sleepsSeconds
            expect([day! >= 24 * 3600, others]).toEqual([true, []])
            yield* run(client, "SET", "a", "1")
            yield* TestClock.adjust("2 seconds")
            const [hour] = (yield* sleepsSeconds).sort((a, b) => a - b)
            expect(hour).toBe(3601)
            yield* TestClock.setTime(100_000)
            yield* run(client, "SET", "b", "1")
            yield* TestClock.adjust("1 second")
            yield* until(client, "rdb_changes_since_last_save", "0")
            // The hour's changes are counted from there on.
            yield* run(client, "SET", "c", "1")
            yield* TestClock.adjust("3598 seconds")
            expect(yield* field(client, "rdb_changes_since_last_save")).toBe("1")
            yield* TestClock.adjust("5 seconds")
            yield* until(client, "rdb_changes_since_last_save", "0")
          }),
      ),
  )
})

describe("FLUSHALL", () => {
  /** INFO's number of changes, and whether the snapshot on the disk has the key. */
  const state = (watch: Watched, client: TestClient) =>
    Effect.gen(function* () {
      const names = ["rdb_bgsave_in_progress", "rdb_changes_since_last_save", "rdb_last_bgsave_status", "rdb_saves"]
      const fields = yield* Effect.forEach(names, (name) => field(client, name))
      return [...fields, watch.disk.contents().get("/tmp/dump.rdb")?.includes("precious")].join(" ")
    })
  const slow = { rdbKeySaveDelay: 1_000_000 }

  it.effect("gives up a snapshot in the background, and leaves the one on the disk", () => {
    const watch = watched()
    return withDisk(watch, {}, (client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "precious", "v")
        yield* run(client, "SAVE")
        yield* run(client, "CONFIG", "SET", "rdb-key-save-delay", "1000000")
        yield* run(client, "BGSAVE")
        expect(yield* state(watch, client)).toBe("1 0 ok 1 true")
        yield* run(client, "FLUSHALL")
        yield* until(client, "rdb_bgsave_in_progress", "0")
        yield* TestClock.adjust("5 seconds")
        expect(yield* state(watch, client)).toBe("0 1 ok 1 true")
        expect([...watch.disk.contents().keys()].filter((path) => path.includes("temp"))).toEqual([])
      }),
    )
  })

  it.effect.each([
    { while: "nothing is written", options: {}, begun: false },
    { while: "a snapshot is written", options: slow, begun: true },
  ])("writes an empty one where there are save points, while $while", ({ options, begun }) => {
    const watch = watched()
    return withDisk(watch, { save: [{ seconds: 900, changes: 100000 }] }, (client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "precious", "v")
        yield* run(client, "SAVE")
        if (options === slow) yield* run(client, "CONFIG", "SET", "rdb-key-save-delay", "1000000")
        if (begun) yield* run(client, "BGSAVE")
        yield* run(client, "FLUSHALL")
        yield* turn
        yield* TestClock.adjust("1 seconds")
        yield* until(client, "rdb_saves", "2")
        expect(yield* state(watch, client)).toBe("0 0 ok 2 false")
      }),
    )
  })
})

it.effect("appendonly no gives up a rewrite, and what it had written", () => {
  const watch = watched()
  return withDisk(watch, log, (client) =>
    Effect.gen(function* () {
      yield* run(client, "SET", "k", "v")
      yield* run(client, "CONFIG", "SET", "rdb-key-save-delay", "10000000")
      yield* run(client, "BGREWRITEAOF")
      expect(yield* field(client, "aof_rewrite_in_progress")).toBe("1")
      yield* turn
      expect(yield* run(client, "CONFIG", "SET", "appendonly", "no")).toEqual(Reply.ok)
      expect(yield* field(client, "aof_rewrite_in_progress")).toBe("0")
      expect(yield* field(client, "aof_last_bgrewrite_status")).toBe("ok")
      expect([...watch.disk.contents().keys()].filter((path) => path.includes("temp"))).toEqual([])
      yield* run(client, "CONFIG", "SET", "rdb-key-save-delay", "0", "appendonly", "yes")
      yield* until(client, "aof_rewrites", "2")
      yield* run(client, "SET", "k", "w")
      expect(yield* run(client, "DEBUG", "LOADAOF")).toEqual(Reply.ok)
      expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk("w"))
    }),
  )
})

it.effect("a log without a base, as an older redis-server's may be, goes on as it is", () => {
  const watch = watched()
  const manifest = "/tmp/appendonlydir/appendonly.aof.manifest"
  return Effect.gen(function* () {
    yield* withDisk(watch, log, (client) => run(client, "SET", "k", "v"))
    const disk = watch.disk.afterKill()
    const next = watched(disk)
    disk.put(manifest, Buffer.from("file appendonly.aof.1.incr.aof seq 1 type i\n"))
    for (const value of ["v", "w"]) {
      yield* withDisk(next, log, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk(value))
          yield* run(client, "SET", "k", "w")
        }),
      )
      expect(disk.contents().get(manifest)!.latin1Slice()).toBe("file appendonly.aof.1.incr.aof seq 1 type i\n")
    }
  })
})
