/**
 * What stream commands leave in the log: replayed on an empty server it makes the same streams, groups, consumers and pending
 * entries, whatever was read, claimed and trimmed. Only when a consumer was last seen is not logged, as in Redis.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import type { Reply } from "../src/codec/Reply.ts"
import { Client } from "../src/command/Client.ts"
import { Dispatcher } from "../src/dispatch/Dispatcher.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import { Store } from "../src/store/Store.ts"
import { streamsFamily } from "./fuzz/families/streams.ts"
import * as TestServer from "./support/TestServer.ts"
import { formatReply } from "./support/Transcript.ts"

const keys = ["a", "b", "c", "d"]

/** Not logged: when a consumer was last seen and given something, and (settings decide it) where nodes end. */
const notLogged = new Set(["seen-time", "active-time", "radix-tree-keys", "radix-tree-nodes"])

const logged = (reply: Reply): Reply => {
  if (reply._tag !== "Array") return reply
  const isDropped = (value: Reply | undefined) => value?._tag === "Bulk" && notLogged.has(value.value)
  const values = reply.values.filter((value, index) => !isDropped(value) && !isDropped(reply.values[index - 1]))
  return { _tag: "Array", values: values.map(logged) }
}

const readAll = (client: TestServer.TestClient) =>
  Effect.promise(async () => {
    const lines: Array<string> = []
    for (const key of keys)
      lines.push(...formatReply(logged(await client.run("XINFO", "STREAM", key, "FULL", "COUNT", "0"))))
    return lines
  })

/** Runs requests, some seconds between them; gives the log and what is then there. */
const live = (requests: ReadonlyArray<ReadonlyArray<string>>) => {
  const log: Array<Change> = []
  return Effect.gen(function* () {
    const client = yield* TestServer.connect
    for (const [index, request] of requests.entries()) {
      if (index % 10 === 0) yield* TestClock.adjust("3 seconds")
      yield* TestServer.run(client, ...request)
    }
    return { log, contents: yield* readAll(client) }
  }).pipe(
    Effect.provide(Server.layerTest(TestServer.testSettings, { persistence: Persistence.layerMemory(log) })),
    TestServer.atStartTime,
  )
}

const replayed = (log: ReadonlyArray<Change>) =>
  Effect.gen(function* () {
    const dispatcher = yield* Dispatcher
    const store = yield* Store
    const client = yield* TestServer.connect
    const db = store.databases[0]!
    const outbox = { push: () => {}, queuedBytes: () => 0, close: () => {}, check: () => {}, onDrained: () => {} }
    const replay = new Client({ id: 0, address: "", localAddress: "", db, outbox, now: store.now, authenticated: true })
    store.expire = false
    for (const { argv } of log) {
      const reply = dispatcher.replay(replay, argv)
      if (reply._tag === "Failure") throw new Error(`${argv.join(" ")}: ${reply.message}`)
    }
    store.expire = true
    return yield* readAll(client)
  }).pipe(Effect.provide(TestServer.layer()), Effect.zipLeft(TestClock.adjust("1 day")), (run) =>
    Effect.zipRight(TestClock.setTime(TestServer.startTimeMs + 1e9), run),
  )

/** Waiting would hold up the test, and what is there is read in RESP2. */
const isPlain = (request: ReadonlyArray<string>): boolean => !request.includes("BLOCK") && request[0] !== "HELLO"

it.effect.each([1, 2, 3, 4, 5, 6, 7, 8])("a log of random stream commands rebuilds the streams (seed %i)", (seed) =>
  Effect.gen(function* () {
    const requests = fc.sample(streamsFamily.command, { seed, numRuns: 400 }).filter(isPlain)
    const { log, contents } = yield* live(requests)
    expect(yield* replayed(log)).toEqual(contents)
  }),
)

it.effect("approximate trimming is logged as what it came to", () =>
  Effect.gen(function* () {
    const { log } = yield* live([
      ["CONFIG", "SET", "stream-node-max-entries", "2"],
      ["XADD", "s", "MAXLEN", "~", "1", "1-*", "a", "1"],
      ["XADD", "s", "MAXLEN", "~", "1", "LIMIT", "9", "2-1", "a", "1"],
      ["XADD", "s", "3-1", "a", "1"],
      ["XTRIM", "s", "MAXLEN", "~", "1"],
      ["XADD", "s", "MINID", "~", "9", "4-1", "a", "1"],
    ])
    expect(log.map(({ argv }) => argv.join(" "))).toEqual([
      "XADD s MAXLEN = 1 1-0 a 1",
      "XADD s MAXLEN = 2 LIMIT 9 2-1 a 1",
      "XADD s 3-1 a 1",
      "XTRIM s MAXLEN = 1",
      "XADD s MINID = 18446744073709551615-18446744073709551615 4-1 a 1",
    ])
  }),
)

it.effect("what a consumer was given is logged as claims in absolute terms", () =>
  Effect.gen(function* () {
    const { log } = yield* live([
      ["XADD", "s", "1-1", "a", "1"],
      ["XGROUP", "CREATE", "s", "g", "0"],
      ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"],
      ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"],
      ["XCLAIM", "s", "g", "d", "0", "1-1", "9-9"],
      ["XACK", "s", "g", "1-1", "9-9"],
      ["XACK", "s", "g", "1-1"],
    ])
    const time = TestServer.startTimeMs + 3000
    expect(log.map(({ argv }) => argv.join(" "))).toEqual([
      "XADD s 1-1 a 1",
      "XGROUP CREATE s g 0",
      "MULTI",
      "XGROUP CREATECONSUMER s g c",
      `XCLAIM s g c 0 1-1 TIME ${time} RETRYCOUNT 1 FORCE JUSTID LASTID 1-1`,
      "XGROUP SETID s g 1-1 ENTRIESREAD 1",
      "EXEC",
      `XCLAIM s g d 0 1-1 TIME ${time} RETRYCOUNT 2 FORCE JUSTID LASTID 1-1`,
      "XACK s g 1-1 9-9",
    ])
  }),
)
