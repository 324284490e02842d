/**
 * What a connection promises about requests and replies: answers in order, however the bytes were cut; an end of its own when the
 * peer breaks the protocol or does not read; and nothing of it felt by the others. In memory, under the virtual clock.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import type { OutputLimit } from "../src/config/Config.ts"
import { connect, run, withServer } from "./support/TestServer.ts"
import { conversation, info, receive, settle } from "./support/Connections.ts"

const none: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 }

describe("requests", () => {
  it.effect("are answered in order, whatever the depth of the pipeline", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const depth = 20_000
        let pipeline = ""
        for (let i = 0; i < depth; i++) pipeline += encodeRequest(["ECHO", `${i}`])
        client.sendRaw(pipeline)
        const replies = yield* receive(client, depth)
        expect(replies.findIndex((reply, i) => reply._tag !== "Bulk" || reply.value !== `${i}`)).toBe(-1)
      }),
    ),
  )

  it.effect("mean the same wherever their bytes are cut", () =>
    withServer(() =>
      Effect.gen(function* () {
        const bytes =
          encodeRequest(["SET", "key", "a\r\nb\0\xff"]) +
          encodeRequest(["GET", "key"]) +
          'ECHO "quoted \\x41"\r\n' +
          "\r\n" +
          encodeRequest(["ECHO", ""]) +
          "PING\n" +
          encodeRequest(["NOSUCH", "x".repeat(40)])
        const whole = yield* conversation([bytes])
        expect(whole).toMatch(/^\+OK\r\n\$6\r\na\r\nb.*PONG\r\n-ERR unknown command.*\r\n$/s)
        expect(yield* conversation([...bytes])).toBe(whole)
        for (let cut = 1; cut < bytes.length; cut++) {
          expect(yield* conversation([bytes.slice(0, cut), bytes.slice(cut)])).toBe(whole)
        }
      }),
    ),
  )

  it.effect("behind one that waits are answered after it, and those in front of it at once", () =>
    withServer((client) =>
      Effect.gen(function* () {
        client.sendRaw(
          encodeRequest(["ECHO", "1"]) + encodeRequest(["BLPOP", "list", "0"]) + encodeRequest(["ECHO", "3"]),
        )
        expect(yield* receive(client, 1)).toEqual([Reply.bulk("1")])
        const other = yield* connect
        yield* run(other, "RPUSH", "list", "2")
        expect(yield* receive(client, 2)).toEqual([Reply.array([Reply.bulk("list"), Reply.bulk("2")]), Reply.bulk("3")])
      }),
    ),
  )

  it.effect("of many connections at once each get their own answers", () =>
    withServer(() =>
      Effect.gen(function* () {
        const clients = yield* Effect.replicateEffect(connect, 200)
        for (let round = 0; round < 5; round++) {
          clients.forEach((client, i) => client.send("ECHO", `${round}:${i}`))
        }
        for (let i = 0; i < clients.length; i++) {
          expect(yield* receive(clients[i]!, 5)).toEqual([0, 1, 2, 3, 4].map((round) => Reply.bulk(`${round}:${i}`)))
        }
      }),
    ),
  )
})

describe("answers of every length", () => {
  it.effect("keep their order in each of several pipelines", () =>
    withServer(() =>
      Effect.gen(function* () {
        const clients = yield* Effect.replicateEffect(connect, 7)
        const requests = (i: number) =>
          Array.from({ length: 300 }, (_, n) => {
            if (n === 3) return ["SUBSCRIBE", `channel${i}`]
            if (n === 4) return ["UNSUBSCRIBE", `channel${i}`]
            if (n % 5 === 0) return ["INCRBY", `counter${i}`, `${2 ** (n % 40)}`]
            if (n % 7 === 0) return ["GET", "absent"]
            if (n % 11 === 0) return ["LPOP", `counter${i}`]
            return ["ECHO", `${i}:${n} `.repeat((n * n) % 90)]
          })
        const one = yield* Effect.forEach(clients, (client, i) =>
          Effect.forEach(requests(i), ([name, ...rest]) => run(client, name!, ...rest)),
        )
        yield* run(clients[0]!, "FLUSHALL")
        clients.forEach((client, i) => client.sendRaw(requests(i).map(encodeRequest).join("")))
        for (const [i, client] of clients.entries()) expect(yield* receive(client, 300)).toEqual(one[i])
      }),
    ),
  )
})

describe("a protocol error", () => {
  it.effect.each([
    { error: "a bulk without $", bytes: "*1\r\nPING\r\n", answer: "expected '$', got 'P'" },
    { error: "a bulk length that is no number", bytes: "*1\r\n$x\r\n", answer: "invalid bulk length" },
    { error: "a bulk longer than proto-max-bulk-len", bytes: "*1\r\n$600000000\r\n", answer: "invalid bulk length" },
    { error: "an argument count that is no number", bytes: "*x\r\n", answer: "invalid multibulk length" },
    { error: "a quote without its end", bytes: 'ECHO "a\r\n', answer: "unbalanced quotes in request" },
    { error: "a line without end", bytes: "x".repeat(70_000), answer: "too big inline request" },
  ])("($error) is answered after what came before it, then the connection ends", ({ bytes, answer }) =>
    withServer((other) =>
      Effect.gen(function* () {
        const { peer } = yield* connect
        let said = ""
        let closed = false
        peer.onData((text) => (said += text))
        peer.onClosed(() => (closed = true))
        peer.write(`PING\r\n${bytes}`)
        peer.write("PING\r\n")
        yield* settle
        expect(said).toBe(`+PONG\r\n-ERR Protocol error: ${answer}\r\n`)
        expect(closed).toBe(true)
        expect(yield* run(other, "PING")).toEqual(Reply.pong)
        expect(yield* info(other, "connected_clients")).toBe("1")
      }),
    ),
  )

  it.effect("ends a connection that speaks HTTP unanswered, before a command of its body runs", () =>
    withServer((other) =>
      Effect.gen(function* () {
        for (const line of ["POST / HTTP/1.1", "Host: 127.0.0.1:6379"]) {
          const client = yield* connect
          client.sendRaw(`${line}\r\nSET key value\r\n`)
          yield* Effect.promise(() => client.closed)
          expect(client.arrived()).toEqual([])
        }
        expect(yield* run(other, "EXISTS", "key")).toEqual(Reply.zero)
      }),
    ),
  )

  it.effect("is what an unauthenticated client gets for a large request", () =>
    withServer(
      () =>
        Effect.gen(function* () {
          expect(yield* conversation(["*11\r\n$4\r\nPING\r\n"])).toBe(
            "-ERR Protocol error: unauthenticated multibulk length\r\n",
          )
          expect(yield* conversation(["*2\r\n$4\r\nAUTH\r\n$16385\r\n"])).toBe(
            "-ERR Protocol error: unauthenticated bulk length\r\n",
          )
          const authenticated = encodeRequest(["AUTH", "secret"]) + encodeRequest(["ECHO", "x".repeat(20_000)])
          expect(yield* conversation([authenticated])).toHaveLength("+OK\r\n$20000\r\n\r\n".length + 20_000)
        }),
      { requirepass: "secret" },
    ),
  )
})

describe("a half-closed connection", () => {
  it.effect("gets the answers to everything it sent", () =>
    withServer(() =>
      Effect.gen(function* () {
        for (let round = 0; round < 50; round++) {
          const client = yield* connect
          client.sendRaw(encodeRequest(["ECHO", "1"]).repeat(3))
          client.end()
          yield* Effect.promise(() => client.closed)
          expect(client.arrived()).toEqual([Reply.bulk("1"), Reply.bulk("1"), Reply.bulk("1")])
        }
      }),
    ),
  )

  it.effect("gets the answer to a command that takes its time, and to those behind it", () =>
    withServer(() =>
      Effect.gen(function* () {
        const client = yield* connect
        client.sendRaw("DEBUG SLEEP 1\r\nPING\r\n")
        client.end()
        yield* settle
        expect(client.arrived()).toEqual([])
        yield* TestClock.adjust("1 second")
        yield* Effect.promise(() => client.closed)
        expect(client.arrived()).toEqual([Reply.ok, Reply.pong])
      }),
    ),
  )

  it.effect("is given up while it waits, and what it waited for goes to somebody else", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const gone = yield* connect
        gone.sendRaw(encodeRequest(["ECHO", "1"]) + encodeRequest(["BLPOP", "list", "1"]))
        gone.end()
        yield* Effect.promise(() => gone.closed)
        expect(gone.arrived()).toEqual([Reply.bulk("1")])
        expect(yield* info(client, "blocked_clients")).toBe("0")
        expect(yield* run(client, "RPUSH", "list", "a")).toEqual(Reply.one)
        expect(yield* run(client, "LLEN", "list")).toEqual(Reply.one)
      }),
    ),
  )
})

describe("a client that does not read", () => {
  it.effect("is not served on until it does, and loses nothing", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "big", "x".repeat(100_000))
        const slow = yield* connect
        slow.peer.setPaused(true)
        const requests = 200
        for (let i = 0; i < requests; i++)
          slow.sendRaw(encodeRequest(["INCR", "served"]) + encodeRequest(["GET", "big"]))
        yield* settle
        const served = yield* run(client, "GET", "served")
        expect(served._tag === "Bulk" && Number(served.value)).toBeLessThan(20)
        slow.peer.setPaused(false)
        const replies = yield* receive(slow, 2 * requests)
        expect(replies.filter((reply) => reply._tag === "Bulk" && reply.value.length === 100_000)).toHaveLength(
          requests,
        )
        expect(replies.filter((reply) => reply._tag === "Int")).toEqual(
          Array.from({ length: requests }, (_, i) => Reply.int(i + 1)),
        )
      }),
    ),
  )

  it.effect("is served on when it stalls: it may write all of its requests before it reads", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "big", "x".repeat(100_000))
        const slow = yield* connect
        slow.peer.setPaused(true)
        const requests = 100
        for (let i = 0; i < requests; i++)
          slow.sendRaw(encodeRequest(["INCR", "served"]) + encodeRequest(["GET", "big"]))
        const served: Array<number> = []
        for (let i = 0; i < 5; i++) {
          yield* settle
          const reply = yield* run(client, "GET", "served")
          served.push(reply._tag === "Bulk" ? Number(reply.value) : 0)
          yield* TestClock.adjust("100 millis")
        }
        expect(served[0]).toBeLessThan(20)
        expect(served[1]).toBeGreaterThan(served[0]!)
        expect(served[1]).toBeLessThan(50)
        expect(served[4]).toBe(requests)
        slow.peer.setPaused(false)
        expect(yield* receive(slow, 2 * requests)).toHaveLength(2 * requests)
      }),
    ),
  )

  it.effect("is cut off beyond the hard limit of its class, and only it", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const [slow, quick] = [yield* connect, yield* connect]
          yield* run(slow, "SUBSCRIBE", "news")
          yield* run(quick, "SUBSCRIBE", "news")
          slow.peer.setPaused(true)
          for (let i = 0; i < 11; i++) yield* run(client, "PUBLISH", "news", "x".repeat(9_900))
          yield* settle
          expect(slow.isClosed()).toBe(true)
          expect(yield* receive(quick, 11)).toHaveLength(11)
          expect(yield* run(client, "PUBLISH", "news", "again")).toEqual(Reply.one)
          expect(yield* info(client, "client_output_buffer_limit_disconnections")).toBe("1")
        }),
      { clientOutputBufferLimit: { normal: none, replica: none, pubsub: { ...none, hardBytes: 100_000 } } },
    ),
  )

  it.effect("is cut off when it stays beyond the soft limit, though nothing more is sent to it", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const slow = yield* connect
          yield* run(slow, "SUBSCRIBE", "news")
          slow.peer.setPaused(true)
          yield* run(client, "PUBLISH", "news", "x".repeat(60_000))
          yield* TestClock.adjust("3 seconds")
          expect(slow.isClosed()).toBe(false)
          // Reading in time starts the time anew.
          slow.peer.setPaused(false)
          yield* settle
          slow.peer.setPaused(true)
          yield* run(client, "PUBLISH", "news", "x".repeat(60_000))
          yield* TestClock.adjust("4 seconds")
          expect(slow.isClosed()).toBe(false)
          yield* TestClock.adjust("2 seconds")
          expect(slow.isClosed()).toBe(true)
          expect(yield* run(client, "PUBLISH", "news", "x")).toEqual(Reply.zero)
        }),
      {
        clientOutputBufferLimit: {
          normal: none,
          replica: none,
          pubsub: { hardBytes: 0, softBytes: 50_000, softSeconds: 5 },
        },
      },
    ),
  )

  it.effect("and asks for more than the limit of a normal client gets nothing", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "big", "x".repeat(60_000))
          const other = yield* connect
          other.send("MGET", "big", "big")
          yield* Effect.promise(() => other.closed)
          expect(other.arrived()).toEqual([])
          expect(yield* run(client, "PING")).toEqual(Reply.pong)
        }),
      { clientOutputBufferLimit: { normal: { ...none, hardBytes: 100_000 }, replica: none, pubsub: none } },
    ),
  )
})

describe("a client that sends while its command waits", () => {
  it.effect("is read from only so far, and loses nothing", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const eager = yield* connect
        yield* run(client, "CLIENT", "PAUSE", "100000", "WRITE")
        for (let i = 0; i < 100; i++) eager.send("APPEND", "k", "x".repeat(100_000))
        yield* settle
        const listed = yield* run(client, "CLIENT", "LIST")
        const held = listed._tag === "Bulk" ? [...listed.value.matchAll(/ qbuf=(\d+)/g)].map(([, n]) => Number(n)) : []
        expect(Math.max(...held)).toBeGreaterThan(100_000)
        expect(Math.max(...held)).toBeLessThan(2_000_000)
        yield* run(client, "CLIENT", "UNPAUSE")
        expect(yield* receive(eager, 100)).toEqual(Array.from({ length: 100 }, (_, i) => Reply.int((i + 1) * 100_000)))
      }),
    ),
  )
})

describe("a client that sends much while it is being answered", () => {
  it.effect("is read from again afterwards", () =>
    withServer(() =>
      Effect.gen(function* () {
        const { peer } = yield* connect
        const big = encodeRequest(["SET", "k", "x".repeat(700_000)])
        let said = ""
        peer.onData((bytes) => {
          // Within the answer to the first request come the others, as only a peer in memory can send them.
          if (said === "") for (let i = 0; i < 3; i++) peer.write(big)
          said += bytes
        })
        peer.write("PING\r\n")
        yield* settle
        peer.write("PING\r\n")
        yield* settle
        expect(said).toBe("+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+PONG\r\n")
      }),
    ),
  )
})

describe("a reply longer than a string of JavaScript can be", () => {
  it.effect("is answered with an error, and the connection goes on", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SETRANGE", "huge", `${300 * 1024 * 1024 - 1}`, "x")
        client.sendRaw(
          encodeRequest(["ECHO", "1"]) + encodeRequest(["MGET", "huge", "huge"]) + encodeRequest(["ECHO", "3"]),
        )
        expect(yield* receive(client, 3)).toEqual([
          Reply.bulk("1"),
          { _tag: "Failure", code: "ERR", message: "the reply is too long to be sent" },
          Reply.bulk("3"),
        ])
      }),
    ),
  )
})

describe("messages to many", () => {
  it.effect("reach each in order, whatever else it is sent in the same turn", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const [one, both, modern] = [yield* connect, yield* connect, yield* connect]
        yield* run(one, "SUBSCRIBE", "a")
        both.send("SUBSCRIBE", "a", "b")
        yield* receive(both, 2)
        yield* run(modern, "HELLO", "3")
        modern.send("SUBSCRIBE", "a", "b")
        yield* receive(modern, 2)
        const sent = ["a 1", "b 2", "a 3", "a 3", "b 4"].map((text) => text.split(" "))
        client.sendRaw(sent.map((words) => encodeRequest(["PUBLISH", ...words])).join(""))
        yield* receive(client, sent.length)
        const message = (words: ReadonlyArray<string>) => ["message", ...words].map(Reply.bulk)
        const ofA = sent.filter(([name]) => name === "a")
        expect(yield* receive(one, ofA.length)).toEqual(ofA.map((words) => Reply.array(message(words))))
        expect(yield* receive(both, sent.length)).toEqual(sent.map((words) => Reply.array(message(words))))
        expect(yield* receive(modern, sent.length)).toEqual(sent.map((words) => Reply.push(message(words))))
        // Who sends to itself gets answers in between.
        modern.sendRaw(
          [["PING"], ["PUBLISH", "a", "5"], ["PING"], ["PUBLISH", "b", "6"]]
            .map((words) => encodeRequest(words))
            .join(""),
        )
        expect(yield* receive(modern, 6)).toEqual([
          Reply.pong,
          Reply.push(message(["a", "5"])),
          Reply.int(3),
          Reply.pong,
          Reply.push(message(["b", "6"])),
          Reply.int(2),
        ])
        expect(yield* receive(both, 2)).toEqual(
          [
            ["a", "5"],
            ["b", "6"],
          ].map((words) => Reply.array(message(words))),
        )
        expect(yield* receive(one, 1)).toEqual([Reply.array(message(["a", "5"]))])
      }),
    ),
  )
})
