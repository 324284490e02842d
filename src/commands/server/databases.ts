/**
 * The databases as a whole: how large, emptied, exchanged; and the time.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { ok } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import { Config, type ConfigService } from "../../config/Config.ts"
import { InvalidArgument, SyntaxError } from "../../errors/CommandError.ts"
import { ClientError } from "../../errors/ConnectionErrors.ts"
import { Persistence, type PersistenceService } from "../../persistence/Persistence.ts"

/** ASYNC and SYNC are both at once here: dropping a map takes no time that grows with it, the collector frees it later. */
const flushMode = (args: Args): void => {
  if (args.more && !args.option("ASYNC") && !args.option("SYNC")) args.fail(SyntaxError.error)
  args.end()
}

/** What FLUSHDB and FLUSHALL have in common. */
const flushing = {
  history: [
    ["4.0.0", "Added the `ASYNC` flushing mode modifier."],
    ["6.2.0", "Added the `SYNC` flushing mode modifier."],
  ],
  arity: -1,
  flags: "write",
  acl: "keyspace dangerous",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: [
    Arg.oneOf("async", [Arg.token("ASYNC", { since: "4.0.0" }), Arg.token("SYNC", { since: "6.2.0" })], {
      optional: true,
    }),
  ],
  parse: flushMode,
} as const

const dbsize = Command.make({
  name: "dbsize",
  summary: "Return the number of keys in the selected database",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  arity: 1,
  flags: "readonly fast",
  acl: "keyspace",
  tips: ["request_policy:all_shards", "response_policy:agg_sum"],
  parse: () => undefined,
  run: (_, { db }) => Either.right(Reply.int(db.size)),
})

const flushdb = Command.make({
  name: "flushdb",
  summary: "Remove all keys from the current database",
  since: "1.0.0",
  group: "server",
  complexity: "O(N) where N is the number of keys in the selected database",
  ...flushing,
  run: (_, { db, store }) => {
    // Redis logs it even when there was nothing to remove.
    store.dirty += Math.max(1, db.clear())
    return Either.right(Reply.ok)
  },
})

/** FLUSHALL. */
const flushall = (config: ConfigService, persistence: PersistenceService) =>
  Command.suspending({
    name: "flushall",
    summary: "Remove all keys from all databases",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) where N is the total number of keys in all databases",
    ...flushing,
    run: (_, { store, db: selected, nested }) => {
      const filled = store.databases.filter((db) => db.size > 0)
      // Clients that track keys are told even when there was nothing.
      const cleared = filled.length > 0 ? filled : [selected]
      store.dirty += Math.max(
        1,
        cleared.reduce((sum, db) => sum + db.clear(), 0),
      )
      if (persistence.loading()) return ok
      // The snapshot on the disk must not bring back what is gone: redis-server writes another one at once, whether or not that fails.
      const givenUp = persistence.giveUpSnapshot()
      if (config.current.save.length === 0) return ok
      const save = Effect.zipRight(givenUp, Effect.ignore(persistence.save))
      if (!nested) return Effect.as(Effect.uninterruptible(save), Reply.ok)
      persistence.saveInBackground(true, true)
      return ok
    },
  })

const invalidFirst = new InvalidArgument("invalid first DB index")
const invalidSecond = new InvalidArgument("invalid second DB index")

const swapdb = Command.make({
  name: "swapdb",
  summary: "Swaps two Redis databases",
  since: "4.0.0",
  group: "server",
  complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
  arity: 3,
  flags: "write fast",
  acl: "keyspace dangerous",
  args: [Arg.integer("index1"), Arg.integer("index2")],
  parse: (args) => ({ first: args.int(invalidFirst), second: args.int(invalidSecond) }),
  run: ({ first, second }, { store }) => {
    const one = store.database(first)
    const other = store.database(second)
    if (one === undefined || other === undefined) return Either.left(ClientError.noSuchDatabase)
    if (one !== other) one.swap(other)
    store.dirty++
    return Either.right(Reply.ok)
  },
})

const time = Command.make({
  name: "time",
  summary: "Return the current server time",
  since: "2.6.0",
  group: "server",
  complexity: "O(1)",
  arity: 1,
  flags: "loading stale fast",
  tips: ["nondeterministic_output"],
  parse: () => undefined,
  run: (_, { nowMicros }) => {
    const micros = nowMicros()
    return Either.right(Reply.bulks([String(Math.floor(micros / 1e6)), String(Math.floor(micros % 1e6))]))
  },
})

export const databaseCommands = Effect.gen(function* () {
  return [dbsize, flushdb, flushall(yield* Config, yield* Persistence), swapdb, time]
})
