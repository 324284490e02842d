/** A server that follows a master, as its clients see it: what it refuses, what it shows, and what becomes of it when it no longer follows. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { pause } from "../src/clock/EventLoop.ts"
import * as Reply from "../src/codec/Reply.ts"
import { Unblocked } from "../src/errors/DispatchErrors.ts"
import * as Master from "./support/ScriptedMaster.ts"
import { connect, run, startTimeMs } from "./support/TestServer.ts"
import { scene, follow, synced, text, info, role } from "./support/FollowingScene.ts"

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
        yield* run(client, "CONFIG", "SET", "replica-read-only", "yes")
        // A master before Redis 7 says scripts as they came.
        end.stream(["EVAL", "return redis.call('set', 'a', ARGV[1])", "0", "4"])
        yield* end.settled
        expect(yield* text(client, "GET", "a")).toBe("4")
      }),
    ),
  )

  it.effect("refuses to queue or run scripts that say they write", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client } = on
        const readOnly = "READONLY You can't write against a read only replica."
        const queueing = yield* connect
        yield* run(queueing, "MULTI")
        yield* run(queueing, "EVAL", "#!lua\nreturn 1", "0")
        yield* synced(on, { a: "1" })
        yield* run(client, "MULTI")
        expect(yield* text(client, "EVAL", "return redis.call('get','a')", "0")).toBe("Simple")
        expect(yield* text(client, "EVAL", "#!lua flags=no-writes\nreturn 1", "0")).toBe("Simple")
        expect(yield* text(client, "EVAL", "#!lua\nreturn 1", "0")).toBe(readOnly)
        expect(yield* text(client, "EXEC")).toBe("EXECABORT Transaction discarded because of previous errors.")
        expect(yield* text(queueing, "EXEC")).toBe(`EXECABORT Transaction discarded because of: ${readOnly}`)
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

  it.effect("removes what its own clients gave a deadline", () =>
    scene(
      (on) =>
        Effect.gen(function* () {
          const { client } = on
          const end = yield* synced(on, { a: "1" })
          yield* run(client, "SELECT", "5")
          end.stream(["SELECT", "5"], ["SET", "theirs", "1", "PXAT", String(startTimeMs + 3000)])
          yield* end.settled
          yield* run(client, "SET", "ours", "1", "PX", "5000")
          yield* run(client, "SET", "longer", "1", "PX", "5000")
          yield* run(client, "PEXPIRE", "longer", "7000")
          yield* TestClock.adjust("4999 millis")
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(3))
          yield* TestClock.adjust("1 millis")
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(2))
          yield* TestClock.adjust("2 seconds")
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.one)
          // Nobody sees it, but it is there.
          expect(yield* text(client, "DEBUG", "OBJECT", "theirs")).toBe("Simple")
          expect(yield* text(client, "OBJECT", "ENCODING", "theirs")).toBe("Nil")
        }),
      { replicaReadOnly: false },
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
    scene(
      (on) =>
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
      { replDisklessLoad: "on-empty-db" },
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
