/**
 * The names in a large collection (fields of a hash, members of a set): from a name to its position and back. What belongs to
 * a name lies beside, by position.
 *
 * Positions run 0..size-1 without holes; removing one moves the last name into the hole, which is what makes a scan that
 * walks the positions *downward* complete: a name only ever moves to a lower position, new ones land behind the scan.
 *
 * The idea to hold: nothing here is one large piece. Names lie in segments, and the index from name to position is extendible
 * hashing: a directory of small open-addressing buckets, of which an overfull one splits in two. So no insertion pays for the
 * growth of the whole, where one `Map` that doubles stalls 60 ms at a million names. About 55 bytes a name of 10 bytes.
 */
import { randomBytes } from "node:crypto"

/** Names, and what lies beside them, are kept in pieces of this length: positions of one piece share their upper bits. */
export const segmentBits = 10
export const segmentMask = (1 << segmentBits) - 1

const firstCapacity = 16
/** A bucket with this many slots splits instead of growing: rehashing it takes about 20 us. */
const bucketSlotsMax = 2048
/** Beyond this depth a bucket grows after all: only names made to collide get here. */
const depthMax = 18

const seed = randomBytes(4).readInt32LE(0)

/** 32 bits of `name`. Each step is a bijection that depends on the seed, so a client cannot prepare collisions. */
const hashOf = (name: string): number => {
  let hash = seed
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** Slots of two words: the hash, and the position plus one (0: free). Collisions go to the next slot. */
class Bucket {
  slots: Uint32Array
  count = 0
  /** How many leading bits of the hash all names of this bucket share. */
  depth: number
  constructor(depth: number, slots: number) {
    this.depth = depth
    this.slots = new Uint32Array(slots * 2)
  }

  get capacity(): number {
    return this.slots.length >>> 1
  }

  add(hash: number, position: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let at = (hash << 1) & mask
    while (slots[at + 1] !== 0) at = (at + 2) & mask
    slots[at] = hash
    slots[at + 1] = position + 1
    this.count++
  }

  /** The slot that holds `position`, which must be there. */
  slotOf(hash: number, position: number): number {
    const { slots } = this
    const mask = slots.length - 1
    let at = (hash << 1) & mask
    while (slots[at + 1] !== position + 1) at = (at + 2) & mask
    return at
  }

  /** Frees a slot and moves later names of its run back, so that no search meets a gap before its name. */
  free(slot: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let hole = slot
    let at = slot
    for (;;) {
      at = (at + 2) & mask
      if (slots[at + 1] === 0) break
      const home = (slots[at]! << 1) & mask
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at]!
        slots[hole + 1] = slots[at + 1]!
        hole = at
      }
    }
    slots[hole + 1] = 0
    this.count--
  }

  grow(): void {
    const old = this.slots
    this.slots = new Uint32Array(old.length * 2)
    this.count = 0
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0) this.add(old[at]!, old[at + 1]! - 1)
    }
  }
}

export class NameTable {
  size = 0
  readonly #names: Array<Array<string>> = []
  #directory: Array<Bucket> = [new Bucket(0, firstCapacity)]
  /** Leading bits of a hash that choose the bucket; the directory has 2^depth entries. */
  #depth = 0

  name(position: number): string {
    return this.#names[position >>> segmentBits]![position & segmentMask]!
  }

  /** The position of `name`, or -1. */
  find(name: string): number {
    const hash = hashOf(name)
    const { slots } = this.#bucket(hash)
    const mask = slots.length - 1
    const unsigned = hash >>> 0
    for (let at = (hash << 1) & mask; slots[at + 1] !== 0; at = (at + 2) & mask) {
      if (slots[at] === unsigned) {
        const position = slots[at + 1]! - 1
        if (this.name(position) === name) return position
      }
    }
    return -1
  }

  /** Adds a name that is not there; it must be flat. Returns its position, which is the last. */
  append(name: string): number {
    const position = this.size++
    if ((position & segmentMask) === 0) this.#names.push([])
    this.#names[position >>> segmentBits]!.push(name)
    const hash = hashOf(name)
    let bucket = this.#bucket(hash)
    while (bucket.count * 4 >= bucket.capacity * 3) {
      if (bucket.capacity < bucketSlotsMax || bucket.depth >= depthMax) bucket.grow()
      else this.#split(bucket, hash)
      bucket = this.#bucket(hash)
    }
    bucket.add(hash, position)
    return position
  }

  /** Removes the name at `position`; the one at the last position, which is then `size`, takes its place. */
  remove(position: number): void {
    const hash = hashOf(this.name(position))
    const bucket = this.#bucket(hash)
    bucket.free(bucket.slotOf(hash, position))
    const last = --this.size
    const lastName = this.#names[last >>> segmentBits]!.pop()!
    if (position !== last) {
      const lastHash = hashOf(lastName)
      const lastBucket = this.#bucket(lastHash)
      lastBucket.slots[lastBucket.slotOf(lastHash, last) + 1] = position + 1
      this.#names[position >>> segmentBits]![position & segmentMask] = lastName
    }
    if ((last & segmentMask) === 0) this.#names.pop()
  }

  #bucket(hash: number): Bucket {
    // A shift by 32 would be a shift by 0, so the directory of one entry is a case of its own.
    return this.#directory[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)]!
  }

  /** Replaces the bucket of `hash` by two that share one bit more. */
  #split(bucket: Bucket, hash: number): void {
    if (bucket.depth === this.#depth) {
      const doubled = new Array<Bucket>(this.#directory.length * 2)
      for (let i = 0; i < doubled.length; i++) doubled[i] = this.#directory[i >>> 1]!
      this.#directory = doubled
      this.#depth++
    }
    const depth = bucket.depth + 1
    const halves = [new Bucket(depth, bucketSlotsMax), new Bucket(depth, bucketSlotsMax)]
    const { slots } = bucket
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at + 1] !== 0) halves[(slots[at]! >>> (32 - depth)) & 1]!.add(slots[at]!, slots[at + 1]! - 1)
    }
    // The directory entries of the old bucket are a run; its first half now leads to the one, its second to the other.
    const run = 1 << (this.#depth - bucket.depth)
    const start = ((hash >>> (32 - this.#depth)) >>> (this.#depth - bucket.depth)) * run
    for (let i = 0; i < run; i++) this.#directory[start + i] = halves[i < run / 2 ? 0 : 1]!
  }
}
