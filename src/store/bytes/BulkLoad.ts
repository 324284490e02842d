/**
 * Puts many new keys into a `ByteKeyspace`, from the bytes of a file: no strings are made on the way, small collections stay packed, and
 * keys enter the index in batches.
 *
 * The idea to hold: what a new key costs is one access to a random place of a large index, some 200 ns of waiting for memory. The slots
 * of a whole batch are read first, one after the other without anything between them, so the processor waits for many at a time; a
 * million keys take a third less. Until `flush`, the keys of a batch cannot be found.
 */
import type { Loader, Source } from "../Keyspace.ts"
import { PackedCollection } from "../PackedCollection.ts"
import type { Value } from "../Value.ts"
import * as KeyBytes from "./KeyBytes.ts"
import * as Layout from "./RecordLayout.ts"
import type { PositionList } from "./PositionList.ts"
import { segmentOf, type Segments, wordAt } from "./Segments.ts"
import type { SlotIndex } from "./SlotIndex.ts"

/** The parts of the keyspace that get the records. */
export interface Parts {
  readonly index: SlotIndex
  readonly segments: Segments
  readonly positions: PositionList
  readonly volatile: PositionList
  /** The stamp of a new key. */
  readonly stamp: () => number
  /** Whether `address` is a record of the key in `KeyBytes.words`. */
  readonly isKeyAt: (address: number, length: number) => boolean
  readonly keyOf: (address: number) => string
  /** Writes a value into a record that has room for it. */
  readonly writeValue: (segment: number, words: Int32Array, word: number, at: number, value: Value) => void
  /** Gives up what a record holds outside of itself. */
  readonly freeValue: (words: Int32Array, word: number) => void
  /** Called when keys have come. */
  readonly added: () => void
}

const batch = 64
/** A call into Node costs as much as copying this many bytes in words. */
const copiedByWordsMax = 128

export class BulkLoad implements Loader {
  private readonly parts: Parts
  private readonly hashes = new Int32Array(batch)
  private readonly addresses = new Int32Array(batch)
  private count = 0
  /** A key that came twice. */
  private twice: string | undefined

  constructor(parts: Parts) {
    this.parts = parts
  }

  add(
    source: Source,
    value: Value | PackedCollection | undefined,
    deadline: number | undefined,
    access: number | undefined,
  ): boolean {
    const { view, keyStart, keyLength } = source
    const valueBytes =
      value === undefined
        ? source.valueLength
        : value instanceof PackedCollection
          ? value.length
          : Layout.valueBytes(value)
    if (keyLength > KeyBytes.inlineKeyMax || valueBytes > Layout.inlineValueMax) return false
    const { segments, stamp } = this.parts
    const hash = KeyBytes.loadBytes(view, keyStart, keyLength)
    const count = KeyBytes.wordsFor(keyLength)
    const deadlineSize = deadline === undefined ? 0 : Layout.deadlineWords * 4
    const address = segments.take((Layout.headerWords + count) * 4 + valueBytes + deadlineSize)
    const words = segments.words[segmentOf(address)]
    const word = wordAt(address)
    words[word] = ((access ?? stamp()) << 8) | Layout.kindText | (deadline === undefined ? 0 : Layout.deadlineBit)
    words[word + 2] = (words[word + 2] & Layout.classMask) | (keyLength << Layout.keyLengthShift) | valueBytes
    for (let i = 0; i < count; i++) words[word + Layout.headerWords + i] = KeyBytes.words[i]
    const at = word + Layout.headerWords + count
    if (value === undefined) this.copyValue(source, segments.bytes[segmentOf(address)], words, at)
    else if (value instanceof PackedCollection) {
      words[word] |= Layout.kindPacked
      for (let i = 0; i < KeyBytes.wordsFor(valueBytes); i++) words[at + i] = value.words[i]
    } else this.parts.writeValue(segmentOf(address), words, word, at, value)
    if (deadline !== undefined) Layout.writeDouble(words, Layout.deadlineWord(words, word), deadline)
    this.hashes[this.count] = hash
    this.addresses[this.count++] = address
    if (this.count === batch) this.enter()
    return true
  }

  private copyValue(source: Source, bytes: Buffer, words: Int32Array, at: number): void {
    const { view, valueStart, valueLength } = source
    if (valueLength > copiedByWordsMax || valueStart + valueLength + 3 > view.byteLength) {
      source.bytes.copy(bytes, at << 2, valueStart, valueStart + valueLength)
      return
    }
    // What the last word has behind the value does no harm: nothing else stands in a value's words.
    const count = KeyBytes.wordsFor(valueLength)
    for (let i = 0; i < count; i++) words[at + i] = view.getInt32(valueStart + (i << 2), true)
  }

  flush(): string | undefined {
    this.enter()
    const { twice } = this
    this.twice = undefined
    return twice
  }

  private enter(): void {
    const { hashes, addresses, count } = this
    if (count === 0) return
    this.count = 0
    this.parts.index.fetch(hashes, count)
    for (let i = 0; i < count; i++) this.enterOne(hashes[i], addresses[i])
    this.parts.added()
  }

  private enterOne(hash: number, address: number): void {
    const { index, positions, segments, volatile } = this.parts
    const words = segments.words[segmentOf(address)]
    const word = wordAt(address)
    let found = index.first(hash)
    if (found !== 0) {
      const length = (words[word + 2] >>> Layout.keyLengthShift) & Layout.keyLengthMask
      KeyBytes.loadWords(words, word + Layout.headerWords, length)
      while (found !== 0 && !this.parts.isKeyAt(found, length)) found = index.next()
      if (found !== 0) {
        this.twice ??= this.parts.keyOf(address)
        this.parts.freeValue(words, word)
        segments.free(address)
        return
      }
    }
    words[word + 1] = positions.size
    positions.push(address)
    if ((words[word] & Layout.deadlineBit) !== 0) {
      words[Layout.deadlineWord(words, word) + 2] = volatile.size
      volatile.push(address)
    }
    index.add(hash, address)
  }
}
