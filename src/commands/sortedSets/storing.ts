/** What the STORE commands do with a result: it replaces the destination, and an empty one removes it. */
import * as Reply from "../../codec/Reply.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import type { SortedSet } from "../../store/SortedSet.ts"

/**
 * Stores `result` under `destination` and answers its size. Where there is something to store, `event` is announced, counting
 * as so many `changes`.
 */
export const storeResult = (
  db: Database,
  destination: string,
  result: SortedSet,
  eventClass: number,
  event: string,
  changes = 1,
): Reply.Reply => {
  if (result.size > 0) {
    db.set(destination, result)
    db.changed(destination, eventClass, event, changes)
    return Reply.int(result.size)
  }
  if (db.remove(destination) !== undefined) db.changed(destination, EventClass.generic, "del")
  return Reply.zero
}
