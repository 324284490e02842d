/** DEBUG OBJECT says how many bytes a value takes in a snapshot. The lengths are those that redis-server 7.0.15 says. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { run, withServer } from "./support/TestServer.ts"

const values: ReadonlyArray<readonly [encoding: string, serialized: number, ...argv: ReadonlyArray<string>]> = [
  ["int", 2, "SET", "k", "1"],
  ["embstr", 6, "SET", "k", "hello"],
  ["raw", 13, "SET", "k", "a".repeat(93)],
  ["quicklist", 19, "RPUSH", "k", "a", "b", "c"],
  ["intset", 15, "SADD", "k", "1", "2", "3"],
  ["hashtable", 7, "SADD", "k", "a", "b", "c"],
  ["listpack", 18, "ZADD", "k", "1", "a", "2", "b"],
  ["listpack", 13, "HSET", "k", "a", "1"],
  ["stream", 57, "XADD", "k", "1-1", "a", "b"],
]

it.effect.each(values)("DEBUG OBJECT of %s", ([encoding, serialized, ...argv]) =>
  withServer((client) =>
    Effect.gen(function* () {
      yield* run(client, ...argv)
      expect(yield* run(client, "DEBUG", "OBJECT", "k")).toMatchObject({
        value: expect.stringMatching(
          `encoding:${encoding} serializedlength:${serialized} lru:\\d+ lru_seconds_idle:0$`,
        ),
      })
    }),
  ),
)
