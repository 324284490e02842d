/**
 * This server as a master, seen by a replica that is a test: what is sent when, who may go on from where it was, and what happens
 * when nothing is heard of a replica, or it does not take what is sent.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import { Clients } from "../src/command/Clients.ts"
import { request, select } from "../src/persistence/log/LogText.ts"
import { MemoryConnector } from "../src/socket/MemorySocket.ts"
import { Shutdown } from "../src/command/Shutdown.ts"
import * as Farewell from "../src/replication/Farewell.ts"
import { connect, layer, run, withServer, type TestClient } from "./support/TestServer.ts"

const settings = { replDisklessSyncDelay: 0 } as const

/** The other end of a replica's connection. */
const attach = (...requests: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.map(MemoryConnector, (connector) => {
    const peer = connector.connect()
    let received = ""
    let closed = false
    peer.onData((bytes) => {
      received += bytes
    })
    peer.onClosed(() => {
      closed = true
    })
    const send = (...argv: ReadonlyArray<string>) => peer.write(request(argv))
    for (const argv of requests) send(...argv)
    return {
      send,
      peer,
      isClosed: () => closed,
      received: () => received,
      /** What has come since the last time. */
      take: () => {
        const taken = received
        received = ""
        return taken
      },
    }
  })
type Peer = Effect.Effect.Success<ReturnType<typeof attach>>

/** Some turns of the event loop, in which what does not wait for time is done. */
const turns = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
})
const seconds = (count: number) => Effect.zipRight(TestClock.adjust(`${count} seconds`), turns)

/** A replica that has taken its snapshot. */
const online = Effect.gen(function* () {
  const replica = yield* attach(["REPLCONF", "listening-port", "7000", "capa", "eof", "capa", "psync2"])
  replica.take()
  replica.send("PSYNC", "?", "-1")
  yield* turns
  const { id, offset } = fullResync(replica)
  replica.take()
  replica.send("REPLCONF", "ACK", String(offset))
  return { ...replica, id, offset }
})

const fullResync = (replica: Peer) => {
  const [, id, offset] = /^\n*\+FULLRESYNC ([0-9a-f]{40}) (\d+)\r\n/.exec(replica.received())!
  return { id: id!, offset: Number(offset) }
}

const text = (reply: Reply.Reply): string => (reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : "")
const info = (client: TestClient, section: string) => Effect.map(run(client, "INFO", section), text)
const field = (client: TestClient, section: string, name: string) =>
  Effect.map(info(client, section), (found) => new RegExp(`^${name}:(.*)\r$`, "m").exec(found)?.[1])

describe("a snapshot", () => {
  it.effect("comes with its length where the replica knows of no mark, and the stream behind it", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "before")
          const replica = yield* attach(["PSYNC", "?", "-1"])
          yield* turns
          const { offset } = fullResync(replica)
          expect(offset).toBe(0)
          const [head, length] = /^\+FULLRESYNC \w+ 0\r\n\$(\d+)\r\n/.exec(replica.received())!
          expect(replica.received().slice(head.length)).toHaveLength(Number(length))
          expect(replica.take()).toContain("before")
          yield* run(client, "SET", "k", "after")
          expect(replica.take()).toBe(select(0) + request(["SET", "k", "after"]))
        }),
      settings,
    ),
  )

  it.effect("ends with a mark, and what follows waits until the replica has acknowledged it", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* attach(["REPLCONF", "capa", "eof"])
          replica.take()
          replica.send("PSYNC", "?", "-1")
          yield* turns
          const [head, mark] = /^\+FULLRESYNC \w+ 0\r\n\$EOF:([0-9a-f]{40})\r\n/.exec(replica.received())!
          expect(replica.take().slice(head.length)).toMatch(new RegExp(`^REDIS[^]*${mark}$`))
          yield* run(client, "SET", "k", "v")
          yield* run(client, "DEL", "k")
          expect(replica.take()).toBe("")
          replica.send("REPLCONF", "ACK", "0")
          const stream = select(0) + request(["SET", "k", "v"]) + request(["DEL", "k"])
          expect(replica.take()).toBe(stream)
          yield* run(client, "SET", "k", "w")
          expect(replica.take()).toBe(request(["SET", "k", "w"]))
          expect(yield* field(client, "replication", "master_repl_offset")).toBe(
            String(stream.length + request(["SET", "k", "w"]).length),
          )
        }),
      settings,
    ),
  )

  it.effect("is of one instant, however slowly it is taken, and what changed meanwhile follows", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const value = (i: number, word: string) => `${word}:${i}:${"x".repeat(30_000)}`
          for (let i = 0; i < 80; i++) yield* run(client, "SET", `k${i}`, value(i, "old"))
          const replica = yield* attach(["PSYNC", "?", "-1"])
          replica.peer.setPaused(true)
          yield* turns
          for (let i = 0; i < 80; i++) yield* run(client, "SET", `k${i}`, value(i, "new"))
          expect(text(yield* run(client, "INFO", "replication"))).toContain("state=send_bulk")
          replica.peer.setPaused(false)
          for (let i = 0; i < 20; i++) yield* turns
          const [snapshot, stream] = [replica.received(), replica.received().indexOf(request(["SELECT", "0"]))]
          expect(stream).toBeGreaterThan(0)
          const before = snapshot.slice(0, stream)
          expect(before.includes("new:")).toBe(false)
          for (let i = 0; i < 80; i++) expect(before.includes(`old:${i}:`)).toBe(true)
          expect(snapshot.slice(stream)).toBe(
            select(0) + Array.from({ length: 80 }, (_, i) => request(["SET", `k${i}`, value(i, "new")])).join(""),
          )
        }),
      { ...settings, rdbcompression: false },
    ),
  )

  it.effect("waits for others who want one, and all get the same", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const first = yield* attach(["REPLCONF", "capa", "eof"])
          first.take()
          first.send("PSYNC", "?", "-1")
          yield* seconds(3)
          // Signs of life.
          expect(first.take()).toMatch(/^\n+$/)
          const second = yield* attach(["REPLCONF", "capa", "eof"])
          second.take()
          second.send("PSYNC", "?", "-1")
          yield* turns
          expect(text(yield* run(client, "INFO", "replication"))).toMatch(/slave1:.*state=wait_bgsave/)
          yield* seconds(2)
          expect(second.take().trimStart()).toBe(first.take().trimStart())
          // A third one alone would wait again, but so many are enough.
          yield* run(client, "CONFIG", "SET", "repl-diskless-sync-max-replicas", "1")
          const third = yield* attach(["REPLCONF", "capa", "eof"])
          third.take()
          third.send("PSYNC", "?", "-1")
          yield* turns
          expect(third.take()).toMatch(/^\+FULLRESYNC/)
        }),
      { replDisklessSyncDelay: 5 },
    ),
  )

  it.effect("is given up where all keys go at once: the replica has to ask again", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          for (let i = 0; i < 100; i++) yield* run(client, "SET", `k${i}`, `${i}`.repeat(20_000))
          yield* run(client, "CONFIG", "SET", "rdbcompression", "no")
          const replica = yield* attach(["REPLCONF", "capa", "eof"])
          replica.peer.setPaused(true)
          replica.send("PSYNC", "?", "-1")
          yield* turns
          yield* run(client, "FLUSHALL")
          replica.peer.setPaused(false)
          yield* turns
          expect(replica.isClosed()).toBe(true)
          expect(yield* field(client, "replication", "connected_slaves")).toBe("0")
        }),
      settings,
    ),
  )

  it.effect("is sent to its end where it is all that is wanted, however slowly it is taken", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          for (let i = 0; i < 20; i++) yield* run(client, "SET", `k${i}`, "x".repeat(30_000))
          const replica = yield* attach(["REPLCONF", "capa", "eof", "rdb-only", "1"])
          replica.take()
          replica.send("SYNC")
          replica.peer.setPaused(true)
          yield* turns
          expect(replica.isClosed()).toBe(false)
          replica.peer.setPaused(false)
          const [, mark] = /^\$EOF:([0-9a-f]{40})\r\n/.exec(replica.received())!
          expect([replica.received().endsWith(mark!), replica.isClosed()]).toEqual([true, true])
        }),
      { ...settings, rdbcompression: false },
    ),
  )

  it.effect("is all that some want: of functions alone, too", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "the key", "v")
          yield* run(
            client,
            "FUNCTION",
            "LOAD",
            "#!lua name=numbers\nredis.register_function('seven', function() return 7 end)",
          )
          const replica = yield* attach(["REPLCONF", "rdb-only", "1", "rdb-filter-only", "functions"], ["PING"])
          expect(replica.take()).toBe("+OK\r\n+PONG\r\n")
          replica.send("SYNC")
          yield* turns
          expect(replica.received()).toMatch(/^\$\d+\r\nREDIS/)
          expect(replica.received()).toContain("seven")
          expect(replica.received()).not.toContain("the key")
          expect(replica.isClosed()).toBe(true)
        }),
      settings,
    ),
  )
})

describe("a link that broke", () => {
  it.effect("goes on behind the byte that the replica has", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          yield* run(client, "SET", "a", "1")
          const had = replica.take().length
          replica.peer.destroy()
          yield* run(client, "SET", "b", "2")
          const again = yield* attach(["REPLCONF", "capa", "psync2"])
          again.take()
          again.send("PSYNC", replica.id.toUpperCase(), String(replica.offset + had + 1))
          expect(again.take()).toBe(`+CONTINUE ${replica.id}\r\n` + request(["SET", "b", "2"]))
          // One that does not know of names that change is not told the name.
          const old = yield* attach(["PSYNC", replica.id, String(replica.offset + 1)])
          expect(old.take()).toBe("+CONTINUE\r\n" + select(0) + request(["SET", "a", "1"]) + request(["SET", "b", "2"]))
          yield* run(client, "SET", "c", "3")
          expect([again.take(), old.take()]).toEqual([request(["SET", "c", "3"]), request(["SET", "c", "3"])])
          expect(yield* field(client, "stats", "sync_partial_ok")).toBe("2")
        }),
      settings,
    ),
  )

  it.effect("needs a snapshot where the history is another one, lies ahead, or is not kept so far back", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          for (let i = 0; i < 20; i++) yield* run(client, "SET", "k", "v".repeat(1000))
          const end = Number(yield* field(client, "replication", "master_repl_offset"))
          for (const [id, offset] of [
            ["0123456789".repeat(4), end],
            [replica.id, end + 2],
            [replica.id, 1],
            [replica.id, -1],
          ] as const) {
            const again = yield* attach(["PSYNC", id, String(offset)])
            yield* turns
            expect(fullResync(again)).toEqual({ id: replica.id, offset: end })
            again.peer.destroy()
          }
          expect(yield* field(client, "stats", "sync_partial_err")).toBe("4")
        }),
      { ...settings, replBacklogSize: 16384 },
    ),
  )

  it.effect("can go on as long as the backlog is kept", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          replica.peer.destroy()
          yield* seconds(99)
          expect(yield* field(client, "replication", "repl_backlog_active")).toBe("1")
          yield* seconds(5)
          expect(yield* field(client, "replication", "repl_backlog_active")).toBe("0")
          const again = yield* attach(["PSYNC", replica.id, String(replica.offset + 1)])
          yield* turns
          expect(fullResync(again).id).not.toBe(replica.id)
        }),
      { ...settings, replBacklogTtl: 100 },
    ),
  )

  it.effect("the backlog's time begins when a replica becomes a master", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          replica.peer.destroy()
          yield* turns
          yield* run(client, "REPLICAOF", "127.0.0.1", "1")
          yield* seconds(200)
          yield* run(client, "REPLICAOF", "NO", "ONE")
          yield* seconds(99)
          expect(yield* field(client, "replication", "repl_backlog_active")).toBe("1")
          const again = yield* attach(["REPLCONF", "capa", "psync2"])
          again.take()
          again.send("PSYNC", replica.id, String(replica.offset + 1))
          yield* turns
          expect(again.received()).toMatch(/^\+CONTINUE /)
        }),
      { ...settings, replBacklogTtl: 100 },
    ),
  )
})

describe("the stream", () => {
  it.effect("has what a script asks for, what is published, and keys whose time has come", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          const script = [
            "redis.set_repl(redis.REPL_REPLICA) redis.call('set', 'replica', '1')",
            "redis.set_repl(redis.REPL_AOF) redis.call('set', 'log', '1')",
            "redis.set_repl(redis.REPL_NONE) redis.call('set', 'none', '1') redis.call('publish', 'c', 'unheard')",
            "redis.set_repl(redis.REPL_ALL) redis.call('set', 'all', '1') redis.call('publish', 'c', 'm')",
          ].join(" ")
          yield* run(client, "EVAL", script, "0")
          expect(replica.take()).toBe(
            select(0) +
              [["MULTI"], ["set", "replica", "1"], ["set", "all", "1"], ["publish", "c", "m"], ["EXEC"]]
                .map(request)
                .join(""),
          )
          yield* run(client, "PUBLISH", "c", "m")
          yield* run(client, "SPUBLISH", "c", "m")
          expect(replica.take()).toBe(request(["PUBLISH", "c", "m"]) + request(["SPUBLISH", "c", "m"]))
          yield* run(client, "SET", "k", "v", "PX", "100")
          yield* run(client, "GET", "k")
          expect(replica.take()).toMatch(/PXAT/)
          yield* seconds(1)
          expect(replica.take()).toBe(request(["DEL", "k"]))
          yield* run(client, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
          expect(replica.take()).toMatch(/^\*3\r\n\$8\r\nFUNCTION\r\n\$4\r\nLOAD/)
          yield* run(client, "SELECT", "2")
          yield* run(client, "SPOP", "nothing")
          yield* run(client, "SADD", "set", "only")
          yield* run(client, "SPOP", "set")
          expect(replica.take()).toBe(select(2) + request(["SADD", "set", "only"]) + request(["SREM", "set", "only"]))
        }),
      settings,
    ),
  )

  it.effect("has a sign of life every ten seconds; a replica that gives none is given up after sixty", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          const silent = yield* online
          replica.take()
          for (let i = 0; i < 6; i++) {
            yield* seconds(10)
            replica.send("REPLCONF", "ACK", "100")
          }
          expect(replica.take()).toBe(request(["PING"]).repeat(6))
          expect(text(yield* run(client, "INFO", "replication"))).toMatch(/slave1:.*lag=60\r/)
          yield* seconds(2)
          expect([replica.isClosed(), silent.isClosed()]).toEqual([false, true])
          expect(text(yield* run(client, "INFO", "replication"))).toContain(
            "connected_slaves:1\r\nslave0:ip=127.0.0.1,port=7000,state=online,offset=100,lag=2\r\n",
          )
          expect(yield* run(client, "ROLE")).toMatchObject({
            values: [
              { value: "master" },
              { value: 84 },
              { values: [{ values: ["127.0.0.1", "7000", "100"].map((value) => ({ value })) }] },
            ],
          })
        }),
      settings,
    ),
  )

  it.effect("ends for a replica that leaves too much unread, also of what is kept for it", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "CONFIG", "SET", "client-output-buffer-limit", "replica 10kb 0 0")
          const reading = yield* online
          const slow = yield* online
          slow.peer.setPaused(true)
          const waiting = yield* attach(["REPLCONF", "capa", "eof"])
          waiting.take()
          waiting.send("PSYNC", "?", "-1")
          yield* turns
          for (let i = 0; i < 9; i++) yield* run(client, "SET", "k", "v".repeat(10_000))
          yield* turns
          const closed = () => [reading, slow, waiting].map(({ isClosed }) => isClosed())
          expect(closed()).toEqual([false, false, false])
          expect(Number(yield* field(client, "memory", "mem_total_replication_buffers"))).toBeGreaterThan(180_000)
          for (let i = 0; i < 9; i++) yield* run(client, "SET", "k", "v".repeat(10_000))
          yield* turns
          expect(closed()).toEqual([false, true, true])
          expect(yield* field(client, "stats", "client_output_buffer_limit_disconnections")).toBe("2")
        }),
      // What the backlog holds is never too much.
      { ...settings, replBacklogSize: 100_000 },
    ),
  )
})

describe("a replica", () => {
  it.effect("is a client of its own kind, and one that asks for something is none", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          expect(text(yield* run(client, "CLIENT", "LIST", "TYPE", "replica"))).toMatch(/ flags=S .* cmd=replconf /)
          expect(text(yield* run(client, "CLIENT", "LIST", "TYPE", "normal"))).not.toContain("flags=S")
          expect(yield* field(client, "clients", "connected_clients")).toBe("1")
          replica.send("PSYNC", "?", "-1")
          replica.send("SYNC")
          replica.send("REPLCONF", "GETACK", "*")
          expect([replica.take(), replica.isClosed()]).toEqual(["", false])
          yield* run(client, "CLIENT", "PAUSE", "10000", "ALL")
          yield* seconds(9)
          replica.send("REPLCONF", "ACK", "7")
          yield* seconds(1)
          expect(text(yield* run(client, "INFO", "replication"))).toContain("offset=7,lag=1\r")
          for (const argv of [["GET", "k"], ["SUBSCRIBE", "c"], ["RESET"], ["CLIENT", "REPLY", "ON"], ["no such"]]) {
            const asking = yield* online
            asking.send(...argv)
            expect([argv, asking.take(), asking.isClosed()]).toEqual([argv, "", true])
          }
          const other = yield* online
          expect(yield* run(client, "CLIENT", "KILL", "TYPE", "SLAVE")).toMatchObject({ value: 2 })
          expect(other.isClosed()).toBe(true)
        }),
      settings,
    ),
  )

  it.effect("is known to have taken what the system took at once", () =>
    withServer(
      () =>
        Effect.gen(function* () {
          yield* online
          const clients = yield* Clients
          const { outbox } = [...clients.byId.values()].find(({ replica }) => replica !== undefined)!
          let drained = 0
          outbox.onDrained(() => drained++)
          outbox.push(Reply.raw("x".repeat(2 * 1024 * 1024)))
          expect([outbox.queuedBytes(), drained]).toEqual([2 * 1024 * 1024, 0])
          yield* turns
          expect([outbox.queuedBytes(), drained]).toEqual([0, 1])
        }),
      settings,
    ),
  )

  it.effect("cannot be one whose connection has answers outstanding", () =>
    withServer(() =>
      Effect.gen(function* () {
        const replica = yield* attach()
        replica.peer.write(request(["PING"]) + request(["PSYNC", "?", "-1"]))
        expect(replica.take()).toBe("+PONG\r\n-ERR SYNC and PSYNC are invalid with pending output\r\n")
      }),
    ),
  )
})

describe("WAIT", () => {
  it.effect("asks the replicas, and tells how many have what the client changed", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const first = yield* online
          const second = yield* online
          yield* run(client, "SET", "k", "v")
          const end = Number(yield* field(client, "replication", "master_repl_offset"))
          const waited = client.run("WAIT", "2", "1000")
          yield* turns
          expect(first.take()).toContain(request(["REPLCONF", "GETACK", "*"]))
          first.send("REPLCONF", "ACK", String(end))
          second.send("REPLCONF", "ACK", String(end - 1))
          yield* turns
          expect(client.arrived()).toEqual([])
          second.send("REPLCONF", "ACK", String(end))
          expect(yield* Effect.promise(() => waited)).toMatchObject({ value: 2 })
          // Nothing has changed since.
          expect(yield* run(client, "WAIT", "2", "0")).toMatchObject({ value: 2 })
          yield* run(client, "SET", "k", "w")
          const late = client.run("WAIT", "2", "1000")
          yield* turns
          first.send("REPLCONF", "ACK", String(end + 100))
          yield* seconds(1)
          expect(yield* Effect.promise(() => late)).toMatchObject({ value: 1 })
        }),
      settings,
    ),
  )

  it.effect("WAITAOF asks for what they have on their disks, which those since 7.2 tell", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          yield* run(client, "SET", "k", "v")
          const end = yield* field(client, "replication", "master_repl_offset")
          const waited = client.run("WAITAOF", "0", "1", "0")
          yield* turns
          replica.send("REPLCONF", "ACK", String(end))
          yield* turns
          expect(client.arrived()).toEqual([])
          replica.send("REPLCONF", "ACK", String(end), "FACK", String(end))
          expect(yield* Effect.promise(() => waited)).toMatchObject({ values: [{ value: 0 }, { value: 1 }] })
        }),
      settings,
    ),
  )

  it.effect("tells at once in a transaction", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* online
          yield* run(client, "MULTI")
          yield* run(client, "SET", "k", "v")
          yield* run(client, "WAIT", "1", "0")
          expect(yield* run(client, "EXEC")).toMatchObject({ values: [{ value: "OK" }, { value: 1 }] })
        }),
      settings,
    ),
  )
})

describe("SHUTDOWN", () => {
  const stopping = (client: TestClient, ...words: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { requested } = yield* Shutdown
      let stopped = false
      yield* Effect.fork(Effect.map(requested, () => (stopped = true)))
      const { id: _, ...replica } = yield* online
      yield* run(client, "SET", "k", "v")
      replica.take()
      client.send("SHUTDOWN", "NOSAVE", ...words)
      yield* turns
      return { replica, isStopped: () => stopped }
    })

  it.effect("waits until replicas have everything, and nothing is written meanwhile", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const { replica, isStopped } = yield* stopping(client)
          const other = yield* connect
          other.send("SET", "k", "w")
          expect(
            yield* Effect.map(connect, (third) => third.run("GET", "k")).pipe(
              Effect.flatMap((got) => Effect.promise(() => got)),
            ),
          ).toMatchObject({ value: "v" })
          expect([isStopped(), other.arrived()]).toEqual([false, []])
          expect(replica.take()).toBe(request(["REPLCONF", "GETACK", "*"]))
          replica.send("REPLCONF", "ACK", "1000")
          yield* turns
          expect([isStopped(), other.arrived()]).toEqual([true, []])
        }),
      settings,
    ),
  )

  it.effect("waits no longer than shutdown-timeout, and not at all where it is to be NOW", () =>
    Effect.gen(function* () {
      yield* withServer(
        (client) =>
          Effect.gen(function* () {
            const { isStopped } = yield* stopping(client)
            yield* seconds(9)
            expect(isStopped()).toBe(false)
            yield* seconds(1)
            expect(isStopped()).toBe(true)
          }),
        settings,
      )
      yield* withServer(
        (client) =>
          Effect.gen(function* () {
            const { isStopped } = yield* stopping(client, "NOW")
            expect(isStopped()).toBe(true)
          }),
        settings,
      )
    }),
  )

  it.effect("by a signal, waits likewise, and not a moment longer", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = Farewell.layer.pipe(Layer.provideMerge(layer(settings)))
      const context = yield* Layer.buildWithScope(server, scope)
      const { replica } = yield* Effect.gen(function* () {
        const { id: _, ...attached } = yield* online
        yield* run(yield* connect, "SET", "k", "v")
        return { replica: attached }
      }).pipe(Effect.provide(context))
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* turns
      expect(replica.isClosed()).toBe(false)
      replica.send("REPLCONF", "ACK", "1000")
      yield* Fiber.join(closing)
      expect(replica.isClosed()).toBe(true)
    }),
  )

  it.effect("can be called off while it waits", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const { isStopped } = yield* stopping(client)
          const other = yield* connect
          expect(yield* run(other, "SHUTDOWN", "ABORT")).toMatchObject({ value: "OK" })
          expect(yield* Effect.promise(() => client.receive())).toMatchObject({
            message: "Errors trying to SHUTDOWN. Check logs.",
          })
          expect(yield* run(other, "SET", "k", "w")).toMatchObject({ value: "OK" })
          expect(yield* run(other, "SHUTDOWN", "ABORT")).toMatchObject({ message: "No shutdown in progress." })
          yield* seconds(11)
          expect(isStopped()).toBe(false)
        }),
      settings,
    ),
  )
})

describe("settings and counters", () => {
  it.effect("repl-diskless-sync-delay counts for who waits already", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* attach(["REPLCONF", "capa", "eof"])
          replica.take()
          replica.send("PSYNC", "?", "-1")
          yield* seconds(5)
          expect(replica.received()).not.toContain("FULLRESYNC")
          yield* run(client, "CONFIG", "SET", "repl-diskless-sync-delay", "5")
          yield* turns
          expect(replica.received()).toContain("FULLRESYNC")
        }),
      { replDisklessSyncDelay: 1000 },
    ),
  )

  it.effect("the backlog changes its size, and CONFIG RESETSTAT begins to count anew", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          for (let i = 0; i < 3; i++) yield* run(client, "SET", "k", "v".repeat(10_000))
          yield* run(client, "CONFIG", "SET", "repl-backlog-size", "20000")
          expect(yield* info(client, "replication")).toMatch(/_size:20000\r\n.*\r\nrepl_backlog_histlen:20000\r\n/)
          expect(Number(yield* field(client, "stats", "total_net_repl_output_bytes"))).toBeGreaterThan(30_000)
          expect(yield* field(client, "stats", "sync_full")).toBe("1")
          yield* run(client, "CONFIG", "RESETSTAT")
          expect(yield* field(client, "stats", "sync_full")).toBe("0")
          expect(replica.isClosed()).toBe(false)
        }),
      settings,
    ),
  )
})

describe("min-replicas-to-write", () => {
  it.effect("refuses writes with fewer replicas that have been heard of lately", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const refused = { _tag: "Failure", code: "NOREPLICAS", message: "Not enough good replicas to write." }
          expect(yield* run(client, "SET", "k", "v")).toEqual(refused)
          expect(yield* run(client, "GET", "k")).toEqual({ _tag: "Nil" })
          expect(yield* run(client, "EVAL", "return redis.call('set', 'k', 'v')", "0")).toMatchObject({
            code: "NOREPLICAS",
          })
          const replica = yield* online
          expect(yield* run(client, "SET", "k", "v")).toMatchObject({ value: "OK" })
          yield* seconds(10)
          expect(yield* run(client, "SET", "k", "v")).toMatchObject({ value: "OK" })
          expect(yield* field(client, "replication", "min_slaves_good_slaves")).toBe("1")
          yield* seconds(1)
          expect(yield* run(client, "SET", "k", "v")).toEqual(refused)
          expect(yield* field(client, "replication", "min_slaves_good_slaves")).toBe("0")
          replica.send("REPLCONF", "ACK", "1")
          expect(yield* run(client, "SET", "k", "v")).toMatchObject({ value: "OK" })
        }),
      { ...settings, minReplicasToWrite: 1 },
    ),
  )
})
