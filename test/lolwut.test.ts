/**
 * The pictures of LOLWUT: as large as redis-server's for the same parameters, drawn by chance, and in order where it leaves
 * nothing to chance. Which parameters are refused is in no transcript, since the version below each picture differs.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Reply from "../src/codec/Reply.ts"
import { toUtf8 } from "../src/bytes/Bytes.ts"
import * as RealServer from "./support/RealServer.ts"
import { run, withServer } from "./support/TestServer.ts"

const textOf = (reply: Reply.Reply): string => ("value" in reply ? toUtf8(String(reply.value)) : JSON.stringify(reply))

/** The lines of a picture, the colors taken off, without what is written below it. */
const picture = (text: string): ReadonlyArray<string> =>
  text
    .replaceAll(/\x1b\[[\d;]*m/g, "")
    .split("\n")
    .filter((line) => /^[\u2800-\u28ff ]+$/.test(line))

const sizes = (text: string) => picture(text).map((line) => line.length)

const requests = [
  ...["VERSION 5", "VERSION 5 40", "VERSION 5 40 4", "VERSION 5 30 2 1", "VERSION 5 0", "VERSION 5 3000 300 3"],
  ...["VERSION 6", "VERSION 6 40", "VERSION 6 7 3", "VERSION 6 0 0", "VERSION 6 2000 2", "VERSION 6 4 4 4"],
  ...["VERSION 7", "VERSION 7 3 3", "VERSION", "5", ""],
]

it.effect("draws squares in order as long as there are two rows of them", () =>
  withServer((client) =>
    Effect.gen(function* () {
      expect(picture(textOf(yield* run(client, ..."LOLWUT VERSION 5 10 1 1".split(" "))))).toEqual([
        "⠀⡤⠤⠤⠤⠤⠤⠤⠤⡄",
        "⠀⡇⠀⠀⠀⠀⠀⠀⠀⡇",
        "⠀⡇⠀⠀⠀⠀⠀⠀⠀⡇",
        "⠀⡇⠀⠀⠀⠀⠀⠀⠀⡇",
        "⠀⠧⠤⠤⠤⠤⠤⠤⠤⠇",
      ])
      const [first, second] = [
        yield* run(client, "LOLWUT", "VERSION", "5"),
        yield* run(client, "LOLWUT", "VERSION", "5"),
      ]
      // The third row begins to turn, and its corners reach into what is above.
      expect(picture(textOf(first)).slice(0, 6)).toEqual(picture(textOf(second)).slice(0, 6))
      expect(picture(textOf(first))).not.toEqual(picture(textOf(second)))
      expect(textOf(first)).toMatch(/ Redis ver\. 7\.4\.0\n$/)
      expect(textOf(yield* run(client, "LOLWUT"))).toBe("Redis ver. 7.4.0\n")
    }),
  ),
)

describe.skipIf(!RealServer.isInstalled)("beside redis-server", () => {
  it.effect("pictures have the same size, and the same parameters are refused", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(
          Effect.promise(() => RealServer.start()),
          (started) => Effect.promise(started.stop),
        )
        const real = yield* Effect.promise(server.connect)
        for (const request of requests) {
          const argv = `LOLWUT ${request}`.trim().split(" ")
          const [ours, theirs] = [yield* run(client, ...argv), yield* run(real, ...argv)]
          expect([request, sizes(textOf(ours))]).toEqual([request, sizes(textOf(theirs))])
        }
        for (const request of ["VERSION x", "VERSION 5 x", "VERSION 5 1 x", "VERSION 6 1 x"]) {
          const argv = `LOLWUT ${request}`.split(" ")
          expect(yield* run(client, ...argv)).toEqual(yield* run(real, ...argv))
        }
      }).pipe(Effect.scoped),
    ),
  )
})
