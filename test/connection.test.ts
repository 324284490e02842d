/**
 * What a connection promises whatever its commands are: answers in order, however the bytes were cut; an end of its own when the
 * peer breaks the protocol, does not read, or goes; and nothing of it felt by the others. Mostly in memory under the virtual
 * clock; the last part repeats over TCP what the system has a hand in.
 */
import { once } from "node:events"
import * as net from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import { encodeRequest } from "../src/codec/Encoder.ts"
import * as Command from "../src/command/Command.ts"
import type { OutputLimit } from "../src/config/Config.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { Listener } from "../src/socket/Listener.ts"
import { connectTcp } from "./support/RealServer.ts"
import { atStartTime, connect, run, type TestClient, testSettings, withServer } from "./support/TestServer.ts"

const none: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 }

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** What is alive, after a collection. */
const heapBytes = Effect.sync(() => {
  collectGarbage()
  return process.memoryUsage().heapUsed
})

/** Lets everything that is ready to run do so, without time passing. */
const settle = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** The next `count` replies. */
const receive = (client: TestClient, count: number) =>
  Effect.promise(async () => {
    const replies: Array<Reply.Reply> = []
    while (replies.length < count) replies.push(await client.receive())
    return replies
  })

/** Everything the server sends on a connection of its own that gets these pieces, as text. */
const conversation = (pieces: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { peer } = yield* connect
    let said = ""
    peer.onData((bytes) => (said += bytes))
    for (const piece of pieces) peer.write(piece)
    yield* settle
    peer.destroy()
    return said
  })

/** What INFO says about `name`. */
const info = (client: TestClient, name: string) =>
  Effect.map(run(client, "INFO", "everything"), (reply) => {
    const text = reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : ""
    return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(text)?.[1]
  })

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

describe("the number of clients", () => {
  it.effect("is limited by maxclients, and refused ones are told", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const second = yield* connect
          yield* run(second, "PING")
          const refused = yield* connect
          yield* Effect.promise(() => refused.closed)
          expect(refused.arrived()).toEqual([
            { _tag: "Failure", code: "ERR", message: "max number of clients reached" },
          ])
          expect(yield* info(client, "rejected_connections")).toBe("1")
          second.destroy()
          yield* settle
          const third = yield* connect
          expect(yield* run(third, "PING")).toEqual(Reply.pong)
        }),
      { maxclients: 2 },
    ),
  )

  it.effect("may be ten thousand, idle ones costing less than 25 KiB each", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const count = 10_000
          const before = yield* heapBytes
          const clients = yield* Effect.replicateEffect(connect, count)
          for (const { send } of clients) send("PING")
          for (const each of clients) expect(yield* receive(each, 1)).toEqual([Reply.pong])
          expect((yield* heapBytes) - before).toBeLessThan(count * 25 * 1024)
          expect(yield* info(client, "connected_clients")).toBe(`${count + 1}`)
          for (const { destroy } of clients) destroy()
          yield* settle
          expect(yield* info(client, "connected_clients")).toBe("1")
        }),
      { maxclients: 20_000 },
    ),
  )
})

describe("timeout", () => {
  it.effect("ends who is idle, and neither who waits nor who subscribes", () =>
    withServer(
      (idle) =>
        Effect.gen(function* () {
          const [busy, waiting, subscribed] = [yield* connect, yield* connect, yield* connect]
          waiting.send("BLPOP", "list", "0")
          yield* run(subscribed, "SUBSCRIBE", "news")
          yield* run(idle, "PING")
          yield* TestClock.adjust("7 seconds")
          yield* run(busy, "PING")
          yield* TestClock.adjust("4 seconds")
          expect([idle, busy, waiting, subscribed].map((client) => client.isClosed())).toEqual([
            true,
            false,
            false,
            false,
          ])
          yield* TestClock.adjust("1 hour")
          expect([busy, waiting, subscribed].map((client) => client.isClosed())).toEqual([true, false, false])
        }),
      { timeout: 10 },
    ),
  )
})

describe("CLIENT", () => {
  it.effect("KILL ends another connection at once and the own one after its reply", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        const id = yield* run(other, "CLIENT", "ID")
        expect(yield* run(client, "CLIENT", "KILL", "ID", `${id._tag === "Int" ? id.value : ""}`)).toEqual(Reply.one)
        yield* Effect.promise(() => other.closed)
        client.sendRaw(encodeRequest(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"]) + encodeRequest(["PING"]))
        yield* Effect.promise(() => client.closed)
        expect(client.arrived()).toEqual([Reply.one])
      }),
    ),
  )

  it.effect("PAUSE holds commands back until its time has passed, in their order", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        yield* run(client, "CLIENT", "PAUSE", "1000", "WRITE")
        other.sendRaw(encodeRequest(["SET", "k", "1"]) + encodeRequest(["GET", "k"]))
        expect(yield* run(client, "GET", "k")).toEqual(Reply.nil)
        yield* TestClock.adjust("999 millis")
        expect(other.arrived()).toEqual([])
        yield* TestClock.adjust("1 millis")
        expect(yield* receive(other, 2)).toEqual([Reply.ok, Reply.bulk("1")])
        yield* run(client, "CLIENT", "PAUSE", "100000", "ALL")
        other.send("PING")
        // Who pauses is paused too: only time ends it.
        client.send("CLIENT", "UNPAUSE")
        yield* TestClock.adjust("99 seconds")
        expect([...other.arrived(), ...client.arrived()]).toEqual([])
        yield* TestClock.adjust("1 seconds")
        expect(yield* receive(other, 1)).toEqual([Reply.pong])
      }),
    ),
  )
})

describe("QUIT and RESET", () => {
  it.effect("QUIT is answered, and nothing behind it", () =>
    withServer(() =>
      Effect.gen(function* () {
        expect(yield* conversation(["PING\r\nQUIT\r\nPING\r\n"])).toBe("+PONG\r\n+OK\r\n")
      }),
    ),
  )

  it.effect("RESET takes the connection back to its beginning", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "HELLO", "3")
        yield* run(client, "SELECT", "3")
        yield* run(client, "WATCH", "k")
        yield* run(client, "SUBSCRIBE", "news")
        yield* run(client, "MULTI")
        expect(yield* run(client, "RESET")).toEqual(Reply.simple("RESET"))
        expect(yield* run(client, "GET", "k")).toEqual(Reply.nil)
        const listed = yield* run(client, "CLIENT", "LIST")
        expect(listed).toMatchObject({
          value: expect.stringMatching(/ flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 .* resp=2 /),
        })
        expect(yield* run(client, "PUBLISH", "news", "x")).toEqual(Reply.zero)
      }),
    ),
  )
})

/** Commands that nobody should write. */
const broken = [
  Command.make({
    ...described("breaks"),
    parse: () => undefined,
    run: () => {
      throw new Error("the handler has a bug")
    },
  }),
  Command.suspending({
    ...described("breakslater"),
    parse: () => undefined,
    run: () => Effect.delay(Effect.dieMessage("the handler has a bug"), "1 second"),
  }),
]

function described(name: string) {
  return { name, summary: name, since: "1.0.0", group: "generic", complexity: "O(1)", arity: 1, flags: "" } as const
}

describe("a bug in a handler", () => {
  const logged: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => void logged.push(line)),
  )

  it.effect("is answered and logged with its cause, and the server goes on", () =>
    Effect.gen(function* () {
      const [client, other] = [yield* connect, yield* connect]
      client.sendRaw(encodeRequest(["BREAKS"]) + encodeRequest(["PING"]))
      const answer: Reply.Reply = { _tag: "Failure", code: "ERR", message: "internal error" }
      expect(yield* receive(client, 2)).toEqual([answer, Reply.pong])
      expect(logged.splice(0).join()).toMatch(/'breaks'.*the handler has a bug.*connection\.test\.ts/s)
      client.send("BREAKSLATER")
      client.send("PING")
      yield* TestClock.adjust("1 second")
      expect(yield* receive(client, 2)).toEqual([answer, Reply.pong])
      expect(logged.splice(0).join()).toMatch(/'breakslater'.*the handler has a bug/s)
      client.send("MULTI")
      client.send("SET", "k", "1")
      client.send("BREAKS")
      client.send("EXEC")
      expect((yield* receive(client, 4))[3]).toEqual(Reply.array([Reply.ok, answer]))
      expect(yield* run(other, "GET", "k")).toEqual(Reply.bulk("1"))
      expect(yield* info(other, "errorstat_ERR")).toBe("count=3")
    }).pipe(
      Effect.provide(Server.layerTest(testSettings, { commands: broken }).pipe(Layer.provide(logger))),
      atStartTime,
    ),
  )
})

describe("stopping", () => {
  it.effect("closes every connection, idle, waiting, or not reading", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Server.layerTest(testSettings), scope)
      const clients = yield* Effect.replicateEffect(connect, 3).pipe(Effect.provide(context))
      const [idle, waiting, slow] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]]
      yield* run(idle, "PING")
      waiting.send("BLPOP", "list", "0")
      slow.peer.setPaused(true)
      slow.send("PING")
      yield* settle
      yield* Scope.close(scope, Exit.void)
      expect([idle.isClosed(), waiting.isClosed()]).toEqual([true, true])
      slow.peer.setPaused(false)
      expect(slow.arrived()).toEqual([Reply.pong])
      expect(slow.isClosed()).toBe(true)
      const late = yield* Effect.provide(connect, context)
      expect(late.isClosed()).toBe(true)
    }),
  )

  it.effect("lets a reply that waits for the disk wait for it, and sends it then", () =>
    Effect.gen(function* () {
      const disk = yield* Deferred.make<void>()
      const changes: Array<Change> = []
      let written = 0
      const persistence = Layer.map(Persistence.layerMemory(changes), (context) =>
        Context.make(Persistence, {
          ...Context.get(context, Persistence),
          mustCommit: () => written < changes.length,
          commit: Effect.map(Deferred.await(disk), () => void (written = changes.length)),
        }),
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Server.layerTest(testSettings, { persistence }), scope)
      const client = yield* Effect.provide(connect, context)
      client.sendRaw(encodeRequest(["SET", "k", "1"]))
      yield* settle
      const stopping = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      expect(client.arrived()).toEqual([])
      expect(client.isClosed()).toBe(false)
      yield* Deferred.succeed(disk, undefined)
      yield* Fiber.join(stopping)
      expect(client.arrived()).toEqual([Reply.ok])
      expect(client.isClosed()).toBe(true)
    }),
  )
})

describe("over TCP", () => {
  const served = (test: (port: number) => Promise<void>) =>
    Effect.flatMap(Listener, ({ port }) => Effect.promise(() => test(port))).pipe(
      Effect.provide(Server.layer({ ...testSettings, port: 0 })),
    )

  it.live("pipelines, large values and a half-close are answered whole and in order", () =>
    served(async (port) => {
      const client = await connectTcp(port)
      const large = "x\r\n\0\xff".repeat(400_000)
      let pipeline = encodeRequest(["SET", "large", large])
      for (let i = 0; i < 1000; i++) pipeline += encodeRequest(["ECHO", `${i}`])
      client.sendRaw(pipeline + encodeRequest(["GET", "large"]))
      client.end()
      await client.closed
      const replies = client.arrived()
      expect(replies).toHaveLength(1002)
      expect(replies.slice(1, 1001)).toEqual(Array.from({ length: 1000 }, (_, i) => Reply.bulk(`${i}`)))
      const last = replies[1001]!
      expect(last._tag === "Bulk" && last.value === large).toBe(true)
    }),
  )

  it.live("a client waiting for a list is forgotten when it half-closes", () =>
    served(async (port) => {
      const [waiting, other] = [await connectTcp(port), await connectTcp(port)]
      waiting.send("BLPOP", "list", "0")
      waiting.end()
      await waiting.closed
      await other.run("RPUSH", "list", "a")
      expect(await other.run("LLEN", "list")).toEqual(Reply.one)
      other.destroy()
    }),
  )

  it.live("a peer that resets its connection in the middle of everything harms nobody", () =>
    served(async (port) => {
      const other = await connectTcp(port)
      await other.run("SET", "big", "x".repeat(1_000_000))
      for (let i = 0; i < 20; i++) {
        const socket = net.connect(port, "127.0.0.1")
        await once(socket, "connect")
        socket.write(encodeRequest(["GET", "big"]).repeat(20) + "*3\r\n$3\r\nSET")
        if (i % 2 === 0) await once(socket, "data")
        socket.resetAndDestroy()
      }
      expect(await other.run("PING")).toEqual(Reply.pong)
      await expect
        .poll(async () => {
          const reply = await other.run("CLIENT", "LIST")
          return reply._tag === "Bulk" && reply.value.split("\n").length - 1
        })
        .toBe(1)
      other.destroy()
    }),
  )

  it.live("a peer that does not read is cut off, and costs no more than the limit", () =>
    served(async (port) => {
      const [publisher, silent] = [await connectTcp(port), net.connect(port, "127.0.0.1")]
      await publisher.run("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
      silent.write(encodeRequest(["SUBSCRIBE", "news"]))
      await once(silent, "data")
      silent.pause()
      let receivers = 1
      // The system takes some megabytes before the server has to keep anything.
      for (let i = 0; i < 1000 && receivers === 1; i++) {
        const reply = await publisher.run("PUBLISH", "news", "x".repeat(100_000))
        receivers = reply._tag === "Int" ? Number(reply.value) : -1
      }
      expect(receivers).toBe(0)
      silent.destroy()
      publisher.destroy()
    }),
  )

  it.live("a thousand connections are open at once and all served", () =>
    served(async (port) => {
      const clients = await Promise.all(Array.from({ length: 1000 }, () => connectTcp(port)))
      const replies = await Promise.all(clients.map((client, i) => client.run("ECHO", `${i}`)))
      expect(replies).toEqual(clients.map((_, i) => Reply.bulk(`${i}`)))
      for (const client of clients) client.destroy()
    }),
  )

  it.live("stopping gives the port back and ends every connection", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Server.layer({ ...testSettings, port: 0 }), scope)
      const { port } = Context.get(context, Listener)
      const clients = yield* Effect.promise(() => Promise.all([connectTcp(port), connectTcp(port)]))
      yield* Effect.promise(() => clients[0]!.run("PING"))
      clients[1]!.send("BLPOP", "list", "0")
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => Promise.all(clients.map((client) => client.closed)))
      yield* Effect.promise(() => expect(connectTcp(port)).rejects.toThrow("ECONNREFUSED"))
    }),
  )
})
