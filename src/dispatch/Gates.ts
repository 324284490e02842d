/**
 * The ordered checks between a request and its command: the order is Redis's, since it decides which error a request with
 * two mistakes gets.
 *
 * The idea to hold: each gate is one function that gives an error or nothing. A gate whose refusal spoils a transaction that is
 * being queued needs no care of its own: the dispatcher marks it as aborted for any refusal.
 */
import type { ConfigService } from "../config/Config.ts"
import { type CommandError, WrongArity } from "../errors/CommandError.ts"
import { Loading, NoAuth, NotAllowed, OutOfMemory } from "../errors/DispatchErrors.ts"
import { Flag } from "../command/Command.ts"
import type { Client } from "../command/Client.ts"
import type { MemoryService } from "../store/Memory.ts"
import type { Entry } from "../command/Registry.ts"
import type { PersistenceService } from "../persistence/Persistence.ts"
import type { ScriptEngineService } from "../scripting/ScriptEngine.ts"

export interface GateServices {
  readonly config: ConfigService
  readonly persistence: PersistenceService
  readonly memory: MemoryService
  readonly scripts: ScriptEngineService
}

export type Gate = (client: Client, entry: Entry, argv: ReadonlyArray<string>) => CommandError | undefined

/** What a RESP2 client may send while it is subscribed. */
const subscriberCommands = new Set([
  ...["ping", "subscribe", "ssubscribe", "unsubscribe", "sunsubscribe", "psubscribe", "punsubscribe", "quit", "reset"],
])

const arity: Gate = (_, { arity, name }, argv) =>
  arity < 0
    ? argv.length < -arity
      ? WrongArity.of(name)
      : undefined
    : argv.length !== arity
      ? WrongArity.of(name)
      : undefined

/** What counts for a request: for EXEC also the flags of what it will run. */
export const maskOf = ({ transaction }: Client, { mask, name }: Entry): number =>
  transaction !== undefined && name === "exec" ? mask | transaction.mask : mask

const notInMulti: Gate = (client, { mask }) =>
  client.transaction !== undefined && mask & Flag.no_multi ? NotAllowed.inMulti : undefined

const subscriber: Gate = (client, { name }) =>
  client.protocol === 2 && client.subscriptions + client.shardChannels.size > 0 && !subscriberCommands.has(name)
    ? NotAllowed.of(name)
    : undefined

const monitoring: Gate = (client, entry) =>
  client.monitor && maskOf(client, entry) & (Flag.readonly | Flag.write | Flag.may_replicate)
    ? NotAllowed.toMonitor
    : undefined

/** Served without memory although a transaction is open: queueing anything else takes some. */
const endsTransaction = new Set(["exec", "discard", "quit", "reset"])

/** All gates, in order. */
export const make = ({ config, memory, persistence, scripts }: GateServices): Gate => {
  const authenticated: Gate = (client, { mask }) =>
    client.authenticated || mask & Flag.no_auth || config.current.requirepass === "" ? undefined : NoAuth.error
  const outOfMemory: Gate = (client, entry) => {
    if (config.current.maxmemory === 0) return undefined
    // Redis frees memory before every command, and refuses only those that would need more.
    const enough = memory.reclaim()
    const queues = client.transaction !== undefined && !endsTransaction.has(entry.name)
    const refused = queues || maskOf(client, entry) & Flag.denyoom
    return enough || !refused ? undefined : OutOfMemory.error
  }
  const diskError: Gate = (client, entry) =>
    maskOf(client, entry) & Flag.write || entry.name === "ping" ? persistence.refusal() : undefined
  const loading: Gate = (_, { mask }) => (persistence.loading() && !(mask & Flag.loading) ? Loading.error : undefined)
  const busy: Gate = (_, { mask }) =>
    scripts.slow === undefined || mask & Flag.allow_busy ? undefined : scripts.slow.error

  return (client, entry, argv) =>
    arity(client, entry, argv) ??
    authenticated(client, entry, argv) ??
    notInMulti(client, entry, argv) ??
    outOfMemory(client, entry, argv) ??
    diskError(client, entry, argv) ??
    subscriber(client, entry, argv) ??
    loading(client, entry, argv) ??
    busy(client, entry, argv) ??
    monitoring(client, entry, argv)
}
