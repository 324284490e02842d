/**
 * SIGTERM and SIGINT: the server stops as the settings `shutdown-on-sigterm` and `shutdown-on-sigint` say, or stays if SHUTDOWN would
 * leave it there.
 *
 * The idea to hold: a signal is SHUTDOWN without a client. Before the data is there, and while a script does not end, there is nothing that could be
 * saved or refused: then it interrupts the program, as without a server.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Shutdown } from "./command/Shutdown.ts"
import { Config } from "./config/Config.ts"
import { Persistence } from "./persistence/Persistence.ts"
import { ScriptEngine } from "./scripting/ScriptEngine.ts"

export type Signal = "SIGTERM" | "SIGINT"

/** What a server does about a signal: false if that is to interrupt the program. `exit` ends the process at once. */
export const handler = (exit: () => void) =>
  Effect.gen(function* () {
    const config = yield* Config
    const persistence = yield* Persistence
    const scripts = yield* ScriptEngine
    const stop = yield* Shutdown
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    let isStopping = false

    return (signal: Signal): boolean => {
      if (isStopping) {
        if (signal === "SIGINT") exit()
        return true
      }
      const { obey } = stop
      if (obey === undefined || persistence.loading() || scripts.slow !== undefined) return false
      isStopping = true
      const mode = signal === "SIGTERM" ? config.current.shutdownOnSigterm : config.current.shutdownOnSigint
      const { askedBy } = stop
      stop.askedBy = "a signal"
      const stays = Effect.suspend(() => {
        isStopping = false
        stop.askedBy = askedBy
        return Effect.logWarning(`${signal} is not obeyed: the server could not stop as ${signal} would have it`)
      })
      runFork(
        Effect.zipRight(
          Effect.logInfo(`${signal} has come`),
          Effect.catchAll(obey(mode), () => stays),
        ),
      )
      return true
    }
  })

/** Has signals stop this server, from now on; who listened before is told of those that are to interrupt the program. */
export const layer = Layer.effectDiscard(
  Effect.map(
    handler(() => process.exit(1)),
    (handle) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const others = process.listeners(signal)
        process.on(signal, () => {
          if (!handle(signal)) for (const listener of others) listener(signal)
        })
        // Only now: a signal that comes while there is no listener would be lost.
        for (const listener of others) process.removeListener(signal, listener)
      }
    },
  ),
)
