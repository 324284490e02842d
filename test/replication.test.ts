/**
 * This server as a master, seen by a replica that is a test: what is sent when, who may go on from where it was, and what happens
 * when nothing is heard of a replica, or it does not take what is sent.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reply from "../src/codec/Reply.ts"
import { Clients } from "../src/command/Clients.ts"
import { request, select } from "../src/persistence/log/LogText.ts"
import { run, withServer } from "./support/TestServer.ts"
import { settings, attach, turns, seconds, online, fullResync, text, info, field } from "./support/ReplicaPeer.ts"

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

  it.effect("comes with its length to everybody where repl-diskless-sync is no, and waits for nobody else", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "v")
          const replica = yield* attach(["REPLCONF", "capa", "eof", "capa", "psync2"], ["PSYNC", "?", "-1"])
          yield* turns
          const all = replica.take()
          const length = /^\+OK\r\n\+FULLRESYNC [0-9a-f]{40} 0\r\n\$(\d+)\r\nREDIS/.exec(all)?.[1]
          expect(all.slice(all.indexOf("REDIS"))).toHaveLength(Number(length))
          yield* run(client, "SET", "k", "w")
          expect(replica.take()).toBe(select(0) + request(["SET", "k", "w"]))
        }),
      { replDisklessSync: false },
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

  it.effect("has what SCAN and RANDOMKEY find past its deadline key for key, and what others do as one", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          yield* run(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
          const del = [request(["DEL", "a"]), request(["DEL", "b"])]
          for (const [argv, expected] of [
            [["SCAN", "0"], del],
            [["RANDOMKEY"], del],
            [
              ["EXISTS", "a", "b"],
              [request(["MULTI"]), ...del, request(["EXEC"])],
            ],
          ] as const) {
            yield* run(client, "MSET", "a", "1", "b", "1")
            for (const key of ["a", "b"]) yield* run(client, "PEXPIRE", key, "100")
            yield* seconds(1)
            replica.take()
            yield* run(client, ...argv)
            const gone = replica.take()
            const inOrder = gone.indexOf(del[0]!) < gone.indexOf(del[1]!) ? expected : expected.toReversed()
            expect(gone).toBe(inOrder.join(""))
          }
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
          expect(Number(yield* field(client, "memory", "mem_total_replication_buffers"))).toBeGreaterThan(270_000)
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
