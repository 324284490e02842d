/**
 * WAIT and WAITAOF: waiting until what the client changed is safe: on replicas, or in the log.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import { Config } from "../../config/Config.ts"
import { InvalidArgument } from "../../errors/CommandError.ts"
import { WaitOnReplica } from "../../errors/ReplicationErrors.ts"
import { Persistence } from "../../persistence/Persistence.ts"
import { Replication } from "../../replication/Replication.ts"

const timeoutNotInteger = new InvalidArgument("timeout is not an integer or out of range")
const timeoutNegative = new InvalidArgument("timeout is negative")
const localOutOfRange = new InvalidArgument("value is out of range, value must between 0 and 1")
const replicasOutOfRange = new InvalidArgument("value is out of range, must be positive")
const noLog = new InvalidArgument("WAITAOF cannot be used when numlocal is set but appendonly is disabled.")

const timeoutOf = (args: Args): number => {
  const timeoutMs = args.int(timeoutNotInteger)
  return timeoutMs < 0 ? args.fail(timeoutNegative) : timeoutMs
}

const wait = Effect.map(Replication, (replication) =>
  Command.suspending({
    name: "wait",
    summary:
      "Wait for the synchronous replication of all the write commands sent in the context of the current connection",
    since: "3.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: "noscript",
    acl: "connection",
    tips: ["request_policy:all_shards", "response_policy:agg_min"],
    args: [Arg.integer("numreplicas"), Arg.integer("timeout")],
    parse: (args) => {
      const replicas = args.int()
      return { replicas, timeoutMs: timeoutOf(args) }
    },
    run: ({ replicas: wanted, timeoutMs }, ctx) => {
      if (replication.role._tag === "Replica") return Either.left(WaitOnReplica.error)
      const { replicas } = replication
      const offset = ctx.client.replicatedTo
      const answer = () => Reply.int(replicas.ackedBy(offset))
      if (ctx.nested || replicas.ackedBy(offset) >= wanted) return Either.right(answer())
      const waited = ctx.wait({ keys: [], timeoutMs, attempt: () => Either.right(undefined), onTimeout: Reply.zero })
      return Effect.map(Effect.raceFirst(waited, replicas.whenAcked(offset, wanted)), answer)
    },
  }),
)

/** Since Redis 7.2: recorded from 8.0.2. */
const waitaof = Effect.gen(function* () {
  const { current } = yield* Config
  const persistence = yield* Persistence
  const replication = yield* Replication
  return Command.suspending({
    name: "waitaof",
    summary:
      "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
    since: "7.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: 4,
    flags: "blocking",
    acl: "connection",
    tips: ["request_policy:all_shards", "response_policy:agg_min"],
    args: [Arg.integer("numlocal"), Arg.integer("numreplicas"), Arg.integer("timeout")],
    parse: (args) => {
      const local = args.int()
      if (local < 0 || local > 1) args.fail(localOutOfRange)
      const replicas = args.int(replicasOutOfRange)
      if (replicas < 0) args.fail(replicasOutOfRange)
      return { local, replicas, timeoutMs: timeoutOf(args) }
    },
    run: ({ local, replicas, timeoutMs }, ctx) => {
      if (local > 0 && !current.appendonly) return Either.left(noLog)
      const { loggedTo, replicatedTo } = ctx.client
      const replicated = () => replication.replicas.ackedBy(replicatedTo, "synced")
      const synced = () => (current.appendonly && persistence.isSynced(loggedTo) ? 1 : 0)
      const answer = () => Reply.array([Reply.int(synced()), Reply.int(replicated())])
      if (ctx.nested || (synced() >= local && replicated() >= replicas)) return Either.right(answer())
      const waited = ctx.wait({ keys: [], timeoutMs, attempt: () => Either.right(undefined), onTimeout: Reply.zero })
      const outcome = Effect.suspend(() =>
        local > 0 && !current.appendonly ? Effect.fail(noLog) : Effect.succeed(answer()),
      )
      const enough = Effect.zipRight(
        local > 0 ? persistence.whenSynced(loggedTo) : Effect.void,
        replication.replicas.whenAcked(replicatedTo, replicas, "synced"),
      )
      return Effect.zipRight(Effect.raceFirst(waited, enough), outcome)
    },
  })
})

export const waitingCommands = Effect.all([wait, waitaof])
