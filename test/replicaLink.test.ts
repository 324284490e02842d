/**
 * A replica and its master, whom the test plays: what they say to each other, when, and what becomes of the data when the link breaks, is
 * silent, or the master sends something else than it should. Time is virtual.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import { pause } from "../src/clock/EventLoop.ts"
import * as Reply from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import { Unblocked } from "../src/errors/DispatchErrors.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { Store } from "../src/store/Store.ts"
import { layerConnectorTo, MemoryConnector } from "../src/socket/MemorySocket.ts"
import * as Master from "./support/ScriptedMaster.ts"
import {
  atStartTime,
  connect,
  makeClient,
  run,
  startTimeMs,
  type TestClient,
  testSettings,
} from "./support/TestServer.ts"

type Play = ReturnType<typeof Master.make>

interface Scene {
  readonly client: TestClient
  readonly master: Play
  /** What the server has told its operator. */
  readonly told: ReadonlyArray<string>
  /** What it has kept. */
  readonly changes: Array<Change>
}

/** A server whose master the test is, once it has been told to follow. */
const scene = (
  body: (scene: Scene) => Effect.Effect<void, never, MemoryConnector | Store>,
  options: Partial<Values> = {},
): Effect.Effect<void, unknown> => {
  const master = Master.make()
  const told: Array<string> = []
  const changes: Array<Change> = []
  const logger = Logger.make(({ message }) => void told.push(String(message)))
  const server = Server.layerTest(
    { ...testSettings, ...options },
    { connector: master.layer, persistence: Persistence.layerMemory(changes) },
  )
  return Effect.flatMap(connect, (client) => body({ client, master, told, changes })).pipe(
    Effect.provide(Layer.provideMerge(server, Logger.replace(Logger.defaultLogger, logger))),
    atStartTime,
  )
}

const follow = ({ client, master }: Scene) =>
  Effect.zipRight(run(client, "REPLICAOF", "master.example", "7000"), master.connection)

/** Follows, and gets all of the data. */
const synced = (on: Scene, keys: Readonly<Record<string, string>>, offset = 100, deadlines = {}) =>
  Effect.gen(function* () {
    const end = yield* follow(on)
    yield* end.greet
    end.say(Master.fullSync(Master.snapshot(keys, deadlines), offset))
    expect(yield* end.request).toEqual(["REPLCONF", "ACK", String(offset)])
    return end
  })

const text = (client: TestClient, ...argv: ReadonlyArray<string>) =>
  Effect.map(run(client, ...argv), (reply) =>
    reply._tag === "Bulk" || reply._tag === "Verbatim"
      ? reply.value
      : reply._tag === "Failure"
        ? `${reply.code} ${reply.message}`
        : reply._tag,
  )
const info = (client: TestClient, field: string) =>
  Effect.map(text(client, "INFO", "replication"), (all) => new RegExp(`^${field}:(.*?)\r?$`, "m").exec(all)?.[1])
const role = (client: TestClient) =>
  Effect.map(run(client, "ROLE"), (reply) => (reply._tag === "Array" ? reply.values.slice(3) : reply))

describe("a link", () => {
  it.effect("greets its master, and asks to go on where this server is", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const end = yield* follow(on)
          expect(yield* role(on.client)).toEqual([Reply.bulk("handshake"), Reply.int(-1)])
          const asked: Array<ReadonlyArray<string>> = []
          for (;;) {
            const argv = yield* end.request
            asked.push(argv)
            if (argv[0] === "PSYNC") break
            end.say(argv[0] === "PING" ? "+PONG\r\n" : "+OK\r\n")
          }
          expect(asked).toEqual([
            ["PING"],
            ["AUTH", "reader", "secret"],
            ["REPLCONF", "listening-port", "7002"],
            ["REPLCONF", "ip-address", "replica.example"],
            ["REPLCONF", "capa", "eof", "capa", "psync2"],
            ["PSYNC", yield* info(on.client, "master_replid"), "1"],
          ])
        }),
      { masterauth: "secret", masteruser: "reader", replicaAnnounceIp: "replica.example", replicaAnnouncePort: 7002 },
    ),
  )

  it.effect.each(["length", "mark"] as const)(
    "takes all of the data, which ends by its %s, and then the stream",
    (form) =>
      scene((on) =>
        Effect.gen(function* () {
          const { client } = on
          yield* run(client, "SET", "own", "1")
          const end = yield* follow(on)
          yield* end.greet
          const data = Master.fullSync(Master.snapshot({ a: "1", b: "2" }), 100, form)
          end.say(...data)
          expect(yield* end.request).toEqual(["REPLCONF", "ACK", "100"])
          expect(yield* run(client, "MGET", "a", "b", "own")).toMatchObject({
            values: [{ value: "1" }, { value: "2" }, {}],
          })
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(2))
          end.stream(["SELECT", "3"], ["SET", "c", "3"], ["MULTI"], ["INCR", "c"], ["INCR", "c"], ["EXEC"])
          const offset = yield* end.settled
          expect(yield* run(client, "SELECT", "3")).toEqual(Reply.ok)
          expect(yield* text(client, "GET", "c")).toBe("5")
          expect(yield* role(client)).toEqual([Reply.bulk("connected"), Reply.int(offset)])
          const stats = yield* text(client, "INFO", "stats")
          const header = data.indexOf("$")
          expect(stats).toContain(`total_net_repl_input_bytes:${data.length - header + offset - 100}\r\n`)
          expect(yield* info(client, "master_replid")).toBe(Master.id)
          expect(yield* info(client, "master_link_status")).toBe("up")
        }),
      ),
  )

  it.effect("changes nothing while a script has paused", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client } = on
        const store = yield* Store
        yield* run(client, "SET", "own", "1")
        const end = yield* follow(on)
        yield* end.greet
        store.unfinished = true
        end.say(Master.fullSync(Master.snapshot({ a: "1", b: "2" }), 100))
        for (let i = 0; i < 20; i++) yield* pause
        expect(store.databases[0]!.size).toBe(1)
        store.unfinished = false
        yield* TestClock.adjust("5 millis")
        expect(yield* end.request).toEqual(["REPLCONF", "ACK", "100"])
        expect(store.databases[0]!.size).toBe(2)
        store.unfinished = true
        end.stream(["SET", "c", "1"])
        for (let i = 0; i < 20; i++) yield* pause
        expect(store.databases[0]!.size).toBe(2)
        store.unfinished = false
        yield* TestClock.adjust("5 millis")
        yield* end.settled
        expect(store.databases[0]!.size).toBe(3)
      }),
    ),
  )

  it.effect("is acknowledged each second", () =>
    scene((on) =>
      Effect.gen(function* () {
        const end = yield* synced(on, {})
        end.stream(["SET", "a", "1"])
        const offset = yield* end.settled
        yield* TestClock.adjust("1 second")
        expect(yield* end.request).toEqual(["REPLCONF", "ACK", String(offset)])
        end.stream(["PING"])
        expect(yield* end.settled).toBe(offset + 14 + 37)
      }),
    ),
  )

  it.effect("goes on after it broke, from the last whole unit, under the name that the history has by then", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, master } = on
        const end = yield* synced(on, { a: "1" })
        end.stream(["INCR", "a"])
        const offset = yield* end.settled
        end.stream(["MULTI"], ["INCR", "a"])
        yield* TestClock.adjust("1 second")
        expect(yield* end.request).toEqual(["REPLCONF", "ACK", String(offset)])
        end.close()
        const second = yield* master.connection
        expect(yield* second.greet).toEqual([Master.id, String(offset + 1)])
        const other = "f".repeat(40)
        second.say(`+CONTINUE ${other}\r\n`)
        second.stream(["MULTI"], ["INCR", "a"], ["INCR", "a"], ["EXEC"])
        yield* second.settled
        expect(yield* text(client, "GET", "a")).toBe("4")
        expect(yield* info(client, "master_replid")).toBe(other)
        expect(yield* info(client, "master_replid2")).toBe(Master.id)
        expect(yield* info(client, "second_repl_offset")).toBe(String(offset + 1))
      }),
    ),
  )

  it.effect("is given up when the master is silent for repl-timeout, and made again", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const end = yield* synced(on, { a: "1" })
          yield* TestClock.adjust("10 seconds")
          expect(end.isClosed).toBe(false)
          yield* TestClock.adjust("1 second")
          expect(end.isClosed).toBe(true)
          expect(on.told.at(-1)).toBe("master master.example:7000: no sign of life for 10 seconds")
          const second = yield* on.master.connection
          expect(yield* info(on.client, "master_link_status")).toBe("down")
          expect(yield* second.greet).toEqual([Master.id, "101"])
        }),
      { replTimeout: 10 },
    ),
  )

  it.effect("is tried each second where nobody listens, which is told once", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, master, told } = on
        master.refuse("the connection is refused")
        yield* run(client, "REPLICAOF", "master.example", "7000")
        yield* TestClock.adjust("5 seconds")
        expect(told).toEqual(["master master.example:7000: the connection is refused"])
        master.refuse(undefined)
        yield* TestClock.adjust("1 second")
        yield* (yield* master.connection).greet
      }),
    ),
  )
})

describe("a master that sends something else than it should", () => {
  /** How the link comes to what is said, and what the operator is told. */
  const beginnings: ReadonlyArray<readonly [what: string, answer: string, told: RegExp]> = [
    [
      "no answer to PSYNC that is known",
      "-ERR unknown command 'PSYNC'\r\n",
      /answers PSYNC with "-ERR unknown command/,
    ],
    ["an id that is none", "+FULLRESYNC abc 1\r\n", /answers PSYNC with "\+FULLRESYNC abc 1"/],
    ["an offset that is none", `+FULLRESYNC ${Master.id} x\r\n`, /answers PSYNC with/],
    [
      "no snapshot",
      `+FULLRESYNC ${Master.id} 1\r\n+OK\r\n`,
      /its snapshot is damaged at byte 0: no snapshot, but "\+OK"/,
    ],
    ["a snapshot that is none", Master.fullSync("garbage, and much of it", 1), /does not begin with REDIS/],
    ["a snapshot of a version to come", Master.fullSync("REDIS9999\xff", 1), /version 9999 is not supported/],
  ]
  it.effect.each(beginnings)("%s: the data stays, and the link is made again", ([, answer, reason]) =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, master, told } = on
        yield* run(client, "SET", "own", "1")
        const end = yield* follow(on)
        yield* end.greet
        end.say(answer)
        yield* TestClock.adjust("1 second")
        const second = yield* master.connection
        expect(told.at(-1)).toMatch(reason)
        expect(end.isClosed).toBe(true)
        expect(yield* text(client, "GET", "own")).toBe("1")
        yield* second.greet
        second.say(Master.fullSync(Master.snapshot({ a: "1" }), 5))
        yield* second.request
        expect(yield* text(client, "GET", "a")).toBe("1")
      }),
    ),
  )

  it.effect("a snapshot that is damaged in the middle: nothing of it stays, and all is asked for again", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, master, told, changes } = on
        yield* run(client, "SET", "own", "1")
        const end = yield* follow(on)
        yield* end.greet
        const whole = Master.snapshot({ a: "1", b: "2" })
        end.say(Master.fullSync(whole.replace("\xff", "\xf0\x01"), 1))
        yield* TestClock.adjust("1 second")
        const second = yield* master.connection
        expect(told.at(-1)).toMatch(/its snapshot is damaged at byte \d+/)
        expect(yield* run(client, "DBSIZE")).toEqual(Reply.zero)
        expect((yield* second.greet)[0]).toBe("?")
        second.say(Master.fullSync(whole, 7))
        yield* second.request
        expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(2))
        changes.length = 0
        second.stream(["SET", "c", "3"])
        yield* second.settled
        expect(changes).toMatchObject([{ db: 0, argv: ["SET", "c", "3"] }])
      }),
    ),
  )

  it.effect("a stream that is none: what came before it counts, and all is asked for again", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, master, told } = on
        const end = yield* synced(on, {})
        end.say("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\nGET / HTTP/1.1\r\n")
        yield* TestClock.adjust("1 second")
        const second = yield* master.connection
        expect(told.at(-1)).toMatch(/its stream is damaged at byte 127/)
        expect(yield* text(client, "GET", "a")).toBe("1")
        expect(yield* second.greet).toEqual(["?", "-1"])
      }),
    ),
  )

  it.effect("a stream that is none: all is asked for also of another master", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, master } = on
        const end = yield* synced(on, {})
        end.stream(["SELECT", "99"], ["SET", "a", "1"])
        for (let i = 0; i < 20; i++) yield* pause
        expect(end.isClosed).toBe(true)
        yield* run(client, "REPLICAOF", "other.example", "7000")
        const second = yield* master.connection
        expect(yield* second.greet).toEqual(["?", "-1"])
      }),
    ),
  )

  it.effect("commands that fail here: the operator is told, and the stream goes on", () =>
    scene((on) =>
      Effect.gen(function* () {
        const end = yield* synced(on, { a: "text" })
        end.stream(["INCR", "a"], ["NOSUCH", "a"], ["SET", "b", "1"])
        yield* end.settled
        expect(on.told.slice(-2)).toEqual([
          'master master.example:7000: "INCR" failed: ERR value is not an integer or out of range',
          "master master.example:7000: \"NOSUCH\" failed: ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
        ])
        expect(yield* text(on.client, "GET", "b")).toBe("1")
      }),
    ),
  )

  it.effect("a bug in the link: it is told with its cause, and the link is made again", () =>
    scene((on) =>
      Effect.gen(function* () {
        const end = yield* synced(on, { a: "1" })
        end.connection.write = () => {
          throw new Error("a bug")
        }
        yield* TestClock.adjust("2 seconds")
        const second = yield* on.master.connection
        expect(on.told.filter((line) => line.includes("defect"))).toEqual([
          "master master.example:7000: the link ended by a defect",
          "master master.example:7000: the link ended by a defect",
        ])
        expect(yield* second.greet).toEqual(["?", "-1"])
      }),
    ),
  )

  it.effect("a wrong password: the reason is told", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const end = yield* follow(on)
          yield* end.request
          end.say("-NOAUTH Authentication required.\r\n")
          expect(yield* end.request).toEqual(["AUTH", "wrong"])
          end.say("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
          yield* TestClock.adjust("1 second")
          yield* on.master.connection
          expect(on.told.at(-1)).toMatch(/masterauth is refused: WRONGPASS/)
        }),
      { masterauth: "wrong" },
    ),
  )
})

it.effect("a link survives whatever comes in the place of data, and takes the data after that", () =>
  scene((on) =>
    Effect.gen(function* () {
      const { client, master } = on
      const keys = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`key:${n}`, `value ${n}`]))
      const whole = `${Master.fullSync(Master.snapshot(keys), 50)}*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n`
      yield* run(client, "REPLICAOF", "master.example", "7000")
      let state = 7
      const below = (bound: number) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        return Math.floor((state / 2 ** 32) * bound)
      }
      for (let round = 0; round < 40; round++) {
        const end = yield* master.connection
        yield* end.greet
        const bytes = [...whole]
        for (let i = below(3); i >= 0; i--) {
          // What stands before the snapshot was tried above.
          const at = 60 + below(bytes.length - 60)
          bytes.splice(at, below(4), ...Array.from({ length: below(4) }, () => String.fromCharCode(below(256))))
        }
        const place = below(bytes.length)
        end.say(bytes.slice(0, place).join(""), bytes.slice(place).join(""))
        for (let turn = 0; turn < 5; turn++) yield* pause
        end.close()
        yield* TestClock.adjust("1 second")
      }
      const end = yield* master.connection
      yield* end.greet
      end.say(whole)
      yield* end.settled
      expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(21))
      expect(on.told.filter((line) => line.includes("defect"))).toEqual([])
    }),
  ),
)

it.scoped("a link needs no network: its master may be a server of the same program, under the same clock", () =>
  Effect.gen(function* () {
    const options = { ...testSettings, replDisklessSyncDelay: 0 }
    const master = Context.get(yield* Layer.build(Server.layerTest(options)), MemoryConnector)
    const built = yield* Layer.build(Server.layerTest(options, { connector: layerConnectorTo(master) }))
    const [first, second] = [master, Context.get(built, MemoryConnector)].map((to) => makeClient(to.connect()))
    yield* run(first!, "SET", "a", "1", "PX", "1500")
    yield* run(second!, "REPLICAOF", "master", "6379")
    while ((yield* info(second!, "master_link_status")) !== "up") yield* pause
    yield* run(first!, "SET", "b", "2")
    first!.send("WAIT", "1", "0")
    yield* TestClock.adjust("1 second")
    expect(yield* Effect.promise(() => first!.receive())).toEqual(Reply.one)
    expect(yield* text(second!, "GET", "b")).toBe("2")
    expect(yield* run(second!, "PTTL", "a")).toEqual(Reply.int(500))
    yield* TestClock.adjust("500 millis")
    expect(yield* text(second!, "GET", "a")).toBe("Nil")
  }).pipe(atStartTime),
)

describe("a replica", () => {
  it.effect("refuses writes of its clients, in MULTI and in scripts too, unless replica-read-only is no", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client } = on
        const readOnly = "READONLY You can't write against a read only replica."
        const end = yield* synced(on, { a: "1" })
        expect(yield* text(client, "SET", "a", "2")).toBe(readOnly)
        expect(yield* text(client, "FLUSHALL")).toBe(readOnly)
        yield* run(client, "MULTI")
        expect(yield* text(client, "SET", "a", "2")).toBe(readOnly)
        expect(yield* text(client, "EXEC")).toBe("EXECABORT Transaction discarded because of previous errors.")
        expect(yield* text(client, "EVAL", "return redis.pcall('set','a','2')", "0")).toBe(readOnly)
        expect(yield* text(client, "EVAL", "#!lua\nreturn 1", "0")).toBe(readOnly)
        expect(yield* text(client, "EVAL", "return redis.call('get','a')", "0")).toBe("1")
        yield* run(client, "CONFIG", "SET", "replica-read-only", "no")
        expect(yield* run(client, "SET", "b", "2")).toEqual(Reply.ok)
        end.stream(["SET", "a", "3"])
        yield* end.settled
        expect(yield* text(client, "GET", "a")).toBe("3")
      }),
    ),
  )

  it.effect("does not answer from old data where replica-serve-stale-data is no", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client, master } = on
          const down = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
          const end = yield* synced(on, { a: "1" })
          expect(yield* text(client, "GET", "a")).toBe("1")
          master.refuse("the connection is refused")
          end.close()
          yield* TestClock.adjust("1 second")
          expect(yield* text(client, "GET", "a")).toBe(down)
          expect(yield* text(client, "PING")).toBe(down)
          expect(yield* text(client, "EVAL", "return 1", "0")).toBe(down)
          yield* run(client, "MULTI")
          expect(yield* text(client, "GET", "a")).toBe(down)
          yield* run(client, "DISCARD")
          expect(yield* role(client)).toEqual([Reply.bulk("connect"), Reply.int(-1)])
          expect(yield* info(client, "master_link_down_since_seconds")).toBe("1")
          yield* run(client, "CONFIG", "SET", "replica-serve-stale-data", "yes")
          expect(yield* text(client, "GET", "a")).toBe("1")
        }),
      { replicaServeStaleData: false },
    ),
  )

  it.effect("shows no key past its deadline, and removes it when the master says so, or when it is a master", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, changes } = on
        const end = yield* synced(on, { a: "1", b: "2", past: "3" }, 100, { past: startTimeMs - 1 })
        const at = String(startTimeMs + 500)
        end.stream(["PEXPIREAT", "a", at], ["PEXPIREAT", "b", at], ["SET", "c", "1", "PXAT", String(startTimeMs - 5)])
        yield* end.settled
        changes.length = 0
        yield* TestClock.adjust("1 second")
        for (const key of ["a", "b", "c", "past"]) {
          expect(yield* text(client, "GET", key)).toBe("Nil")
          expect(yield* run(client, "EXISTS", key)).toEqual(Reply.zero)
        }
        expect(yield* run(client, "KEYS", "*")).toEqual(Reply.array([]))
        expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(4))
        // The master's clock is behind.
        end.stream(["PERSIST", "a"], ["DEL", "b"])
        yield* end.settled
        expect(yield* text(client, "GET", "a")).toBe("1")
        expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(3))
        expect(changes.map(({ argv }) => argv)).toEqual([
          ["PERSIST", "a"],
          ["DEL", "b"],
        ])
        yield* run(client, "REPLICAOF", "NO", "ONE")
        yield* TestClock.adjust("1 millis")
        expect(yield* run(client, "DBSIZE")).toEqual(Reply.one)
        expect(
          changes
            .slice(2)
            .map(({ argv }) => argv.join(" "))
            .sort(),
        ).toEqual(["DEL c", "DEL past"])
      }),
    ),
  )

  it.effect("has its master among its clients, whom no timeout ends, but CLIENT KILL", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* synced(on, {})
          expect(yield* text(client, "CLIENT", "LIST", "TYPE", "master")).toMatch(/ addr=127\.0\.0\.1:7000 .* flags=M /)
          yield* run(client, "CONFIG", "SET", "timeout", "2", "maxmemory-clients", "1mb")
          for (let i = 0; i < 5; i++) {
            yield* TestClock.adjust("1 second")
            expect(yield* text(client, "PING")).toBe("Simple")
          }
          expect(end.isClosed).toBe(false)
          expect(yield* run(client, "CLIENT", "KILL", "TYPE", "master")).toEqual(Reply.one)
          expect(end.isClosed).toBe(true)
          expect(yield* text(client, "CLIENT", "LIST", "TYPE", "master")).toBe("")
        }),
      { replTimeout: 60 },
    ),
  )

  it.effect("evicts nothing", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* synced(on, { a: "1", b: "2" })
          yield* run(client, "CONFIG", "SET", "maxmemory", "1")
          end.stream(["SET", "c", "3"])
          yield* end.settled
          expect(yield* text(client, "GET", "a")).toBe("1")
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(3))
          yield* run(client, "REPLICAOF", "NO", "ONE")
          yield* run(client, "GET", "a")
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.zero)
        }),
      { maxmemoryPolicy: "allkeys-random" },
    ),
  )

  it.effect("keeps its master's changes, a transaction as one, and tells its clients of them", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { changes, client } = on
        const end = yield* synced(on, {})
        changes.length = 0
        const subscriber = client
        yield* run(subscriber, "SUBSCRIBE", "news")
        end.stream(["SELECT", "2"], ["MULTI"], ["SET", "a", "1"], ["SET", "b", "1"], ["EXEC"], ["PUBLISH", "news", "x"])
        yield* end.settled
        expect(changes.map(({ db, argv }) => [db, ...argv])).toEqual([
          [2, "MULTI"],
          [2, "SET", "a", "1"],
          [2, "SET", "b", "1"],
          [2, "EXEC"],
        ])
        expect(yield* Effect.promise(() => subscriber.receive())).toMatchObject({
          values: [{ value: "message" }, { value: "news" }, { value: "x" }],
        })
      }),
    ),
  )

  it.effect("that becomes a master has a new history, and remembers whose it was", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client } = on
        const end = yield* synced(on, { a: "1" })
        expect(yield* run(client, "REPLICAOF", "no", "one")).toEqual(Reply.ok)
        expect(end.isClosed).toBe(true)
        expect(yield* info(client, "role")).toBe("master")
        expect(yield* info(client, "master_replid")).not.toBe(Master.id)
        expect(yield* info(client, "master_replid2")).toBe(Master.id)
        expect(yield* info(client, "second_repl_offset")).toBe("101")
        expect(yield* run(client, "SET", "a", "2")).toEqual(Reply.ok)
        yield* TestClock.adjust("10 seconds")
        expect(on.master.arrived).toEqual([])
      }),
    ),
  )

  it.effect("that becomes a master in the middle of a snapshot is empty, and keeps what changes from then on", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { changes, client } = on
        const end = yield* follow(on)
        yield* end.greet
        end.say(Master.fullSync(Master.snapshot({ a: "1", b: "2" }), 9, "length").slice(0, -12))
        while (Number((yield* info(client, "master_sync_read_bytes")) ?? 0) < 10) yield* pause
        expect(yield* role(client)).toEqual([Reply.bulk("sync"), Reply.int(-1)])
        expect(yield* text(client, "GET", "a")).toBe("LOADING Redis is loading the dataset in memory")
        end.close()
        yield* TestClock.adjust("500 millis")
        yield* run(client, "REPLICAOF", "NO", "ONE")
        expect(yield* run(client, "DBSIZE")).toEqual(Reply.zero)
        yield* run(client, "SET", "own", "1")
        expect(changes.at(-1)).toMatchObject({ argv: ["SET", "own", "1"] })
      }),
    ),
  )

  it.effect("ends the waits of clients when it becomes one", () =>
    scene((on) =>
      Effect.gen(function* () {
        const waiting = yield* connect
        waiting.send("BLPOP", "list", "0")
        yield* follow(on)
        expect(yield* Effect.promise(() => waiting.receive())).toEqual(Reply.failure(Unblocked.demoted))
        yield* Effect.promise(() => waiting.closed)
      }),
    ),
  )

  it.effect("answers REPLICAOF as redis-server does, and CONFIG shows whom it follows", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client } = on
        expect(yield* text(client, "REPLICAOF", "host", "70000")).toBe("ERR Invalid master port")
        expect(yield* text(client, "REPLICAOF", "host", "x")).toBe("ERR Invalid master port")
        expect(yield* run(client, "REPLICAOF", "host", "7000")).toEqual(Reply.ok)
        expect(yield* run(client, "SLAVEOF", "host", "7000")).toEqual(
          Reply.simple("OK Already connected to specified master"),
        )
        expect(yield* run(client, "CONFIG", "GET", "replicaof")).toMatchObject({
          values: [{ value: "replicaof" }, { value: "host 7000" }],
        })
        expect(yield* text(client, "CONFIG", "SET", "replicaof", "host 1")).toMatch(/can't set immutable config/)
      }),
    ),
  )
})
