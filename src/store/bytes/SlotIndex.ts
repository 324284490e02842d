/**
 * From a hash to the address of a record: open addressing in one typed array, two words a slot (hash, address; address 0: free),
 * collisions in the next slot.
 *
 * The idea to hold: it grows and shrinks bit by bit. A new table is made beside the old one (the system hands out zeroed pages as they
 * are touched, so its size costs nothing yet) and each change moves a few slots, from a free slot of the old table to the next free
 * one: no run of collisions is ever cut. A hash whose home slot in the old table has been passed is in the new one, any other in the
 * old one, so a look-up searches one table only.
 */
import { release } from "./Release.ts"

/** Slots of the first table. */
const firstCapacity = 16
/** More slots than these are not made before they are needed. */
const capacityReservedMax = 1 << 26
/** Slots of the old table passed with every change: a table is done long before the next one is due. */
const slotsAStep = 16

export class SlotIndex {
  size = 0
  private slots = new Int32Array(firstCapacity * 2)
  /** By how much a hash is shifted to give its home slot. */
  private shift = 32 - Math.log2(firstCapacity)
  /** The table that is being left; empty when none is. */
  private old: Int32Array = none
  private oldShift = 31
  /** The free slot of the old table where moving began. */
  private start = 0
  /** Slots passed since; the next one is free. */
  private passed = 0

  /** The table in which `hash` is, if it is anywhere. */
  private isInOld(hash: number): boolean {
    const { old } = this
    if (old.length === 0) return false
    return (((hash >>> this.oldShift) - this.start) & ((old.length >>> 1) - 1)) >= this.passed
  }

  /** Where the search for `hash` ended: see `next`. */
  private table: Int32Array = none
  private at = 0
  private searched = 0

  /** The first address stored for `hash`, or 0. */
  first(hash: number): number {
    const isOld = this.old.length > 0 && this.isInOld(hash)
    const slots = isOld ? this.old : this.slots
    const mask = slots.length - 1
    let at = (hash >>> (isOld ? this.oldShift : this.shift)) << 1
    for (;;) {
      const address = slots[at + 1]
      if (address === 0 || slots[at] === hash) {
        this.table = slots
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
    if (this.size * 4 >= (this.slots.length >>> 1) * 3) this.resize((this.slots.length >>> 1) * 2)
    this.size++
    if (this.isInOld(hash)) insert(this.old, this.oldShift, hash, address)
    else insert(this.slots, this.shift, hash, address)
  }

  /** Makes room for `count` addresses at once, as long as there is none. */
  reserve(count: number): void {
    if (this.size > 0 || this.old.length > 0) return
    let capacity = this.slots.length >>> 1
    while (count * 4 >= capacity * 3 && capacity < capacityReservedMax) capacity *= 2
    if (capacity * 2 === this.slots.length) return
    release(this.slots)
    this.slots = new Int32Array(capacity * 2)
    this.shift = 32 - Math.log2(capacity)
  }

  /** Brings the slots in which `hashes` begin into the processor's caches, all at once. */
  fetch(hashes: Int32Array, count: number): number {
    const { slots, shift } = this
    let sum = 0
    for (let i = 0; i < count; i++) sum |= slots[((hashes[i] >>> shift) << 1) + 1]
    return sum
  }

  /** Takes out an address that is there. */
  remove(hash: number, address: number): void {
    this.find(hash, address)
    this.size--
    this.free(this.table, this.table === this.old ? this.oldShift : this.shift, this.at)
    const capacity = this.slots.length >>> 1
    if (capacity > firstCapacity && this.size * 5 < capacity) this.resize(capacity >>> 1)
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

  /** Moves the next few slots of the old table. */
  step(): void {
    const { old } = this
    if (old.length === 0) return
    const mask = (old.length >>> 1) - 1
    let left = slotsAStep
    for (;;) {
      const at = ((this.start + this.passed) & mask) << 1
      const address = old[at + 1]
      if (address === 0) {
        if (this.passed > mask) {
          this.old = none
          this.table = none
          release(old)
          return
        }
        if (left <= 0) return
      } else {
        insert(this.slots, this.shift, old[at], address)
        old[at + 1] = 0
      }
      this.passed++
      left--
    }
  }

  get bytes(): number {
    return this.slots.byteLength + this.old.byteLength
  }

  clear(): void {
    release(this.slots)
    release(this.old)
    this.slots = new Int32Array(firstCapacity * 2)
    this.shift = 32 - Math.log2(firstCapacity)
    this.old = this.table = none
    this.size = 0
  }

  private find(hash: number, address: number): void {
    for (let found = this.first(hash); found !== address;) found = this.next()
  }

  private resize(capacity: number): void {
    // Only when the limits of both tables are hit at once, which their distance rules out.
    while (this.old.length > 0) this.step()
    this.old = this.slots
    this.oldShift = this.shift
    this.slots = new Int32Array(Math.max(capacity, firstCapacity) * 2)
    this.shift = 33 - Math.log2(this.slots.length)
    this.start = 0
    while (this.old[this.start * 2 + 1] !== 0) this.start++
    // The free slot itself is passed: an entry put there, by a run that comes around to it, is the last one to be moved.
    this.passed = 1
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

const none = new Int32Array(0)

const insert = (slots: Int32Array, shift: number, hash: number, address: number): void => {
  const mask = slots.length - 1
  let at = (hash >>> shift) << 1
  while (slots[at + 1] !== 0) at = (at + 2) & mask
  slots[at] = hash
  slots[at + 1] = address
}
