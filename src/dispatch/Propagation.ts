/**
 * Which requests reach the one stream of changes. A command that changed data is logged as it came, unless it said otherwise
 * with `propagateAs`; keys reclaimed on the way are logged as DEL before it.
 *
 * The idea to hold: a *unit* is what must survive together: one command, one EXEC, one script. It ends when the outermost
 * command ends; several changes of one unit are wrapped in MULTI and EXEC.
 */
import { LongRequest } from "../codec/LongRequest.ts"
import type { Client } from "../command/Client.ts"
import { listen, type StoreEvents } from "../store/Events.ts"
import type { Change, PersistenceService } from "../persistence/Persistence.ts"

export interface Propagation {
  /** Notes one change of the running unit. */
  readonly add: (db: number, argv: ReadonlyArray<string>) => void
  /** Ends the unit, of `client`'s if there is one: hands its changes to persistence, several of them as one that is atomic. */
  readonly flush: (client: Client | undefined) => void
  /** Whether anything is kept at all. */
  readonly active: () => boolean
}

export const make = (events: StoreEvents, persistence: PersistenceService, inUnit: () => boolean): Propagation => {
  let pending: Array<Change> = []

  const flush = (client: Client | undefined) => {
    if (pending.length === 0) return
    const unit = pending
    pending = []
    if (unit.length > 1) {
      unit.unshift({ db: unit[0]!.db, argv: multi })
      unit.push({ db: unit[unit.length - 1]!.db, argv: exec })
    }
    persistence.append(unit)
    if (client !== undefined) client.loggedTo = persistence.position()
  }
  const add = (db: number, argv: ReadonlyArray<string>) => {
    // The bytes of a long argument may have been stored, and change before the unit ends.
    if (persistence.active()) pending.push({ db, argv: argv instanceof LongRequest ? [...argv] : argv })
  }
  const reclaimed = (argv: ReadonlyArray<string>, db: number) => {
    add(db, argv)
    // The expiry fiber reclaims outside of any command.
    if (!inUnit()) flush(undefined)
  }
  listen(events.reclaimed, (db, key) => reclaimed(["DEL", key], db.index))
  listen(events.fieldsExpired, (db, key, fields) =>
    reclaimed(fields === undefined ? ["DEL", key] : ["HDEL", key, ...fields], db.index),
  )
  return { add, flush, active: persistence.active }
}

const multi = ["MULTI"]
const exec = ["EXEC"]
