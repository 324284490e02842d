/**
 * Where a master's data comes: in place of ours, or beside it.
 *
 * The idea to hold: what is in place goes before the first key comes, and is gone if the last one does not. What is beside changes nothing
 * until it is whole, and takes over within one slice, function libraries too.
 */
import { Damaged } from "../../persistence/rdb/Format.ts"
import type { Replay, Replacing } from "../../persistence/Persistence.ts"
import type { Databases, StoreService } from "../../store/Store.ts"
import type { Applier } from "./Applier.ts"

export interface Place {
  readonly how: Replacing
  readonly store: Databases
  readonly replay: Replay
  /** The data is about to come. */
  readonly begin: () => void
  /** All of it is there. Throws `Damaged` where it cannot be taken. */
  readonly finish: () => void
  /** There will be no more of it. */
  readonly abort: () => void
}

export interface PlaceServices {
  readonly applier: Pick<Applier, "functionLibraries" | "replay">
  /** Our own data is about to go: who follows us must not be sent half of it. */
  readonly leaving: () => void
  readonly store: StoreService
}

export const inPlace = ({ applier: { replay }, leaving, store }: PlaceServices): Place => {
  const clear = () => {
    replay.command(["FUNCTION", "FLUSH"])
    for (const db of store.databases) if (db.size > 0) db.clear()
  }
  const end = () => {
    store.expire = true
    store.databases[0]!.announceReplaced()
  }
  return {
    how: "in place",
    store,
    replay,
    begin: () => {
      leaving()
      store.expire = false
      clear()
    },
    finish: end,
    abort: () => {
      clear()
      end()
    },
  }
}

/** `isServed`: the old data is the same history's, so clients go on reading it. */
export const beside = ({ applier, leaving, store }: PlaceServices, isServed: boolean): Place => {
  const { replay } = applier
  const databases = store.beside()
  const libraries: Array<string> = []
  /** Puts these libraries in place of those that are there; gives why that cannot be. */
  const exchange = (sources: ReadonlyArray<string>): string | undefined => {
    replay.command(["FUNCTION", "FLUSH"])
    for (const source of sources) {
      const reason = replay.functionLibrary(source, false)
      if (reason !== undefined) return reason
    }
    return undefined
  }
  const abort = () => {
    for (const db of databases.databases) db.clear()
    store.filling = undefined
  }
  return {
    how: isServed ? "served" : "beside",
    store: databases,
    replay: {
      command: replay.command,
      functionLibrary: (source) => void libraries.push(source),
    },
    begin: () => {},
    finish: () => {
      const old = applier.functionLibraries()
      const reason = libraries.length + old.length > 0 ? exchange(libraries) : undefined
      if (reason !== undefined) {
        exchange(old)
        throw new Damaged(0, `function library: ${reason}`)
      }
      leaving()
      // Deadlines of the old data are forgotten with it.
      store.expire = false
      store.takeOver(databases)
      store.expire = true
    },
    abort,
  }
}
