/**
 * Transactions among many connections: nothing comes between the commands of EXEC, nothing that WATCH saw is missed. The rules
 * of WATCH run against redis-server too, where it is installed. What single conversations look like is in the transcripts.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import fc from "fast-check"
import * as Reply from "../src/codec/Reply.ts"
import * as RealServer from "./support/RealServer.ts"
import { connect, run, type TestClient, testSettings, withServer } from "./support/TestServer.ts"

interface Transfer {
  readonly from: number
  readonly to: number
  readonly amount: number
  readonly by: "watch" | "queue" | "script"
}

const accounts = 6
const opening = 100

const transfer: fc.Arbitrary<Transfer> = fc.record({
  from: fc.nat(accounts - 1),
  to: fc.nat(accounts - 1),
  amount: fc.integer({ min: 1, max: 60 }),
  by: fc.constantFrom("watch", "watch", "queue", "script"),
})

const script = `
  if tonumber(redis.call("GET", KEYS[1])) < tonumber(ARGV[1]) then return 0 end
  redis.call("DECRBY", KEYS[1], ARGV[1])
  redis.call("INCRBY", KEYS[2], ARGV[1])
  return 1`

const numberOf = (reply: Reply.Reply): number =>
  reply._tag === "Bulk" || reply._tag === "Int" ? Number(reply.value) : Number.NaN

/** Moves money as an application would. Says whether it did. */
const pay = async (client: TestClient, { from, to, amount, by }: Transfer): Promise<boolean> => {
  const [source, target] = [`account:${from}`, `account:${to}`]
  if (by === "script") return numberOf(await client.run("EVAL", script, "2", source, target, `${amount}`)) === 1
  for (;;) {
    if (by === "watch") {
      await client.run("WATCH", source)
      if (numberOf(await client.run("GET", source)) < amount) {
        await client.run("UNWATCH")
        return false
      }
    }
    await client.run("MULTI")
    await client.run("DECRBY", source, `${amount}`)
    await client.run("INCRBY", target, `${amount}`)
    const reply = await client.run("EXEC")
    if (reply._tag === "Array") return true
  }
}

describe("a bank", () => {
  it.effect("keeps its money, and every balance adds up, whatever many connections do at once", () =>
    withServer(() =>
      Effect.gen(function* () {
        const clients = yield* Effect.replicateEffect(connect, 25)
        const [first, ...tellers] = clients
        const auditor = tellers.pop()!
        const names = Array.from({ length: accounts }, (_, i) => `account:${i}`)
        const law = fc.asyncProperty(
          fc.array(fc.array(transfer, { maxLength: 12 }), { minLength: 2, maxLength: tellers.length }),
          async (work) => {
            await first!.run("FLUSHALL")
            await first!.run("MSET", ...names.flatMap((name) => [name, `${opening}`]))
            let open = true
            const expected = names.map(() => opening)
            const audit = (async () => {
              while (open) {
                const reply = await auditor.run("MGET", ...names)
                if (reply._tag !== "Array") throw new Error("no array")
                expect(reply.values.reduce((sum, value) => sum + numberOf(value), 0)).toBe(accounts * opening)
              }
            })()
            await Promise.all(
              work.map(async (transfers, teller) => {
                for (const each of transfers) {
                  if (!(await pay(tellers[teller]!, each))) continue
                  expected[each.from]! -= each.amount
                  expected[each.to]! += each.amount
                }
              }),
            )
            open = false
            await audit
            const reply = await first!.run("MGET", ...names)
            expect(reply._tag === "Array" && reply.values.map(numberOf)).toEqual(expected)
          },
        )
        yield* Effect.promise(() => fc.assert(law, { numRuns: 25 }))
      }),
    ),
  )

  it.effect("lets exactly one of many win that watched the same key", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const clients = yield* Effect.replicateEffect(connect, 50)
        for (let round = 0; round < 20; round++) {
          const winners = yield* Effect.promise(async () => {
            await Promise.all(clients.map((each) => each.run("WATCH", "k")))
            const replies = await Promise.all(
              clients.map(async (each, i) => {
                await each.run("MULTI")
                await each.run("SET", "k", `${round}:${i}`)
                return await each.run("EXEC")
              }),
            )
            return replies.filter((reply) => reply._tag === "Array").length
          })
          expect(winners).toBe(1)
        }
        expect(yield* run(client, "GET", "k")).toMatchObject({ value: expect.stringMatching(/^19:/) })
      }),
    ),
  )
})

interface Rule {
  readonly what: string
  /** Done before WATCH k, by the one who watches. */
  readonly before?: ReadonlyArray<ReadonlyArray<string>>
  /** Done after it, by somebody else. */
  readonly change: ReadonlyArray<ReadonlyArray<string>>
  readonly aborts: boolean
}

const set = ["SET", "k", "1"]

const rules: ReadonlyArray<Rule> = [
  { what: "nothing", before: [set], change: [], aborts: false },
  {
    what: "reading",
    before: [set],
    change: [
      ["GET", "k"],
      ["STRLEN", "k"],
      ["OBJECT", "ENCODING", "k"],
    ],
    aborts: false,
  },
  { what: "another key", before: [set], change: [["SET", "other", "1"]], aborts: false },
  {
    what: "the same key of another database",
    before: [set],
    change: [["SELECT", "1"], set, ["SELECT", "0"]],
    aborts: false,
  },
  { what: "the same value again", before: [set], change: [set], aborts: true },
  { what: "a key that comes into being", change: [set], aborts: true },
  { what: "a key that goes", before: [set], change: [["DEL", "k"]], aborts: true },
  { what: "a key that goes and comes back", before: [set], change: [["DEL", "k"], set], aborts: true },
  { what: "a key that comes and goes", change: [set, ["DEL", "k"]], aborts: true },
  { what: "deleting nothing", change: [["DEL", "k"]], aborts: false },
  { what: "a change that fails", before: [set], change: [["LPUSH", "k", "x"]], aborts: false },
  { what: "a change that changes nothing", before: [["SADD", "k", "a"]], change: [["SADD", "k", "a"]], aborts: false },
  { what: "a deadline", before: [set], change: [["EXPIRE", "k", "100"]], aborts: true },
  { what: "a deadline in the past", before: [set], change: [["EXPIRE", "k", "-1"]], aborts: true },
  {
    what: "taking a deadline away",
    before: [["SET", "k", "1", "EX", "100"]],
    change: [["PERSIST", "k"]],
    aborts: true,
  },
  { what: "renaming it", before: [set], change: [["RENAME", "k", "other"]], aborts: true },
  { what: "renaming another to it", before: [["SET", "other", "1"]], change: [["RENAME", "other", "k"]], aborts: true },
  { what: "moving it", before: [set], change: [["MOVE", "k", "1"]], aborts: true },
  { what: "copying to it", before: [["SET", "other", "1"]], change: [["COPY", "other", "k"]], aborts: true },
  { what: "a transaction", before: [set], change: [["MULTI"], set, ["EXEC"]], aborts: true },
  { what: "a discarded transaction", before: [set], change: [["MULTI"], set, ["DISCARD"]], aborts: false },
  { what: "a script", before: [set], change: [["EVAL", "redis.call('SET','k','2')", "0"]], aborts: true },
  { what: "FLUSHALL while it is there", before: [set], change: [["FLUSHALL"]], aborts: true },
  { what: "FLUSHALL while it is not there", change: [["FLUSHALL"]], aborts: false },
  {
    what: "FLUSHDB of another database",
    before: [set],
    change: [["SELECT", "1"], ["FLUSHDB"], ["SELECT", "0"]],
    aborts: false,
  },
  {
    what: "SWAPDB that takes it away",
    before: [set],
    change: [
      ["SWAPDB", "0", "1"],
      ["SWAPDB", "0", "1"],
    ],
    aborts: true,
  },
  {
    what: "SWAPDB of two databases without it",
    change: [
      ["SWAPDB", "0", "1"],
      ["SWAPDB", "0", "1"],
    ],
    aborts: false,
  },
  {
    what: "a list element that goes straight to who waits",
    change: [
      ["RPUSH", "k", "x"],
      ["LPOP", "k"],
    ],
    aborts: true,
  },
  { what: "SORT STORE", before: [["RPUSH", "other", "1"]], change: [["SORT", "other", "STORE", "k"]], aborts: true },
]

/** Whether EXEC after WATCH k gives nil. */
const isAborted = async (watcher: TestClient, other: TestClient, { before = [], change }: Rule): Promise<boolean> => {
  for (const request of [["FLUSHALL"], ["UNWATCH"], ...before, ["WATCH", "k"]]) await watcher.run(...request)
  for (const request of change) await other.run(...request)
  for (const request of [["MULTI"], ["PING"]]) await watcher.run(...request)
  const reply = await watcher.run("EXEC")
  return reply._tag === "NilArray"
}

describe("WATCH", () => {
  it.effect.each(rules)("$what: aborts $aborts", (rule) =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        expect(yield* Effect.promise(() => isAborted(client, other, rule))).toBe(rule.aborts)
      }),
    ),
  )

  describe.skipIf(!RealServer.isInstalled)("in redis-server", () => {
    let server: RealServer.RealServer
    let clients: ReadonlyArray<TestClient>
    beforeAll(async () => {
      server = await RealServer.start()
      clients = [await server.connect(), await server.connect()]
    })
    afterAll(() => server.stop())
    it.each(rules)("$what: aborts $aborts", async (rule) => {
      expect(await isAborted(clients[0]!, clients[1]!, rule)).toBe(rule.aborts)
    })
  })

  it.effect("sees a key expire, and not one that had expired before", () =>
    withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "k", "1", "PX", "100")
        yield* run(client, "WATCH", "k")
        yield* TestClock.adjust("99 millis")
        yield* run(client, "MULTI")
        yield* run(client, "PING")
        expect(yield* run(client, "EXEC")).toEqual(Reply.array([Reply.pong]))
        yield* run(client, "WATCH", "k")
        yield* TestClock.adjust("1 millis")
        yield* run(client, "MULTI")
        yield* run(client, "PING")
        expect(yield* run(client, "EXEC")).toEqual(Reply.nilArray)
        yield* run(client, "WATCH", "k")
        yield* TestClock.adjust("1 hour")
        yield* run(client, "MULTI")
        yield* run(client, "PING")
        expect(yield* run(client, "EXEC")).toEqual(Reply.array([Reply.pong]))
      }),
    ),
  )

  it.effect("sees what a waiting client is served with", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const [waiting, feeding] = [yield* connect, yield* connect]
        waiting.send("BLMOVE", "from", "k", "LEFT", "LEFT", "0")
        yield* run(client, "WATCH", "k")
        yield* run(feeding, "RPUSH", "from", "x")
        yield* run(client, "MULTI")
        yield* run(client, "PING")
        expect(yield* run(client, "EXEC")).toEqual(Reply.nilArray)
      }),
    ),
  )

  it.effect("is let go by EXEC, DISCARD, UNWATCH, RESET and the end of the connection", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        for (const end of [["UNWATCH"], ["RESET"], ["MULTI", "DISCARD"], ["MULTI", "EXEC"]]) {
          yield* run(client, "WATCH", "k")
          for (const word of end) yield* run(client, word)
          yield* run(other, "INCR", "k")
          yield* run(client, "MULTI")
          expect(yield* run(client, "EXEC")).toEqual(Reply.emptyArray)
        }
        const gone = yield* connect
        yield* run(gone, "WATCH", "k")
        gone.destroy()
        expect(yield* run(other, "INCR", "k")).toEqual(Reply.int(5))
      }),
    ),
  )
})

describe("MULTI", () => {
  it.effect("of a connection that ends does nothing", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const gone = yield* connect
        yield* run(gone, "MULTI")
        yield* run(gone, "SET", "k", "1")
        gone.end()
        yield* Effect.promise(() => gone.closed)
        expect(yield* run(client, "EXISTS", "k")).toEqual(Reply.zero)
      }),
    ),
  )

  it.effect("sees one instant in all its commands", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "v", "PX", "100")
          for (const request of [["MULTI"], ["TIME"], ["PTTL", "k"], ["TIME"]]) yield* run(client, ...request)
          yield* TestClock.adjust("40 millis")
          const reply = yield* run(client, "EXEC")
          if (reply._tag !== "Array") throw new Error("no array")
          expect(reply.values[1]).toEqual(Reply.int(60))
          expect(reply.values[0]).toEqual(reply.values[2])
        }),
      testSettings,
    ),
  )
})
