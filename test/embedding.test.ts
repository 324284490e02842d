/**
 * The server inside of another program: made from the public names alone, with layers of the program's own, and gone without a
 * trace when its scope closes.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import {
  Arg,
  type Change,
  Chance,
  Clients,
  Clock,
  Codec,
  Command,
  CommandError,
  Config,
  Key,
  layerSocketMemory,
  Listener,
  MemoryConnector,
  Persistence,
  Registry,
  Reply,
  Server,
  Shutdown,
  Socket,
  Store,
  type Values,
} from "../src/index.ts"
import { connectTcp } from "./support/RealServer.ts"
import { atStartTime, connect, run, type TestClient } from "./support/TestServer.ts"

const tags = { Chance, Clients, Clock, Codec, Config, Listener, Persistence, Registry, Shutdown, Socket, Store }

describe("the public names", () => {
  it.effect("have every service of a running server", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(Server.layerTest())
      const missing = Object.entries(tags).filter(([, tag]) => !context.unsafeMap.has(tag.key))
      expect(missing.map(([name]) => name)).toEqual([])
      expect(Context.get(context, Registry).find("GET")?.command.name).toBe("get")
      expect(Context.get(context, Config).current.databases).toBe(16)
    }).pipe(Effect.scoped),
  )

  it.effect("take settings with their defaults, or from the environment", () =>
    Effect.gen(function* () {
      const { current } = yield* Config
      expect([current.databases, current.maxmemory, current.appendonly]).toEqual([4, 1024 ** 2, false])
      const listener = yield* Listener
      expect(listener.port).toBeGreaterThan(0)
    }).pipe(
      Effect.provide(Server.layerConfig),
      Effect.withConfigProvider(
        ConfigProvider.fromMap(
          new Map(
            Object.entries({
              TINY_REDIS_PORT: "0",
              TINY_REDIS_SAVE: "",
              TINY_REDIS_DATABASES: "4",
              TINY_REDIS_MAXMEMORY: "1mb",
            }),
          ),
        ),
      ),
    ),
  )

  it.effect("refuse a setting that cannot be, before anything is bound", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Server.layer({ port: 70_000 }))))
      expect(error).toMatchObject({ message: expect.stringContaining("port takes an integer from 0 to 65535") })
    }),
  )
})

describe("a layer of the program's own", () => {
  it.effect("for Persistence sees every change, in the form that repeats it", () =>
    Effect.suspend(() => {
      const changes: Array<Change> = []
      return Effect.gen(function* () {
        const client = yield* connect
        yield* run(client, "SET", "k", "v", "EX", "10")
        yield* run(client, "GET", "k")
        yield* TestClock.adjust("10 seconds")
        expect(changes.map(({ argv }) => argv.join(" "))).toEqual(["SET k v PXAT 1704067210000", "DEL k"])
      }).pipe(Effect.provide(Server.layerTest({}, { persistence: Persistence.layerMemory(changes) })), atStartTime)
    }),
  )

  it.effect("for Codec sees both directions", () =>
    Effect.suspend(() => {
      const seen: Array<string> = []
      const watching = Layer.map(Codec.layerResp, (context) => {
        const codec = Context.get(context, Codec)
        return Context.make(Codec, {
          makeDecoder: () => {
            const decoder = codec.makeDecoder()
            const next = () => {
              const argv = decoder.next()
              if (argv !== undefined) seen.push(`> ${argv.join(" ")}`)
              return argv
            }
            return new Proxy(decoder, {
              get: (_, name) => {
                if (name === "next") return next
                const member: unknown = Reflect.get(decoder, name)
                return typeof member === "function" ? member.bind(decoder) : member
              },
              set: (_, name, value) => Reflect.set(decoder, name, value),
            })
          },
          encode: (reply, protocol) => {
            const bytes = codec.encode(reply, protocol)
            seen.push(`< ${bytes.trim()}`)
            return bytes
          },
          frame: codec.frame,
        })
      })
      return Effect.gen(function* () {
        const client = yield* connect
        yield* run(client, "INCR", "n")
        expect(seen).toEqual(["> INCR n", "< :1"])
      }).pipe(Effect.provide(Server.layerTest({}, { codec: watching })))
    }),
  )

  it.effect("for Clock decides what time it is", () =>
    Effect.suspend(() => {
      let now = 1_000_000
      const byHand = Layer.succeed(Clock, {
        now: () => now,
        nowMicros: () => now * 1000,
        sleepUntil: () => Effect.never,
      })
      return Effect.gen(function* () {
        const client = yield* connect
        yield* run(client, "SET", "k", "v", "PX", "100")
        now += 99
        expect(yield* run(client, "PTTL", "k")).toEqual(Reply.one)
        now += 1
        expect(yield* run(client, "GET", "k")).toEqual(Reply.nil)
        expect(yield* run(client, "TIME")).toEqual(Reply.array([Reply.bulk("1000"), Reply.bulk("100000")]))
      }).pipe(Effect.provide(Server.layerTest({}, { clock: byHand })))
    }),
  )

  it.effect("for Store gives other databases", () =>
    Effect.gen(function* () {
      const client = yield* connect
      expect(yield* run(client, "SELECT", "2")).toMatchObject({ message: "DB index is out of range" })
    }).pipe(Effect.provide(Server.layerTest({}, { store: Store.layerMemory({ databases: 2 }) }))),
  )

  it.effect("for Socket lets the whole server listen in memory, files and all", () =>
    withDirectory((dir) =>
      Effect.gen(function* () {
        const options: Partial<Values> = { dir, appendonly: true, appendfsync: "always", save: [] }
        const use = <A, E>(body: (client: TestClient) => Effect.Effect<A, E>) =>
          Effect.scoped(
            Effect.gen(function* () {
              // Built once, so that the connector is the one of this socket.
              const memory = yield* Layer.build(layerSocketMemory)
              const socket = Layer.succeed(Socket, Context.get(memory, Socket))
              yield* Layer.build(Server.layer(options, { socket }))
              return yield* Effect.flatMap(connect, body).pipe(
                Effect.provideService(MemoryConnector, Context.get(memory, MemoryConnector)),
              )
            }),
          )
        expect(yield* use((client) => run(client, "SET", "k", "v"))).toEqual(Reply.ok)
        expect(yield* use((client) => run(client, "GET", "k"))).toEqual(Reply.bulk("v"))
      }),
    ),
  )
})

describe("a command of the program's own", () => {
  class TooMany extends CommandError.CommandError("TooMany", "TOOMANY") {}

  const cap = Command.make({
    name: "cap",
    summary: "Increments a number that may not exceed a limit",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: "write denyoom fast",
    keys: [Key.range(1, "RW access update")],
    args: [Arg.key("key"), Arg.integer("limit")],
    parse: (args) => ({ key: args.key(), limit: args.int() }),
    run: ({ key, limit }, ctx) => {
      const reply = ctx.call(["INCR", key])
      return reply._tag === "Int" && reply.value > limit ? Either.left(new TooMany("enough")) : Either.right(reply)
    },
  })

  it.effect("stands in the table beside the others, checks and documentation included", () =>
    Effect.gen(function* () {
      const client = yield* connect
      expect(yield* run(client, "CAP", "n", "1")).toEqual(Reply.one)
      expect(yield* run(client, "CAP", "n", "1")).toMatchObject({ code: "TOOMANY", message: "enough" })
      expect(yield* run(client, "CAP", "n")).toMatchObject({
        message: "wrong number of arguments for 'cap' command",
      })
      expect(yield* run(client, "CAP", "n", "x")).toMatchObject({ message: expect.stringContaining("integer") })
      expect(yield* run(client, "COMMAND", "GETKEYS", "CAP", "n", "1")).toMatchObject({ values: [{ value: "n" }] })
    }).pipe(Effect.provide(Server.layerTest({}, { commands: [cap] }))),
  )
})

/** A directory for one test. */
function withDirectory<A, E, R>(body: (dir: string) => Effect.Effect<A, E, R>) {
  return Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "tiny-redis-embedding-"))),
    body,
    (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true })),
  )
}

/** What keeps a process alive, by kind; the test runner reads files, has pipes and takes turns of its own. */
const resources = (): ReadonlyArray<string> =>
  process.getActiveResourcesInfo().filter((kind) => !/^(Immediate|FSReq|PipeWrap)/.test(kind))

/** What is there now and was not before. */
const left = (before: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = [...before]
  return resources().filter((kind) => {
    const index = known.indexOf(kind)
    if (index >= 0) known.splice(index, 1)
    return index < 0
  })
}

/** A handle that was closed is gone after a turn or some; a timer of the test itself would be one more. */
const nothingIsLeft = (before: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    for (let turn = 0; turn < 100 && left(before).length > 0; turn++) await new Promise((r) => setImmediate(r))
    expect(left(before)).toEqual([])
  })

describe("when its scope closes", () => {
  const stopped: ReadonlyArray<{ readonly what: string; readonly options: Partial<Values> }> = [
    { what: "without files", options: { save: [] } },
    { what: "with a log", options: { save: [], appendonly: true, appendfsync: "everysec" } },
    { what: "with a log synced always", options: { save: [], appendonly: true, appendfsync: "always" } },
    { what: "with snapshots", options: { save: [{ seconds: 1, changes: 1 }] } },
  ]

  it.live.each(stopped)("a server $what leaves no timer, fiber or handle, however often it starts", ({ options }) =>
    withDirectory(
      (dir) =>
        Effect.gen(function* () {
          const supervisor = yield* Supervisor.track
          const before = resources()
          for (let round = 1; round <= 3; round++) {
            const use = Effect.gen(function* () {
              const { port } = yield* Listener
              expect(left(before)).toContain("TCPServerWrap")
              const clients = yield* Effect.promise(() => Promise.all([1, 2, 3].map(() => connectTcp(port))))
              const [busy, waiting, idle] = clients as [TestClient, TestClient, TestClient]
              yield* run(busy, "SET", "k", "v", "PX", "100000")
              yield* run(busy, "INCR", "rounds")
              waiting.send("BLPOP", "list", "1000")
              idle.send("SUBSCRIBE", "news")
              yield* run(busy, "CLIENT", "NO-EVICT", "ON")
              yield* run(busy, "EVAL", "return redis.call('GET', 'k')", "0")
              return clients
            })
            const clients = yield* Effect.provide(
              use,
              Server.layer({ port: 0, dir, timeout: 1000, enableDebugCommand: "yes", ...options }),
            ).pipe(Effect.supervised(supervisor))
            yield* Effect.promise(() => Promise.all(clients.map(({ closed }) => closed)))
            yield* nothingIsLeft(before)
            expect((yield* supervisor.value).map(({ id }) => id())).toEqual([])
          }
          if (options.appendonly !== true) return
          const again = Effect.flatMap(Listener, ({ port }) =>
            Effect.promise(async () => {
              const client = await connectTcp(port)
              expect(await client.run("GET", "rounds")).toEqual(Reply.bulk("3"))
              client.destroy()
            }),
          )
          yield* Effect.provide(again, Server.layer({ port: 0, dir, ...options }))
          yield* nothingIsLeft(before)
        }),
      // What it loads at a start is for people.
    ).pipe(Logger.withMinimumLogLevel(LogLevel.None)),
  )

  it.effect("the server in memory leaves no fiber", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.track
      for (let round = 0; round < 20; round++) {
        const use = Effect.gen(function* () {
          const [client, waiting] = [yield* connect, yield* connect]
          yield* run(client, "SET", "k", "v", "EX", "10")
          waiting.send("BLPOP", "list", "10")
          yield* run(client, "CLIENT", "PAUSE", "100000", "WRITE")
          client.send("SET", "k", "v")
        })
        yield* Effect.provide(use, Server.layerTest({ timeout: 5 })).pipe(Effect.supervised(supervisor))
      }
      expect((yield* supervisor.value).length).toBe(0)
    }),
  )

  it.effect("SHUTDOWN is what ends a launched one, and nobody else notices", () =>
    Effect.gen(function* () {
      const neighbour = yield* Layer.build(Server.layerTest())
      const memory = yield* Layer.build(layerSocketMemory)
      const socket = Layer.succeed(Socket, Context.get(memory, Socket))
      const running = yield* Effect.fork(
        Server.launch(Server.layer({ save: [] }, { socket, persistence: Persistence.layerNoop })),
      )
      const connector = Context.get(memory, MemoryConnector)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const client = yield* Effect.provideService(connect, MemoryConnector, connector)
      client.send("SHUTDOWN", "NOSAVE")
      yield* Fiber.join(running)
      yield* Effect.promise(() => client.closed)
      expect(client.arrived()).toEqual([])
      const other = yield* Effect.provide(connect, neighbour)
      expect(yield* run(other, "PING")).toEqual(Reply.pong)
    }).pipe(Effect.scoped),
  )
})
