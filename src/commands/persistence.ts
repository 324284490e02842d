/**
 * SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE: what they ask for happens in persistence/, here is what is on the wire.
 *
 * Differs: while SAVE works the other clients go on; the file holds the instant at which SAVE began.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import * as Command from "../command/Command.ts"
import { SyntaxError } from "../errors/CommandError.ts"
import { Persistence, type PersistenceService } from "../persistence/Persistence.ts"

const save = (persistence: PersistenceService) =>
  Command.suspending({
    name: "save",
    summary: "Synchronously save the dataset to disk",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) where N is the total number of keys in all databases",
    arity: 1,
    flags: "admin noscript no_async_loading no_multi",
    parse: () => undefined,
    // Written to its end, also for a client that is gone.
    run: () => Effect.as(Effect.uninterruptible(persistence.save), Reply.ok),
  })

const bgsave = (persistence: PersistenceService) =>
  Command.make({
    name: "bgsave",
    summary: "Asynchronously save the dataset to disk",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    history: [["3.2.2", "Added the `SCHEDULE` option."]],
    arity: -1,
    flags: "admin noscript no_async_loading",
    args: [Arg.token("SCHEDULE", { optional: true, since: "3.2.2" })],
    parse: (args) => {
      if (!args.more) return false
      if (args.left === 1 && args.option("SCHEDULE")) return true
      return args.fail(SyntaxError.error)
    },
    // A transaction comes first; what it asks for begins after it.
    run: (schedule, { nested }) =>
      Either.map(persistence.saveInBackground(schedule, nested), (accepted) =>
        Reply.simple(`Background saving ${accepted}`),
      ),
  })

const lastsave = (persistence: PersistenceService) =>
  Command.make({
    name: "lastsave",
    summary: "Get the UNIX time stamp of the last successful save to disk",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: "loading stale fast",
    acl: "admin dangerous",
    tips: ["nondeterministic_output"],
    parse: () => undefined,
    run: () => Either.right(Reply.int(persistence.lastSave())),
  })

const bgrewriteaof = (persistence: PersistenceService) =>
  Command.make({
    name: "bgrewriteaof",
    summary: "Asynchronously rewrite the append-only file",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: "admin noscript no_async_loading",
    parse: () => undefined,
    run: (_, { nested }) =>
      Either.map(persistence.rewriteLog(nested), (accepted) =>
        Reply.simple(`Background append only file rewriting ${accepted}`),
      ),
  })

export const persistenceCommands = Effect.map(Persistence, (persistence) => [
  save(persistence),
  bgsave(persistence),
  lastsave(persistence),
  bgrewriteaof(persistence),
])
