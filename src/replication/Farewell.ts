/**
 * The end of a master: replicas get what they lack before it goes, so that one of them can take its place.
 *
 * The idea to hold: meanwhile nothing is written, so there is an end to what they lack.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Clock } from "../clock/Clock.ts"
import { Clients } from "../command/Clients.ts"
import { Config } from "../config/Config.ts"
import { Replication } from "./Replication.ts"

/** Holds writes back until no replica lacks anything, or `shutdown-timeout` is over. */
export const wait: Effect.Effect<void, never, Clients | Clock | Config | Replication> = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const { current } = yield* Config
  const { replicas, role } = yield* Replication
  if (role._tag === "Replica" || replicas.all.length === 0 || current.shutdownTimeout === 0) return
  clients.pauseUntil("shutdown", Infinity, "write")
  replicas.leftAtMs = clock.now() + current.shutdownTimeout * 1000
  const caughtUp = Effect.raceFirst(
    Effect.as(replicas.caughtUp, false),
    Effect.as(Effect.sleep(current.shutdownTimeout * 1000), true),
  )
  // In a fiber of its own: a finalizer is uninterruptible, and the sleep would be waited for.
  const isLate = yield* Effect.flatMap(Effect.forkDaemon(Effect.interruptible(caughtUp)), Fiber.join).pipe(
    Effect.ensuring(Effect.sync(() => (replicas.leftAtMs = undefined))),
  )
  if (isLate) yield* Effect.logWarning("replicas lack something and are not waited for any longer")
})

/** Has a server wait that is stopped by a signal. SHUTDOWN has waited already, or was told not to. */
export const layer = Layer.scopedDiscard(
  Effect.flatMap(Effect.context<Clients | Clock | Config | Replication>(), (context) =>
    Effect.addFinalizer(() =>
      Effect.flatMap(Replication, ({ replicas }) => (replicas.mayBeLeft ? Effect.void : wait)).pipe(
        Effect.provide(context),
      ),
    ),
  ),
)
