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

const arity: Gate = (_, { command }, argv) =>
  command.arity < 0 ? (argv.length < -command.arity ? WrongArity.of(command.name) : undefined)
  : argv.length !== command.arity ? WrongArity.of(command.name)
  : undefined

const authenticated: Gate = (client, { command }) =>
  client.authenticated || command.mask & Flag.no_auth ? undefined : NoAuth.error

const notInMulti: Gate = (client, { command }) =>
  client.transaction !== undefined && command.mask & Flag.no_multi ? NotAllowed.inMulti : undefined

const subscriber: Gate = (client, { command }) =>
  client.protocol === 2 &&
  client.subscriptions + client.shardChannels.size > 0 &&
  !subscriberCommands.has(command.name)
    ? NotAllowed.of(command.name)
    : undefined

/** All gates, in order. */
export const make = ({ config, memory, persistence, scripts }: GateServices): Gate => {
  const outOfMemory: Gate = (client, { command }) => {
    if (config.current.maxmemory === 0) return undefined
    // Redis frees memory before every command, and refuses only those that would need more.
    const enough = memory.reclaim()
    const refused = command.mask & Flag.denyoom || (client.transaction !== undefined && command.name === "exec")
    return enough || !refused ? undefined : OutOfMemory.error
  }
  const diskError: Gate = (_, { command }) =>
    command.mask & Flag.write || command.name === "ping" ? persistence.refusal() : undefined
  const loading: Gate = (_, { command }) =>
    persistence.loading() && !(command.mask & Flag.loading) ? Loading.error : undefined
  const busy: Gate = (_, { command }) =>
    scripts.slow === undefined || command.mask & Flag.allow_busy ? undefined : scripts.slow.error

  return (client, entry, argv) =>
    arity(client, entry, argv) ??
    authenticated(client, entry, argv) ??
    notInMulti(client, entry, argv) ??
    outOfMemory(client, entry, argv) ??
    diskError(client, entry, argv) ??
    subscriber(client, entry, argv) ??
    loading(client, entry, argv) ??
    busy(client, entry, argv)
}

