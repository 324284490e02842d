/** Replies of so many elements that they are written while the elements are found say what those of fewer say. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reply from "../src/codec/Reply.ts"
import * as TestServer from "./support/TestServer.ts"

describe("a long range", () => {
  it.effect("is answered as its parts are, with and without scores, in both protocols and to scripts", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        const size = 5000
        const pairs = Array.from({ length: size }, (_, i) => [String(i / 4), `m${i}`.padEnd(i % 300, "x")])
        yield* TestServer.run(client, "ZADD", "z", ...pairs.flat())
        const range = (from: number, to: number, more: ReadonlyArray<string>) =>
          Effect.map(TestServer.run(client, "ZRANGE", "z", String(from), String(to), ...more), (reply) =>
            reply._tag === "Array" ? reply.values : [],
          )
        for (const protocol of ["2", "3"]) {
          yield* TestServer.run(client, "HELLO", protocol)
          for (const more of [[], ["WITHSCORES"], ["REV"], ["REV", "WITHSCORES"]]) {
            const parts: Array<unknown> = []
            for (let from = 0; from < size; from += 1000) parts.push(...(yield* range(from, from + 999, more)))
            expect(yield* range(0, -1, more)).toEqual(parts)
          }
          const script =
            "local r = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') return {#r, r[1], r[9999], r[10000]}"
          const [, last] = pairs[size - 1]!
          expect(yield* TestServer.run(client, "EVAL", script, "1", "z")).toEqual(
            Reply.array([Reply.int(2 * size), Reply.bulk(pairs[0]![1]!), Reply.bulk(last!), Reply.bulk("1249.75")]),
          )
        }
      }),
    ),
  )
})
