/**
 * The inside of a database that is made for many keys: keys and string values are bytes outside the heap, so the collector has nothing to
 * walk, and 16 + 32 bytes take 64 and some 20 of index. `Keyspace.makeMap` is the readable one.
 *
 * Records one by one are the business of `Records.ts`; which strings are in the heap nevertheless, of `LongText.ts`.
 *
 * The idea to hold: positions are as in `makeMap`, dense and filled up from the end, so scans and walks work and promise the same. What
 * moves a record (a longer value, emptying a segment) changes its address in the index and in the lists, never its position.
 */
import { flat } from "../../bytes/Bytes.ts"
import {
  type AccessClock,
  type Footprint,
  type Keyspace,
  type Loader,
  type Make,
  type Take,
  takenLengthMin,
  type Walk,
} from "../Keyspace.ts"
import type { Collection, Value } from "../Value.ts"
import { BulkLoad } from "./BulkLoad.ts"
import * as KeyBytes from "./KeyBytes.ts"
import type { Dropped } from "../Dropped.ts"
import { PositionList } from "./PositionList.ts"
import {
  classMask,
  deadlineBit,
  deadlineWord,
  deadlineWords,
  headerWords,
  inlineValueMax,
  keyLengthMask,
  keyLengthShift,
  keyWords,
  kindMask,
  kindPacked,
  kindReference,
  kindText,
  longKeyBit,
  longTextBit,
  readDouble,
  valueBytes,
  valueLengthMask,
  valueWord,
  writeDouble,
} from "./RecordLayout.ts"
import { Expected } from "./Expected.ts"
import { segmentOf, Segments, wordAt } from "./Segments.ts"
import { SlotIndex } from "./SlotIndex.ts"
import { Records } from "./Records.ts"
import { PositionWalk } from "./PositionWalk.ts"

/** What the tables take for a key on average: 4 for its position, 11 to 21 for its slot and the free ones around it. */
const indexBytes = 20

/**
 * What a deadline takes besides its words: 4 in the list of keys that have one, the rest is its entry in the expiry queue. Measured: two
 * million keys of 16 + 32 bytes take 86 more resident with a deadline than without, and their longer blocks.
 */
const deadlineBytes = 88

/** The slot of a collection or a long text among the references, with its size. */
const referenceBytes = 12

/** Sizes of collections measured in a step: 0.1 us each. */
const weighedAStep = 32

/** Blocks passed with each change while a segment is emptied: it has to go faster than changes make holes. */
const blocksAStep = 16

/** So many bytes of records are not in the processor's second cache. */
const largeMin = 8 * 1024 * 1024

export const makeBytes: Make = (clock, onUntidy = () => {}, dropped) => new ByteKeyspace(clock, onUntidy, dropped)

class ByteKeyspace implements Keyspace {
  private readonly clock: AccessClock
  private readonly onUntidy: () => void
  private readonly dropped: Dropped | undefined
  /** Whether `onUntidy` was called since all was tidy. */
  private wasUntidy = false
  private readonly index = new SlotIndex()
  private readonly records = new Records()
  private readonly segments = this.records.segments
  private readonly references = this.records.references
  /** The address of each key's record, and of each record with a deadline. */
  private readonly positions = new PositionList()
  private readonly volatile = new PositionList()
  private readonly walks: Array<PositionWalk> = []
  private readonly expected = new Expected()
  /** The key looked up last, and what was found: commands look a key up several times. */
  private lastKey: string | undefined
  private lastEnd = 0
  /** `KeyBytes.loads` then: whether its words are still there. */
  private lastLoad = 0
  private lastHash = 0
  private lastAddress = 0

  constructor(clock: AccessClock, onUntidy: () => void, dropped: Dropped | undefined) {
    this.clock = clock
    this.dropped = dropped
    this.onUntidy = onUntidy
  }

  get size(): number {
    return this.positions.size
  }

  get volatileSize(): number {
    return this.volatile.size
  }

  find(key: string): Value | undefined {
    const address = this.lookUp(key)
    return address === 0 ? undefined : this.used(address, this.use(address))
  }

  findOr<A>(key: string, take: Take<A>): Value | A | undefined {
    const address = this.lookUp(key)
    if (address === 0) return undefined
    const first = this.use(address)
    if ((first & kindMask) === kindText) {
      const segment = segmentOf(address)
      const words = this.segments.words[segment]
      const word = wordAt(address)
      const length = words[word + 2] & valueLengthMask
      if (length >= takenLengthMin) {
        const start = valueWord(words, word) << 2
        const taken = take(this.segments.bytes[segment], start, start + length)
        if (taken !== undefined) return taken
      }
    }
    return this.used(address, first)
  }

  /** Marks a record as used, and answers its first word. */
  private use(address: number): number {
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    const first = words[word]
    const marked = (this.clock.stamp(first >>> 8) << 8) | (first & 0xff)
    // Most keys are used again within the second: what is not written need not go back to memory.
    if (marked !== first) words[word] = marked
    return first
  }

  private used(address: number, first: number): Value {
    const value = this.records.valueAt(address)
    // It may be about to change: from the first use on it is an object.
    if ((first & kindMask) === kindPacked) this.replaceValue(address, value)
    else if ((first & kindMask) === kindReference) this.touchAt(address)
    return value
  }

  touch(key: string): void {
    const address = this.lookUp(key)
    if (address === 0) return
    const first = this.segments.words[segmentOf(address)][wordAt(address)]
    if ((first & kindMask) === kindReference) this.touchAt(address)
  }

  /** The object that is the value of this record may be about to change. */
  private touchAt(address: number): void {
    const words = this.segments.words[segmentOf(address)]
    this.references.touch(words[valueWord(words, wordAt(address))])
    if (this.references.isUntidy) this.becomeUntidy()
  }

  get isLarge(): boolean {
    return this.segments.used > largeMin
  }

  expect(key: string): void {
    this.expected.add(KeyBytes.load(key))
  }

  fetchExpected(): void {
    this.expected.fetch(this.index, this.segments)
  }

  peek(key: string): Value | undefined {
    const address = this.lookUp(key)
    return address === 0 ? undefined : this.records.valueAt(address)
  }

  has(key: string): boolean {
    return this.lookUp(key) !== 0
  }

  collection(key: string): Collection | undefined {
    const address = this.lookUp(key)
    return address === 0 ? undefined : this.records.collectionAt(address)
  }

  put(key: string, value: Value): boolean {
    const address = this.lookUp(key)
    if (address !== 0) {
      this.replaceValue(address, value)
      return false
    }
    this.insert(key, value)
    return true
  }

  reserve(count: number): void {
    this.index.reserve(count)
  }

  loader(): Loader {
    return new BulkLoad({
      index: this.index,
      segments: this.segments,
      positions: this.positions,
      volatile: this.volatile,
      stamp: () => this.clock.stamp(0),
      isKeyAt: (address, length) => this.records.isLoadedAt(address, length),
      keyOf: (address) => this.records.keyOf(address),
      writeValue: (segment, words, word, at, value) => this.records.writeValue(segment, words, word, at, value),
      freeValue: (words, word) => {
        if ((words[word] & kindMask) === kindReference) this.records.removeReference(words, word)
      },
      added: () => {
        // One of them may have been looked for before it was there.
        this.lastKey = undefined
        this.tidyStep()
      },
    })
  }

  remove(key: string): Value | undefined {
    const address = this.lookUp(key)
    if (address === 0) return undefined
    const value = this.records.valueAt(address)
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    const flags = words[word]
    const position = words[word + 1]
    this.index.remove(this.lastHash, address)
    this.lastKey = undefined
    if ((flags & deadlineBit) !== 0) this.leaveVolatile(words, word)
    if ((flags & kindMask) === kindReference) {
      this.dropped?.add(value)
      this.records.removeReference(words, word)
    }
    if ((flags & longKeyBit) !== 0) this.references.remove(words[word + headerWords])
    this.segments.free(address)
    this.fillHole(position)
    this.tidyStep()
    return value
  }

  deadline(key: string): number | undefined {
    if (this.volatile.size === 0) return undefined
    const address = this.lookUp(key)
    if (address === 0) return undefined
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    return (words[word] & deadlineBit) === 0 ? undefined : readDouble(words, deadlineWord(words, word))
  }

  setDeadline(key: string, atMs: number | undefined): void {
    let address = this.lookUp(key)
    if (address === 0) return
    let words = this.segments.words[segmentOf(address)]
    let word = wordAt(address)
    const has = (words[word] & deadlineBit) !== 0
    if (atMs === undefined) {
      if (!has) return
      this.leaveVolatile(words, word)
      words[word] &= ~deadlineBit
      return
    }
    if (!has) {
      const lengths = words[word + 2]
      const needed = (headerWords + keyWords(lengths, words[word]) + deadlineWords) * 4 + (lengths & valueLengthMask)
      if (Segments.sizeAt(words, word) < needed) {
        address = this.moveRecord(address, needed)
        words = this.segments.words[segmentOf(address)]
        word = wordAt(address)
      }
      this.giveDeadline(address, words, word, atMs)
    } else writeDouble(words, deadlineWord(words, word), atMs)
  }

  /** A first deadline, for which the block has room. */
  private giveDeadline(address: number, words: Int32Array, word: number, atMs: number): void {
    words[word] |= deadlineBit
    const at = deadlineWord(words, word)
    words[at + 2] = this.volatile.size
    this.volatile.push(address)
    writeDouble(words, at, atMs)
  }

  access(key: string): number {
    const address = this.lookUp(key)
    return address === 0 ? 0 : this.segments.words[segmentOf(address)][wordAt(address)] >>> 8
  }

  setAccess(key: string, stamp: number): void {
    const address = this.lookUp(key)
    if (address === 0) return
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    words[word] = (stamp << 8) | (words[word] & 0xff)
  }

  entryBytes(key: string, value: Value): number {
    const isLong = key.length > KeyBytes.inlineKeyMax
    const ends = this.deadline(key) !== undefined
    const words = headerWords + (isLong ? 1 : KeyBytes.wordsFor(key.length)) + (ends ? deadlineWords : 0)
    const outside =
      (isLong ? referenceBytes + key.length : 0) +
      (typeof value === "object"
        ? referenceBytes
        : typeof value === "string" && value.length > inlineValueMax
          ? referenceBytes + value.length
          : 0)
    return indexBytes + Segments.blockBytes(words * 4 + valueBytes(value)) + outside + (ends ? deadlineBytes : 0)
  }

  dataBytes(): number {
    const { segments, references } = this
    return (
      segments.used +
      this.size * indexBytes +
      this.volatile.size * deadlineBytes +
      references.count * referenceBytes +
      references.bytes()
    )
  }

  scan(cursor: number, count: number, visit: (key: string, value: Value) => void): number {
    let next = cursor === 0 ? this.size : Math.min(cursor, this.size)
    for (let left = count; left > 0 && next > 0; left--) {
      next--
      const address = this.positions.at(next)
      visit(this.records.keyOf(address), this.records.valueAt(address))
    }
    return next
  }

  walk(): Walk {
    const walk = new PositionWalk({
      walks: this.walks,
      size: this.size,
      keyAt: (position) => this.keyAt(position),
      valueAt: (position) => this.records.valueAt(this.positions.at(position)),
      positionOf: (key) => {
        const address = this.lookUp(key)
        return address === 0 ? -1 : this.records.positionOf(address)
      },
    })
    this.walks.push(walk)
    return walk
  }

  keyAt(position: number): string {
    return this.records.keyOf(this.positions.at(position))
  }

  *volatileKeys(): IterableIterator<string> {
    // Downward, like a scan: what is removed meanwhile moves a record only to where it has not been, or has been already.
    for (let next = this.volatile.size - 1; next >= 0; next = Math.min(next, this.volatile.size) - 1) {
      yield this.records.keyOf(this.volatile.at(next))
    }
  }

  clear(): void {
    for (const walk of this.walks) walk.lose()
    this.lastKey = undefined
    this.index.clear()
    this.segments.clear()
    for (const items of this.references.clear()) this.dropped?.addAll(items)
    this.positions.clear()
    this.volatile.clear()
  }

  footprint(): Footprint {
    const { count, used, cut, allocated } = this.segments
    const index = this.index.bytes + this.positions.bytes + this.volatile.bytes
    return { segments: count, used, holes: cut - used, allocated, index }
  }

  tidy(): boolean {
    this.index.shrink()
    this.index.step()
    this.segments.empty(blocksAStep, this.move)
    this.references.weigh(weighedAStep)
    this.wasUntidy = this.index.isMoving || this.segments.isUntidy || this.references.isUntidy
    return this.wasUntidy
  }

  /** The address of a key's record, or 0. Leaves the key's hash in `lastHash` and its words in `KeyBytes.words`. */
  private lookUp(key: string): number {
    // Most keys differ in their last byte, and two cut out of chunks are compared out of line: 50 ns.
    const end = key.charCodeAt(key.length - 1) | 0
    if (end === this.lastEnd && key === this.lastKey) return this.lastAddress
    const hash = KeyBytes.load(key)
    let address = this.index.first(hash)
    while (address !== 0 && !this.records.isKeyAt(address, key)) address = this.index.next()
    this.lastKey = key
    this.lastEnd = end
    this.lastLoad = KeyBytes.loads
    this.lastHash = hash
    this.lastAddress = address
    return address
  }

  private insert(key: string, value: Value): void {
    const { length } = key
    const isLong = length > KeyBytes.inlineKeyMax
    const count = isLong ? 1 : KeyBytes.wordsFor(length)
    // Another look-up may have come between this key's and now.
    if (!isLong && KeyBytes.loads !== this.lastLoad) KeyBytes.load(key)
    const address = this.segments.take((headerWords + count) * 4 + valueBytes(value))
    const segment = segmentOf(address)
    const words = this.segments.words[segment]
    const word = wordAt(address)
    words[word] = (this.clock.stamp(0) << 8) | (isLong ? longKeyBit : 0)
    words[word + 1] = this.positions.size
    words[word + 2] = (words[word + 2] & classMask) | (isLong ? 0 : length << keyLengthShift)
    if (isLong) words[word + headerWords] = this.references.add(flat(key))
    else for (let i = 0; i < count; i++) words[word + headerWords + i] = KeyBytes.words[i]
    this.records.writeValue(segment, words, word, word + headerWords + count, value)
    this.positions.push(address)
    this.index.add(this.lastHash, address)
    this.lastAddress = address
    this.tidyStep()
  }

  private replaceValue(address: number, value: Value): void {
    let words = this.segments.words[segmentOf(address)]
    let word = wordAt(address)
    const flags = words[word]
    const at = valueWord(words, word)
    const isReference = typeof value === "object" || (typeof value === "string" && value.length > inlineValueMax)
    if ((flags & kindMask) === kindReference) {
      if ((flags & longTextBit) === 0) this.dropped?.add(this.references.get(words[at]))
      if (isReference) return this.records.replaceReference(words, word, value)
      this.records.removeReference(words, word)
    }
    const bytes = valueBytes(value)
    const needed = (at - word) * 4 + bytes + ((flags & deadlineBit) === 0 ? 0 : deadlineWords * 4)
    const room = Segments.sizeAt(words, word)
    // A much shorter value gives the rest of its block back.
    if (needed > room || needed * 2 < room) {
      words[word + 2] &= ~valueLengthMask
      address = this.moveRecord(address, needed)
      words = this.segments.words[segmentOf(address)]
      word = wordAt(address)
    }
    this.records.writeValue(segmentOf(address), words, word, valueWord(words, word), value)
    this.tidyStep()
  }

  /** Moves a record into a new block of at least `bytes` bytes; answers its new address. */
  private moveRecord(address: number, bytes: number): number {
    const from = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    const lengths = from[word + 2]
    const flags = from[word]
    const used = headerWords + keyWords(lengths, flags) + KeyBytes.wordsFor(lengths & valueLengthMask)
    const hash =
      (flags & longKeyBit) === 0
        ? KeyBytes.hashOf(from, word + headerWords, (lengths >>> keyLengthShift) & keyLengthMask)
        : KeyBytes.load(this.records.keyOf(address))
    const target = this.segments.take(bytes)
    const to = this.segments.words[segmentOf(target)]
    const targetWord = wordAt(target)
    const sizeClass = to[targetWord + 2] & classMask
    for (let i = 0; i < used; i++) to[targetWord + i] = from[word + i]
    to[targetWord + 2] = sizeClass | (lengths & ~classMask)
    if ((flags & deadlineBit) !== 0) {
      const old = deadlineWord(from, word)
      const at = deadlineWord(to, targetWord)
      for (let i = 0; i < deadlineWords; i++) to[at + i] = from[old + i]
      this.volatile.set(to[at + 2], target)
    }
    this.positions.set(from[word + 1], target)
    this.index.replace(hash, address, target)
    if (this.lastAddress === address) this.lastAddress = target
    this.segments.free(address)
    return target
  }

  /** Moves a record out of a segment that is being emptied. */
  private readonly move = (address: number): void => {
    this.moveRecord(address, Segments.sizeAt(this.segments.words[segmentOf(address)], wordAt(address)))
  }

  private leaveVolatile(words: Int32Array, word: number): void {
    const index = words[deadlineWord(words, word) + 2]
    const last = this.volatile.pop()
    if (index === this.volatile.size) return
    this.volatile.set(index, last)
    const lastWords = this.segments.words[segmentOf(last)]
    lastWords[deadlineWord(lastWords, wordAt(last)) + 2] = index
  }

  /** The last record takes the position of a removed one. */
  private fillHole(position: number): void {
    const last = this.positions.pop()
    const from = this.positions.size
    for (let i = 0; i < this.walks.length; i++) this.walks[i].filled(position, from)
    if (position === from) return
    this.positions.set(position, last)
    this.segments.words[segmentOf(last)][wordAt(last) + 1] = position
  }

  private tidyStep(): void {
    if (this.segments.isUntidy) this.segments.empty(blocksAStep, this.move)
    else if (!this.index.isMoving) return
    this.becomeUntidy()
  }

  private becomeUntidy(): void {
    if (this.wasUntidy) return
    this.wasUntidy = true
    this.onUntidy()
  }
}
