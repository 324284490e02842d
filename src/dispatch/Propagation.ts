/**
 * Which requests reach the one stream of changes. A command that changed data is logged as it came, unless it said otherwise
 * with `propagateAs`; keys reclaimed on the way are logged as DEL before it.
 *
 * The idea to hold: a *unit* is what must survive together: one command, one EXEC, one script. It ends when the outermost
 * command ends; several changes of one unit are wrapped in MULTI and EXEC. The log and the replicas get the same, except where a
 * script asked that its changes reach only one of them, and for what replicas alone are told (PUBLISH).
 */
import { LongRequest } from "../codec/LongRequest.ts"
import type { Client } from "../command/Client.ts"
import { listen, type StoreEvents } from "../store/Events.ts"
import type { Change, PersistenceService } from "../persistence/Persistence.ts"
import type { ReplicationService } from "../replication/Replication.ts"

/** Where a change goes, as sums of these: the flags of `redis.set_repl`. */
export const toLog = 1
export const toReplicas = 2
export const everywhere = toLog | toReplicas

export interface Propagation {
  /** Notes one change of the running unit. */
  readonly add: (db: number, argv: ReadonlyArray<string>, to: number) => void
  /** Ends the unit, of `client`'s if there is one: hands on its changes, several of them as one that is atomic. */
  readonly flush: (client: Client | undefined) => void
  /** Whether anything is kept at all. */
  readonly active: () => boolean
}

export const make = (
  events: StoreEvents,
  persistence: PersistenceService,
  replication: ReplicationService,
  inUnit: () => boolean,
): Propagation => {
  let pending: Array<Change> = []
  /** Where each of `pending` goes. */
  let targets: Array<number> = []
  /** Whether some of `pending` is for one of the two alone. */
  let uneven = false

  /** `to`: where each of `unit` goes, if not everywhere. */
  const hand = (unit: Array<Change>, to: ReadonlyArray<number> | undefined) => {
    const whole = to === undefined ? wrapped(unit) : undefined
    if (persistence.active()) {
      const changes = whole ?? wrapped(unit.filter((_, i) => (to![i]! & toLog) !== 0))
      if (changes.length > 0) persistence.append(changes)
    }
    if (replication.active()) {
      const changes = whole ?? wrapped(unit.filter((_, i) => (to![i]! & toReplicas) !== 0))
      if (changes.length > 0) replication.append(changes)
    }
  }
  const flush = (client: Client | undefined) => {
    if (pending.length === 0) return
    const unit = pending
    const to = uneven ? targets : undefined
    pending = []
    targets = []
    uneven = false
    if (unit.length > 1 && client !== undefined && looksAnywhere.has(client.lastCommand)) {
      for (const change of unit) hand([change], undefined)
    } else hand(unit, to)
    if (client === undefined) return
    client.loggedTo = persistence.position()
    client.replicatedTo = replication.history.offset
  }
  const active = () => persistence.active() || replication.active()
  const add = (db: number, argv: ReadonlyArray<string>, to: number) => {
    if (!active()) return
    if (to !== everywhere) uneven = true
    // The bytes of a long argument may have been stored, and change before the unit ends.
    pending.push({ db, argv: argv instanceof LongRequest ? [...argv] : argv })
    targets.push(to)
  }
  const reclaimed = (argv: ReadonlyArray<string>, db: number) => {
    add(db, argv, everywhere)
    // The expiry fiber reclaims outside of any command.
    if (!inUnit()) flush(undefined)
  }
  listen(events.reclaimed, (db, key) => reclaimed(["DEL", key], db.index))
  listen(events.fieldsExpired, (db, key, fields) =>
    reclaimed(fields === undefined ? ["DEL", key] : ["HDEL", key, ...fields], db.index),
  )
  return { add, flush, active }
}

/** Several changes as one. */
const wrapped = (unit: ReadonlyArray<Change>): ReadonlyArray<Change> => {
  const { length } = unit
  if (length <= 1) return unit
  return [{ db: unit[0]!.db, argv: multi }, ...unit, { db: unit[length - 1]!.db, argv: exec }]
}

/** What they reclaim on their way has nothing to do with each other: each key goes by itself, as in redis-server. */
const looksAnywhere = new Set(["scan", "randomkey"])

const multi = ["MULTI"]
const exec = ["EXEC"]
