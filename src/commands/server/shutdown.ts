/** The end of the server. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Clock } from "../../clock/Clock.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { Shutdown } from "../../command/Shutdown.ts"
import type { Config, ShutdownMode } from "../../config/Config.ts"
import { type CommandError, InvalidArgument, SyntaxError } from "../../errors/CommandError.ts"
import { Persistence } from "../../persistence/Persistence.ts"
import * as Farewell from "../../replication/Farewell.ts"
import { Replication } from "../../replication/Replication.ts"
import { ScriptEngine } from "../../scripting/ScriptEngine.ts"

const noShutdown = new InvalidArgument("No shutdown in progress.")
const cannotShutdown = new InvalidArgument("Errors trying to SHUTDOWN. Check logs.")

/** SHUTDOWN. */
export const shutdownCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const persistence = yield* Persistence
  const scripts = yield* ScriptEngine
  const stop = yield* Shutdown
  const services = yield* Effect.context<Clients | Clock | Config | Replication>()
  const { replicas } = yield* Replication
  /** Ends the waits for replicas because of ABORT. */
  const aborts = new Set<() => void>()
  const aborted = Effect.async<void>((resume) => {
    const abort = () => {
      aborts.delete(abort)
      resume(Effect.void)
    }
    aborts.add(abort)
    return Effect.sync(() => aborts.delete(abort))
  })

  /** Everything but a word about who wants it. */
  const obey = ({ force, now, save }: ShutdownMode): Effect.Effect<void, CommandError> => {
    const saved = Effect.suspend(() => {
      replicas.mayBeLeft = true
      // Until it is over nothing is served, so that nothing is acknowledged which the snapshot lacks.
      clients.pauseUntil("shutdown", Infinity, "all")
      return Effect.catchAll(persistence.saveBeforeEnd(save), () => {
        if (force)
          return Effect.zipRight(Effect.logWarning("stopping without a snapshot"), persistence.saveBeforeEnd("never"))
        replicas.mayBeLeft = false
        clients.unpause("shutdown")
        return Effect.fail(cannotShutdown)
      })
    })
    const followed = Effect.raceFirst(
      Effect.provide(Farewell.wait, services),
      Effect.zipRight(aborted, Effect.fail(cannotShutdown)),
    )
    const end = Effect.uninterruptible(Effect.zipRight(saved, stop.request))
    const waits = !now && replicas.all.length > 0
    clients.pauseUntil("shutdown", Infinity, waits ? "write" : "all")
    const whole = waits ? Effect.zipRight(followed, end) : end
    // Also when the client that asked for it is gone meanwhile.
    return Effect.flatMap(Effect.forkDaemon(whole), Fiber.join)
  }
  stop.obey = obey

  const shutdown = Command.suspending({
    name: "shutdown",
    summary: "Synchronously save the dataset to disk and then shut down the server",
    since: "1.0.0",
    group: "server",
    complexity:
      "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    history: [["7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers."]],
    arity: -1,
    flags: "admin noscript loading stale no_multi allow_busy",
    args: [
      Arg.oneOf("nosave_save", [Arg.token("NOSAVE"), Arg.token("SAVE")], { optional: true }),
      Arg.token("NOW", { optional: true, since: "7.0.0" }),
      Arg.token("FORCE", { optional: true, since: "7.0.0" }),
      Arg.token("ABORT", { optional: true, since: "7.0.0" }),
    ],
    parse: (args) => {
      const words = args.rest().map((word) => word.toUpperCase())
      const has = (word: string) => words.includes(word)
      const known = words.every((word) => ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"].includes(word))
      if (!known || (has("SAVE") && has("NOSAVE")) || (has("ABORT") && words.length > 1)) args.fail(SyntaxError.error)
      return {
        abort: has("ABORT"),
        force: has("FORCE"),
        now: has("NOW"),
        save: has("SAVE") ? ("always" as const) : has("NOSAVE") ? ("never" as const) : ("as configured" as const),
      }
    },
    run: ({ abort, force, now, save }, { client }) => {
      if (abort) {
        if (aborts.size === 0) return Either.left(noShutdown)
        clients.unpause("shutdown")
        for (const end of [...aborts]) end()
        return Either.right(Reply.ok)
      }
      // A script that does not end leaves no whole state to save.
      if (scripts.slow !== undefined && save !== "never") return Either.left(scripts.slow.error)
      scripts.slow?.abandon()
      // The connection ends with the server; there is no reply.
      client.ending = true
      return Effect.zipRight(
        Effect.ensuring(
          obey({ force, now, save }),
          Effect.sync(() => (client.ending = false)),
        ),
        Effect.never,
      )
    },
  })

  return [shutdown]
})
