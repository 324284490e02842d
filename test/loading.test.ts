/**
 * What a server answers while it loads: LOADING to all but those commands that need no data, INFO with how far it is, and SHUTDOWN and
 * signals are obeyed at once, leaving the files as they are. The disk gives out a few bytes when the test says so.
 *
 * The replies were recorded from redis-server 7.0.15, which loaded a snapshot with `key-load-delay`.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Reply from "../src/codec/Reply.ts"
import { InvalidArgument } from "../src/errors/CommandError.ts"
import { ScriptEngine } from "../src/scripting/ScriptEngine.ts"
import { ExecAbort, Loading } from "../src/errors/DispatchErrors.ts"
import type { Values } from "../src/config/Config.ts"
import { FileSystem } from "../src/persistence/disk/FileSystem.ts"
import * as Files from "../src/persistence/Files.ts"
import * as Server from "../src/Server.ts"
import { layerMemory, type MemoryConnector } from "../src/socket/MemorySocket.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

const loading = Reply.failure(Loading.error)
const isLoading = (reply: Reply.Reply) => reply._tag === "Failure" && reply.code === "LOADING"

/** The least that the setting allows. */
const bytesARead = 1024
const keys = 300

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Gives the event loop turns until something is so; how many is bounded by the test's time limit. */
const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.zipRight(turn, until(isSo))))

interface Held {
  readonly client: TestClient
  /** Lets the server read on, so many times. */
  readonly more: (reads: number) => Effect.Effect<void>
  /** Lets it read all there is, and holds it back again. */
  readonly all: Effect.Effect<void>
  readonly hold: Effect.Effect<void>
  readonly server: Fiber.RuntimeFiber<void, unknown>
}

/** A server on this disk whose reads wait to be let go on. */
const held = <A, E>(
  disk: FailingDisk,
  options: Partial<Values>,
  body: (given: Held) => Effect.Effect<A, E, MemoryConnector>,
) =>
  Effect.gen(function* () {
    let isOpen = false
    let waiting: (() => void) | undefined
    const wait = Effect.async<void>((resume) => {
      if (isOpen) resume(Effect.void)
      else waiting = () => resume(Effect.void)
    })
    const { service } = disk
    const slow: typeof service = {
      ...service,
      open: (path, how) =>
        Effect.map(service.open(path, how), (file) => ({
          ...file,
          read: (into) => Effect.zipRight(wait, file.read(into.subarray(0, bytesARead))),
        })),
    }
    const letGo = () => {
      const go = waiting
      waiting = undefined
      go?.()
    }
    const isWaiting = until(() => waiting !== undefined)
    // The socket is there before the server.
    const socket = yield* Layer.build(layerMemory)
    const layer = Server.layer(
      { ...testSettings, dir: "/tmp", loadingProcessEventsIntervalBytes: bytesARead, ...options },
      {
        socket: Layer.succeedContext(socket),
        scripts: ScriptEngine.layerNoop,
        persistence: Files.layer({ usedMemory: () => 4711 }).pipe(Layer.provide(Layer.succeed(FileSystem, slow))),
      },
    )
    const server = yield* Effect.fork(Server.launch(layer))
    yield* isWaiting
    const client = yield* Effect.provide(connect, socket)
    const step = isWaiting.pipe(Effect.zipRight(Effect.sync(letGo)), Effect.zipRight(isWaiting))
    const all = Effect.sync(() => {
      isOpen = true
      letGo()
    })
    const hold = Effect.sync(() => (isOpen = false))
    const more = (reads: number) => Effect.repeatN(step, reads - 1)
    return yield* body({ client, more, all, hold, server }).pipe(Effect.provide(socket))
  }).pipe(Effect.scoped, Effect.provide(Logger.remove(Logger.defaultLogger)))

/** A disk with a snapshot and a log of some thousand bytes, as a server left it that was killed. */
const filled = (appendonly: boolean, preamble = true, count = keys) =>
  Effect.gen(function* () {
    const disk = new FailingDisk(1)
    yield* Effect.gen(function* () {
      const client = yield* connect
      for (let i = 0; i < count; i++) yield* run(client, "SET", `key:${i}`, "v".repeat(i % 100), "EX", "1000000")
      yield* run(client, "SAVE")
    }).pipe(
      Effect.provide(
        Server.layerTest(
          { ...testSettings, dir: "/tmp", appendonly, aofUseRdbPreamble: preamble },
          { persistence: Files.layer({ usedMemory: () => 4711 }).pipe(Layer.provide(disk.layer)) },
        ),
      ),
    )
    return disk.afterKill()
  })

/** A field of INFO persistence. */
const field = (client: TestClient, name: string) =>
  Effect.map(run(client, "INFO", "persistence"), (reply) => {
    const text = reply._tag === "Verbatim" || reply._tag === "Bulk" ? String(reply.value) : ""
    return new RegExp(`^${name}:(.*)\r$`, "m").exec(text)?.[1]
  })

/** Ends when the data is there. */
const loaded = (client: TestClient): Effect.Effect<void> =>
  Effect.flatMap(run(client, "PING"), (reply) =>
    isLoading(reply) ? Effect.zipRight(turn, loaded(client)) : Effect.void,
  )

/** All files but the lock. */
const filesOf = (disk: FailingDisk) => new Map([...disk.contents()].filter(([path]) => !path.endsWith(".lock")))

const cases = [
  { name: "a snapshot", file: "/tmp/dump.rdb", settings: { appendonly: false } },
  { name: "a log", file: "/tmp/appendonlydir/appendonly.aof.1.incr.aof", settings: { appendonly: true } },
] as const

describe.each(cases)("a server that loads $name", ({ file, settings }) => {
  it.effect("says LOADING to what needs data, and serves the rest", () =>
    Effect.gen(function* () {
      const disk = yield* filled(settings.appendonly)
      yield* held(disk, settings, ({ client, more, all }) =>
        Effect.gen(function* () {
          yield* more(3)
          for (const words of [
            ...["PING", "GET k", "SET a b", "EVAL return 0", "FUNCTION LIST", "SCRIPT FLUSH", "BGSAVE", "SAVE"],
            ...["BGREWRITEAOF", "FLUSHALL", "KEYS *", "MEMORY USAGE k", "DBSIZE", "WAIT 0 0"],
          ]) {
            expect({ words, reply: yield* run(client, ...words.split(" ")) }).toEqual({ words, reply: loading })
          }
          expect(yield* run(client, "CONFIG", "SET", "maxmemory", "0")).toEqual(Reply.ok)
          // What says where data comes from stays, whatever else is to change with it.
          expect(yield* run(client, "CONFIG", "SET", "maxmemory", "xx", "appendonly", "no")).toEqual(loading)
          expect(yield* run(client, "SELECT", "1")).toEqual(Reply.ok)
          expect(yield* run(client, "PUBLISH", "c", "x")).toEqual(Reply.int(0))
          expect(yield* run(client, "WATCH", "a")).toEqual(Reply.ok)
          expect(yield* run(client, "UNWATCH")).toEqual(Reply.ok)
          expect(yield* run(client, "SUBSCRIBE", "c")).toMatchObject({ _tag: "Array" })
          expect(yield* run(client, "RESET")).toEqual(Reply.simple("RESET"))
          for (const words of ["LASTSAVE", "SLOWLOG LEN", "TIME", "COMMAND COUNT", "CONFIG GET port", "OBJECT HELP"]) {
            expect(isLoading(yield* run(client, ...words.split(" ")))).toBe(false)
          }
          // What is wrong with the request itself comes first.
          expect(yield* run(client, "GET")).toMatchObject({ message: "wrong number of arguments for 'get' command" })
          expect(yield* run(client, "FOO")).toMatchObject({ message: expect.stringContaining("unknown command 'FOO'") })
          yield* all
          yield* loaded(client)
          expect(yield* run(client, "GET", "key:7")).toEqual(Reply.bulk("vvvvvvv"))
        }),
      )
    }),
  )

  it.effect("lets who comes wait for the answer where one piece of the file is all there is", () =>
    Effect.gen(function* () {
      const disk = yield* filled(settings.appendonly, true, 3)
      yield* held(disk, settings, ({ client, all }) =>
        Effect.gen(function* () {
          client.send("GET", "key:2")
          yield* Effect.repeatN(turn, 5)
          expect(client.arrived()).toEqual([])
          yield* all
          expect(yield* Effect.promise(client.receive)).toEqual(Reply.bulk("vv"))
        }),
      )
    }),
  )

  it.effect("shows in INFO how far it is", () =>
    Effect.gen(function* () {
      const disk = yield* filled(settings.appendonly)
      const total = [...disk.contents()]
        .filter(([path]) => (settings.appendonly ? /\.(rdb|aof)$/.test(path) && path.includes("dir/") : path === file))
        .reduce((sum, [, bytes]) => sum + bytes.length, 0)
      yield* held(disk, settings, ({ client, more, all }) =>
        Effect.gen(function* () {
          let before = 0
          // The base of the log is one read, and its end another.
          yield* more(3)
          for (let reads = 0; reads < 4; reads++) {
            yield* more(1)
            const bytes = Number(yield* field(client, "loading_loaded_bytes"))
            // The end of a file is a read too.
            expect(bytes).toBeGreaterThanOrEqual(before)
            before = bytes
            expect(yield* field(client, "loading")).toBe("1")
            expect(yield* field(client, "loading_total_bytes")).toBe(String(total))
            expect(yield* field(client, "loading_loaded_perc")).toBe(((bytes / total) * 100).toFixed(2))
            expect(yield* field(client, "loading_rdb_used_mem")).toBe("4711")
            expect(Number(yield* field(client, "loading_eta_seconds"))).toBeGreaterThanOrEqual(0)
          }
          expect(before).toBeGreaterThanOrEqual(3 * bytesARead)
          if (!settings.appendonly) {
            expect(Number(yield* field(client, "rdb_last_load_keys_loaded"))).toBeGreaterThan(5)
            expect(Number(yield* field(client, "rdb_last_load_keys_loaded"))).toBeLessThan(keys)
          }
          yield* all
          yield* loaded(client)
          expect(yield* field(client, "loading")).toBe("0")
          expect(yield* field(client, "loading_total_bytes")).toBe(undefined)
          if (!settings.appendonly) expect(yield* field(client, "rdb_last_load_keys_loaded")).toBe(String(keys))
        }),
      )
    }),
  )

  it.effect("queues in MULTI only what it would run", () =>
    Effect.gen(function* () {
      const disk = yield* filled(settings.appendonly)
      yield* held(disk, settings, ({ client, more }) =>
        Effect.gen(function* () {
          yield* more(3)
          expect(yield* run(client, "MULTI")).toEqual(Reply.ok)
          expect(yield* run(client, "GET", "x")).toEqual(loading)
          expect(yield* run(client, "EXEC")).toEqual(Reply.failure(ExecAbort.error))
          expect(yield* run(client, "MULTI")).toEqual(Reply.ok)
          expect(yield* run(client, "CLIENT", "GETNAME")).toEqual(Reply.queued)
          expect(yield* run(client, "EXEC")).toEqual(Reply.array([Reply.nil]))
        }),
      )
    }),
  )

  it.effect.each(["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE", "a signal"])(
    "ends at once at %s, and leaves the files as they are",
    (words) =>
      Effect.gen(function* () {
        const disk = yield* filled(settings.appendonly)
        const before = filesOf(disk)
        yield* held(disk, { ...settings, save: [{ seconds: 900, changes: 1 }] }, ({ client, more, server }) =>
          Effect.gen(function* () {
            yield* more(3)
            expect(yield* run(client, "SHUTDOWN", "ABORT")).toEqual(
              Reply.failure(new InvalidArgument("No shutdown in progress.")),
            )
            if (words === "a signal") yield* Fiber.interrupt(server)
            else {
              client.send(...words.split(" "))
              yield* Fiber.join(server)
            }
            expect(client.isClosed()).toBe(true)
          }),
        )
        expect(filesOf(disk)).toEqual(before)
        // Which the next server loads.
        yield* held(disk, settings, ({ client, all }) =>
          Effect.gen(function* () {
            yield* all
            yield* loaded(client)
            expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(keys))
          }),
        )
      }),
  )
})

it.effect("what was queued before DEBUG RELOAD of another client is refused while that loads", () =>
  Effect.gen(function* () {
    const disk = yield* filled(false)
    yield* held(disk, {}, ({ client, all, hold, more }) =>
      Effect.gen(function* () {
        yield* all
        yield* loaded(client)
        const other = yield* connect
        yield* run(client, "MULTI")
        yield* run(client, "CLIENT", "GETNAME")
        yield* run(client, "GET", "key:7")
        yield* hold
        other.send("DEBUG", "RELOAD", "NOSAVE")
        yield* more(2)
        expect(yield* run(client, "EXEC")).toMatchObject({
          code: "EXECABORT",
          message: "Transaction discarded because of: LOADING Redis is loading the dataset in memory",
        })
        expect(Number(yield* field(client, "loading_loaded_bytes"))).toBeGreaterThan(0)
        yield* all
        expect(yield* Effect.promise(other.receive)).toEqual(Reply.ok)
        expect(yield* run(client, "GET", "key:7")).toEqual(Reply.bulk("vvvvvvv"))
      }),
    )
  }),
)
