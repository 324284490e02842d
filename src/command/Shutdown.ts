/**
 * How a command ends the server: SHUTDOWN asks, and whoever launched the server waits for it and closes its scope.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Shutdown extends Context.Tag("tiny-redis/Shutdown")<
  Shutdown,
  {
    /** Asks the server to stop. */
    readonly request: Effect.Effect<void>
    /** Ends when somebody has asked. */
    readonly requested: Effect.Effect<void>
  }
>() {
  static readonly layer = Layer.effect(
    this,
    Effect.map(Deferred.make<void>(), (deferred) => ({
      request: Effect.asVoid(Deferred.succeed(deferred, undefined)),
      requested: Deferred.await(deferred),
    })),
  )
}
