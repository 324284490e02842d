/**
 * Memory for the records of one large collection, outside the heap: blocks of words, of which records are cut one after the other.
 *
 * An address is a block's number and an offset in units of 8 bytes, at most 31 bits; 0 is no address. A record that was freed is used
 * again for one of the same size. When less than a quarter of what was cut is in use, the owner moves what is left into new blocks, a few
 * records with each change, and the old blocks go: see `isLeaving`.
 *
 * The idea to hold: a collection can be small, so the first block is, and doubles by copying until it is as large as a block becomes;
 * whoever holds a block's `words` reads them anew after `take`, and in each turn of the event loop.
 */
import { PageSource, release } from "../bytes/Pages.ts"

const offsetBits = 15
const offsetMask = (1 << offsetBits) - 1
/** Units of a block that is full grown: a page. */
const blockUnits = 1 << offsetBits
const blocksMax = 1 << (31 - offsetBits)
const firstUnits = 64
/** Records that take more have a block of their own. */
export const sharedMax = blockUnits / 2
/** Larger records are rounded up to one of eight sizes a doubling, so that the room of one is of use to others. */
const exactMax = 512
/** Lists of free records: of each exact size, and of each rounded one of the five doublings up to `sharedMax`. */
const freeLists = exactMax + 8 * 5 + 1
/** Less than this cut in vain is not worth moving anything. */
const leftUnitsMin = 8 * 1024

const noWords = new Int32Array(0)
const noBytes = Buffer.alloc(0)

/** The index of a record's first word in its block. */
export const wordAt = (address: number): number => (address & offsetMask) << 1
export const blockOf = (address: number): number => address >>> offsetBits

/** The sizes that records of `units`, more than `exactMax`, are rounded up to are 2 to this power apart. */
const stepBits = (units: number): number => 28 - Math.clz32(units - 1)
const stepBitsMin = stepBits(exactMax + 1)

/** The units that a record of so many words gets. */
export const unitsFor = (words: number): number => {
  const units = (words + 1) >>> 1
  if (units <= exactMax || units > sharedMax) return units
  const bits = stepBits(units)
  return ((units + (1 << bits) - 1) >>> bits) << bits
}

/** The list of free records of `units`, which `unitsFor` gave. */
const freeList = (units: number): number => {
  if (units <= exactMax) return units
  const bits = stepBits(units)
  // From the ninth to the sixteenth step.
  return exactMax + ((bits - stepBitsMin) << 3) + (units >>> bits) - 8
}

export class RecordBlocks {
  private readonly source = new PageSource((from, to) => this.put(this.words.indexOf(from), to))
  /** By block number. */
  readonly words: Array<Int32Array> = []
  readonly bytes: Array<Buffer> = []
  /** Numbers of blocks that have gone. */
  private readonly gone: Array<number> = []
  /** Numbers of the blocks that are shared, and of those among them that are being left. */
  private shared: Array<number> = []
  private leaving: ReadonlySet<number> = nowhere
  /** The block that records are cut from, and the next word of it. */
  private current = -1
  private top = 0
  /** The first free record of each list. A free record's first word is the next one. */
  private free: Int32Array = noWords
  /** Units in use, in all blocks but those of single records, and cut, in blocks that are not being left. */
  private used = 0
  private cut = 0
  /** Bytes taken from the system. */
  allocated = 0

  /** Room for a record of `units`, which `unitsFor` gave. */
  take(units: number): number {
    if (units > sharedMax) return this.takeAlone(units)
    this.used += units
    const list = freeList(units)
    if (list < this.free.length) {
      const address = this.free[list]
      if (address !== 0) {
        this.free[list] = this.words[blockOf(address)][wordAt(address)]
        return address
      }
    }
    const needed = units << 1
    if (this.current === -1 || this.top + needed > this.words[this.current].length) this.makeRoom(needed)
    const address = (this.current << offsetBits) | (this.top >>> 1)
    this.top += needed
    this.cut += units
    return address
  }

  private takeAlone(units: number): number {
    // The first unit is left out: an address of block 0 must not be 0.
    return (this.addBlock(units + 1) << offsetBits) | 1
  }

  /** Gives back the room of a record. */
  give(address: number, units: number): void {
    const block = blockOf(address)
    if (units > sharedMax) return this.dropBlock(block)
    this.used -= units
    if (this.leaving.has(block)) return
    const list = freeList(units)
    if (list >= this.free.length) {
      const more = new Int32Array(Math.min(freeLists, list * 2))
      more.set(this.free)
      this.free = more
    }
    this.words[block][wordAt(address)] = this.free[list]
    this.free[list] = address
  }

  /** Whether most of what was cut is not used any more, so that records should be moved. */
  get isWasteful(): boolean {
    return this.used * 4 < this.cut && this.cut > leftUnitsMin && this.leaving === nowhere
  }

  /** From now on records are cut from new blocks. */
  leave(): void {
    this.leaving = new Set(this.shared)
    this.shared = []
    this.current = -1
    this.cut = 0
    this.free = noWords
  }

  /** Whether a record is in a block that is being left, and has to be moved. */
  isLeaving(address: number): boolean {
    return this.leaving.has(blockOf(address))
  }

  /** Nothing is in the blocks that were left. */
  left(): void {
    for (const block of this.leaving) this.dropBlock(block)
    this.leaving = nowhere
  }

  /** Drops up to so many blocks, records and all; false when there is none left. */
  release(count: number): boolean {
    for (let left = count; left > 0 && this.words.length > 0; left--) {
      const words = this.words.pop()!
      this.allocated -= words.byteLength
      release(words)
      this.bytes.pop()
    }
    return this.words.length > 0
  }

  /** Makes room in the current block, or makes a new one the current one. */
  private makeRoom(words: number): void {
    const { current } = this
    const now = current === -1 ? 0 : this.words[current].length
    if (current === -1 || now === blockUnits * 2) {
      // After the first block all are full grown, except that those left may have been the large ones.
      const all =
        this.shared.length > 0 ? blockUnits : Math.min(blockUnits, powerOf2(Math.max(firstUnits, this.used, words)))
      this.current = this.addBlock(all)
      this.shared.push(this.current)
      this.top = 2
      return
    }
    const grown = Math.min(blockUnits, Math.max(now, powerOf2((this.top + words) >>> 1)))
    const old = this.words[current]
    this.setBlock(current, grown)
    this.words[current].set(old)
    this.allocated -= old.byteLength
    release(old)
  }

  private addBlock(units: number): number {
    const number = this.gone.pop() ?? this.words.length
    if (number >= blocksMax) throw new RangeError("The collection is full: it holds 16 GiB.")
    this.setBlock(number, units)
    return number
  }

  private setBlock(number: number, units: number): void {
    const words = this.source.take(units << 1)
    this.put(number, words)
    this.allocated += words.byteLength
  }

  private put(number: number, words: Int32Array<ArrayBuffer>): void {
    this.words[number] = words
    this.bytes[number] = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
  }

  private dropBlock(number: number): void {
    this.allocated -= this.words[number].byteLength
    release(this.words[number])
    this.words[number] = noWords
    this.bytes[number] = noBytes
    this.gone.push(number)
  }
}

const nowhere: ReadonlySet<number> = new Set()

const powerOf2 = (least: number): number => 2 ** Math.ceil(Math.log2(least))
