/**
 * How a command or a signal ends the server: it asks, and whoever launched the server waits for it and closes its scope.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ShutdownMode } from "../config/Config.ts"
import type { CommandError } from "../errors/CommandError.ts"

export interface ShutdownService {
  /** Asks the server to stop. */
  readonly request: Effect.Effect<void>
  /** Ends when somebody has asked. */
  readonly requested: Effect.Effect<void>
  /** Does what SHUTDOWN does: waits for replicas, saves, and asks. Fails if the server is to stay; absent where there is no such command. */
  obey: ((mode: ShutdownMode) => Effect.Effect<void, CommandError>) | undefined
  /** Who has said so, for the log. */
  askedBy: string
}

export class Shutdown extends Context.Tag("tiny-redis/Shutdown")<Shutdown, ShutdownService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.map(Deferred.make<void>(), (deferred): ShutdownService => ({
      request: Effect.asVoid(Deferred.succeed(deferred, undefined)),
      requested: Deferred.await(deferred),
      obey: undefined,
      askedBy: "SHUTDOWN",
    })),
  )
}
