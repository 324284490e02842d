/**
 * Transactions: MULTI queues, EXEC runs the queue in one go, WATCH makes EXEC conditional.
 *
 * The idea to hold: queueing is the dispatcher's work (it knows what to refuse); EXEC is a plain loop over commands that cannot
 * wait, so nothing comes between them.
 *
 * Differs: what has to do with files and ports (CONFIG REWRITE, DEBUG RELOAD) is done after the other commands of its transaction.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Acl } from "../acl/Acl.ts"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import type { Client } from "../command/Client.ts"
import * as Command from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import { Registry } from "../command/Registry.ts"
import { Stats } from "../command/Stats.ts"
import { Watches } from "../command/Watches.ts"
import { NoPermission } from "../errors/AclErrors.ts"
import { ExecAbort } from "../errors/DispatchErrors.ts"
import { TransactionError } from "../errors/TransactionErrors.ts"

const multi = Command.make({
  name: "multi",
  summary: "Mark the start of a transaction block",
  since: "1.2.0",
  group: "transactions",
  complexity: "O(1)",
  arity: 1,
  flags: "noscript loading stale fast allow_busy",
  acl: "transaction",
  parse: () => undefined,
  run: (_, { client }) => {
    if (client.transaction !== undefined) return Either.left(TransactionError.nested)
    client.transaction = { queue: [], bytes: 0, measured: 0, aborted: false, mask: 0, common: -1 }
    return Either.right(Reply.ok)
  },
})

/** MULTI, EXEC, DISCARD, WATCH and UNWATCH. */
export const transactionCommands = Effect.gen(function* () {
  const acl = yield* Acl
  const registry = yield* Registry
  const stats = yield* Stats
  const watches = yield* Watches

  /** What a client may do can have changed since its command was queued. */
  const refusal = (client: Client, argv: ReadonlyArray<string>): Reply.Reply | undefined => {
    const top = registry.find(argv[0]!)
    const { command } = top?.subcommands.get(argv[1]?.toLowerCase() ?? "") ?? top!
    const denial = acl.refusal(client, command, argv, "multi")
    if (denial === undefined) return undefined
    const error = NoPermission.changed(denial.obstacle)
    stats.countError(error.code)
    return Reply.failure(error)
  }

  const exec = Command.suspending({
    name: "exec",
    summary: "Execute all commands issued after MULTI",
    since: "1.2.0",
    group: "transactions",
    complexity: "Depends on commands in the transaction",
    arity: 1,
    flags: "noscript loading stale skip_slowlog",
    acl: "transaction",
    parse: () => undefined,
    run: (_, ctx) => {
      const { client } = ctx
      const { transaction } = client
      if (transaction === undefined) return Either.left(TransactionError.execWithoutMulti)
      client.transaction = undefined
      const broken = watches.isBroken(client)
      watches.unwatch(client)
      if (transaction.aborted) return Either.left(ExecAbort.error)
      if (broken) return Either.right(Reply.nilArray)
      // Each queued command is logged by itself; EXEC adds nothing.
      ctx.propagateAs()
      const { queue } = transaction
      const replies: Array<Reply.Reply> = []
      /** What takes its time comes after all that must not be interrupted. */
      const later: Array<Effect.Effect<void>> = []
      for (let i = 0; i < queue.length; i++) {
        // One that ended its own connection (CLIENT KILL) has no answer to what follows, which runs all the same.
        const { closing } = client
        const refused = client.user.isUnrestricted ? undefined : refusal(client, queue[i]!)
        const reply = refused ?? ctx.begin(queue[i]!)
        if (reply._tag !== "Suspended") {
          if (!closing) replies.push(reply)
          continue
        }
        const at = replies.length
        if (!closing) replies.push(Reply.none)
        later.push(Effect.map(reply.effect, (answer) => void (closing || (replies[at] = answer))))
      }
      const answer = () => (replies.length === queue.length ? Reply.array(replies) : Reply.torn(queue.length, replies))
      return later.length === 0 ? Either.right(answer()) : Effect.map(Effect.all(later, { discard: true }), answer)
    },
  })

  const discard = Command.make({
    name: "discard",
    summary: "Discard all commands issued after MULTI",
    since: "2.0.0",
    group: "transactions",
    complexity: "O(N), when N is the number of queued commands",
    arity: 1,
    flags: "noscript loading stale fast allow_busy",
    acl: "transaction",
    parse: () => undefined,
    run: (_, { client }) => {
      if (client.transaction === undefined) return Either.left(TransactionError.discardWithoutMulti)
      client.transaction = undefined
      watches.unwatch(client)
      return Either.right(Reply.ok)
    },
  })

  const watch = Command.make({
    name: "watch",
    summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
    since: "2.2.0",
    group: "transactions",
    complexity: "O(1) for every key.",
    arity: -2,
    flags: "noscript loading stale fast allow_busy",
    acl: "transaction",
    keys: [Key.range(1, "RO", { last: -1 })],
    args: [Arg.key("key", { multiple: true })],
    parse: (args) => args.rest(),
    run: (keys, { client }) => {
      if (client.transaction !== undefined) return Either.left(TransactionError.watchInMulti)
      for (const key of keys) watches.watch(client, key)
      return Either.right(Reply.ok)
    },
  })

  const unwatch = Command.make({
    name: "unwatch",
    summary: "Forget about all watched keys",
    since: "2.2.0",
    group: "transactions",
    complexity: "O(1)",
    arity: 1,
    flags: "noscript loading stale fast allow_busy",
    acl: "transaction",
    parse: () => undefined,
    run: (_, { client }) => {
      watches.unwatch(client)
      return Either.right(Reply.ok)
    },
  })

  return [multi, exec, discard, watch, unwatch]
})
