/** How long commands took: what is measured together, and to whom it is put down. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Config } from "../src/config/Config.ts"
import * as Reply from "../src/codec/Reply.ts"
import { Args } from "../src/command/Args.ts"
import type { Client } from "../src/command/Client.ts"
import { Observers } from "../src/command/Observers.ts"
import { Entry } from "../src/command/Registry.ts"
import { listCommands as lists } from "../src/commands/lists/index.ts"
import { stringCommands as strings } from "../src/commands/strings/index.ts"
import { Timing } from "../src/dispatch/Timing.ts"

const entries = (settings: { readonly slowlogLogSlowerThan?: number } = {}) =>
  Effect.gen(function* () {
    const observers = yield* Observers
    const config = yield* Config
    Object.assign(config.current, settings)
    const clock = { readings: 0, micros: 0 }
    const nowMicros = () => {
      clock.readings++
      return clock.micros
    }
    const args = new Args()
    const never = { now: () => 0, nowMicros, sleepUntil: () => Effect.never }
    const timing = new Timing(never, config, observers, args)
    const slow: Array<string> = []
    observers.measured.push((_, __, argv, micros) => slow.push(`${argv.join(" ")}: ${micros}`))
    const named = (name: string) => new Entry([...strings, ...lists].find((command) => command.name === name)!)
    const client = {} as Client
    const ran = (entry: Entry, micros: number, request: string, reply: Reply.Reply = Reply.int(1)) => {
      const argv = request.split(" ")
      timing.begin(entry)
      args.reset(argv, 1)
      clock.micros += micros
      timing.ended(client, entry, argv, Either.right(reply))
    }
    timing.tick()
    clock.readings = 0
    return { clock, named, ran, slow, timing }
  }).pipe(Effect.provide(Observers.layer), Effect.provide(Config.layer({})))

describe("commands of one name that come one behind the other", () => {
  it.effect("are measured together, up to eight", () =>
    Effect.gen(function* () {
      const { clock, named, ran, timing } = yield* entries()
      const incr = named("incr")
      for (let i = 1; i <= 10; i++) ran(incr, i, "INCR k")
      expect([clock.readings, incr.micros, incr.histogram!.total]).toEqual([1, 36, 8])
      timing.settle()
      timing.settle()
      expect([clock.readings, incr.micros, incr.histogram!.total]).toEqual([2, 55, 10])
      expect([incr.histogram!.percentile(50), incr.histogram!.percentile(100)]).toEqual([4.511, 9.535])
    }),
  )

  it.effect("may be answered with an array of two, as ZPOPMIN is", () =>
    Effect.gen(function* () {
      const { clock, named, ran } = yield* entries()
      const lpop = named("lpop")
      for (const reply of [Reply.bulks(["a", "1"]), Reply.emptyArray, Reply.bulks(["b"])])
        ran(lpop, 1, "LPOP k 2", reply)
      expect(clock.readings).toBe(0)
    }),
  )

  it.effect("are told from others, which begin where they end", () =>
    Effect.gen(function* () {
      const { named, ran, timing } = yield* entries()
      const [incr, set] = [named("incr"), named("set")]
      for (const micros of [5, 5]) ran(incr, micros, "INCR k")
      for (const micros of [20, 30]) ran(set, micros, "SET k v", Reply.ok)
      timing.tick()
      expect([incr.micros, set.micros]).toEqual([10, 50])
    }),
  )

  it.effect("are put down in the slow log as the last of them", () =>
    Effect.gen(function* () {
      const { named, ran, slow, timing } = yield* entries()
      const [incr, set] = [named("incr"), named("set")]
      ran(incr, 1, "INCR a")
      ran(incr, 20_000, "INCR b")
      ran(set, 1, "SET k v", Reply.ok)
      timing.settle()
      expect(slow).toEqual(["INCR b: 20001"])
    }),
  )
})

describe("a command is measured alone", () => {
  it.effect("where its answer is long, or its request", () =>
    Effect.gen(function* () {
      const { clock, named, ran, slow } = yield* entries()
      const [lpop, rpush] = [named("lpop"), named("rpush")]
      ran(lpop, 1, "LPOP k 1000000", Reply.bulks(["a", "b", "c"]))
      ran(lpop, 30_000, "LPOP k 2000000", Reply.bulks(["a", "b", "c"]))
      ran(rpush, 10_000, "RPUSH k 1 2 3 4 5 6 7 8")
      expect(clock.readings).toBe(3)
      expect(slow).toEqual(["LPOP k 2000000: 30000", "RPUSH k 1 2 3 4 5 6 7 8: 10000"])
    }),
  )

  it.effect("where its time depends on the data", () =>
    Effect.gen(function* () {
      const { clock, named, ran } = yield* entries()
      ran(named("lrange"), 1, "LRANGE k 0 1")
      expect(clock.readings).toBe(1)
    }),
  )

  it.effect("where the slow log asks for times below a millisecond", () =>
    Effect.gen(function* () {
      const { clock, named, ran, slow } = yield* entries({ slowlogLogSlowerThan: 0 })
      const incr = named("incr")
      for (const key of ["a", "b"]) ran(incr, 3, `INCR ${key}`)
      expect(clock.readings).toBe(2)
      expect(slow).toEqual(["INCR a: 3", "INCR b: 3"])
    }),
  )
})
