/**
 * What a connection promises from its beginning to its end: how many there may be, who is idle, CLIENT and RESET, bugs in
 * handlers, and a server that stops. The last part repeats over TCP and
 * TLS what the system has a hand in.
 */
import { once } from "node:events"
import * as net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import * as Command from "../src/command/Command.ts"
import type { CommandError } from "../src/errors/CommandError.ts"
import type { Values } from "../src/config/Config.ts"
import { Misconfigured } from "../src/errors/PersistenceErrors.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { Listener } from "../src/socket/Listener.ts"
import * as RealServer from "./support/RealServer.ts"
import * as Tls from "./support/Tls.ts"
import { atStartTime, connect, run, testSettings, withServer } from "./support/TestServer.ts"
import { conversation, heapBytes, info, receive, settle } from "./support/Connections.ts"

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

  it.effect("neither ends who is held back by CLIENT PAUSE, or subscribes to a shard channel", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const [held, subscribed] = [yield* connect, yield* connect]
          yield* run(subscribed, "SSUBSCRIBE", "news")
          yield* run(client, "CLIENT", "PAUSE", "3600000", "WRITE")
          held.send("SET", "k", "v")
          yield* settle
          yield* TestClock.adjust("1 minute")
          expect([client, held, subscribed].map((each) => each.isClosed())).toEqual([true, false, false])
        }),
      { timeout: 10 },
    ),
  )

  it.effect("begins anew when what a client waited for has come", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const waiting = yield* connect
          waiting.send("BLPOP", "list", "0")
          yield* settle
          yield* TestClock.adjust("9 seconds")
          yield* run(client, "PING")
          yield* TestClock.adjust("5 seconds")
          yield* run(client, "RPUSH", "list", "x")
          yield* receive(waiting, 1)
          yield* TestClock.adjust("9 seconds")
          expect(waiting.isClosed()).toBe(false)
          yield* TestClock.adjust("2 seconds")
          expect(waiting.isClosed()).toBe(true)
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

  it.effect("KILL of the own connection in a transaction leaves the rest unanswered, but done", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const requests = [
          ["MULTI"],
          ["SET", "a", "1"],
          ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"],
          ["INCR", "a"],
        ]
        const bytes = [...requests, ["EXEC"], ["INCR", "a"]].map(encodeRequest).join("")
        // What redis-server 7.0.15 sends, byte for byte.
        expect(yield* conversation([bytes])).toBe(`+OK\r\n${"+QUEUED\r\n".repeat(3)}*3\r\n+OK\r\n:2\r\n`)
        yield* Effect.promise(() => client.closed)
        expect(yield* run(yield* connect, "GET", "a")).toEqual(Reply.bulk("2"))
      }),
    ),
  )

  it.effect("REPLY OFF holds back MONITOR's lines", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const monitor = yield* connect
        monitor.send("CLIENT", "REPLY", "OFF")
        monitor.send("MONITOR")
        yield* settle
        yield* run(client, "GET", "unseen")
        expect(yield* run(monitor, "CLIENT", "REPLY", "ON")).toEqual(Reply.ok)
        yield* run(client, "GET", "seen")
        const [own, other] = yield* receive(monitor, 2)
        expect([own, other].map((line) => (line?._tag === "Simple" ? /"[A-Z].*/.exec(line.value)?.[0] : line))).toEqual(
          ['"CLIENT" "REPLY" "ON"', '"GET" "seen"'],
        )
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

  it.effect("PAUSE WRITE holds back scripts that may write, in EXEC too, and none that say they do not", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const source = (name: string, flags: string) =>
          `redis.register_function{function_name='${name}', callback=function() return 1 end, flags={${flags}}}`
        yield* run(client, "FUNCTION", "LOAD", `#!lua name=l\n${source("reads", "'no-writes'")}\n${source("may", "")}`)
        const sha = yield* run(client, "SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn 1")
        const writing = [
          ["EVAL", "return 1", "0"],
          ["EVAL", "#!lua\nreturn 1", "0"],
          ["EVAL_RO", "#!lua\nreturn 1", "0"],
          ["FCALL", "may", "0"],
        ]
        const queued = yield* Effect.forEach(writing, (argv) =>
          Effect.tap(connect, (other) => Effect.zipRight(run(other, "MULTI"), run(other, ...argv))),
        )
        yield* run(client, "CLIENT", "PAUSE", "1000", "WRITE")
        const reading = [
          ["EVAL", "#!lua flags=no-writes\nreturn 1", "0"],
          ["EVAL_RO", "return 1", "0"],
          ["EVALSHA", sha._tag === "Bulk" ? sha.value : "", "0"],
          ["FCALL", "reads", "0"],
        ]
        for (const argv of reading) {
          expect(yield* run(client, ...argv)).toEqual(Reply.one)
          yield* run(client, "MULTI")
          yield* run(client, ...argv)
          expect(yield* run(client, "EXEC")).toEqual(Reply.array([Reply.one]))
        }
        const alone = yield* Effect.forEach(writing, () => connect)
        writing.forEach((argv, index) => alone[index]!.send(...argv))
        for (const other of queued) other.send("EXEC")
        const others = [...alone, ...queued]
        yield* TestClock.adjust("999 millis")
        expect(others.flatMap((other) => other.arrived())).toEqual([])
        yield* TestClock.adjust("1 millis")
        for (const other of others) yield* receive(other, 1)
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
      expect(logged.splice(0).join()).toMatch(/'breaks'.*the handler has a bug.*connectionLife\.test\.ts/s)
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

describe("answers that wait for the disk", () => {
  it.effect("become errors where it fails, and messages that came meanwhile arrive behind them", () =>
    Effect.gen(function* () {
      const disk = yield* Deferred.make<void, CommandError>()
      const changes: Array<Change> = []
      const persistence = Layer.map(Persistence.layerMemory(changes), (context) =>
        Context.make(Persistence, {
          ...Context.get(context, Persistence),
          mustCommit: () => changes.length > 0,
          commit: Effect.ensuring(
            Deferred.await(disk),
            Effect.sync(() => void (changes.length = 0)),
          ),
        }),
      )
      yield* Effect.gen(function* () {
        const [listener, other] = [yield* connect, yield* connect]
        yield* run(listener, "HELLO", "3")
        yield* run(listener, "SUBSCRIBE", "news")
        listener.sendRaw(encodeRequest(["SET", "k", "1"]) + encodeRequest(["GET", "k"]))
        other.send("PUBLISH", "news", "paper")
        yield* settle
        expect(listener.arrived()).toEqual([])
        yield* Deferred.fail(disk, Misconfigured.log("No space left on device"))
        yield* settle
        const failure = {
          _tag: "Failure",
          code: "MISCONF",
          message: "Errors writing to the AOF file: No space left on device",
        }
        expect(listener.arrived()).toMatchObject([
          failure,
          failure,
          Reply.push(["message", "news", "paper"].map(Reply.bulk)),
        ])
      }).pipe(Effect.provide(Server.layerTest(testSettings, { persistence })))
    }),
  )
})

describe.each(["TCP", "TLS"] as const)("over %s", (carrier) => {
  const isTls = carrier === "TLS"
  const settings = Effect.map(Effect.promise(RealServer.freePort), (tlsPort): Partial<Values> => ({
    ...testSettings,
    port: 0,
    ...(isTls ? { ...Tls.settings, tlsPort } : {}),
  }))
  const portOf = ({ port, tlsPort }: Listener["Type"]) => (isTls ? tlsPort : port)
  const connectTo = isTls ? Tls.connectTls : RealServer.connectTcp
  const open = (port: number) => {
    if (isTls) return Tls.open(port)
    const socket = net.connect(port, "127.0.0.1")
    return { socket, reset: () => socket.resetAndDestroy() }
  }

  const served = (test: (port: number) => Promise<void>) =>
    Effect.flatMap(settings, (values) =>
      Effect.flatMap(Listener, (listener) => Effect.promise(() => test(portOf(listener)))).pipe(
        Effect.provide(Server.layer(values)),
        // Who has not finished shaking hands when it resets its connection is told of.
        Logger.withMinimumLogLevel(LogLevel.None),
      ),
    )

  it.live("pipelines, large values and a half-close are answered whole and in order", () =>
    served(async (port) => {
      const client = await connectTo(port)
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

  it.live("clients that come together find a keyspace larger than the processor's caches as it is", () =>
    served(async (port) => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => connectTo(port)))
      const value = (i: number) => `${i} `.padEnd(4000, "x")
      const keys = 4000
      for (const client of clients) client.sendRaw("PING\r\n")
      for (let i = 0; i < keys; i++) clients[i % 20]!.send("SET", `key:${i}`, value(i))
      await Promise.all(
        clients.map(async (client, i) => {
          for (let n = 0; n < 1 + keys / 20; n++) await client.receive()
          client.sendRaw(encodeRequest(["GET", `key:${i}`]) + encodeRequest(["DEL", `key:${i}`]))
          expect([await client.receive(), await client.receive()]).toEqual([Reply.bulk(value(i)), Reply.one])
        }),
      )
      for (let i = 0; i < keys; i += 50) {
        for (const [n, client] of clients.entries()) client.send("GET", `key:${i + n}`)
        const replies = await Promise.all(clients.map((client) => client.receive()))
        expect(replies).toEqual(clients.map((_, n) => (i === 0 ? Reply.nil : Reply.bulk(value(i + n)))))
      }
      for (const client of clients) client.destroy()
    }),
  )

  it.live("a client waiting for a list is forgotten when it half-closes", () =>
    served(async (port) => {
      const [waiting, other] = [await connectTo(port), await connectTo(port)]
      waiting.send("BLPOP", "list", "0")
      waiting.end()
      await waiting.closed
      await other.run("RPUSH", "list", "a")
      expect(await other.run("LLEN", "list")).toEqual(Reply.one)
      other.destroy()
    }),
  )

  it.live("a client that is killed while CLIENT PAUSE holds it back does nothing more", () =>
    served(async (port) => {
      const [held, other] = [await connectTo(port), await connectTo(port)]
      const id = await held.run("CLIENT", "ID")
      await other.run("CLIENT", "PAUSE", "100000", "WRITE")
      held.send("SET", "k", "v")
      const isHeld = async () => {
        const reply = await other.run("INFO", "clients")
        return reply._tag === "Bulk" && reply.value.includes("blocked_clients:1\r\n")
      }
      while (!(await isHeld()));
      const kill = encodeRequest(["CLIENT", "KILL", "ID", `${id._tag === "Int" ? id.value : ""}`])
      other.sendRaw(kill + encodeRequest(["CLIENT", "UNPAUSE"]))
      expect([await other.receive(), await other.receive()]).toEqual([Reply.one, Reply.ok])
      await held.closed
      expect(await other.run("EXISTS", "k")).toEqual(Reply.zero)
      other.destroy()
    }),
  )

  it.live("a peer that resets its connection in the middle of everything harms nobody", () =>
    served(async (port) => {
      const other = await connectTo(port)
      await other.run("SET", "big", "x".repeat(1_000_000))
      for (let i = 0; i < 20; i++) {
        const { socket, reset } = open(port)
        await once(socket, isTls ? "secureConnect" : "connect")
        socket.write(encodeRequest(["GET", "big"]).repeat(20) + "*3\r\n$3\r\nSET")
        if (i % 2 === 0) await once(socket, "data")
        reset()
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
      const [publisher, silent] = [await connectTo(port), open(port).socket]
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

  // Shaking hands takes a thousand times as long as the rest.
  it.live("many connections are open at once and all served", () =>
    served(async (port) => {
      const clients = await Promise.all(Array.from({ length: isTls ? 100 : 1000 }, () => connectTo(port)))
      const replies = await Promise.all(clients.map((client, i) => client.run("ECHO", `${i}`)))
      expect(replies).toEqual(clients.map((_, i) => Reply.bulk(`${i}`)))
      for (const client of clients) client.destroy()
    }),
  )

  it.live("stopping gives the port back and ends every connection", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Server.layer(yield* settings), scope)
      const port = portOf(Context.get(context, Listener))
      const clients = yield* Effect.promise(() => Promise.all([connectTo(port), connectTo(port)]))
      yield* Effect.promise(() => clients[0]!.run("PING"))
      clients[1]!.send("BLPOP", "list", "0")
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => Promise.all(clients.map((client) => client.closed)))
      yield* Effect.promise(() => expect(connectTo(port)).rejects.toThrow("ECONNREFUSED"))
    }),
  )
})
