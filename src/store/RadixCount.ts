/**
 * Counts the nodes of the radix tree in which Redis would keep the ids of a stream's nodes, because XINFO STREAM reports
 * that number. We keep no such tree.
 *
 * The idea to hold: keys of 16 bytes, each an own leaf; where keys part there is a branching node, and a run of bytes
 * without a choice is one node however long. A key added at the end can only part from the last key, so the depths at
 * which the last key's path branches (a 16-bit mask) are all there is to remember. A key removed elsewhere makes the
 * count unknown until it is asked for, and then it is counted again: one step per stream node, a hundredth of the entries.
 */
import type { SortedById } from "./SortedById.ts"
import type { StreamId } from "./StreamId.ts"
import * as Id from "./StreamId.ts"

const keyBytes = 16

export class RadixCount {
  private nodes = 1
  private branches = 0
  private last: StreamId | undefined = undefined
  private known = true

  /** A count that is made when it is first asked for. */
  static unknown(): RadixCount {
    const count = new RadixCount()
    count.known = false
    return count
  }

  /** A key greater than all before it. */
  append(id: StreamId): void {
    if (!this.known) return
    if (this.last === undefined) {
      this.nodes = 2
      this.branches = 0
    } else {
      this.part(Id.commonPrefix(this.last, id))
    }
    this.last = id
  }

  /** A key was removed. */
  forget(): void {
    this.known = false
  }

  /** The number of nodes for exactly `keys`. */
  of(keys: SortedById<StreamId>): number {
    if (!this.known) {
      this.nodes = 1
      this.last = undefined
      this.known = true
      for (const key of keys) this.append(key)
    }
    return this.nodes
  }

  private part(depth: number): void {
    const bit = 1 << depth
    const above = this.branches & (bit - 1)
    // The leaf, and the run of bytes before it when there is one.
    let added = depth < keyBytes - 1 ? 2 : 1
    if ((this.branches & bit) === 0) {
      const below = this.branches & ~((bit << 1) - 1)
      const runStart = above === 0 ? 0 : 32 - Math.clz32(above)
      const runEnd = below === 0 ? keyBytes : 31 - Math.clz32(below & -below)
      // One run becomes a branching node with up to two shorter runs.
      if (depth > runStart) added++
      if (runEnd > depth + 1) added++
    }
    this.branches = above | bit
    this.nodes += added
  }
}
