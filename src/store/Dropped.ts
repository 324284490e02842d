/**
 * Large collections that no key names any more, until what they hold outside the heap has been given back.
 *
 * The idea to hold: a collection that is garbage keeps its memory until a full collection of the heap, which an idle process never runs.
 * So it is taken apart, a little at a time, in a later turn of the event loop than the one it went in: by then it either has a key again
 * (RENAME and MOVE take a value from one key and give it to another) or nobody can have it any more, since no command keeps a
 * value across turns, but for a walk of a snapshot, which its table knows of.
 */
import type { Item } from "./bytes/References.ts"
import type { Collection } from "./Value.ts"

/** What a smaller one holds is left to the collector. */
const sizeMin = 1000
/** Values looked at in a step: whole tables of them go with a database. */
const looksAStep = 256

const isLarge = (item: Item): item is Collection =>
  typeof item === "object" && "release" in item && item.release !== undefined && item.size >= sizeMin

export class Dropped {
  private readonly collections = new Set<Collection>()
  /** Tables of values that went all at once, and how many of the last one have been looked at. */
  private readonly tables: Array<ReadonlyArray<Item>> = []
  private looked = 0
  /** Collections that have been taken apart. */
  freed = 0
  private readonly onFirst: () => void

  constructor(onFirst: () => void) {
    this.onFirst = onFirst
  }

  get isEmpty(): boolean {
    return this.collections.size === 0 && this.tables.length === 0
  }

  /** Values that are to be looked at or taken apart. */
  get pending(): number {
    return this.tables.reduce((sum, { length }) => sum + length, this.collections.size - this.looked)
  }

  /** `item` is the value of no key any more. */
  add(item: Item): void {
    if (!isLarge(item)) return
    this.collections.add(item)
    this.onFirst()
  }

  /** None of `items` is. */
  addAll(items: ReadonlyArray<Item>): void {
    this.tables.push(items)
    this.onFirst()
  }

  /** `value` is that of a key. */
  keep(value: Collection): void {
    if (this.collections.size > 0) this.collections.delete(value)
  }

  /** Does a little of what there is to do. False when nothing is left. */
  step(): boolean {
    for (const collection of this.collections) {
      if (!collection.release!()) {
        this.collections.delete(collection)
        this.freed++
      }
      return !this.isEmpty
    }
    const table = this.tables.at(-1)
    if (table === undefined) return false
    const end = Math.min(table.length, this.looked + looksAStep)
    for (let i = this.looked; i < end; i++) if (isLarge(table[i])) this.collections.add(table[i] as Collection)
    this.looked = end
    if (end === table.length) {
      this.tables.pop()
      this.looked = 0
    }
    return !this.isEmpty
  }
}
