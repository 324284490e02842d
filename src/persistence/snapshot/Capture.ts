/**
 * The data of one instant, given out bit by bit while commands go on changing it.
 *
 * The idea to hold: the walk visits one key after the other, and a key that is about to change before the walk has come to it is given
 * out first, as it is then. A large collection is given out in pieces; if it is about to change meanwhile, the rest of it is frozen. So
 * what is given out is the state at the instant the capture began, and what it costs in memory is only what is given out early.
 */
import type { Database } from "../../store/Database.ts"
import { listen } from "../../store/Events.ts"
import type { Keyspace, Walk } from "../../store/Keyspace.ts"
import type { StoreService } from "../../store/Store.ts"
import type { Value } from "../../store/Value.ts"
import type { Elements } from "./Elements.ts"

/**
 * Takes one key; what it keeps of `value` it must copy, since the value changes after. It may return what it has yet to take of a large
 * collection, but not before it has taken all of the one before.
 */
export type Sink = (
  db: number,
  key: string,
  value: Value,
  deadline: number | undefined,
  access: number,
) => Elements | undefined

interface Part {
  /** The number of the database when the capture began; SWAPDB may have given the keyspace another one since. */
  readonly index: number
  readonly keyspace: Keyspace
  readonly walk: Walk
  readonly visit: (key: string, value: Value) => void
}

export class Capture {
  /** Keys there were, and keys given out so far. */
  readonly total: number
  taken = 0
  /** Set when all keys of a database went at once before they were given out: this instant cannot be captured any more. */
  isLost = false
  private readonly sink: Sink
  private readonly parts: Array<Part> = []
  private readonly ahead = new Map<Keyspace, Part>()
  private readonly unlisten: ReadonlyArray<() => void>
  /** The large collection that is being given out. */
  private open: { readonly keyspace: Keyspace; readonly key: string; readonly rest: Elements } | undefined

  /** Begins with the state of now. */
  constructor(store: StoreService, sink: Sink) {
    this.sink = sink
    let total = 0
    for (const { index, keyspace } of store.databases) {
      if (keyspace.size === 0) continue
      const part: Part = {
        index,
        keyspace,
        walk: keyspace.walk(),
        visit: (key, value) => this.give(part, key, value),
      }
      this.parts.push(part)
      this.ahead.set(keyspace, part)
      total += keyspace.size
    }
    this.total = total
    this.unlisten = [
      listen(store.events.beforeWrite, (db, key) => this.beforeWrite(db, key)),
      listen(store.events.replacing, (db, other) => {
        // SWAPDB exchanges keyspaces as they are, and the walks go with them.
        if (other === undefined && this.ahead.has(db.keyspace) && db.keyspace.size > 0) this.isLost = true
      }),
    ]
  }

  private beforeWrite(db: Database, key: string): void {
    const { open } = this
    if (open !== undefined && open.key === key && open.keyspace === db.keyspace) open.rest.freeze()
    const part = this.ahead.get(db.keyspace)
    if (part === undefined || !part.walk.isAhead(key)) return
    part.walk.skip(key)
    this.give(part, key, part.keyspace.peek(key)!)?.freeze()
  }

  private give(part: Part, key: string, value: Value): Elements | undefined {
    this.taken++
    const { keyspace } = part
    const rest = this.sink(part.index, key, value, keyspace.deadline(key), keyspace.access(key))
    if (rest !== undefined) this.open = { keyspace, key, rest }
    return rest
  }

  /** Gives out one more key, or a piece of a large one. False when all have been. */
  next(): boolean {
    if (this.open !== undefined) {
      if (!this.open.rest.next()) this.open = undefined
      return this.open !== undefined || this.parts.length > 0
    }
    const part = this.parts[0]
    if (part === undefined) return false
    if (!part.walk.next(1, part.visit)) {
      this.parts.shift()
      this.ahead.delete(part.keyspace)
      part.walk.end()
    }
    return this.open !== undefined || this.parts.length > 0
  }

  /** Must be called when the capture is no longer wanted. */
  end(): void {
    for (const stop of this.unlisten) stop()
    for (const { walk } of this.parts.splice(0)) walk.end()
    this.ahead.clear()
    this.open = undefined
  }
}
