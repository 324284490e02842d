/**
 * From a hash to the address of a record: open addressing in typed arrays, two words a slot (hash, address; address 0: free), collisions
 * in the next slot. Large tables are in pieces of 16 MiB, each a table of its own: a hash's first bits say which, and its next ones
 * where in it to begin.
 *
 * The idea to hold: it grows and shrinks bit by bit. New pieces are made beside an old one (the system hands out zeroed pages as they
 * are touched, so their size costs nothing yet) and each change moves a few slots, from a free slot of the old piece to the next free
 * one: no run of collisions is ever cut. Then the old piece goes, and the next one's turn comes. A hash whose home slot in the old
 * table has been passed is in the new one, any other in the old one, so a look-up searches one piece only.
 * Measured, a new piece takes 0.02 ms and giving one back 0.5; but V8, which counts such memory, may then begin a collection of its own.
 */
import { release, tableMax, take } from "./Outside.ts"

/** Slots of the first table. */
const firstCapacity = 16
/** More slots than these are not made before they are needed. */
const capacityReservedMax = 1 << 26
/** Slots of the old table passed with every change: a table is done long before the next one is due. */
const slotsAStep = 16
const pieceSlots = tableMax / 8

const nothing = new Int32Array(0)
const none: Array<Int32Array> = []

const bitsOf = (powerOf2: number): number => 31 - Math.clz32(powerOf2)

export class SlotIndex {
  size = 0
  /** How many slots there are in all, and the pieces they are in; one that is not needed yet is empty. */
  private capacity = firstCapacity
  private slots: Array<Int32Array> = [new Int32Array(firstCapacity * 2)]
  /** By how much a hash is shifted to give its home slot, and that to give its piece. */
  private shift = 32 - bitsOf(firstCapacity)
  private readonly pieceBits: number
  /** The table that is being left; empty when none is. */
  private old: Array<Int32Array> = none
  private oldShift = 31
  /** The piece of it that is being moved; those before have gone. */
  private moving = 0
  /** The free slot of that piece where moving began. */
  private start = 0
  /** Slots passed since; the next one is free. */
  private passed = 0

  /** Tables of more slots than `slotsAPiece`, a power of 2, are in pieces of so many. */
  constructor(slotsAPiece = pieceSlots) {
    this.pieceBits = bitsOf(slotsAPiece)
  }

  /** The table in which `hash` is, if it is anywhere. */
  private isInOld(hash: number): boolean {
    const { old, moving } = this
    if (old.length === 0) return false
    const home = hash >>> this.oldShift
    const piece = home >>> this.pieceBits
    if (piece !== moving) return piece > moving
    return ((home - this.start) & ((old[moving].length >>> 1) - 1)) >= this.passed
  }

  /** Where the search for `hash` ended: see `next`. */
  private table: Int32Array = nothing
  private tableShift = 31
  private at = 0
  private searched = 0

  /** The first address stored for `hash`, or 0. */
  first(hash: number): number {
    const isOld = this.old.length > 0 && this.isInOld(hash)
    const shift = isOld ? this.oldShift : this.shift
    const home = hash >>> shift
    const slots = (isOld ? this.old : this.slots)[home >>> this.pieceBits]
    const mask = slots.length - 1
    let at = (home << 1) & mask
    for (;;) {
      const address = slots[at + 1]
      if (address === 0 || slots[at] === hash) {
        this.table = slots
        this.tableShift = shift
        this.at = at
        this.searched = hash
        return address
      }
      at = (at + 2) & mask
    }
  }

  /** The next address stored for the hash of `first`, or 0. */
  next(): number {
    const { table, searched } = this
    const mask = table.length - 1
    let at = this.at
    for (;;) {
      at = (at + 2) & mask
      const address = table[at + 1]
      if (address === 0 || table[at] === searched) {
        this.at = at
        return address
      }
    }
  }

  add(hash: number, address: number): void {
    this.step()
    if (this.size * 4 >= this.capacity * 3) this.resize(this.capacity * 2)
    this.size++
    if (this.isInOld(hash)) this.insert(this.old, this.oldShift, hash, address)
    else this.insert(this.slots, this.shift, hash, address)
  }

  /** Makes room for `count` addresses at once, as long as there is none. */
  reserve(count: number): void {
    if (this.size > 0 || this.old.length > 0) return
    let { capacity } = this
    while (count * 4 >= capacity * 3 && capacity < capacityReservedMax) capacity *= 2
    if (capacity === this.capacity) return
    for (const piece of this.slots) release(piece)
    this.begin(capacity)
    this.makePieces(0, this.slots.length)
  }

  /** Brings the slots in which `hashes` begin into the processor's caches, all at once. */
  fetch(hashes: Int32Array, count: number): number {
    const { isMoving, pieceBits } = this
    let sum = 0
    for (let i = 0; i < count; i++) {
      const isOld = isMoving && this.isInOld(hashes[i])
      const home = hashes[i] >>> (isOld ? this.oldShift : this.shift)
      const slots = (isOld ? this.old : this.slots)[home >>> pieceBits]
      // One that is not needed yet may be missing.
      if (slots.length > 0) sum |= slots[((home << 1) & (slots.length - 1)) + 1]
    }
    return sum
  }

  /** Takes out an address that is there. */
  remove(hash: number, address: number): void {
    this.find(hash, address)
    this.size--
    this.free(this.table, this.tableShift, this.at)
    if (this.capacity > firstCapacity && this.size * 5 < this.capacity) this.resize(this.capacity >>> 1)
    this.step()
  }

  /** A record moved. */
  replace(hash: number, address: number, by: number): void {
    this.find(hash, address)
    this.table[this.at + 1] = by
  }

  /** Whether a table is being left, so that `step` has something to do. */
  get isMoving(): boolean {
    return this.old.length > 0
  }

  /** Begins to leave a table that is at most a quarter full, where `remove` waits for a fifth: for when nothing else is to do. */
  shrink(): void {
    if (this.old.length === 0 && this.capacity > firstCapacity && this.size * 4 <= this.capacity) {
      this.resize(this.capacity >>> 1)
    }
  }

  /** Moves the next few slots of the old table. */
  step(): void {
    if (this.old.length === 0) return
    const piece = this.old[this.moving]
    const mask = (piece.length >>> 1) - 1
    let left = slotsAStep
    for (;;) {
      const at = ((this.start + this.passed) & mask) << 1
      const address = piece[at + 1]
      if (address === 0) {
        if (this.passed > mask) return this.endPiece()
        if (left <= 0) return
      } else {
        this.insert(this.slots, this.shift, piece[at], address)
        piece[at + 1] = 0
      }
      this.passed++
      left--
    }
  }

  get bytes(): number {
    let sum = 0
    for (const piece of this.slots) sum += piece.byteLength
    for (const piece of this.old) sum += piece.byteLength
    return sum
  }

  clear(): void {
    for (const piece of this.slots) release(piece)
    for (const piece of this.old) release(piece)
    this.old = none
    this.table = nothing
    this.size = 0
    this.begin(firstCapacity)
    this.makePieces(0, 1)
  }

  private find(hash: number, address: number): void {
    for (let found = this.first(hash); found !== address;) found = this.next()
  }

  private resize(capacity: number): void {
    // Only when the limits of both tables are hit at once, which their distance rules out.
    while (this.old.length > 0) this.step()
    this.old = this.slots
    this.oldShift = this.shift
    this.begin(capacity)
    this.moving = 0
    this.beginPiece()
  }

  /** A new table, without its pieces. */
  private begin(capacity: number): void {
    this.capacity = capacity
    this.shift = 32 - bitsOf(capacity)
    this.slots = Array.from({ length: Math.max(1, capacity >>> this.pieceBits) }, () => nothing)
  }

  /** Makes the pieces of the new table from one up to another that are not there yet. */
  private makePieces(from: number, to: number): void {
    const { slots } = this
    for (let i = from; i < to; i++) {
      if (slots[i].length === 0) slots[i] = take(Math.min(this.capacity, 1 << this.pieceBits) * 2)
    }
  }

  /** Begins to move a piece of the old table. */
  private beginPiece(): void {
    const { moving } = this
    const ratio = this.slots.length / this.old.length
    this.makePieces(Math.floor(moving * ratio), Math.ceil((moving + 1) * ratio))
    const piece = this.old[moving]
    this.start = 0
    while (piece[this.start * 2 + 1] !== 0) this.start++
    // The free slot itself is passed: an entry put there, by a run that comes around to it, is the last one to be moved.
    this.passed = 1
  }

  private endPiece(): void {
    const { old, moving } = this
    release(old[moving])
    old[moving] = nothing
    this.table = nothing
    if (++this.moving === old.length) this.old = none
    else this.beginPiece()
  }

  private insert(table: Array<Int32Array>, shift: number, hash: number, address: number): void {
    const home = hash >>> shift
    const slots = table[home >>> this.pieceBits]
    const mask = slots.length - 1
    let at = (home << 1) & mask
    while (slots[at + 1] !== 0) at = (at + 2) & mask
    slots[at] = hash
    slots[at + 1] = address
  }

  /** Frees a slot and moves later ones of its run back, so that no search meets a gap before what it looks for. */
  private free(slots: Int32Array, shift: number, slot: number): void {
    const mask = slots.length - 1
    let hole = slot
    let at = slot
    for (;;) {
      at = (at + 2) & mask
      if (slots[at + 1] === 0) break
      const home = (slots[at] >>> shift) << 1
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at]
        slots[hole + 1] = slots[at + 1]
        hole = at
      }
    }
    slots[hole + 1] = 0
  }
}
