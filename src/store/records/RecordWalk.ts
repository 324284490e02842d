/**
 * A walk over the records of a table that goes on changing: it gives out each record that was there when it began exactly once, and as it
 * was then, some with each step.
 *
 * The idea to hold: a record that is about to change or to go is given out first, unless it has been. A bit for each position tells; the
 * bit goes with the record that takes the place of a removed one, and a record that is added later finds its bit set. So a walk costs
 * memory for one bit a record, and changes nothing but the time at which a record is given out.
 */
import type { RecordTable } from "./RecordTable.ts"

/** Something that goes over all elements of a collection which may change between two steps. */
export interface ElementWalk {
  /** Gives out up to `count` more elements. False when all have been given out. */
  readonly next: (count: number) => boolean
  /** Must be called when no more is wanted. */
  readonly end: () => void
}

export class RecordWalk implements ElementWalk {
  private readonly table: RecordTable
  private readonly give: (address: number) => void
  /** How many positions there were, and for each a bit: nothing there is to be given out any more. */
  private readonly size: number
  private readonly given: Int32Array
  /** Records to be given out. */
  protected left: number
  /** All positions from here on have been looked at. */
  private position: number

  constructor(table: RecordTable, give: (address: number) => void) {
    this.table = table
    this.give = give
    this.size = this.left = this.position = table.size
    this.given = new Int32Array((this.size + 31) >>> 5)
    table.walks.push(this)
  }

  next(count: number): boolean {
    // Downward, as records change their places: what comes to lie lower has yet to be looked at, or has its bit.
    const end = Math.max(0, this.position - count)
    while (this.position > end && this.left > 0) this.giveAt(--this.position)
    return this.goesOn(end > 0)
  }

  /** Whether there is more to give out. If there is, but nowhere to look for it, the walk is broken, and what it was for must fail. */
  protected goesOn(mayLook: boolean): boolean {
    if (this.left > 0 && !mayLook) throw new Error(`a walk over records has missed ${this.left} of ${this.size}`)
    return this.left > 0
  }

  end(): void {
    const { walks } = this.table
    const index = walks.indexOf(this)
    if (index !== -1) walks.splice(index, 1)
  }

  /** The record at a position is about to change or to go. */
  changing(position: number): void {
    this.giveAt(position)
  }

  /** The record at `position` is gone, and the last one, at `last`, has taken its place. */
  moved(position: number, last: number): void {
    if (this.isGiven(last)) return
    this.mark(last)
    this.given[position >>> 5] &= ~(1 << (position & 31))
  }

  protected giveAt(position: number): void {
    if (this.isGiven(position)) return
    this.mark(position)
    this.left--
    this.give(this.table.at(position))
  }

  private isGiven(position: number): boolean {
    return position >= this.size || (this.given[position >>> 5] & (1 << (position & 31))) !== 0
  }

  private mark(position: number): void {
    this.given[position >>> 5] |= 1 << (position & 31)
  }
}
