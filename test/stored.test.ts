/**
 * What is kept is a copy. An argument is cut out of the chunk it came in, and a cut keeps the whole chunk alive: so each request here
 * comes in a large chunk of its own, and what the heap holds afterwards shows whether one of them is still there.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ownLengthMin } from "../src/bytes/Bytes.ts"
import { LogReader, request as encodeRequest } from "../src/persistence/log/LogText.ts"
import { heapBytes, settle } from "./support/Connections.ts"
import { connect, withServer } from "./support/TestServer.ts"

const chunkBytes = 64 * 1024
const chunks = 200
/** A fifth of what the chunks take; what the requests themselves store is far less. */
const heldMax = (chunks * chunkBytes) / 5

/** Long enough for V8 to make a cut of it. */
const long = (word: string, i: number): string => `${word}:${String(i).padStart(20, "0")}`

const requests: ReadonlyArray<readonly [name: string, argv: (i: number) => ReadonlyArray<string>]> = [
  ["SET", (i) => ["SET", long("key", i), long("value", i)]],
  ["SET EX", (i) => ["SET", long("key", i), long("value", i), "EX", "1000"]],
  ["MSET", (i) => ["MSET", long("key", i), long("value", i)]],
  ["APPEND", (i) => ["APPEND", long("key", i), long("value", i)]],
  ["GETSET", (i) => ["GETSET", "key", long("value", i)]],
  ["EXPIRE of the same key", (i) => ["SET", long("key", 0), "v", "PX", String(100_000 - i)]],
  ["SETRANGE", (i) => ["SETRANGE", long("key", i), "0", long("value", i)]],
  ["RPUSH", (i) => ["RPUSH", long("key", i), long("value", i)]],
  ["RPUSH to one list", (i) => ["RPUSH", "list", long("value", i)]],
  ["SADD", (i) => ["SADD", long("key", i), long("value", i)]],
  ["SADD to one set", (i) => ["SADD", "set", long("value", i)]],
  ["HSET", (i) => ["HSET", long("key", i), long("field", i), long("value", i)]],
  ["HSET of one hash", (i) => ["HSET", "hash", long("field", i), long("value", i)]],
  ["HPEXPIRE", (i) => ["HPEXPIRE", "hash", "1000", "FIELDS", "1", long("field", i)]],
  [
    "HEXPIRE of many",
    (i) => [
      "EVAL",
      "redis.call('HSET', KEYS[1], 'f', 'v') redis.call('HPEXPIRE', KEYS[1], 1000, 'FIELDS', 1, 'f')",
      "1",
      long("key", i),
    ],
  ],
  [
    "XREADGROUP",
    (i) => [
      "EVAL",
      "redis.pcall('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM') redis.call('XREADGROUP', 'GROUP', 'g', ARGV[1], 'STREAMS', 's', '>')",
      "0",
      long("consumer", i),
    ],
  ],
  ["ZADD", (i) => ["ZADD", long("key", i), "1", long("value", i)]],
  ["ZADD to one sorted set", (i) => ["ZADD", "zset", String(i), long("value", i)]],
  ["XADD", (i) => ["XADD", long("key", i), "*", long("field", i), long("value", i)]],
  ["XGROUP CREATE", (i) => ["XGROUP", "CREATE", long("key", i), long("group", i), "$", "MKSTREAM"]],
  ["PFADD", (i) => ["PFADD", long("key", i), long("value", i)]],
  ["GEOADD", (i) => ["GEOADD", "geo", "1", "1", long("value", i)]],
  ["SUBSCRIBE", (i) => ["SUBSCRIBE", long("channel", i)]],
  ["PSUBSCRIBE", (i) => ["PSUBSCRIBE", long("pattern", i)]],
  ["WATCH", (i) => ["WATCH", long("key", i)]],
  ["CLIENT SETNAME", (i) => ["CLIENT", "SETNAME", long("name", i)]],
  ["EVAL", (i) => ["EVAL", `return '${long("value", i)}'`, "1", long("key", i)]],
  [
    "EVAL that stores",
    (i) => ["EVAL", "redis.call('SET', KEYS[1], ARGV[1], 'EX', 100)", "1", long("key", i), long("v", i)],
  ],
  ["an unknown command", (i) => [long("nosuch", i), long("value", i)]],
  ["CLIENT TRACKING", (i) => ["GET", long("key", i)]],
  ["a slow command", (i) => ["EXISTS", long("key", i)]],
]

describe("a large chunk does not stay for the little of it that is stored", () => {
  it.effect.each(requests)("%s", ([name, argv]) =>
    withServer(
      () =>
        Effect.gen(function* () {
          const { peer } = yield* connect
          if (name === "CLIENT TRACKING") peer.write("HELLO 3\r\nCLIENT TRACKING ON\r\n")
          const padding = encodeRequest(["PUBLISH", "nobody", "x".repeat(chunkBytes)])
          const send = (i: number) => peer.write(padding + encodeRequest(argv(i)))
          send(0)
          yield* settle
          const before = yield* heapBytes
          for (let i = 1; i <= chunks; i++) send(i)
          yield* settle
          expect((yield* heapBytes) - before).toBeLessThan(heldMax)
        }),
      { latencyTracking: true, slowlogLogSlowerThan: name === "a slow command" ? 0 : -1 },
    ),
  )
})

describe("a chunk of a log does not stay for a long string in it", () => {
  it("that is as long as those the store takes as they are", () => {
    const kept: Array<string | undefined> = []
    const reader = new LogReader({ command: (argv) => kept.push(argv[2]), timestamp: () => true })
    const value = "x".repeat(ownLengthMin + 1)
    const chunk = Buffer.from(
      encodeRequest(["SET", "k", value]) + encodeRequest(["SET", "k", "x".repeat(3 * 65_536)]),
      "latin1",
    )
    reader.feed(chunk)
    kept.length = 0
    const run = Effect.gen(function* () {
      const before = yield* heapBytes
      for (let i = 0; i < 100; i++) {
        reader.feed(chunk)
        kept.pop()
      }
      expect((yield* heapBytes) - before).toBeLessThan(1.5 * 100 * value.length)
    })
    Effect.runSync(run)
    expect(kept.length).toBe(100)
  })
})
