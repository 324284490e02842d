/**
 * What a record cannot hold as bytes: collections, long strings, long keys. A record names it by its index here. In pieces, so that
 * growing never copies all. A free slot holds the index of the next free one.
 *
 * The idea to hold: nobody tells how large these are, since a collection changes without the keyspace being asked. So who gives one out
 * that may change says so by `touch`, and it is weighed when somebody asks for the sum, or in a quiet moment: once, however often it was
 * used meanwhile. Measured: a look-up that touches costs 2 ns more, weighing one 50 to 150.
 */
import { elementSamples, type Value } from "../Value.ts"
import { LongText } from "./LongText.ts"

export type Item = Value | LongText

const pieceBits = 12
const pieceMask = (1 << pieceBits) - 1
/** So many may wait to be weighed until somebody asks; more are worth a quiet moment. */
const waitingMax = 4096

/** What belongs to an item, in bytes, but for its slot and weight. */
const bytesOf = (item: Item): number =>
  typeof item === "string"
    ? item.length
    : typeof item === "number"
      ? 0
      : item instanceof LongText
        ? item.size
        : item.memoryUsage(elementSamples)

export class References {
  private pieces: Array<Array<Item>> = []
  /** Of each slot the bytes that `sum` counts, or -1 less them while it waits to be weighed. */
  private weights: Array<Array<number>> = []
  private waiting: Array<number> = []
  private sum = 0
  /** Slots made, and those in use. */
  private made = 0
  private used = 0
  private firstFree = -1

  get(index: number): Item {
    return this.pieces[index >>> pieceBits][index & pieceMask]
  }

  set(index: number, value: Item): void {
    this.pieces[index >>> pieceBits][index & pieceMask] = value
    this.touch(index)
  }

  add(value: Item): number {
    this.used++
    let index = this.firstFree
    if (index !== -1) this.firstFree = this.get(index) as number
    else {
      index = this.made++
      if ((index & pieceMask) === 0) {
        this.pieces.push([])
        this.weights.push([])
      }
      this.weights[index >>> pieceBits].push(0)
    }
    this.set(index, value)
    return index
  }

  remove(index: number): void {
    this.pieces[index >>> pieceBits][index & pieceMask] = this.firstFree
    this.firstFree = index
    if (--this.used === 0) return void this.clear()
    const weights = this.weights[index >>> pieceBits]
    const weight = weights[index & pieceMask]
    this.sum -= weight < 0 ? -1 - weight : weight
    weights[index & pieceMask] = weight < 0 ? -1 : 0
  }

  /** What is at `index` may be about to change. */
  touch(index: number): void {
    const weights = this.weights[index >>> pieceBits]
    const weight = weights[index & pieceMask]
    if (weight < 0) return
    weights[index & pieceMask] = -1 - weight
    this.waiting.push(index)
  }

  /** Whether so many wait to be weighed that it is worth a quiet moment. */
  get isUntidy(): boolean {
    return this.waiting.length > waitingMax
  }

  /** Weighs up to `count` of those that wait. Only between commands: what a running one has may change after that. */
  weigh(count: number): void {
    for (let left = Math.min(count, this.waiting.length); left > 0; left--) {
      const index = this.waiting.pop()!
      const weights = this.weights[index >>> pieceBits]
      const bytes = bytesOf(this.get(index))
      this.sum += bytes + 1 + weights[index & pieceMask]
      weights[index & pieceMask] = bytes
    }
  }

  /** Bytes that belong to all of them. */
  bytes(): number {
    this.weigh(Infinity)
    return this.sum
  }

  get count(): number {
    return this.used
  }

  /** Answers what there was, and numbers among it. */
  clear(): ReadonlyArray<ReadonlyArray<Item>> {
    const { pieces } = this
    this.pieces = []
    this.weights = []
    this.waiting = []
    this.made = this.used = this.sum = 0
    this.firstFree = -1
    return pieces
  }
}
