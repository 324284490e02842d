/**
 * Memory for the leaves of one `RankTree`, outside the heap: pieces of one size, cut from slabs.
 *
 * The idea to hold: a tree can be small, so a slab has room for a quarter as many leaves as there are, up to a page; that much more is
 * taken than needed, and half of it saved again as a leaf has no array of its own. A slab goes when its last leaf does. When less than a
 * third of all pieces is in use, all slabs are to be left: a leaf that finds itself in one of them when something is removed from it moves.
 */
import * as Outside from "./bytes/Outside.ts"
import * as Pages from "./bytes/Pages.ts"

/** So many leaves of a tree get no piece, but arrays of their own: those of a tree of a thousand cost a tenth more as pieces to make. */
const ownMax = 16
/** Fewer pieces are not worth leaving. */
const leavesWorthLeaving = 256

/** Whoever has a piece, which is at the same place of the slab's `entries` wherever these move. */
export interface Holder {
  entries: Float64Array
}

export interface Slab {
  entries: Float64Array
  /** The page that `entries` is a view of; absent when it is an array of its own. */
  page: Int32Array | undefined
  /** How many pieces there are, have been cut, and are in use. */
  readonly pieces: number
  cut: number
  used: number
  /** Where pieces that were given back begin. */
  readonly free: Array<number>
  /** Who has each piece, as far as it is in use. */
  readonly holders: Array<Holder | undefined>
  isLeft: boolean
}

export class LeafRoom {
  private readonly source = new Pages.PageSource((from, to) => this.move(from, to))
  private readonly doubles: number
  private readonly slabs = new Set<Slab>()
  /** Those with a free piece that are not being left. */
  private open: Array<Slab> = []
  /** Pieces in use, and in all slabs that are not being left. */
  private used = 0
  private pieces = 0
  /** Leaves with arrays of their own. */
  private own = 0

  /** Of pieces of so many doubles. */
  constructor(doubles: number) {
    this.doubles = doubles
  }

  /** Bytes taken from the system. */
  get bytes(): number {
    let sum = 0
    for (const { entries } of this.slabs) sum += entries.byteLength
    return sum
  }

  /** A slab with a free piece, which `cut` takes; nothing when the next leaf is to have an array of its own. */
  slab(): Slab | undefined {
    if (this.own < ownMax) {
      this.own++
      return undefined
    }
    return this.open.at(-1) ?? this.addSlab()
  }

  /** Takes a piece of what `slab` answered for `holder`; returns where it begins. */
  cut(slab: Slab, holder: Holder): number {
    this.used++
    slab.used++
    const start = slab.free.pop() ?? slab.cut++ * this.doubles
    slab.holders[start / this.doubles] = holder
    if (slab.used === slab.pieces) this.open.pop()
    return start
  }

  /** Gives a piece back, or without a slab an array of its own. */
  give(slab: Slab | undefined, start: number): void {
    if (slab === undefined) {
      // The first leaf was not counted.
      if (this.own > 0) this.own--
      return
    }
    this.used--
    if (slab.used-- === slab.pieces && !slab.isLeft) this.open.push(slab)
    slab.free.push(start)
    slab.holders[start / this.doubles] = undefined
    if (slab.used === 0) this.drop(slab)
    else if (this.used * 3 < this.pieces && this.pieces > leavesWorthLeaving) this.leave()
  }

  /** Drops up to so many slabs, leaves and all; false when there is none left. */
  release(count: number): boolean {
    let left = count
    for (const slab of this.slabs) {
      if (left-- === 0) return true
      this.slabs.delete(slab)
      release(slab)
    }
    this.open = []
    this.used = this.pieces = 0
    return false
  }

  private leave(): void {
    for (const slab of this.slabs) slab.isLeft = true
    this.open = []
    this.pieces = 0
  }

  private drop(slab: Slab): void {
    this.slabs.delete(slab)
    if (!slab.isLeft) {
      this.open.splice(this.open.indexOf(slab), 1)
      this.pieces -= slab.pieces
    }
    release(slab)
  }

  /** A slab's page has another place. */
  private move(from: Int32Array, to: Int32Array<ArrayBuffer>): void {
    for (const slab of this.slabs) {
      if (slab.page !== from) continue
      slab.page = to
      slab.entries = entriesOf(to)
      for (const holder of slab.holders) if (holder !== undefined) holder.entries = slab.entries
      return
    }
  }

  private addSlab(): Slab {
    const most = Pages.pageBytes / (this.doubles * 8)
    const pieces = Math.min(most, (ownMax + this.used) >>> 2)
    const page = pieces === most ? this.source.take(Pages.pageBytes / 4) : undefined
    const entries = page === undefined ? new Float64Array(pieces * this.doubles) : entriesOf(page)
    const slab: Slab = { entries, page, pieces, cut: 0, used: 0, free: [], holders: [], isLeft: false }
    this.slabs.add(slab)
    this.open.push(slab)
    this.pieces += pieces
    return slab
  }
}

const entriesOf = (page: Int32Array<ArrayBuffer>): Float64Array =>
  new Float64Array(page.buffer, page.byteOffset, page.byteLength / 8)

const release = ({ entries, page }: Slab): void => (page === undefined ? Outside.release(entries) : Pages.release(page))
