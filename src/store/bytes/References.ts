/**
 * What a record cannot hold as bytes: collections, long strings, long keys. A record names it by its index here. In pieces, so that
 * growing never copies all. A free slot holds the index of the next free one.
 */
import type { Value } from "../Value.ts"
import type { LongText } from "./LongText.ts"

export type Item = Value | LongText

const pieceBits = 12
const pieceMask = (1 << pieceBits) - 1

export class References {
  private pieces: Array<Array<Item>> = []
  /** Slots made, and those in use. */
  private made = 0
  private used = 0
  private firstFree = -1

  get(index: number): Item {
    return this.pieces[index >>> pieceBits][index & pieceMask]
  }

  set(index: number, value: Item): void {
    this.pieces[index >>> pieceBits][index & pieceMask] = value
  }

  add(value: Item): number {
    this.used++
    let index = this.firstFree
    if (index !== -1) this.firstFree = this.get(index) as number
    else {
      index = this.made++
      if ((index & pieceMask) === 0) this.pieces.push([])
    }
    this.set(index, value)
    return index
  }

  remove(index: number): void {
    this.set(index, this.firstFree)
    this.firstFree = index
    if (--this.used === 0) this.clear()
  }

  /** Answers what there was, and numbers among it. */
  clear(): ReadonlyArray<ReadonlyArray<Item>> {
    const { pieces } = this
    this.pieces = []
    this.made = this.used = 0
    this.firstFree = -1
    return pieces
  }
}
