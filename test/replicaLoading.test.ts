/**
 * What clients of a replica see while all of its master's data comes, and what is left when it does not come to its end, as
 * `repl-diskless-load` says. Compared with redis-server's answers when it was written.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { pause } from "../src/clock/EventLoop.ts"
import * as Reply from "../src/codec/Reply.ts"
import { FailingDisk, noFaults } from "./support/FailingDisk.ts"
import { follow, info, type Play, scene, type Scene, synced, text } from "./support/FollowingScene.ts"
import * as Master from "./support/ScriptedMaster.ts"
import { connect, run, startTimeMs, type TestClient } from "./support/TestServer.ts"

const loading = "LOADING Redis is loading the dataset in memory"
const library = (answer: string) =>
  `#!lua name=lib
redis.register_function{function_name='f', callback=function() return '${answer}' end, flags={'no-writes'}}`

/** A snapshot with a function library before its keys. */
const withLibrary = (source: string, keys: Readonly<Record<string, string>>) => {
  const start = "REDIS0010"
  const length = String.fromCharCode(0x40 | (source.length >> 8), source.length & 255)
  return `${start}\xf5${length}${source}${Master.snapshot(keys).slice(start.length)}`
}

type MasterEnd = Effect.Effect.Success<Play["connection"]>

/** Sends all of the data but for its end, which it gives. */
const sendMost = (end: MasterEnd, data: string, client: TestClient) =>
  Effect.gen(function* () {
    const all = Master.fullSync(data, 200, "length")
    const cut = all.length - 12
    end.say(all.slice(0, cut))
    while (Number((yield* info(client, "master_sync_read_bytes")) ?? 0) < 10) yield* pause
    return all.slice(cut)
  })

/** A link that has broken, and the next one, up to where all of the data is sent. */
const again = (end: MasterEnd, { master }: Scene) =>
  Effect.gen(function* () {
    end.close()
    const connection = yield* Effect.fork(master.connection)
    yield* TestClock.adjust("1 second")
    const next = yield* connection
    return [next, yield* next.greet] as const
  })

const persistenceInfo = (client: TestClient, field: string) =>
  Effect.map(text(client, "INFO", "persistence"), (all) => new RegExp(`^${field}:(.*?)\r?$`, "m").exec(all)?.[1])

const isWhole = (end: MasterEnd) => Effect.map(end.request, (ack) => expect(ack).toEqual(["REPLCONF", "ACK", "200"]))

describe("without room for both", () => {
  it.effect.each(["disabled", "on-empty-db"] as const)(
    "%s: the old data is read until all of the new has come, and stays if it does not",
    (replDisklessLoad) =>
      scene(
        (on) =>
          Effect.gen(function* () {
            const { client } = on
            const end = yield* synced(on, { a: "1" })
            const [second] = yield* again(end, on)
            const data = withLibrary(library("new"), { a: "2", b: "2" })
            yield* sendMost(second, data, client)
            expect(yield* text(client, "GET", "a")).toBe("1")
            expect(yield* info(client, "master_sync_in_progress")).toBe("1")
            // It is asked to go on from what is there.
            const [third, asked] = yield* again(second, on)
            expect(asked).toEqual([Master.id, "101"])
            expect(yield* text(client, "GET", "a")).toBe("1")
            third.say(yield* sendMost(third, data, client))
            yield* isWhole(third)
            expect(yield* text(client, "GET", "a")).toBe("2")
            expect(yield* text(client, "FCALL", "f", "0")).toBe("new")
          }),
        { replDisklessLoad },
      ),
  )

  it.effect("disabled: a master is not listened to while all that has come is read, and is not given up for that", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* follow(on)
          yield* end.greet
          end.say(Master.fullSync(Master.snapshot({ a: "1", b: "2" }), 200))
          while ((yield* text(client, "GET", "a")) !== loading) yield* pause
          yield* TestClock.adjust("5 seconds")
          expect(yield* text(client, "GET", "a")).toBe(loading)
          expect(end.isClosed).toBe(false)
          yield* TestClock.adjust("1 second")
          yield* isWhole(end)
          expect(yield* text(client, "GET", "b")).toBe("2")
        }),
      { keyLoadDelay: 3_000_000, replTimeout: 2 },
    ),
  )

  it.effect("on-empty-db: without keys the data is taken as it comes", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* follow(on)
          yield* end.greet
          end.say(yield* sendMost(end, Master.snapshot({ a: "1", b: "2" }), client))
          yield* isWhole(end)
          const [second] = yield* again(end, on)
          second.say("+CONTINUE\r\n")
          second.stream(["SELECT", "0"], ["FLUSHALL"])
          yield* second.settled
          const [third] = yield* again(second, on)
          yield* sendMost(third, Master.snapshot({ a: "1", b: "2" }), client)
          expect(yield* text(client, "GET", "a")).toBe(loading)
        }),
      { replDisklessLoad: "on-empty-db" },
    ),
  )
})

describe.each(["map", "bytes"] as const)("with room for both, keys in %s", (keyspace) => {
  it.effect(
    "swapdb: beside another history's data, which nobody reads meanwhile, and which is there again if it fails",
    () =>
      scene(
        (on) =>
          Effect.gen(function* () {
            const { changes, client } = on
            yield* run(client, "SET", "own", "1")
            yield* run(client, "FUNCTION", "LOAD", library("old"))
            yield* run(client, "CONFIG", "SET", "replica-read-only", "no")
            const history = yield* info(client, "master_replid")
            const end = yield* follow(on)
            yield* end.greet
            const data = withLibrary(library("new"), { a: "1", b: "2" })
            yield* sendMost(end, data, client)
            expect(yield* text(client, "GET", "own")).toBe(loading)
            expect(yield* text(client, "CONFIG", "SET", "repl-diskless-load", "disabled")).toBe(loading)
            const [second, asked] = yield* again(end, on)
            expect(asked[0]).toBe(history)
            expect(yield* text(client, "GET", "own")).toBe("1")
            expect(yield* text(client, "FCALL", "f", "0")).toBe("old")
            // It is kept as before, too.
            yield* run(client, "SET", "own", "2")
            expect(changes.at(-1)).toMatchObject({ argv: ["SET", "own", "2"] })
            // What cannot be read in the end is no data.
            const damaged = withLibrary("#!lua name=lib\nno Lua", { a: "1", b: "2" })
            second.say(yield* sendMost(second, damaged, client))
            while (!second.isClosed) yield* pause
            expect(yield* text(client, "GET", "own")).toBe("2")
            expect(yield* text(client, "FCALL", "f", "0")).toBe("old")
            const [third] = yield* again(second, on)
            third.say(yield* sendMost(third, data, client))
            yield* isWhole(third)
            expect(yield* run(client, "MGET", "own", "a")).toMatchObject({ values: [Reply.nil, { value: "1" }] })
            expect(yield* text(client, "FCALL", "f", "0")).toBe("new")
            expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(2))
          }),
        { keyspace, replDisklessLoad: "swapdb" },
      ),
  )

  it.effect("swapdb: the same history's data is served while it comes beside it", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* synced(on, { a: "1", gone: "1" })
          const [tracking, watching, unconcerned, blocked] = [
            yield* connect,
            yield* connect,
            yield* connect,
            yield* connect,
          ]
          yield* run(client, "CONFIG", "SET", "replica-read-only", "no")
          yield* run(client, "SET", "brief", "1", "PX", "2000")
          blocked.send("BLPOP", "list", "0")
          const [second] = yield* again(end, on)
          const rest = yield* sendMost(
            second,
            Master.snapshot({ a: "2", b: "2", brief: "3" }, { brief: startTimeMs + 3500 }),
            client,
          )
          yield* run(tracking, "HELLO", "3")
          yield* run(tracking, "CLIENT", "TRACKING", "ON")
          yield* run(tracking, "GET", "a")
          yield* run(watching, "WATCH", "gone")
          yield* run(unconcerned, "WATCH", "nowhere")
          expect(yield* text(client, "GET", "a")).toBe("1")
          expect(yield* run(client, "SET", "mine", "1")).toEqual(Reply.ok)
          expect(yield* text(client, "REPLICAOF", "NO", "ONE")).toBe(loading)
          expect(yield* text(client, "BGSAVE")).toBe(loading)
          expect(yield* text(client, "CONFIG", "SET", "appendonly", "no")).toBe(loading)
          expect(yield* run(client, "CONFIG", "SET", "maxmemory", "0")).toEqual(Reply.ok)
          yield* run(client, "MULTI")
          expect(yield* text(client, "BGSAVE")).toBe(loading)
          expect(yield* text(client, "EXEC")).toMatch(/^EXECABORT /)
          second.say(rest)
          yield* isWhole(second)
          expect(yield* text(client, "GET", "a")).toBe("2")
          expect(yield* run(client, "EXISTS", "mine", "gone")).toEqual(Reply.zero)
          expect(yield* Effect.promise(() => tracking.receive())).toMatchObject({ _tag: "Push" })
          for (const [waiting, answer] of [
            [watching, "Nil"],
            [unconcerned, "Array"],
          ] as const) {
            yield* run(waiting, "MULTI")
            yield* run(waiting, "PING")
            expect(yield* text(waiting, "EXEC")).toMatch(answer)
          }
          second.stream(["SELECT", "0"], ["RPUSH", "list", "x", "y"])
          yield* second.settled
          expect(yield* Effect.promise(() => blocked.receive())).toMatchObject({
            values: [{ value: "list" }, { value: "x" }],
          })
          // The key with a deadline of our own has gone: this one stays until the master says so.
          yield* TestClock.adjust("3 seconds")
          expect(yield* text(client, "GET", "brief")).toBe("Nil")
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(4))
        }),
      { keyspace, replDisklessLoad: "swapdb" },
    ),
  )
})

/** Where the data was kept while it came is the server's snapshot then, if it keeps any. */
describe("on a disk", () => {
  const files = (disk: FailingDisk) => disk.paths.filter((path) => path.endsWith(".rdb"))

  it.effect("INFO tells which way data comes", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* synced(on, { a: "1" })
          yield* run(client, "CONFIG", "SET", "repl-diskless-load", "swapdb")
          const usedMemory = Effect.map(text(client, "INFO", "memory"), (all) =>
            Number(/^used_memory:(\d+)/m.exec(all)![1]),
          )
          const [second] = yield* again(end, on)
          const usedBefore = yield* usedMemory
          const keys = Array.from({ length: 100 }, (_, i) => [`key:${i}`, "x".repeat(60)] as const)
          yield* sendMost(second, Master.snapshot(Object.fromEntries(keys)), client)
          expect((yield* usedMemory) - usedBefore).toBeGreaterThan(6000)
          expect(yield* persistenceInfo(client, "loading")).toBe("0")
          expect(yield* persistenceInfo(client, "async_loading")).toBe("1")
          expect(yield* persistenceInfo(client, "loading_start_time")).toBeDefined()
          const [third] = yield* again(second, on)
          expect((yield* usedMemory) - usedBefore).toBeLessThan(1000)
          expect(yield* persistenceInfo(client, "async_loading")).toBe("0")
          // Without a length, how much it will be is guessed from the memory of who wrote it.
          const memory = "REDIS0010\xfa\x08used-mem\x03600"
          third.say(Master.fullSync(memory + Master.snapshot({ a: "x".repeat(62) }).slice(9), 200).slice(0, -41))
          while ((yield* persistenceInfo(client, "loading_loaded_bytes")) !== "60") yield* pause
          expect(yield* persistenceInfo(client, "loading_total_bytes")).toBe("0")
          expect(yield* persistenceInfo(client, "loading_loaded_perc")).toBe("10.00")
        }),
      {},
      new FailingDisk(1),
    ),
  )

  it.effect("a server that keeps nothing leaves no file", () => {
    const disk = new FailingDisk(1)
    return scene(
      (on) =>
        Effect.gen(function* () {
          const end = yield* synced(on, { a: "1" })
          expect(files(disk)).toEqual([])
          const [second] = yield* again(end, on)
          yield* sendMost(second, Master.snapshot({ a: "2" }), on.client)
          expect(files(disk)).toHaveLength(1)
          yield* again(second, on)
          expect(files(disk)).toEqual([])
        }),
      {},
      disk,
    )
  })

  it.effect("one that keeps snapshots goes on from it after a kill", () => {
    const disk = new FailingDisk(1)
    const save = [{ seconds: 3600, changes: 1000 }]
    let left: FailingDisk | undefined
    return Effect.zipRight(
      scene(
        (on) =>
          Effect.gen(function* () {
            yield* synced(on, { a: "1" })
            expect(files(disk)).toEqual(["/tmp/dump.rdb"])
            left = disk.afterPowerCut()
          }),
        { save },
        disk,
      ),
      Effect.suspend(() =>
        scene(({ client }) => Effect.map(text(client, "GET", "a"), (a) => expect(a).toBe("1")), { save }, left),
      ),
    )
  })

  it.effect("a full disk: the old data stays, and the reason is told", () => {
    const disk = new FailingDisk(1)
    return scene(
      (on) =>
        Effect.gen(function* () {
          const end = yield* synced(on, { a: "1" })
          disk.faults = { ...noFaults, space: 0 }
          const [second] = yield* again(end, on)
          second.say(Master.fullSync(Master.snapshot({ a: "2" }), 200))
          while (!second.isClosed) yield* pause
          expect(on.told.at(-1)).toMatch(/Cannot write to .*: No space left on device/)
          expect(yield* text(on.client, "GET", "a")).toBe("1")
          disk.faults = noFaults
          const [third] = yield* again(second, on)
          third.say(Master.fullSync(Master.snapshot({ a: "3" }), 200))
          yield* isWhole(third)
          expect(yield* text(on.client, "GET", "a")).toBe("3")
        }),
      {},
      disk,
    )
  })
})
