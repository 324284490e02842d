/**
 * The ordered checks between a request and its command: the order is Redis's, since it decides which error a request with
 * two mistakes gets.
 *
 * The idea to hold: each line is a gate. One whose refusal spoils a transaction that is being queued needs no care of its own: the
 * dispatcher marks it as aborted for any refusal.
 */
import type { AclService } from "../acl/Acl.ts"
import type { Client } from "../command/Client.ts"
import { Flag } from "../command/Command.ts"
import type { Entry } from "../command/Registry.ts"
import type { ConfigService, Values } from "../config/Config.ts"
import { NoPermission } from "../errors/AclErrors.ts"
import { type CommandError, WrongArity } from "../errors/CommandError.ts"
import { Loading, NoAuth, NotAllowed, OutOfMemory } from "../errors/DispatchErrors.ts"
import { MasterDown, ReadOnlyReplica } from "../errors/ReplicationErrors.ts"
import type { PersistenceService } from "../persistence/Persistence.ts"
import type { ReplicationService } from "../replication/Replication.ts"
import type { ScriptEngineService } from "../scripting/ScriptEngine.ts"
import type { MemoryService } from "../store/Memory.ts"
import type { StoreService } from "../store/Store.ts"

export interface GateServices {
  readonly acl: AclService
  readonly config: ConfigService
  readonly persistence: PersistenceService
  readonly memory: MemoryService
  readonly replication: ReplicationService
  readonly scripts: ScriptEngineService
  readonly store: StoreService
}

export type Gate = (client: Client, entry: Entry, argv: ReadonlyArray<string>) => CommandError | undefined

/** What a RESP2 client may send while it is subscribed. */
const subscriberCommands = new Set([
  ...["ping", "subscribe", "ssubscribe", "unsubscribe", "sunsubscribe", "psubscribe", "punsubscribe", "quit", "reset"],
])

/** The flags of a request that is queued: a script that says what it does is a write or none. */
export const queuedMask = ({ command, mask }: Entry, argv: ReadonlyArray<string>): number =>
  command.mayWrite?.(argv) === true ? mask | Flag.write : mask

/** What counts for a request: for EXEC also the flags of what it will run. Outside of a transaction a script is asked when it runs. */
const maskOf = ({ transaction }: Client, entry: Entry, argv: ReadonlyArray<string>): number =>
  transaction === undefined
    ? entry.mask
    : entry.name === "exec"
      ? entry.mask | transaction.mask
      : queuedMask(entry, argv)

/** Whether a request has a flag, and what EXEC will run as well. */
const hasCommon = ({ transaction }: Client, { mask, name }: Entry, flag: number): boolean =>
  ((transaction !== undefined && name === "exec" ? mask & transaction.common : mask) & flag) !== 0

/** Whether something may run while data is being loaded. */
const mayLoad = (client: Client, entry: Entry): boolean => hasCommon(client, entry, Flag.loading)

/** Whether a replica is not to answer, since what it has may be old. */
export const isStale = ({ role }: ReplicationService, { replicaServeStaleData }: Values): boolean =>
  !replicaServeStaleData && role._tag === "Replica" && role.link !== "connected"

/** Served without memory although a transaction is open: queueing anything else takes some. */
const endsTransaction = new Set(["exec", "discard", "quit", "reset"])

/** All gates, in order: one function, since nine that are called in turn cost 30 ns a request more. */
export const make = ({ acl, config, memory, persistence, replication, scripts, store }: GateServices): Gate => {
  const { current } = config

  const outOfMemory = (client: Client, entry: Entry, argv: ReadonlyArray<string>): boolean => {
    // Redis frees memory before every command, and refuses only those that would need more.
    const enough = memory.reclaim()
    const queues = client.transaction !== undefined && !endsTransaction.has(entry.name)
    return !enough && (queues || (maskOf(client, entry, argv) & Flag.denyoom) !== 0)
  }

  return (client, entry, argv) => {
    const { arity, mask, name } = entry
    if (arity < 0 ? argv.length < -arity : argv.length !== arity) return WrongArity.of(name)
    if (!client.authenticated && (mask & Flag.no_auth) === 0 && acl.authRequired()) return NoAuth.error
    if (client.transaction !== undefined && mask & Flag.no_multi) return NotAllowed.inMulti
    if (!client.user.isUnrestricted) {
      const denial = acl.refusal(client, entry.command, argv, client.transaction === undefined ? "toplevel" : "multi")
      if (denial !== undefined) return NoPermission.of(denial.obstacle, name)
    }
    // While a script has paused nothing goes that it may have seen.
    if (current.maxmemory !== 0 && scripts.slow === undefined && outOfMemory(client, entry, argv))
      return OutOfMemory.error
    if (maskOf(client, entry, argv) & Flag.write || name === "ping") {
      const refusal = persistence.refusal()
      if (refusal !== undefined) return refusal
      if (current.minReplicasToWrite > 0 && name !== "ping") {
        const tooFew = replication.refusal()
        if (tooFew !== undefined) return tooFew
      }
    }
    const isWrite = store.isReplica && current.replicaReadOnly && (maskOf(client, entry, argv) & Flag.write) !== 0
    if (isWrite) return ReadOnlyReplica.error
    if (client.isSubscriber && client.protocol === 2 && !subscriberCommands.has(name)) return NotAllowed.of(name)
    if (store.isReplica && isStale(replication, current) && !hasCommon(client, entry, Flag.stale))
      return MasterDown.error
    if (persistence.loading() && !mayLoad(client, entry)) return Loading.error
    if (store.isReplica && persistence.loadingBeside() && (maskOf(client, entry, argv) & Flag.no_async_loading) !== 0)
      return Loading.error
    if (scripts.slow !== undefined && (mask & Flag.allow_busy) === 0) return scripts.slow.error
    if ((client.monitor || client.replica !== undefined) && maskOf(client, entry, argv) & touchesData)
      return NotAllowed.toMonitor
    return undefined
  }
}

/** What MONITOR's client may not do, nor a replica. */
const touchesData = Flag.readonly | Flag.write | Flag.may_replicate
