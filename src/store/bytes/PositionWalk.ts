/**
 * A walk down the positions: everything below `cursor` is still ahead, but for the keys in `skipped`.
 */
import type { Walk } from "../Keyspace.ts"
import type { Value } from "../Value.ts"

export interface Walked {
  /** The walks that are told of filled holes; a walk takes itself out when it ends. */
  readonly walks: Array<PositionWalk>
  readonly size: number
  readonly keyAt: (position: number) => string
  readonly valueAt: (position: number) => Value
  /** -1 when there is no such key. */
  readonly positionOf: (key: string) => number
}

export class PositionWalk implements Walk {
  private cursor: number
  private readonly skipped = new Set<string>()
  private readonly walked: Walked

  constructor(walked: Walked) {
    this.walked = walked
    this.cursor = walked.size
  }

  next(count: number, visit: (key: string, value: Value) => void): boolean {
    for (let left = count; left > 0 && this.cursor > 0; left--) {
      this.cursor--
      const key = this.walked.keyAt(this.cursor)
      if (!this.skipped.delete(key)) visit(key, this.walked.valueAt(this.cursor))
    }
    return this.cursor > 0
  }

  isAhead(key: string): boolean {
    const position = this.walked.positionOf(key)
    return position !== -1 && position < this.cursor && !this.skipped.has(key)
  }

  skip(key: string): void {
    const position = this.walked.positionOf(key)
    if (position !== -1 && position < this.cursor) this.skipped.add(this.walked.keyAt(position))
  }

  end(): void {
    const { walks } = this.walked
    const index = walks.indexOf(this)
    if (index >= 0) walks.splice(index, 1)
  }

  /** Nothing is ahead any more. */
  lose(): void {
    this.cursor = 0
  }

  /** The last key, at position `from`, is about to fill the hole that a removed one leaves at `to`; the hole may be the last. */
  filled(to: number, from: number): void {
    // What has been visited, or is new, may come to lie ahead; what is ahead only ever moves to a place that is ahead too.
    if (from >= this.cursor && to < this.cursor) this.skipped.add(this.walked.keyAt(from))
    if (this.cursor > from) this.cursor = from
  }
}
