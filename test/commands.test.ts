/** Replays every transcript against a server in memory under the virtual clock, and live against redis-server if there is one. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as TestClock from "effect/TestClock"
import { MemoryConnector } from "../src/socket/MemorySocket.ts"
import { withoutAdditions } from "./support/Additions.ts"
import * as RealServer from "./support/RealServer.ts"
import * as TestServer from "./support/TestServer.ts"
import { formatTranscript, parseTranscript, play, type Step } from "./support/Transcript.ts"

const folder = join(import.meta.dirname, "transcripts")
const names = readdirSync(folder).filter((name) => name.endsWith(".txt"))
const isAdditions = (name: string): boolean => name.endsWith(".additions.txt")
const read = (name: string): ReadonlyArray<Step> => parseTranscript(readFileSync(join(folder, name), "utf8"))

describe("transcripts in memory", () => {
  it.effect.each(names)("%s", (name) =>
    Effect.gen(function* () {
      const connector = yield* MemoryConnector
      const steps = read(name)
      const runtime = yield* Effect.runtime<never>()
      const played = yield* Effect.promise(() =>
        play(steps, {
          connect: async () => {
            const { sendRaw, receive } = TestServer.makeClient(connector.connect())
            return { sendRaw, receive: isAdditions(name) ? receive : async () => withoutAdditions(await receive()) }
          },
          advance: (ms) => Runtime.runPromise(runtime)(TestClock.adjust(Duration.millis(ms))),
        }),
      )
      expect(formatTranscript(played)).toBe(formatTranscript(steps))
    }).pipe(Effect.provide(TestServer.layer()), TestServer.atStartTime),
  )
})

/**
 * Real time is only as exact as the machine is idle: where a conversation waits, or what it hears on another connection depends on what
 * redis-server meets in one turn of its event loop, a late wake-up is no difference.
 */
const attemptsWithTime = 4
const dependsOnTime = ({ _tag }: Step): boolean => _tag === "Advance" || _tag === "Receive"

const playLive = async (steps: ReadonlyArray<Step>): Promise<string> => {
  const server = await RealServer.start()
  try {
    const played = await play(steps, {
      connect: server.connect,
      advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms + 2)),
    })
    return formatTranscript(played)
  } finally {
    await server.stop()
  }
}

describe.skipIf(!RealServer.isInstalled)("transcripts against redis-server", () => {
  it.live.each(names.filter((name) => !isAdditions(name)))("%s", (name) =>
    Effect.promise(async () => {
      const steps = read(name)
      const expected = formatTranscript(steps)
      let attempts = steps.some(dependsOnTime) ? attemptsWithTime : 1
      let actual = await playLive(steps)
      while (actual !== expected && --attempts > 0) actual = await playLive(steps)
      expect(actual).toBe(expected)
    }),
  )
})
