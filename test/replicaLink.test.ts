/**
 * A replica and its master, whom the test plays: what they say to each other, when, and what becomes of the data when the link breaks, is
 * silent, or the master sends something else than it should. Time is virtual.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { pause } from "../src/clock/EventLoop.ts"
import * as Reply from "../src/codec/Reply.ts"
import * as Server from "../src/Server.ts"
import { Store } from "../src/store/Store.ts"
import { layerConnectorTo, MemoryConnector } from "../src/socket/MemorySocket.ts"
import * as Master from "./support/ScriptedMaster.ts"
import { atStartTime, makeClient, run, testSettings } from "./support/TestServer.ts"
import { scene, follow, synced, text, info, role } from "./support/FollowingScene.ts"

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

  it.effect("changes nothing during CLIENT PAUSE", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client } = on
        const end = yield* synced(on, { a: "1" })
        yield* run(client, "CLIENT", "PAUSE", "5000", "WRITE")
        end.stream(["SELECT", "0"], ["SET", "a", "2"])
        yield* TestClock.adjust("4999 millis")
        expect(yield* text(client, "GET", "a")).toBe("1")
        expect(yield* info(client, "slave_repl_offset")).toBe("100")
        const read = Number(yield* info(client, "slave_read_repl_offset"))
        expect(read).toBeGreaterThan(100)
        yield* TestClock.adjust("1 millis")
        expect(yield* text(client, "GET", "a")).toBe("2")
        expect(yield* info(client, "slave_repl_offset")).toBe(String(read))
        yield* run(client, "CLIENT", "PAUSE", "5000", "ALL")
        end.stream(["SET", "a", "3"])
        client.send("CLIENT", "UNPAUSE")
        yield* TestClock.adjust("5 seconds")
        yield* Effect.promise(() => client.receive())
        expect(yield* text(client, "GET", "a")).toBe("3")
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
