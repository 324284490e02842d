/**
 * Distinct byte strings in no order: from a member to its position and back.
 *
 * Positions run 0..size-1 without holes; removing one moves the last member into the hole. That makes a random member O(1),
 * and a scan that walks the positions *downward* complete: a member only ever moves to a lower position, new ones land
 * behind the scan.
 *
 * The idea to hold: nothing here is one large piece. Members lie in segments, and the index from member to position is
 * extendible hashing: a directory of small open-addressing buckets, of which an overfull one splits in two. So no insertion
 * pays for the growth of the whole, where one `Map` that doubles stalls 60 ms at a million members. Up to 16 members there
 * is no index: comparing them all is as fast.
 */
import { randomBytes } from "node:crypto"
import { flat } from "../bytes/Bytes.ts"

const segmentBits = 10
const segmentMask = (1 << segmentBits) - 1

/** Up to so many members are compared one by one. */
const unindexedMax = 16
/** Slots of the first bucket. */
const firstCapacity = 64
/** A bucket with this many slots splits instead of growing: rehashing it takes about 20 us. */
const bucketSlotsMax = 2048
/** Heap bytes of a bucket without its slots. */
const bucketBytes = 200
/** Beyond this depth a bucket grows after all: only members made to collide get here. */
const depthMax = 18

const seed = randomBytes(4).readInt32LE(0)

/** 32 bits of `member`. Each step is a bijection that depends on the seed, so a client cannot prepare collisions. */
const hashOf = (member: string): number => {
  let hash = seed
  for (let i = 0; i < member.length; i++) {
    hash = Math.imul(hash ^ member.charCodeAt(i), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** Slots of two words: the hash, and the position plus one (0: free). Collisions go to the next slot. */
class Bucket {
  slots: Uint32Array
  count = 0
  /** How many leading bits of the hash all members of this bucket share. */
  readonly depth: number
  constructor(depth: number, capacity: number) {
    this.depth = depth
    this.slots = new Uint32Array(capacity * 2)
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

  /** Frees a slot and moves later members of its run back, so that no search meets a gap before its member. */
  free(slot: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let hole = slot
    let at = slot
    for (;;) {
      at = (at + 2) & mask
      if (slots[at + 1] === 0) break
      const home = (slots[at] << 1) & mask
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at]
        slots[hole + 1] = slots[at + 1]
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
      if (old[at + 1] !== 0) this.add(old[at], old[at + 1] - 1)
    }
  }
}

export class MemberTable {
  #size = 0
  /** Full ones, and the last one. */
  #segments: Array<Array<string>> = [[]]
  /** Empty while there is no index. */
  #directory: Array<Bucket> = noBuckets
  /** Leading bits of a hash that choose the bucket; the directory has 2^depth entries. */
  #depth = 0

  get size(): number {
    return this.#size
  }

  /** The member at a position, 0 <= position < size. */
  at(position: number): string {
    return this.#segments[position >>> segmentBits][position & segmentMask]
  }

  /** About how many bytes references and index take, the members themselves apart. */
  get ownBytes(): number {
    const index = this.#directory.length === 0 ? 0 : bucketBytes + Math.max(firstCapacity * 8, this.#size * 14)
    return this.#size * 8 + index
  }

  /** The position of `member`, or -1. */
  find(member: string): number {
    if (this.#directory.length === 0) return this.#segments[0].indexOf(member)
    return this.#findHash(member, hashOf(member))
  }

  /** Adds a copy of `member` unless it is there; answers whether it was added. */
  add(member: string): boolean {
    if (this.#directory.length === 0) {
      if (this.#segments[0].includes(member)) return false
      this.append(member)
      return true
    }
    const hash = hashOf(member)
    if (this.#findHash(member, hash) !== -1) return false
    this.#push(member)
    this.#index(hash, this.#size - 1)
    return true
  }

  /** Adds a copy of a member that is not there; returns its position, which is the last. */
  append(member: string): number {
    this.#push(member)
    const position = this.#size - 1
    if (this.#directory.length > 0) this.#index(hashOf(member), position)
    else if (this.#size > unindexedMax) this.#buildIndex()
    return position
  }

  #push(member: string): void {
    const position = this.#size++
    if (position > 0 && (position & segmentMask) === 0) this.#segments.push([])
    this.#segments[position >>> segmentBits].push(flat(member))
  }

  /** Removes the member at a position; the last member takes its place. */
  remove(position: number): void {
    const isIndexed = this.#directory.length > 0
    if (isIndexed) {
      const hash = hashOf(this.at(position))
      const bucket = this.#bucket(hash)
      bucket.free(bucket.slotOf(hash, position))
    }
    const last = --this.#size
    const lastMember = this.#segments[last >>> segmentBits].pop()!
    if (position !== last) {
      if (isIndexed) {
        const hash = hashOf(lastMember)
        const bucket = this.#bucket(hash)
        bucket.slots[bucket.slotOf(hash, last) + 1] = position + 1
      }
      this.#segments[position >>> segmentBits][position & segmentMask] = lastMember
    }
    if (last > 0 && (last & segmentMask) === 0) this.#segments.pop()
  }

  copy(): MemberTable {
    const copy = new MemberTable()
    // The members are known to differ, so they are only indexed.
    copy.#size = this.#size
    copy.#segments = this.#segments.map((segment) => [...segment])
    if (this.#directory.length > 0) copy.#buildIndex()
    return copy
  }

  #findHash(member: string, hash: number): number {
    const { slots } = this.#bucket(hash)
    const mask = slots.length - 1
    const unsigned = hash >>> 0
    for (let at = (hash << 1) & mask; slots[at + 1] !== 0; at = (at + 2) & mask) {
      if (slots[at] === unsigned) {
        const position = slots[at + 1] - 1
        if (this.at(position) === member) return position
      }
    }
    return -1
  }

  #buildIndex(): void {
    this.#directory = [new Bucket(0, firstCapacity)]
    this.#depth = 0
    for (let position = 0; position < this.#size; position++) this.#index(hashOf(this.at(position)), position)
  }

  #index(hash: number, position: number): void {
    let bucket = this.#bucket(hash)
    while (bucket.count * 4 >= bucket.capacity * 3) {
      if (bucket.capacity < bucketSlotsMax || bucket.depth >= depthMax) bucket.grow()
      else this.#split(bucket, hash)
      bucket = this.#bucket(hash)
    }
    bucket.add(hash, position)
  }

  #bucket(hash: number): Bucket {
    // A shift by 32 would be a shift by 0, so the directory of one entry is a case of its own.
    return this.#directory[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)]
  }

  /** Replaces the bucket of `hash` by two that share one bit more. */
  #split(bucket: Bucket, hash: number): void {
    if (bucket.depth === this.#depth) {
      const doubled = new Array<Bucket>(this.#directory.length * 2)
      for (let i = 0; i < doubled.length; i++) doubled[i] = this.#directory[i >>> 1]
      this.#directory = doubled
      this.#depth++
    }
    const depth = bucket.depth + 1
    const halves = [new Bucket(depth, bucketSlotsMax), new Bucket(depth, bucketSlotsMax)]
    const { slots } = bucket
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at + 1] !== 0) halves[(slots[at] >>> (32 - depth)) & 1].add(slots[at], slots[at + 1] - 1)
    }
    // The directory entries of the old bucket are a run; its first half now leads to the one, its second to the other.
    const run = 1 << (this.#depth - bucket.depth)
    const start = ((hash >>> (32 - this.#depth)) >>> (this.#depth - bucket.depth)) * run
    for (let i = 0; i < run; i++) this.#directory[start + i] = halves[i < run / 2 ? 0 : 1]
  }
}

const noBuckets: Array<Bucket> = []
