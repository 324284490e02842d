/** The modules of @effect/experimental that keep their state in Redis. */
import * as Persistence from "@effect/experimental/Persistence"
import * as PersistenceRedis from "@effect/experimental/Persistence/Redis"
import * as PersistedQueue from "@effect/experimental/PersistedQueue"
import * as PersistedQueueRedis from "@effect/experimental/PersistedQueue/Redis"
import * as RateLimiter from "@effect/experimental/RateLimiter"
import * as RateLimiterRedis from "@effect/experimental/RateLimiter/Redis"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as LiveServer from "../clients/LiveServer.ts"

let server: LiveServer.LiveServer
let redis: { readonly host: string; readonly port: number }
beforeAll(async () => {
  server = await LiveServer.start()
  redis = { host: "127.0.0.1", port: server.port }
})
afterAll(() => server.stop())

describe("@effect/experimental", () => {
  it("limits rates by a fixed window and by tokens", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      for (const algorithm of ["fixed-window", "token-bucket"] as const) {
        const consume = limiter.consume({
          algorithm,
          onExceeded: "fail",
          window: "9 seconds",
          limit: 3,
          key: algorithm,
        })
        const results = yield* Effect.all(Array.from({ length: 5 }, () => Effect.either(consume)))
        expect(results.filter(Either.isRight)).toHaveLength(3)
      }
    }).pipe(
      Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiterRedis.layerStore(redis)))),
      Effect.runPromise,
    ))

  it("hands out queued items once, and again after a failure", () =>
    Effect.gen(function* () {
      const queue = yield* PersistedQueue.make({ name: "work", schema: Schema.Struct({ n: Schema.Number }) })
      yield* queue.offer({ n: 1 })
      yield* queue.offer({ n: 2 }, { id: "twice" })
      yield* queue.offer({ n: 2 }, { id: "twice" })
      const seen: Array<number> = []
      yield* queue.take(() => Effect.fail("not yet")).pipe(Effect.either)
      for (let i = 0; i < 2; i++) yield* queue.take(({ n }) => Effect.sync(() => seen.push(n)))
      expect(seen.sort()).toEqual([1, 2])
    }).pipe(
      Effect.provide(PersistedQueue.layer.pipe(Layer.provide(PersistedQueueRedis.layerStore(redis)))),
      Effect.runPromise,
    ))

  it("keeps values with a time to live", () =>
    Effect.gen(function* () {
      const backing = yield* Persistence.BackingPersistence
      const store = yield* backing.make("store")
      yield* store.set("k", { a: 1 }, Option.none())
      yield* store.setMany([["l", [1, 2], Option.none()]])
      expect(yield* store.getMany(["k", "l", "none"])).toEqual([
        Option.some({ a: 1 }),
        Option.some([1, 2]),
        Option.none(),
      ])
      yield* store.remove("k")
      expect(yield* store.get("k")).toEqual(Option.none())
      yield* store.clear
      expect(yield* store.get("l")).toEqual(Option.none())
    }).pipe(Effect.scoped, Effect.provide(PersistenceRedis.layer(redis)), Effect.runPromise))
})
