/**
 * The inside of large sets, hashes and sorted sets: distinct members, each with whatever else its record holds, as bytes outside the heap.
 * The collector has nothing to walk, and a look-up meets two cold places, a slot and a record, where strings in arrays have six: adding
 * a member that is there takes 150 ns, with arrays 240. A member of a set takes 105 bytes resident with all that belongs to it, with
 * arrays 136.
 *
 * A record, in words of four bytes:
 *
 *     position    bytes of the member    ... `headWords` in all    member    what follows it
 *
 * The member begins at a word and its last word is filled up with zeros.
 *
 * The idea to hold: positions run 0..size-1 without holes; removing one moves the last member into the hole. That makes a random member
 * O(1), and a scan that walks the positions *downward* complete: a member only ever moves to a lower position, new ones land behind the
 * scan. A record is known by its address, which changes only when it has to be moved.
 */
import * as KeyBytes from "../bytes/KeyBytes.ts"
import { PositionList } from "../bytes/PositionList.ts"
import { SlotIndex } from "../bytes/SlotIndex.ts"
import * as Batch from "./Batch.ts"
import { blockOf, RecordBlocks, sharedMax, unitsFor, wordAt } from "./RecordBlocks.ts"
import type { RecordWalk } from "./RecordWalk.ts"

/** Records looked at with each change, while they are moved: with a quarter left, moving ends long before it is due again. */
const movedAStep = 4
/** One more for so many units that a change cuts: records of 100 KiB must not pile up while a million small ones are moved. */
const unitsAMove = 16

/** What is in the heap: a dozen objects, and what V8 keeps of each of three arrays outside of it. Measured with 20,000 sets of 200. */
const objectsBytes = 1800

/** Blocks given back in a step: 10 us each. */
const blocksReleased = 32

/** Shorter text is written char by char: a call into Node costs 65 ns whatever the length. */
const writtenCharwiseMax = 16

export const fetchedMax = 8
const fetchedHashes = new Int32Array(fetchedMax)

/** The member that was looked up last, and its hash, for the insertion that follows. */
let lastMember: string | undefined
let lastHash = 0
let lastLoad = 0

export class RecordTable {
  protected readonly blocks = new RecordBlocks()
  private readonly index = new SlotIndex()
  private readonly positions = new PositionList()
  private readonly headWords: number
  /** Told before a record changes or goes: see `RecordWalk`. */
  readonly walks: Array<RecordWalk> = []
  /** The position below which records may still be in blocks that are being left; 0: none. */
  private unmoved = 0

  constructor(headWords: number) {
    this.headWords = headWords
  }

  get size(): number {
    return this.positions.size
  }

  /** Bytes of memory that all of it takes. */
  get memoryBytes(): number {
    return objectsBytes + this.blocks.allocated + this.index.bytes + this.positions.bytes
  }

  /** See `Collection.release`. */
  release(): boolean {
    // A snapshot is still giving its records out; then they are left to the collector.
    if (this.walks.length > 0) return false
    if (this.blocks.release(blocksReleased)) return true
    this.index.clear()
    this.positions.clear()
    return false
  }

  /** The address of the record at a position. */
  at(position: number): number {
    return this.positions.at(position)
  }

  /** The address of the record of `member`, or 0. */
  find(member: string): number {
    const hash = KeyBytes.load(member)
    lastMember = member
    lastHash = hash
    lastLoad = KeyBytes.loads
    let address = this.index.first(hash)
    while (address !== 0 && !this.holds(address, member)) address = this.index.next()
    return address
  }

  /** The member of a record, as a string of its own. */
  member(address: number): string {
    const block = blockOf(address)
    const word = wordAt(address)
    const start = (word + this.headWords) << 2
    return this.blocks.bytes[block].latin1Slice(start, start + this.blocks.words[block][word + 1])
  }

  /**
   * Appends the members of the first `count` of `addresses` to `out`. They are cut out of one string for many of them, which takes 35 ns
   * each where `member` takes 100: keep flat copies.
   */
  members(addresses: ArrayLike<number>, count: number, out: Array<string>): void {
    Batch.begin()
    for (let i = 0; i < count; i++) {
      const address = addresses[i]
      const words = this.blocks.words[blockOf(address)]
      const word = wordAt(address)
      const length = words[word + 1]
      if (length > Batch.textMax) {
        Batch.end(out)
        out.push(this.member(address))
      } else Batch.add(words, word + this.headWords, length, out)
    }
    Batch.end(out)
  }

  /** As `members`, for the records at `count` positions from `position` on. */
  membersAt(position: number, count: number, out: Array<string>): void {
    const addresses: Array<number> = []
    for (let i = 0; i < count; i++) addresses.push(this.positions.at(position + i))
    this.members(addresses, count, out)
  }

  /** Bytes of a record's member. */
  memberLength(address: number): number {
    return this.blocks.words[blockOf(address)][wordAt(address) + 1]
  }

  /** Adds a member that is not there, with `more` words after it. Its record's own words are what they were. */
  insert(member: string, more: number): number {
    const hash = KeyBytes.loads === lastLoad && lastMember === member ? lastHash : KeyBytes.load(member)
    const { length } = member
    const memberWords = KeyBytes.wordsFor(length)
    const units = unitsFor(this.headWords + memberWords + more)
    const address = this.blocks.take(units)
    const block = blockOf(address)
    const words = this.blocks.words[block]
    const word = wordAt(address)
    words[word] = this.positions.size
    words[word + 1] = length
    const start = word + this.headWords
    if (length <= KeyBytes.inlineKeyMax) for (let i = 0; i < memberWords; i++) words[start + i] = KeyBytes.words[i]
    else {
      words[start + memberWords - 1] = 0
      this.blocks.bytes[block].latin1Write(member, start << 2, length)
    }
    this.positions.push(address)
    this.index.add(hash, address)
    lastMember = undefined
    if (this.unmoved > 0) this.moveSome(units)
    return address
  }

  /** Removes a record; the last one takes its position. */
  remove(address: number): void {
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    const position = words[word]
    const units = this.unitsAt(address)
    this.changing(address)
    this.index.remove(this.hashAt(address), address)
    this.blocks.give(address, units)
    const last = this.positions.pop()
    if (last !== address) {
      this.positions.set(position, last)
      this.blocks.words[blockOf(last)][wordAt(last)] = position
      for (let i = 0; i < this.walks.length; i++) this.walks[i].moved(position, this.positions.size)
    }
    this.tidy(units)
  }

  /** To be called before anything of a record changes but its place. */
  changing(address: number): void {
    for (let i = 0; i < this.walks.length; i++) {
      this.walks[i].changing(this.position(address))
    }
  }

  /** The position of a record. */
  position(address: number): number {
    return this.blocks.words[blockOf(address)][wordAt(address)]
  }

  /** To be called after a change that gave back the room of a record and took or will take so many units; it moves records. */
  protected tidy(units: number): void {
    if (this.unmoved === 0) {
      if (!this.blocks.isWasteful) return
      this.blocks.leave()
      this.unmoved = this.positions.size
    }
    this.moveSome(units)
  }

  /** Gives a record room for `more` words after its member, which is kept, and what follows it is not. Returns its new address. */
  protected resize(address: number, more: number): number {
    const memberWords = KeyBytes.wordsFor(this.memberLength(address))
    const kept = this.headWords + memberWords
    return this.moveTo(address, this.blocks.take(unitsFor(kept + more)), kept)
  }

  /** How many units a record takes: what it was inserted with. */
  protected unitsAt(address: number): number {
    return unitsFor(this.headWords + KeyBytes.wordsFor(this.memberLength(address)))
  }

  /** A record has been moved. */
  protected moved(_from: number, _to: number): void {}

  /**
   * Brings what removing the first `count` of `addresses`, at most `fetchedMax`, will read into the processor's caches, all at once: the
   * records, and the slots and positions that name them. One after the other they cost as many waits for memory.
   */
  fetch(addresses: ArrayLike<number>, count: number): number {
    let sum = 0
    for (let i = 0; i < count; i++) {
      sum |= this.blocks.words[blockOf(addresses[i])][wordAt(addresses[i]) + this.headWords]
    }
    for (let i = 0; i < count; i++) {
      fetchedHashes[i] = this.memberLength(addresses[i]) > KeyBytes.inlineKeyMax ? 0 : this.hashAt(addresses[i])
      sum |= this.positions.at(this.position(addresses[i]))
    }
    return sum | this.index.fetch(fetchedHashes, count)
  }

  /** The order of two members by their bytes: negative, 0 or positive. */
  compare(left: number, right: number): number {
    const leftWords = this.blocks.words[blockOf(left)]
    const rightWords = this.blocks.words[blockOf(right)]
    const leftWord = wordAt(left)
    const rightWord = wordAt(right)
    const leftLength = leftWords[leftWord + 1]
    const rightLength = rightWords[rightWord + 1]
    const shared = KeyBytes.wordsFor(leftLength < rightLength ? leftLength : rightLength)
    const { headWords } = this
    for (let i = headWords; i < headWords + shared; i++) {
      const difference = leftWords[leftWord + i] ^ rightWords[rightWord + i]
      if (difference === 0) continue
      // The first byte that differs is the lowest one.
      const shift = (31 - Math.clz32(difference & -difference)) & 24
      return ((leftWords[leftWord + i] >>> shift) & 255) - ((rightWords[rightWord + i] >>> shift) & 255)
    }
    return leftLength - rightLength
  }

  /** The order of a member and a text by their bytes: negative, 0 or positive. */
  compareText(address: number, text: string): number {
    const block = blockOf(address)
    const bytes = this.blocks.bytes[block]
    const word = wordAt(address)
    const length = this.blocks.words[block][word + 1]
    const start = (word + this.headWords) << 2
    const shared = length < text.length ? length : text.length
    for (let i = 0; i < shared; i++) {
      const difference = bytes[start + i] - text.charCodeAt(i)
      if (difference !== 0) return difference
    }
    return length - text.length
  }

  private holds(address: number, member: string): boolean {
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    const { length } = member
    if (words[word + 1] !== length) return false
    if (length > KeyBytes.inlineKeyMax) return this.member(address) === member
    const start = word + this.headWords
    for (let i = KeyBytes.wordsFor(length) - 1; i >= 0; i--) {
      if (words[start + i] !== KeyBytes.words[i]) return false
    }
    return true
  }

  private hashAt(address: number): number {
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    const length = words[word + 1]
    return length > KeyBytes.inlineKeyMax
      ? KeyBytes.load(this.member(address))
      : KeyBytes.hashOf(words, word + this.headWords, length)
  }

  /** Goes on to move records out of the blocks that are being left. */
  private moveSome(unitsCut: number): void {
    let position = Math.min(this.unmoved, this.positions.size)
    for (let left = movedAStep + ((Math.min(unitsCut, sharedMax) / unitsAMove) | 0); left > 0 && position > 0; left--) {
      const address = this.positions.at(--position)
      if (!this.blocks.isLeaving(address)) continue
      const units = this.unitsAt(address)
      this.moveTo(address, this.blocks.take(units), units << 1)
    }
    this.unmoved = position
    if (position === 0) this.blocks.left()
  }

  /** Moves the first `count` words of a record to `to`, and gives its old room back. */
  private moveTo(from: number, to: number, count: number): number {
    const source = this.blocks.words[blockOf(from)]
    const target = this.blocks.words[blockOf(to)]
    const sourceWord = wordAt(from)
    const targetWord = wordAt(to)
    for (let i = 0; i < count; i++) target[targetWord + i] = source[sourceWord + i]
    this.moved(from, to)
    this.index.replace(this.hashAt(from), from, to)
    this.positions.set(source[sourceWord], to)
    this.blocks.give(from, this.unitsAt(from))
    return to
  }

  /** Writes `text` at a byte of the block of `address`. */
  protected write(address: number, text: string, at: number): void {
    const bytes = this.blocks.bytes[blockOf(address)]
    const { length } = text
    if (length > writtenCharwiseMax) bytes.latin1Write(text, at, length)
    else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i)
  }
}
