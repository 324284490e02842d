/**
 * The data of one instant, given out bit by bit while commands go on changing it.
 *
 * The idea to hold: the walk visits one key after the other, and a key that is about to change before the walk has come to it is given
 * out first, as it is then. A large collection is given out in pieces, and in the same way: an element that is about to change comes first.
 * So what is given out is the state at the instant the capture began, and what it costs in memory is only what is given out early.
 */
import type { Database } from "../../store/Database.ts"
import { listen } from "../../store/Events.ts"
import type { Keyspace, Walk } from "../../store/Keyspace.ts"
import type { StoreService } from "../../store/Store.ts"
import type { Value } from "../../store/Value.ts"
import type { Elements } from "./Elements.ts"

/**
 * Takes one key; what it keeps of `value` it must copy, since the value changes after. It may return what it has yet to take of a large
 * collection. Of those that it has returned the first is taken to its end before the next one.
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
  /** Large collections that have been begun; the first is being given out, the others wait for it. */
  private readonly open: Array<{ readonly keyspace: Keyspace; readonly key: string; readonly rest: Elements }> = []

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
      listen(store.events.replacing, (db, _, isExchange) => {
        // SWAPDB exchanges keyspaces as they are, and the walks go with them.
        if (!isExchange && this.ahead.has(db.keyspace) && db.keyspace.size > 0) this.isLost = true
      }),
    ]
  }

  private beforeWrite(db: Database, key: string): void {
    for (const { key: other, keyspace, rest } of this.open) if (other === key && keyspace === db.keyspace) rest.freeze()
    const part = this.ahead.get(db.keyspace)
    if (part === undefined || !part.walk.isAhead(key)) return
    part.walk.skip(key)
    this.give(part, key, part.keyspace.peek(key)!)?.freeze()
  }

  private give(part: Part, key: string, value: Value): Elements | undefined {
    this.taken++
    const { keyspace } = part
    const rest = this.sink(part.index, key, value, keyspace.deadline(key), keyspace.access(key))
    if (rest !== undefined) this.open.push({ keyspace, key, rest })
    return rest
  }

  /** Whether a large key is being given out: its pieces take longer than other keys. */
  get isInPieces(): boolean {
    return this.open.length > 0
  }

  /** Gives out one more key, or a piece of a large one. False when all have been. */
  next(): boolean {
    const { open } = this
    if (open.length > 0) {
      if (!open[0].rest.next()) open.shift()
      return open.length > 0 || this.parts.length > 0
    }
    const part = this.parts[0]
    if (part === undefined) return false
    if (!part.walk.next(1, part.visit)) {
      this.parts.shift()
      this.ahead.delete(part.keyspace)
      part.walk.end()
    }
    return open.length > 0 || this.parts.length > 0
  }

  /** Must be called when the capture is no longer wanted. */
  end(): void {
    for (const stop of this.unlisten) stop()
    for (const { walk } of this.parts.splice(0)) walk.end()
    this.ahead.clear()
    for (const { rest } of this.open.splice(0)) rest.end()
  }
}
