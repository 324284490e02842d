/**
 * Reclaims what has expired: a fiber that sleeps until the next deadline of any key of any database. Reads do not depend on
 * it (they check deadlines themselves), so a test may leave this layer out.
 *
 * The invariant: for every key with a deadline the queue holds an entry at that time or earlier. An entry whose key has gone
 * or got a later deadline is pointless until its time comes; when the queue has doubled it is built anew without those.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import { Clock } from "../clock/Clock.ts"
import * as Deadlines from "../clock/Deadlines.ts"
import type { Database } from "./Database.ts"
import { listen } from "./Events.ts"
import { Store } from "./Store.ts"

/** A key and the number of its database, in one string: an object for the two would take 40 bytes more of each deadline. */
type Due = string

const dueOf = (db: Database, key: string): Due => flat(`${db.index} ${key}`)

/** Keys or fields that go in one go: at one to two microseconds each others wait for no more than a millisecond. */
const sliceMax = 500
/** When to ask again whether the script that has paused has ended. */
const unfinishedDelayMs = 100
/** Queues shorter than this are not worth building anew. */
const rebuildSizeMin = 10_000

export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const clock = yield* Clock
    const store = yield* Store
    /** What has been due while CLIENT PAUSE or FAILOVER keeps it; each of it has an entry for the end of the pause, too. */
    let kept: Array<Due> = []
    /** Some of them have none, since nobody knows when the pause ends. */
    let isEndless = false
    /** On a replica that clients may write to: what they gave a deadline. No master says when that goes. */
    const own = new Set<Due>()
    const deadlines: Deadlines.Deadlines<Due> = Deadlines.make<Due>({
      clock,
      sliceMax,
      onSlice: (micros) => {
        store.counters.expiryMicros += micros
        for (let i = 0; i < store.events.swept.length; i++) store.events.swept[i]!(micros)
      },
      onDue: (due, now): number | void => {
        if (!store.expire || !store.activeExpire) return
        // When a replica becomes a master, all deadlines are gone through.
        if (store.isReplica && !own.has(due)) return
        if (store.unfinished) return deadlines.add(now + unfinishedDelayMs, due)
        if (now < store.keepsUntil) {
          if (store.keepsUntil === Infinity) isEndless = true
          else deadlines.add(store.keepsUntil, due)
          kept.push(due)
          return
        }
        if (kept.length > 0) kept = []
        store.at(now)
        const space = due.indexOf(" ")
        const db = store.databases[Number(due.slice(0, space))]!
        const next = db.expireDue(due.slice(space + 1), sliceMax, store.isReplica)
        if (next === undefined) return void own.delete(due)
        deadlines.add(next, due)
        // So many fields of one hash were due that some still are.
        if (next <= now) return sliceMax
      },
    })
    let rebuildSize = rebuildSizeMin
    const rebuild = () => {
      const entries: Array<readonly [number, Due]> = []
      for (const db of store.databases) {
        for (const [key, atMs] of db.deadlines()) entries.push([atMs, dueOf(db, key)])
      }
      deadlines.rebuild(entries)
      rebuildSize = Math.max(rebuildSizeMin, 2 * entries.length)
    }
    const unlisten = listen(store.events.scheduled, (db, key, atMs) => {
      // While data is loaded nothing expires, and at the end of it all deadlines are gone through.
      if (!store.expire) return
      const due = dueOf(db, key)
      deadlines.add(atMs, due)
      if (store.isReplica) own.add(due)
      else if (own.size > 0) own.clear()
      if (deadlines.size() > rebuildSize) rebuild()
    })
    // After SWAPDB the entries name the wrong database, and while expiry was off entries were dropped.
    const unlistenReplaced = listen(store.events.replaced, () => {
      // Another master's data.
      if (!store.expire) own.clear()
      rebuild()
    })
    const unlistenKept = listen(store.events.kept, () => {
      const now = clock.now()
      if (now >= store.keepsUntil) for (const due of kept.splice(0)) deadlines.add(now, due)
      else if (isEndless && store.keepsUntil < Infinity) {
        isEndless = false
        for (const due of kept) deadlines.add(store.keepsUntil, due)
      }
    })
    rebuild()
    yield* Effect.addFinalizer(() => Effect.sync(() => (unlisten(), unlistenReplaced(), unlistenKept())))
    yield* Effect.forkScoped(deadlines.run)
  }),
)
