/**
 * The settings that slow down what writes and loads data, with which tests look at what goes on meanwhile. Their names, limits and how long
 * they take are those of redis-server 7.0.15, where 1000 keys with 500 microseconds each take half a second to write and to load.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import { Pace } from "../src/persistence/Pace.ts"
import * as Files from "../src/persistence/Files.ts"
import * as Server from "../src/Server.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

const withDisk = <A, E>(
  options: Partial<Values>,
  body: (client: TestClient, other: TestClient) => Effect.Effect<A, E>,
) =>
  Effect.flatMap(Effect.all([connect, connect]), ([client, other]) => body(client, other)).pipe(
    Effect.provide(
      Server.layerTest(
        { ...testSettings, dir: "/tmp", ...options },
        { persistence: Files.layer().pipe(Layer.provide(new FailingDisk(1).layer)) },
      ),
    ),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
  )

const field = (client: TestClient, name: string) =>
  Effect.map(run(client, "INFO", "persistence"), (reply) => {
    const text = reply._tag === "Verbatim" || reply._tag === "Bulk" ? String(reply.value) : ""
    return new RegExp(`^${name}:(.*)\\r$`, "m").exec(text)?.[1]
  })

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
const turns = Effect.repeatN(turn, 20)

/** Lets time pass in steps of a tenth of a second, each with all that comes of it. */
const pass = (tenths: number) =>
  Effect.repeatN(Effect.zipRight(TestClock.adjust("100 millis"), turns), tenths - 1).pipe(Effect.zipLeft(turns))

const fill = (client: TestClient, keys: number) =>
  Effect.forEach(Array.from({ length: keys }), (_, i) => run(client, "SET", `key:${i}`, "v"), { discard: true })

describe("a pace", () => {
  const lasts = (pace: Pace) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(pace.rest)
      for (let ms = 0; ; ms++) {
        yield* Effect.yieldNow()
        if ((yield* Fiber.poll(fiber))._tag === "Some") return ms
        yield* TestClock.adjust("1 millis")
      }
    })

  it.effect("rests for whole milliseconds, and keeps what is short of one", () =>
    Effect.gen(function* () {
      const pace = new Pace(() => 400)
      const rests: Array<number> = []
      for (const keys of [2, 1, 1, 10]) {
        pace.count(keys)
        rests.push(yield* lasts(pace))
      }
      expect(rests).toEqual([0, 1, 0, 4])
    }),
  )

  it.effect("rests a microsecond for every so many keys where the setting is negative", () =>
    Effect.gen(function* () {
      const pace = new Pace(() => -50)
      pace.count(49_999)
      expect(yield* lasts(pace)).toBe(0)
      pace.count(50_001)
      expect(yield* lasts(pace)).toBe(2)
    }),
  )

  it.effect("follows the setting", () =>
    Effect.gen(function* () {
      let setting = 1_000_000
      const pace = new Pace(() => setting)
      pace.count(10)
      const fiber = yield* Effect.fork(pace.rest)
      yield* TestClock.adjust("50 millis")
      setting = 0
      yield* TestClock.adjust("50 millis")
      yield* Fiber.join(fiber)
      pace.count(1000)
      expect([pace.isDue, yield* lasts(pace)]).toEqual([false, 0])
    }),
  )
})

describe("rdb-key-save-delay", () => {
  const jobs = [
    { command: "BGSAVE", options: {}, busy: "rdb_bgsave_in_progress" },
    { command: "BGREWRITEAOF", options: {}, busy: "aof_rewrite_in_progress" },
    { command: "BGREWRITEAOF", options: { aofUseRdbPreamble: false }, busy: "aof_rewrite_in_progress" },
  ]
  it.effect.each(jobs)("makes each key take that long: $command $options", ({ command, options, busy }) =>
    withDisk({ ...options, rdbKeySaveDelay: 100_000 }, (client, other) =>
      Effect.gen(function* () {
        yield* fill(client, 5)
        yield* run(client, command)
        yield* pass(4)
        expect(yield* field(other, busy)).toBe("1")
        yield* pass(1)
        expect(yield* field(other, busy)).toBe("0")
      }),
    ),
  )

  it.effect("holds for SAVE, and what is being written follows a change", () =>
    withDisk({}, (client, other) =>
      Effect.gen(function* () {
        yield* fill(client, 5)
        expect(yield* run(client, "CONFIG", "SET", "rdb-key-save-delay", "10000000")).toEqual(Reply.ok)
        client.send("SAVE")
        yield* pass(9)
        expect(client.arrived()).toEqual([])
        expect(yield* field(other, "current_save_keys_processed")).toBe("1")
        yield* run(other, "CONFIG", "SET", "rdb-key-save-delay", "0")
        yield* pass(1)
        expect(client.arrived()).toEqual([Reply.ok])
      }),
    ),
  )
})

describe("key-load-delay", () => {
  const sources = [
    { name: "a snapshot", reload: ["DEBUG", "RELOAD"] },
    { name: "a log", reload: ["DEBUG", "LOADAOF"] },
  ]
  it.effect.each(sources)("makes each key take that long: $name", ({ reload }) =>
    withDisk({ appendonly: true, keyLoadDelay: 100_000 }, (client, other) =>
      Effect.gen(function* () {
        yield* fill(client, 5)
        client.send(...reload)
        // A log has SELECT, too.
        const tenths = reload[1] === "RELOAD" ? 5 : 6
        yield* pass(tenths - 1)
        expect(yield* run(other, "DBSIZE")).toMatchObject({ code: "LOADING" })
        yield* pass(1)
        expect(yield* run(other, "DBSIZE")).toEqual(Reply.int(5))
        expect(client.arrived()).toEqual([Reply.ok])
      }),
    ),
  )

  it.effect("lets others be served after so many bytes as loading-process-events-interval-bytes says", () =>
    withDisk(
      { keyLoadDelay: 10_000, loadingProcessEventsIntervalBytes: 1024, rdbcompression: false },
      (client, other) =>
        Effect.gen(function* () {
          for (let i = 0; i < 10; i++) yield* run(client, "SET", `key:${i}`, "v".repeat(1000))
          client.send("DEBUG", "RELOAD")
          yield* turns
          const loaded = Number(yield* field(other, "loading_loaded_bytes"))
          expect(loaded).toBeGreaterThan(1000)
          expect(loaded).toBeLessThan(3000)
          yield* pass(5)
          expect(client.arrived()).toEqual([Reply.ok])
        }),
    ),
  )
})
