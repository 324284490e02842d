/**
 * MIGRATE, to a server in memory and to one that the test plays: what is sent, what becomes of the keys when the other server refuses, is
 * silent or leaves, and what others can do meanwhile. Time is virtual.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { layerConnectorTo, MemoryConnector } from "../src/socket/MemorySocket.ts"
import { settle } from "./support/Connections.ts"
import { text } from "./support/FollowingScene.ts"
import * as Played from "./support/ScriptedMaster.ts"
import { atStartTime, connect, makeClient, run, type TestClient, testSettings } from "./support/TestServer.ts"

interface Scene {
  readonly client: TestClient
  readonly target: ReturnType<typeof Played.make>
  readonly changes: Array<Change>
}

/** A server with the keys a, b and c, whose connections go to the test. */
const scene = (body: (scene: Scene) => Effect.Effect<void, never, MemoryConnector>): Effect.Effect<void, unknown> => {
  const target = Played.make()
  const changes: Array<Change> = []
  const server = Server.layerTest(testSettings, {
    connector: target.layer,
    persistence: Persistence.layerMemory(changes),
  })
  return Effect.gen(function* () {
    const client = yield* connect
    yield* run(client, "MSET", "a", "1", "b", "2", "c", "3")
    changes.length = 0
    yield* body({ client, target, changes })
  }).pipe(Effect.provide(server), atStartTime)
}

const migrate = (client: TestClient, ...options: ReadonlyArray<string>) =>
  client.send("MIGRATE", "target.example", "7000", "", "3", "1000", ...options)
const answer = (client: TestClient) =>
  Effect.map(
    Effect.promise(() => client.receive()),
    (reply) => (reply._tag === "Failure" ? `${reply.code} ${reply.message}` : "value" in reply ? reply.value : reply),
  )
const keys = (client: TestClient) =>
  Effect.map(run(client, "KEYS", "*"), (reply) =>
    reply._tag === "Array" ? reply.values.map((key) => ("value" in key ? key.value : undefined)).sort() : [],
  )
/** The next connection, and so many of its requests: name, key and options of each. */
const requests = (end: Played.MasterEnd, count: number) =>
  Effect.map(Effect.all(Array.from({ length: count }, () => end.request)), (all) =>
    all.map(([name, key, ttl, , ...options]) =>
      [name, key, ttl, ...options].filter((word) => word !== undefined).join(" "),
    ),
  )

describe("MIGRATE", () => {
  it.effect("brings keys of every kind to another server, with their deadlines, and deletes them here", () =>
    Effect.gen(function* () {
      const other = yield* Layer.build(Server.layerTest(testSettings))
      const connector = Context.get(other, MemoryConnector)
      const there = makeClient(connector.connect())
      const changes: Array<Change> = []
      const layer = Server.layerTest(testSettings, {
        connector: layerConnectorTo(connector),
        persistence: Persistence.layerMemory(changes),
      })
      yield* Effect.gen(function* () {
        const client = yield* connect
        yield* run(client, "SET", "text", "value", "PX", "5000")
        yield* run(client, "RPUSH", "list", "a", "b")
        yield* run(client, "HSET", "hash", "f", "1")
        changes.length = 0
        expect(yield* text(client, "MIGRATE", "h", "1", "", "3", "1000", "KEYS", "text", "none", "list")).toBe("Simple")
        expect(yield* text(client, "MIGRATE", "h", "1", "hash", "3", "1000", "COPY")).toBe("Simple")
        expect(yield* keys(client)).toEqual(["hash"])
        expect(changes).toEqual([{ db: 0, argv: ["DEL", "text", "list"] }])
        yield* run(there, "SELECT", "3")
        expect(yield* keys(there)).toEqual(["hash", "list", "text"])
        expect(yield* run(there, "PTTL", "text")).toEqual({ _tag: "Int", value: 5000 })
        expect(yield* run(there, "LRANGE", "list", "0", "-1")).toMatchObject({
          values: [{ value: "a" }, { value: "b" }],
        })
        // One connection did, and goes after some seconds.
        expect(yield* text(client, "INFO", "stats")).toContain("migrate_cached_sockets:1\r\n")
        yield* TestClock.adjust("10 seconds")
        expect(yield* text(client, "INFO", "stats")).toContain("migrate_cached_sockets:1\r\n")
        yield* TestClock.adjust("2 seconds")
        expect(yield* text(client, "INFO", "stats")).toContain("migrate_cached_sockets:0\r\n")
        expect(yield* text(there, "CLIENT", "LIST")).not.toContain("cmd=restore")
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped, atStartTime),
  )

  it.effect("says who it is and which database is meant before it sends anything, and what it was asked for", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        yield* run(client, "PEXPIRE", "b", "900")
        migrate(client, "REPLACE", "AUTH2", "mover", "secret", "KEYS", "a", "b")
        const end = yield* target.connection
        expect(yield* requests(end, 1)).toEqual(["AUTH mover secret"])
        yield* TestClock.adjust("400 millis")
        end.say("+OK\r\n")
        expect(yield* requests(end, 1)).toEqual(["SELECT 3"])
        end.say("+OK\r\n")
        expect(yield* requests(end, 2)).toEqual(["RESTORE a 0 REPLACE", "RESTORE b 500 REPLACE"])
        end.say("+OK\r\n+O", "K\r\n")
        expect(yield* answer(client)).toBe("OK")
        // The database is known now, and the password asked for each time.
        migrate(client, "AUTH", "secret", "KEYS", "c")
        expect(yield* requests(end, 1)).toEqual(["AUTH secret"])
        end.say("+OK\r\n")
        expect(yield* requests(end, 1)).toEqual(["RESTORE c 0"])
        end.say("+OK\r\n")
        expect(yield* answer(client)).toBe("OK")
        expect(target.arrived).toEqual([])
      }),
    ),
  )

  it.effect("sends no key to a server that refuses password or database", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        migrate(client, "AUTH", "wrong", "KEYS", "a")
        const end = yield* target.connection
        yield* end.request
        end.say("-WRONGPASS no\r\n")
        expect(yield* answer(client)).toBe("ERR Target instance replied with error: WRONGPASS no")
        migrate(client, "KEYS", "a")
        expect(yield* requests(end, 1)).toEqual(["SELECT 3"])
        end.say("-ERR DB index is out of range\r\n")
        expect(yield* answer(client)).toBe("ERR Target instance replied with error: ERR DB index is out of range")
        expect(yield* keys(client)).toEqual(["a", "b", "c"])
      }),
    ),
  )

  it.effect("deletes just the keys that were acknowledged, and tells the first refusal", () =>
    scene(({ client, changes, target }) =>
      Effect.gen(function* () {
        migrate(client, "KEYS", "a", "b", "c")
        const end = yield* target.connection
        end.say("+OK\r\n+OK\r\n-BUSYKEY it is there\r\n+OK\r\n")
        expect(yield* answer(client)).toBe("ERR Target instance replied with error: BUSYKEY it is there")
        expect(yield* keys(client)).toEqual(["b"])
        expect(changes).toEqual([{ db: 0, argv: ["DEL", "a", "c"] }])
      }),
    ),
  )

  it.effect("keeps what was not acknowledged when the other server is silent, leaves, or is no Redis", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        migrate(client, "KEYS", "a", "b", "c")
        const silent = yield* target.connection
        silent.say("+OK\r\n+OK\r\n")
        yield* requests(silent, 4)
        yield* TestClock.adjust("999 millis")
        expect(client.arrived()).toEqual([])
        yield* TestClock.adjust("1 millis")
        expect(yield* answer(client)).toBe("IOERR error or timeout reading to target instance")
        expect(silent.isClosed).toBe(true)
        expect(yield* keys(client)).toEqual(["b", "c"])
        migrate(client, "KEYS", "b", "c")
        const leaving = yield* target.connection
        leaving.say("+OK\r\n+OK\r\n")
        yield* requests(leaving, 3)
        leaving.close()
        expect(yield* answer(client)).toBe("IOERR error or timeout reading to target instance")
        expect(yield* keys(client)).toEqual(["c"])
        migrate(client, "KEYS", "c")
        const web = yield* target.connection
        web.say("HTTP/1.1 400 Bad Request\r\n\r\n")
        expect(yield* answer(client)).toBe("IOERR error or timeout reading to target instance")
        expect(yield* keys(client)).toEqual(["c"])
      }),
    ),
  )

  it.effect("waits as long as what it has sent is being taken", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        migrate(client, "KEYS", "a")
        const end = yield* target.connection
        end.queuedBytes = 3000
        end.say("+OK\r\n")
        yield* requests(end, 2)
        for (const left of [2000, 1000]) {
          end.queuedBytes = left
          yield* TestClock.adjust("1 seconds")
          expect(client.arrived()).toEqual([])
        }
        yield* TestClock.adjust("1 seconds")
        expect(yield* answer(client)).toBe("IOERR error or timeout writing to target instance")
        expect(yield* keys(client)).toEqual(["a", "b", "c"])
      }),
    ),
  )

  it.effect("tells who cannot be reached", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        target.refuse("its name is not known")
        migrate(client, "KEYS", "a")
        expect(yield* answer(client)).toBe("IOERR error or timeout connecting to the client")
        expect(yield* keys(client)).toEqual(["a", "b", "c"])
      }),
    ),
  )

  it.effect("makes a new connection where the kept one has been closed meanwhile", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        migrate(client, "KEYS", "a")
        const first = yield* target.connection
        first.say("+OK\r\n+OK\r\n")
        expect(yield* answer(client)).toBe("OK")
        first.close()
        migrate(client, "KEYS", "b")
        const second = yield* target.connection
        second.say("+OK\r\n+OK\r\n")
        expect(yield* answer(client)).toBe("OK")
        // It is closed as the next request comes.
        migrate(client, "KEYS", "c")
        yield* requests(second, 3)
        second.close()
        const third = yield* target.connection
        expect(yield* requests(third, 1)).toEqual(["SELECT 3"])
        third.say("+OK\r\n+OK\r\n")
        expect(yield* answer(client)).toBe("OK")
        expect(yield* keys(client)).toEqual([])
      }),
    ),
  )

  it.effect("holds back writes and no reads until the keys are gone, whatever CLIENT UNPAUSE says", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        const other = yield* connect
        const writer = yield* connect
        migrate(client, "KEYS", "a")
        const end = yield* target.connection
        yield* end.request
        writer.send("APPEND", "a", "later")
        expect(yield* text(other, "GET", "a")).toBe("1")
        yield* run(other, "CLIENT", "UNPAUSE")
        yield* settle
        expect(writer.arrived()).toEqual([])
        end.say("+OK\r\n+OK\r\n")
        expect(yield* answer(client)).toBe("OK")
        expect(yield* answer(writer)).toBe(5)
        expect(yield* text(other, "GET", "a")).toBe("later")
      }),
    ),
  )

  it.effect("holds back nobody where the keys stay", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        const other = yield* connect
        migrate(client, "COPY", "KEYS", "a")
        const end = yield* target.connection
        yield* run(other, "SET", "a", "later")
        migrate(other, "COPY", "KEYS", "b")
        const second = yield* target.connection
        end.say("+OK\r\n+OK\r\n")
        second.say("+OK\r\n+OK\r\n")
        expect(yield* answer(client)).toBe("OK")
        expect(yield* answer(other)).toBe("OK")
        expect(yield* keys(client)).toEqual(["a", "b", "c"])
        expect(yield* text(client, "INFO", "stats")).toContain("migrate_cached_sockets:1\r\n")
      }),
    ),
  )

  it.effect("comes to its end when its client leaves", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        const other = yield* connect
        migrate(client, "KEYS", "a", "b")
        const end = yield* target.connection
        client.destroy()
        other.send("SET", "d", "4")
        end.say("+OK\r\n+OK\r\n+OK\r\n")
        expect(yield* answer(other)).toBe("OK")
        expect(yield* keys(other)).toEqual(["c", "d"])
      }),
    ),
  )

  it.effect("ends with the server", () =>
    Effect.gen(function* () {
      let end: Played.MasterEnd | undefined
      yield* scene(({ client, target }) =>
        Effect.gen(function* () {
          migrate(client, "KEYS", "a")
          end = yield* target.connection
          yield* end.request
        }),
      )
      expect(end?.isClosed).toBe(true)
    }),
  )

  it.effect("deletes nothing once another server's data is here", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        const other = yield* connect
        migrate(client, "KEYS", "a")
        const end = yield* target.connection
        yield* run(other, "REPLICAOF", "master.example", "7000")
        end.say("+OK\r\n+OK\r\n")
        expect(yield* answer(client)).toMatch(/^UNBLOCKED /)
        expect(yield* keys(other)).toEqual(["a", "b", "c"])
      }),
    ),
  )

  it.effect("cannot wait inside of a transaction or a script, which go on", () =>
    scene(({ client, target }) =>
      Effect.gen(function* () {
        yield* run(client, "MULTI")
        migrate(client, "KEYS", "a")
        yield* answer(client)
        yield* run(client, "SET", "b", "later")
        expect(yield* run(client, "EXEC")).toMatchObject({
          values: [{ message: "MIGRATE cannot wait inside of a transaction or a script" }, { value: "OK" }],
        })
        const script = "return redis.pcall('MIGRATE', 'h', '7000', 'a', '0', '1000').err"
        expect(yield* text(client, "EVAL", script, "0")).toContain("MIGRATE cannot wait inside of")
        expect(yield* text(client, "GET", "b")).toBe("later")
        expect(yield* keys(client)).toEqual(["a", "b", "c"])
        expect(target.arrived).toEqual([])
      }),
    ),
  )

  it.effect("shows no password to others", () =>
    scene(({ client }) =>
      Effect.gen(function* () {
        const monitor = yield* connect
        yield* run(monitor, "MONITOR")
        const shown = (...options: ReadonlyArray<string>) =>
          Effect.gen(function* () {
            yield* run(client, "MIGRATE", "h", "1", "", "0", "1000", ...options)
            return String(yield* answer(monitor)).replace(/^.*"1000" /, "")
          })
        expect(yield* shown("AUTH", "secret", "KEYS", "x", "auth", "y")).toBe(
          '"AUTH" "(redacted)" "KEYS" "x" "auth" "y"',
        )
        expect(yield* shown("copy", "auth2", "user", "secret")).toBe('"copy" "auth2" "(redacted)" "(redacted)"')
        expect(yield* shown("AUTH", "AUTH2", "REPLACE")).toBe('"AUTH" "(redacted)" "REPLACE"')
        expect(yield* shown("AUTH2", "user")).toBe('"AUTH2" "user"')
      }),
    ),
  )
})
