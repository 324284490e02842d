/**
 * What string, bitmap and HyperLogLog commands write to the stream of changes (recorded from the append-only file of
 * redis-server 7.0.15), and how large values are held. What they answer is in the transcripts.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import * as Server from "../src/Server.ts"
import * as TestServer from "./support/TestServer.ts"

const { run } = TestServer

/** The changes that `requests` leave in the log, one line a change, at the instant 1000. */
const logged = (...requests: ReadonlyArray<string>) => {
  const log: Array<Change> = []
  return TestClock.adjust(1000).pipe(
    Effect.zipRight(TestServer.connect),
    Effect.flatMap((client) => Effect.forEach(requests, (request) => run(client, ...request.split(" ")))),
    Effect.map(() => log.map(({ argv }) => argv.join(" "))),
    Effect.provide(Server.layerTest(TestServer.testSettings, { persistence: Persistence.layerMemory(log) })),
  )
}

const cases: ReadonlyArray<[requests: ReadonlyArray<string>, changes: ReadonlyArray<string>]> = [
  [["SET k v"], ["SET k v"]],
  [["SET k v EX 100"], ["SET k v PXAT 101000"]],
  [["SET k v PX 100 NX GET"], ["SET k v PXAT 1100"]],
  [["SET k v EXAT 100"], ["SET k v PXAT 100000"]],
  [["SET k v GET"], ["SET k v"]],
  [["SET k v KEEPTTL GET"], ["SET k v KEEPTTL"]],
  [["SET k v XX"], []],
  [["SETEX k 100 v"], ["SET k v PXAT 101000"]],
  [["PSETEX k 100 v"], ["SET k v PXAT 1100"]],
  [["SETNX k v", "SETNX k w"], ["SETNX k v"]],
  [["GETSET k v"], ["SET k v"]],
  [
    ["SET k v", "GETDEL k", "GETDEL k"],
    ["SET k v", "DEL k"],
  ],
  [
    ["SET k v", "GETEX k EX 100", "GETEX k PERSIST", "GETEX k PERSIST", "GETEX k"],
    ["SET k v", "PEXPIREAT k 101000", "PERSIST k"],
  ],
  [
    ["SET k v", "GETEX k PXAT 1"],
    ["SET k v", "DEL k"],
  ],
  [
    ["INCR n", "DECRBY n 5", "INCRBY n x"],
    ["INCR n", "DECRBY n 5"],
  ],
  [["INCRBYFLOAT n 1.50", "INCRBYFLOAT n x"], ["SET n 1.5 KEEPTTL"]],
  [
    ["APPEND k x", "SETRANGE k 1 y", "STRLEN k"],
    ["APPEND k x", "SETRANGE k 1 y"],
  ],
  [
    ["MSET a 1 b 2", "MSETNX a 1 c 2", "MSETNX c 1"],
    ["MSET a 1 b 2", "MSETNX c 1"],
  ],
  [["SETBIT b 1 1", "SETBIT b 1 1", "GETBIT b 1"], ["SETBIT b 1 1"]],
  [["BITFIELD b GET u8 0", "BITFIELD b SET u8 0 1", "BITFIELD b SET u8 0 1"], ["BITFIELD b SET u8 0 1"]],
  [
    ["BITOP NOT d nosuch", "SET b x", "BITOP NOT d b"],
    ["SET b x", "BITOP NOT d b"],
  ],
  [
    ["PFADD h a", "PFADD h a", "PFCOUNT h", "PFCOUNT h", "PFMERGE g h"],
    ["PFADD h a", "PFCOUNT h", "PFMERGE g h"],
  ],
  [
    ["PFADD h a", "PFDEBUG GETREG h", "PFDEBUG TODENSE h"],
    ["PFADD h a", "PFDEBUG GETREG h"],
  ],
]

describe("the stream of changes", () => {
  it.effect.each(cases)("%j is logged as %j", ([requests, changes]) =>
    Effect.gen(function* () {
      expect(yield* logged(...requests)).toEqual(changes)
    }),
  )
})

describe("strings of 512 MiB", () => {
  it.effect("are made without touching their memory", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        const before = process.memoryUsage().rss
        expect(yield* run(client, "SETBIT", "b", "4294967295", "1")).toMatchObject({ value: 0 })
        expect(yield* run(client, "SETRANGE", "s", "536870911", "x")).toMatchObject({ value: 536870912 })
        expect(yield* run(client, "GETBIT", "b", "4294967295")).toMatchObject({ value: 1 })
        expect(yield* run(client, "GETRANGE", "s", "-3", "-1")).toMatchObject({ value: "\0\0x" })
        expect(yield* run(client, "APPEND", "s", "x")).toMatchObject({
          message: "string exceeds maximum allowed size (proto-max-bulk-len)",
        })
        expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20)
      }),
    ),
  )

  it.effect("are refused where V8 cannot hand them out whole, and leave the server running", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        yield* run(client, "SETRANGE", "s", "536870911", "x")
        for (const request of [
          ["GET", "s"],
          ["MGET", "s"],
          ["GETRANGE", "s", "0", "-1"],
          ["SET", "s", "v", "GET"],
          ["GETDEL", "s"],
        ]) {
          expect(yield* run(client, ...request)).toMatchObject({
            message: "string exceeds maximum allowed size (proto-max-bulk-len)",
          })
        }
        expect(yield* run(client, "STRLEN", "s")).toMatchObject({ value: 536870912 })
        expect(yield* run(client, "LCS", "s", "s")).toMatchObject({
          message: "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        })
      }),
    ),
  )
})
