/**
 * Memory for records outside the heap: blocks of fixed sizes, cut from segments and given back to lists of free blocks.
 *
 * An address is a signed 32-bit number: 10 bits of segment, 22 bits of offset in units of 8 bytes, so 28 GiB; 0 is no address. Each block
 * begins with a word whose bit `freeBit` says that it is free; the second word of a free one is the next free block of its size in its
 * segment; the top 6 bits of the third one are its size class, so a segment can be walked from block to block.
 *
 * The idea to hold: lists of free blocks are kept per segment. So a segment with many holes can be emptied: nothing new is put into it,
 * its records are moved out a few at a time, and it goes as a whole, with all its memory.
 */
import { release, take } from "./Outside.ts"

const offsetBits = 22
const offsetMask = (1 << offsetBits) - 1
const segmentsMax = 1 << (32 - offsetBits)

export const freeBit = 16
export const classShift = 26

/**
 * Sizes of blocks in units of 8 bytes: 2..16 one by one, then eight steps to each doubling up to 8 KiB, so a block is at most an eighth
 * larger than needed.
 */
const classUnits: ReadonlyArray<number> = [
  ...Array.from({ length: 15 }, (_, index) => index + 2),
  ...[16, 32, 64, 128, 256, 512].flatMap((from) =>
    Array.from({ length: 8 }, (_, index) => from + (from / 8) * (index + 1)),
  ),
]
const unitsOf = new Int32Array(classUnits)
const unitsMax = 1024
/** The smallest class that holds so many units. */
const classFor = Uint8Array.from({ length: unitsMax + 1 }, (_, units) => classUnits.findIndex((fits) => fits >= units))

/**
 * Bytes of the segment to take next, while so many are in use. To give the largest back takes less than a millisecond; with smaller ones V8,
 * which counts memory outside of its heap, would collect more often while a keyspace grows: of 16 MiB, inserting costs a tenth more.
 */
const segmentBytesFor = (used: number): number =>
  used < 64 * 1024
    ? 64 * 1024
    : used < 1024 * 1024
      ? 512 * 1024
      : used < 4 * 1024 * 1024
        ? 2 * 1024 * 1024
        : 28 * 1024 * 1024

/** A segment is emptied when holes take more than a quarter of what is in use, and this much besides. */
const holesPart = 4
const holesKept = 256 * 1024
/** An empty segment is kept for the next block unless more of it than this was in use. */
const keptUnitsMax = (4 * 1024 * 1024) / 8

interface Segment {
  readonly words: Int32Array
  readonly bytes: Buffer
  /** In units: how many there are, how many have been cut into blocks, how many of those are in use. */
  readonly units: number
  top: number
  used: number
  /** The first free block of each class; 0 for none. */
  readonly free: Int32Array
}

const noWords = new Int32Array(0)
const nothing: Segment = {
  words: noWords,
  bytes: Buffer.alloc(0),
  units: 0,
  top: 0,
  used: 0,
  free: new Int32Array(classUnits.length),
}

/** The number of a block's segment, and the index of its first word in the segment's `words`. */
export const segmentOf = (address: number): number => address >>> offsetBits
export const wordAt = (address: number): number => (address & offsetMask) << 1

export class Segments {
  /** The words and bytes of each segment, for readers in a hurry: see `segmentOf`. */
  readonly words: Array<Int32Array> = []
  readonly bytes: Array<Buffer> = []
  private readonly segments: Array<Segment> = []
  /** Numbers of segments that have gone. */
  private readonly gone: Array<number> = []
  /** The segment that new blocks are cut from; -1 for none. */
  private current = -1
  /** Where a free block of a class may be; -1: nowhere. */
  private readonly hint = new Int32Array(classUnits.length).fill(-1)
  /** The segment that is being emptied, or -1, and how far that is. */
  private emptying = -1
  private emptied = 0
  /** Bytes in use, in blocks cut so far, and taken from the system. */
  used = 0
  cut = 0
  allocated = 0

  get count(): number {
    return this.segments.length - this.gone.length
  }

  /** A block of at least `bytes` bytes. Its third word has its class, the others are what they were. */
  take(bytes: number): number {
    return this.takeClass(classFor[(bytes + 7) >>> 3])
  }

  private takeClass(sizeClass: number): number {
    const units = unitsOf[sizeClass]
    this.used += units << 3
    if (this.hint[sizeClass] !== -1) {
      const segment = this.withFree(sizeClass)
      if (segment !== undefined) {
        const address = segment.free[sizeClass]
        segment.free[sizeClass] = segment.words[wordAt(address) + 1]
        segment.used += units
        return address
      }
    }
    let segment = this.current === -1 ? nothing : this.segments[this.current]
    if (segment.top + units > segment.units) segment = this.addSegment()
    const offset = segment.top
    segment.top += units
    segment.used += units
    this.cut += units << 3
    segment.words[(offset << 1) + 2] = sizeClass << classShift
    return (this.current << offsetBits) | offset
  }

  private withFree(sizeClass: number): Segment | undefined {
    const hinted = this.segments[this.hint[sizeClass]]
    if (hinted.free[sizeClass] !== 0) return hinted
    for (let i = 0; i < this.segments.length; i++) {
      if (this.segments[i].free[sizeClass] !== 0) {
        this.hint[sizeClass] = i
        return this.segments[i]
      }
    }
    this.hint[sizeClass] = -1
    return undefined
  }

  private addSegment(): Segment {
    const number = this.gone.pop() ?? this.segments.length
    if (number >= segmentsMax) throw new RangeError("The keyspace is full: it holds 28 GiB of keys and values.")
    const size = segmentBytesFor(this.used)
    const words = take(size / 4)
    const segment: Segment = {
      words,
      bytes: Buffer.from(words.buffer, 0, size),
      units: size >>> 3,
      // Address 0 is no block, so no segment's first unit is one.
      top: 1,
      used: 0,
      free: new Int32Array(classUnits.length),
    }
    this.put(number, segment)
    this.current = number
    this.allocated += size
    return segment
  }

  private put(number: number, segment: Segment): void {
    this.segments[number] = segment
    this.words[number] = segment.words
    this.bytes[number] = segment.bytes
  }

  free(address: number): void {
    const number = segmentOf(address)
    const segment = this.segments[number]
    const word = wordAt(address)
    const sizeClass = segment.words[word + 2] >>> classShift
    const units = unitsOf[sizeClass]
    segment.used -= units
    this.used -= units << 3
    segment.words[word] = freeBit
    if (segment.used === 0) this.emptyOf(number, segment)
    else if (number !== this.emptying) {
      segment.words[word + 1] = segment.free[sizeClass]
      segment.free[sizeClass] = address
      this.hint[sizeClass] = number
    }
  }

  /** Nothing in a segment is in use any more. */
  private emptyOf(number: number, segment: Segment): void {
    if (number === this.current && segment.top <= keptUnitsMax) {
      this.cut -= (segment.top - 1) << 3
      segment.top = 1
      segment.free.fill(0)
      return
    }
    if (number === this.current) this.current = -1
    if (number === this.emptying) this.emptying = -1
    this.put(number, nothing)
    this.gone.push(number)
    this.cut -= (segment.top - 1) << 3
    this.allocated -= segment.units << 3
    release(segment.words)
  }

  /** Bytes of the block that a record of so many bytes gets. */
  static blockBytes(bytes: number): number {
    return classUnits[classFor[(bytes + 7) >>> 3]]! * 8
  }

  /** Bytes of the block at `address`, which is in `words` at `word`. */
  static sizeAt(words: Int32Array, word: number): number {
    return unitsOf[words[word + 2] >>> classShift] << 3
  }

  /** Whether there is so much in holes that emptying a segment is worth its work, or one is being emptied. */
  get isUntidy(): boolean {
    return this.emptying !== -1 || (this.cut - this.used - holesKept) * holesPart > this.used
  }

  /** Begins with the segment that has the largest part in holes. */
  private beginEmptying(): void {
    let most = 0
    for (let i = 0; i < this.segments.length; i++) {
      const { top, used } = this.segments[i]
      const part = top > 1 ? 1 - used / (top - 1) : 0
      if (part > most) {
        most = part
        this.emptying = i
      }
    }
    if (this.emptying === this.current) this.current = -1
    this.emptied = 1
    this.segments[this.emptying].free.fill(0)
  }

  /**
   * Goes on to empty a segment: passes up to `blocks` blocks and has each that is in use moved by `move`, which must take a new block,
   * copy and free the old one. False when there is nothing to do.
   */
  empty(blocks: number, move: (address: number) => void): boolean {
    if (!this.isUntidy) return false
    if (this.emptying === -1) this.beginEmptying()
    const number = this.emptying
    const segment = this.segments[number]
    for (let left = blocks; left > 0; left--) {
      const word = this.emptied << 1
      const address = (number << offsetBits) | this.emptied
      this.emptied += unitsOf[segment.words[word + 2] >>> classShift]
      if ((segment.words[word] & freeBit) === 0) move(address)
      // The last record took the segment with it.
      if (this.emptying === -1) return true
    }
    return true
  }

  clear(): void {
    for (let i = 0; i < this.segments.length; i++) if (this.segments[i] !== nothing) release(this.segments[i].words)
    this.segments.length = this.words.length = this.bytes.length = this.gone.length = 0
    this.hint.fill(-1)
    this.current = this.emptying = -1
    this.used = this.cut = this.allocated = 0
  }
}
