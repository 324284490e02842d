/** The end of the server. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Arg from "../../command/Arg.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { Shutdown } from "../../command/Shutdown.ts"
import { InvalidArgument, SyntaxError } from "../../errors/CommandError.ts"
import { Persistence } from "../../persistence/Persistence.ts"
import { ScriptEngine } from "../../scripting/ScriptEngine.ts"

const noShutdown = new InvalidArgument("No shutdown in progress.")
const cannotShutdown = new InvalidArgument("Errors trying to SHUTDOWN. Check logs.")

/** SHUTDOWN. */
export const shutdownCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const persistence = yield* Persistence
  const scripts = yield* ScriptEngine
  const stop = yield* Shutdown

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
        save: has("SAVE") ? ("always" as const) : has("NOSAVE") ? ("never" as const) : ("as configured" as const),
      }
    },
    run: ({ abort, force, save }) => {
      // It has stopped before anybody could ask it not to.
      if (abort) return Either.left(noShutdown)
      // A script that does not end leaves no whole state to save.
      if (scripts.slow !== undefined && save !== "never") return Either.left(scripts.slow.error)
      scripts.slow?.abandon()
      // Until it is over nothing is served, so that nothing is acknowledged which the snapshot lacks.
      clients.pauseUntil(Infinity, "all")
      const saved = Effect.catchAll(persistence.saveBeforeEnd(save), () => {
        if (force)
          return Effect.zipRight(Effect.logWarning("stopping without a snapshot"), persistence.saveBeforeEnd("never"))
        clients.unpause()
        return Effect.fail(cannotShutdown)
      })
      // Also when the client that asked for it is gone meanwhile.
      return Effect.uninterruptible(Effect.zipRight(saved, stop.request)).pipe(
        // The connection ends with the server; there is no reply.
        Effect.zipRight(Effect.never),
      )
    },
  })

  return [shutdown]
})
