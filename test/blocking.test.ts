/**
 * Clients that wait: who is served, in which order, with what, and when. Each rule is a conversation of several connections that
 * runs in memory and, where it is installed, against redis-server. What follows the clock runs under the virtual one alone.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Clock, type ClockService } from "../src/clock/Clock.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import * as Reply from "../src/codec/Reply.ts"
import * as Server from "../src/Server.ts"
import * as RealServer from "./support/RealServer.ts"
import { atStartTime, connect, run, type TestClient, testSettings, withServer } from "./support/TestServer.ts"

const element = (key: string, value: string) => Reply.array([Reply.bulk(key), Reply.bulk(value)])

/** Waiting until the server has parked so many clients. */
const blocked = async (admin: TestClient, count: number): Promise<void> => {
  for (;;) {
    const reply = await admin.run("INFO", "clients")
    if (reply._tag === "Bulk" && reply.value.includes(`blocked_clients:${count}\r\n`)) return
  }
}

interface Rule {
  readonly rule: string
  /** `waiters` are other connections. Each has sent nothing so far. */
  readonly play: (admin: TestClient, waiters: ReadonlyArray<TestClient>) => Promise<void>
}

/** Sends a waiting request for each client, one after the other, so that their order is known. */
const wait = async (
  admin: TestClient,
  waits: ReadonlyArray<readonly [client: TestClient, request: string]>,
): Promise<void> => {
  for (const [client, request] of waits) {
    const id = await client.run("CLIENT", "ID")
    client.send(...request.split(" "))
    // Parked when CLIENT LIST shows the flag.
    for (;;) {
      const listed = await admin.run("CLIENT", "LIST", "ID", id._tag === "Int" ? `${id.value}` : "")
      if (listed._tag === "Bulk" && / flags=\w*b/.test(listed.value)) break
    }
  }
}

const send = async (client: TestClient, requests: ReadonlyArray<string>): Promise<Reply.Reply> => {
  let last: Reply.Reply = Reply.nil
  for (const request of requests) last = await client.run(...request.split(" "))
  return last
}

const rules: ReadonlyArray<Rule> = [
  {
    rule: "who came first is served first, one element each",
    play: async (admin, [a, b, c]) => {
      await wait(admin, [
        [b!, "BLPOP k 0"],
        [a!, "BRPOP k 0"],
        [c!, "BLPOP k 0"],
      ])
      expect(await admin.run("RPUSH", "k", "1", "2")).toEqual(Reply.int(2))
      expect(await b!.receive()).toEqual(element("k", "1"))
      expect(await a!.receive()).toEqual(element("k", "2"))
      await blocked(admin, 1)
      expect(await admin.run("LPUSH", "k", "3", "4")).toEqual(Reply.int(2))
      expect(await c!.receive()).toEqual(element("k", "4"))
      expect(await admin.run("LRANGE", "k", "0", "-1")).toEqual(Reply.array([Reply.bulk("3")]))
    },
  },
  {
    rule: "order counts for each key: who waits for several keys keeps the place in each of them",
    play: async (admin, [a, b, c]) => {
      await wait(admin, [
        [a!, "BLPOP x y 0"],
        [b!, "BLPOP y 0"],
        [c!, "BLPOP x 0"],
      ])
      await admin.run("RPUSH", "y", "1")
      expect(await a!.receive()).toEqual(element("y", "1"))
      await admin.run("RPUSH", "x", "2")
      expect(await c!.receive()).toEqual(element("x", "2"))
      await admin.run("RPUSH", "y", "3")
      expect(await b!.receive()).toEqual(element("y", "3"))
    },
  },
  {
    rule: "a key that has something at once is not waited for, and the first of several counts",
    play: async (admin, [a]) => {
      await send(admin, ["RPUSH y 1", "RPUSH z 2"])
      expect(await a!.run("BLPOP", "x", "y", "z", "0")).toEqual(element("y", "1"))
    },
  },
  {
    rule: "a transaction is served from when it has ended, so what it took back is gone",
    play: async (admin, [a, b]) => {
      await wait(admin, [
        [a!, "BLPOP k 0"],
        [b!, "BLPOP k 0"],
      ])
      await send(admin, ["MULTI", "RPUSH k 1 2 3", "LPOP k", "RPOP k", "EXEC"])
      expect(await a!.receive()).toEqual(element("k", "2"))
      await blocked(admin, 1)
      await send(admin, ["MULTI", "RPUSH k 4", "DEL k", "EXEC"])
      await blocked(admin, 1)
      await send(admin, ["MULTI", "RPUSH k 5", "DEL k", "RPUSH k 6", "EXEC"])
      expect(await b!.receive()).toEqual(element("k", "6"))
    },
  },
  {
    rule: "keys fed by one transaction are served in the order in which they were fed",
    play: async (admin, [a, b]) => {
      await wait(admin, [
        [a!, "BLPOP x y z 0"],
        [b!, "BLPOP z x 0"],
      ])
      await send(admin, ["MULTI", "RPUSH y 1", "RPUSH x 2", "EXEC"])
      expect(await a!.receive()).toEqual(element("y", "1"))
      expect(await b!.receive()).toEqual(element("x", "2"))
    },
  },
  {
    rule: "a script is served from when it has ended",
    play: async (admin, [a, b]) => {
      await wait(admin, [
        [a!, "BLPOP k 0"],
        [b!, "BLPOP k 0"],
      ])
      const script = "redis.call('RPUSH','k','1','2'); redis.call('LPOP','k'); return redis.call('LLEN','k')"
      expect(await admin.run("EVAL", script, "0")).toEqual(Reply.one)
      expect(await a!.receive()).toEqual(element("k", "2"))
      await blocked(admin, 1)
      await admin.run("EVAL", "redis.call('RPUSH','k','3'); redis.call('DEL','k')", "0")
      await blocked(admin, 1)
      await admin.run("RPUSH", "k", "4")
      expect(await b!.receive()).toEqual(element("k", "4"))
    },
  },
  {
    rule: "BLMOVE feeds who waits for its destination",
    play: async (admin, [a, b, c]) => {
      await wait(admin, [
        [c!, "BLPOP z 0"],
        [b!, "BLMOVE y z LEFT RIGHT 0"],
        [a!, "BRPOPLPUSH x y 0"],
      ])
      await admin.run("RPUSH", "x", "1")
      expect(await a!.receive()).toEqual(Reply.bulk("1"))
      expect(await b!.receive()).toEqual(Reply.bulk("1"))
      expect(await c!.receive()).toEqual(element("z", "1"))
      expect(await admin.run("EXISTS", "x", "y", "z")).toEqual(Reply.zero)
    },
  },
  {
    rule: "BLMOVE in a circle ends",
    play: async (admin, [a, b]) => {
      await wait(admin, [
        [a!, "BLMOVE x y LEFT RIGHT 0"],
        [b!, "BLMOVE y x LEFT RIGHT 0"],
      ])
      await admin.run("RPUSH", "x", "1")
      expect([await a!.receive(), await b!.receive()]).toEqual([Reply.bulk("1"), Reply.bulk("1")])
      expect(await admin.run("LRANGE", "x", "0", "-1")).toEqual(Reply.array([Reply.bulk("1")]))
    },
  },
  {
    rule: "BLMOVE to a key of another type fails for its client only, and the element stays",
    play: async (admin, [a, b]) => {
      await admin.run("SET", "y", "a string")
      await wait(admin, [
        [a!, "BLMOVE x y LEFT RIGHT 0"],
        [b!, "BLPOP x 0"],
      ])
      await admin.run("RPUSH", "x", "1")
      expect(await a!.receive()).toMatchObject({ code: "WRONGTYPE" })
      expect(await b!.receive()).toEqual(element("x", "1"))
    },
  },
  {
    rule: "a value of another type is waited out",
    play: async (admin, [a, b]) => {
      await wait(admin, [
        [a!, "BLPOP k 0"],
        [b!, "BZPOPMIN k 0"],
      ])
      await send(admin, ["SADD k x"])
      await blocked(admin, 2)
      await send(admin, ["DEL k", "ZADD k 1 m"])
      expect(await b!.receive()).toMatchObject({ values: [{ value: "k" }, { value: "m" }, { value: "1" }] })
      await blocked(admin, 1)
      await send(admin, ["RPUSH k 1"])
      expect(await a!.receive()).toEqual(element("k", "1"))
    },
  },
  {
    rule: "BLMPOP and BZMPOP take as many as are there, the rest of the clients what is left",
    play: async (admin, [a, b, c]) => {
      await wait(admin, [
        [a!, "BLMPOP 0 2 x y LEFT COUNT 2"],
        [b!, "BLPOP y 0"],
        [c!, "BZMPOP 0 1 z MAX COUNT 2"],
      ])
      await send(admin, ["RPUSH y 1 2 3", "ZADD z 1 a 2 b 3 c"])
      expect(await a!.receive()).toEqual(
        Reply.array([Reply.bulk("y"), Reply.array([Reply.bulk("1"), Reply.bulk("2")])]),
      )
      expect(await b!.receive()).toEqual(element("y", "3"))
      expect(await c!.receive()).toMatchObject({ values: [{ value: "z" }, { values: [{}, {}] }] })
      expect(await admin.run("ZCARD", "z")).toEqual(Reply.one)
    },
  },
  {
    rule: "XREAD gives an entry to everybody who waits, XREADGROUP to the first of its group",
    play: async (admin, [a, b, c, d]) => {
      await send(admin, ["XGROUP CREATE s g $ MKSTREAM"])
      const group = "BLOCK 0 STREAMS s >"
      await wait(admin, [
        [a!, "XREAD BLOCK 0 STREAMS s $"],
        [b!, "XREAD BLOCK 0 STREAMS s $"],
        [c!, `XREADGROUP GROUP g one ${group}`],
        [d!, `XREADGROUP GROUP g two ${group}`],
      ])
      await send(admin, ["XADD s 1-1 f v"])
      const entries = Reply.array([
        Reply.array([
          Reply.bulk("s"),
          Reply.array([Reply.array([Reply.bulk("1-1"), Reply.array([Reply.bulk("f"), Reply.bulk("v")])])]),
        ]),
      ])
      for (const client of [a!, b!, c!]) expect(await client.receive()).toEqual(entries)
      await blocked(admin, 1)
      await send(admin, ["XGROUP DESTROY s g"])
      expect(await d!.receive()).toMatchObject({ _tag: "Failure" })
    },
  },
  {
    rule: "CLIENT UNBLOCK ends the wait of one client, as if its time had passed or with an error",
    play: async (admin, [a, b, c]) => {
      await admin.run("CONFIG", "RESETSTAT")
      const ids = await Promise.all([a!, b!, c!].map(async (client) => `${numberOf(await client.run("CLIENT", "ID"))}`))
      await wait(admin, [
        [a!, "BLPOP k 0"],
        [b!, "BLMOVE k l LEFT LEFT 0"],
        [c!, "BLPOP k 0"],
      ])
      expect(await admin.run("CLIENT", "UNBLOCK", ids[0]!)).toEqual(Reply.one)
      expect(await admin.run("CLIENT", "UNBLOCK", ids[1]!, "ERROR")).toEqual(Reply.one)
      expect(await admin.run("CLIENT", "UNBLOCK", ids[0]!, "TIMEOUT")).toEqual(Reply.zero)
      // Both ends of the error count it, and who waited counts any end but that of its time.
      const statistics = await admin.run("INFO", "commandstats")
      for (const name of ["blpop", "blmove", "client|unblock"]) {
        expect(statistics).toMatchObject({ value: expect.stringMatching(failedOnce(name)) })
      }
      expect(await a!.receive()).toEqual(Reply.nilArray)
      expect(await b!.receive()).toMatchObject({ code: "UNBLOCKED", message: "client unblocked via CLIENT UNBLOCK" })
      await admin.run("RPUSH", "k", "1")
      expect(await c!.receive()).toEqual(element("k", "1"))
    },
  },
  {
    rule: "a client that is killed, quits or goes while it waits leaves its place to the next",
    play: async (admin, [a, b, c, d]) => {
      const id = numberOf(await a!.run("CLIENT", "ID"))
      await wait(admin, [
        [a!, "BLPOP k 0"],
        [b!, "BLPOP k 0"],
        [c!, "BLPOP k 0"],
        [d!, "BLPOP k 0"],
      ])
      expect(await admin.run("CLIENT", "KILL", "ID", `${id}`)).toEqual(Reply.one)
      b!.end()
      c!.destroy()
      await Promise.all([a!.closed, b!.closed])
      await blocked(admin, 1)
      await admin.run("RPUSH", "k", "1", "2")
      expect(await d!.receive()).toEqual(element("k", "1"))
      expect(await admin.run("LLEN", "k")).toEqual(Reply.one)
    },
  },
  {
    rule: "a killed client is gone for the next request",
    play: async (admin, [a, b]) => {
      const ids = await Promise.all([a!, b!].map(async (client) => `${numberOf(await client.run("CLIENT", "ID"))}`))
      await b!.run("SUBSCRIBE", "news")
      await wait(admin, [[a!, "BLPOP k 0"]])
      const requests = [
        ...[`CLIENT KILL ID ${ids[0]}`, "RPUSH k 1", "LLEN k", `CLIENT KILL ID ${ids[0]}`],
        ...[`CLIENT KILL ID ${ids[1]}`, "PUBLISH news x", "PUBSUB NUMSUB news", `CLIENT LIST ID ${ids[0]} ${ids[1]}`],
      ].map((request) => request.split(" "))
      admin.sendRaw(requests.map(encodeRequest).join(""))
      const replies = []
      while (replies.length < requests.length) replies.push(await admin.receive())
      expect(replies).toEqual([
        ...[Reply.one, Reply.one, Reply.one, Reply.zero],
        ...[Reply.one, Reply.zero, Reply.array([Reply.bulk("news"), Reply.zero]), Reply.bulk("")],
      ])
      await Promise.all([a!.closed, b!.closed])
    },
  },
  {
    rule: "a client that is killed while CLIENT PAUSE holds it back does nothing more",
    play: async (admin, [a]) => {
      const id = numberOf(await a!.run("CLIENT", "ID"))
      await admin.run("CLIENT", "PAUSE", "100000", "WRITE")
      a!.send("SET", "s", "1")
      await blocked(admin, 1)
      const requests = [
        ["CLIENT", "KILL", "ID", `${id}`],
        ["CLIENT", "UNPAUSE"],
      ]
      admin.sendRaw(requests.map(encodeRequest).join(""))
      expect([await admin.receive(), await admin.receive()]).toEqual([Reply.one, Reply.ok])
      await a!.closed
      expect(await admin.run("EXISTS", "s")).toEqual(Reply.zero)
    },
  },
  {
    rule: "what a waiting client has got comes before messages that are sent to it later",
    play: async (admin, [a]) => {
      await a!.run("HELLO", "3")
      await a!.run("SUBSCRIBE", "news")
      await wait(admin, [[a!, "BLPOP k 0"]])
      admin.sendRaw(encodeRequest(["RPUSH", "k", "1"]) + encodeRequest(["PUBLISH", "news", "x"]))
      expect([await a!.receive(), await a!.receive()]).toEqual([
        element("k", "1"),
        Reply.push(["message", "news", "x"].map(Reply.bulk)),
      ])
    },
  },
  {
    rule: "what is sent behind a waiting command is answered after it, transactions included",
    play: async (admin, [a]) => {
      await wait(admin, [[a!, "BLPOP k 0"]])
      for (const request of ["SET s 1", "MULTI", "INCR s", "EXEC", "GET s"]) a!.send(...request.split(" "))
      expect(await admin.run("EXISTS", "s")).toEqual(Reply.zero)
      await admin.run("RPUSH", "k", "1")
      const replies = []
      while (replies.length < 6) replies.push(await a!.receive())
      expect(replies).toEqual([
        ...[element("k", "1"), Reply.ok, Reply.ok, Reply.queued, Reply.array([Reply.int(2)]), Reply.bulk("2")],
      ])
    },
  },
  {
    rule: "inside of MULTI nothing waits",
    play: async (admin) => {
      const requests = [
        "MULTI",
        "BLPOP k 0",
        "BLMOVE k l LEFT LEFT 0",
        "BZPOPMIN k 0",
        "XREAD BLOCK 0 STREAMS k $",
        "EXEC",
      ]
      expect(await send(admin, requests)).toMatchObject({
        values: [{ _tag: "NilArray" }, {}, { _tag: "NilArray" }, { _tag: "NilArray" }],
      })
    },
  },
  ...feeds("BLPOP k 0", "RPUSH other 1", [
    ["RPUSH k 1"],
    ["LMOVE other k LEFT RIGHT"],
    ["RPOPLPUSH other k"],
    ["RENAME other k"],
    ["RENAMENX other k"],
    ["COPY other k"],
    ["SORT other STORE k"],
    ["SELECT 1", "RPUSH k 1", "MOVE k 0", "SELECT 0"],
    ["SELECT 1", "RPUSH k 1", "SWAPDB 0 1", "SELECT 0"],
  ]),
  ...feeds("BZPOPMAX k 0", "GEOADD other 1 1 m", [
    ["ZADD k 1 m"],
    ["ZINCRBY k 1 m"],
    ["GEOADD k 1 1 m"],
    ["ZUNIONSTORE k 1 other"],
    ["ZRANGESTORE k other 0 -1"],
    ["GEOSEARCHSTORE k other FROMLONLAT 1 1 BYRADIUS 9 km"],
    ["RENAME other k"],
    ["COPY other k"],
  ]),
  ...feeds("XREAD BLOCK 0 STREAMS k 0", "XADD other 1-1 f v", [
    ["XADD k 1-1 f v"],
    ["RENAME other k"],
    ["COPY other k"],
  ]),
]

const numberOf = (reply: Reply.Reply): number => (reply._tag === "Int" ? Number(reply.value) : Number.NaN)

/** A rule for each way a key comes into being. */
function feeds(request: string, before: string, ways: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<Rule> {
  return ways.map((way) => ({
    rule: `${request} is served by ${way.join(", ")}`,
    play: async (admin, [a]) => {
      await send(admin, [before])
      await wait(admin, [[a!, request]])
      const fed = await send(admin, way)
      expect(fed._tag).not.toBe("Failure")
      const reply = await a!.receive()
      expect(reply._tag).toBe("Array")
    },
  }))
}

const failedOnce = (name: string) => new RegExp(`cmdstat_${name.replace("|", "\\|")}:\\S*failed_calls=1\r\n`)

describe("in memory", () => {
  it.effect.each(rules)("$rule", ({ play }) =>
    withServer((admin) =>
      Effect.gen(function* () {
        const waiters = yield* Effect.replicateEffect(connect, 4)
        yield* Effect.promise(() => play(admin, waiters))
      }),
    ),
  )
})

describe.skipIf(!RealServer.isInstalled)("in redis-server", () => {
  let server: RealServer.RealServer
  beforeAll(async () => {
    server = await RealServer.start()
  })
  afterAll(() => server.stop())
  it.each(rules)("$rule", async ({ play }) => {
    const clients = await Promise.all([1, 2, 3, 4, 5].map(() => server.connect()))
    await clients[0]!.run("FLUSHALL")
    await clients[0]!.run("CONFIG", "RESETSTAT")
    await play(clients[0]!, clients.slice(1))
    expect(clients[0]!.isClosed()).toBe(false)
    for (const client of clients) client.destroy()
  })
})

describe("the time of a wait", () => {
  it.effect.each([
    ["BLPOP k 0.1", 100],
    ["BRPOP k l 2.5", 2500],
    ["BLMOVE k l LEFT LEFT 0.001", 1],
    ["BRPOPLPUSH k l 1", 1000],
    ["BLMPOP 0.25 1 k LEFT", 250],
    ["BZPOPMIN k 3600", 3_600_000],
    ["BZMPOP 0.7 1 k MIN", 700],
    ["XREAD BLOCK 123 STREAMS k $", 123],
    // Less than a millisecond is one.
    ["BLPOP k 0.0001", 1],
    // Node's timers end at 24.8 days.
    ["BLPOP k 8640000", 8_640_000_000],
  ] as const)("of %s is kept to the millisecond", ([request, timeoutMs]) =>
    withServer((client) =>
      Effect.gen(function* () {
        client.send(...request.split(" "))
        yield* TestClock.adjust(timeoutMs - 1)
        expect(client.arrived()).toEqual([])
        yield* TestClock.adjust(1)
        const reply = yield* Effect.promise(() => client.receive())
        expect(["NilArray", "Nil"]).toContain(reply._tag)
      }),
    ),
  )

  it.effect("of 0 never ends", () =>
    withServer((client) =>
      Effect.gen(function* () {
        client.send("BLPOP", "k", "0")
        yield* TestClock.adjust("1000 days")
        expect(client.arrived()).toEqual([])
        const other = yield* connect
        yield* run(other, "RPUSH", "k", "1")
        expect(yield* Effect.promise(() => client.receive())).toEqual(element("k", "1"))
      }),
    ),
  )

  it.effect("ends in the order of the deadlines, and leaves the elements to the others", () =>
    withServer((admin) =>
      Effect.gen(function* () {
        const clients = yield* Effect.replicateEffect(connect, 10)
        clients.forEach((client, i) => client.send("BLPOP", "k", `${(10 - i) / 10}`))
        yield* TestClock.adjust("500 millis")
        expect(clients.map((client) => client.arrived().length)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
        yield* run(admin, "RPUSH", "k", "1")
        expect(yield* Effect.promise(() => clients[0]!.receive())).toEqual(element("k", "1"))
        yield* TestClock.adjust("500 millis")
        expect(clients.slice(1).every((client) => client.arrived().length === 1)).toBe(true)
      }),
    ),
  )
})

describe("a thousand waiting clients", () => {
  it.effect("wake nothing while they wait, and cost nobody else anything", () =>
    Effect.suspend(() => {
      /** Whoever does anything about time reads the clock or sleeps. */
      const used = { readings: 0, sleeps: 0 }
      const counting = Layer.effect(
        Clock,
        Effect.map(Clock, ({ now, nowMicros, sleepUntil }): ClockService => ({
          now: () => {
            used.readings++
            return now()
          },
          nowMicros,
          sleepUntil: (atMs) => {
            used.sleeps++
            return sleepUntil(atMs)
          },
        })),
      ).pipe(Layer.provide(Clock.layer))
      return Effect.gen(function* () {
        const admin = yield* connect
        const clients = yield* Effect.replicateEffect(connect, 1000)
        clients.forEach((client, i) => client.send("BLPOP", `k${i % 100}`, "shared", i % 2 === 0 ? "0" : "1000"))
        yield* Effect.promise(() => blocked(admin, 1000))
        const before = { ...used }
        const sleeping = yield* TestClock.sleeps()
        yield* TestClock.adjust("999 seconds")
        expect(used).toEqual(before)
        // One sleep for all deadlines of waiting clients, whatever their number.
        expect(Array.from(sleeping).length).toBeLessThan(10)
        yield* run(admin, "SET", "other", "1")
        expect(used.readings - before.readings).toBeLessThan(10)
        yield* run(admin, "RPUSH", "shared", "1")
        expect(yield* Effect.promise(() => clients[0]!.receive())).toEqual(element("shared", "1"))
        expect(clients.filter((client) => client.arrived().length > 0)).toEqual([])
        yield* TestClock.adjust("1 seconds")
        expect(clients.filter((client) => client.arrived().length > 0)).toHaveLength(500)
      }).pipe(Effect.provide(Server.layerTest(testSettings, { clock: counting })), atStartTime)
    }),
  )
})
