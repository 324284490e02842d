/**
 * The records of a `ByteKeyspace` one by one: reading key and value of the record at an address, and writing a value into one that has the
 * room. How they lie there is in `RecordLayout.ts`; what is no bytes is among the `References`.
 *
 * The invariant: a reference belongs to one record, and goes with its value.
 */
import { flat, ownLengthMin } from "../../bytes/Bytes.ts"
import { unpack } from "../PackedCollection.ts"
import type { Collection, Value } from "../Value.ts"
import * as KeyBytes from "./KeyBytes.ts"
import { LongText } from "./LongText.ts"
import {
  headerWords,
  inlineValueMax,
  keyLengthMask,
  keyLengthShift,
  kindDouble,
  kindInteger,
  kindMask,
  kindPacked,
  kindReference,
  kindText,
  longKeyBit,
  longTextBit,
  readDouble,
  valueLengthMask,
  valueWord,
  writeDouble,
} from "./RecordLayout.ts"
import { References } from "./References.ts"
import { segmentOf, Segments, wordAt } from "./Segments.ts"

/** Shorter values are written char by char: a call into Node costs 65 ns whatever the length. */
const writtenCharwiseMax = 12

/** A value as it may be kept in the heap: the longest strings are none that was cut out of another. */
const kept = (value: Value): Value => (typeof value === "string" && value.length <= ownLengthMin ? flat(value) : value)

export class Records {
  readonly segments = new Segments()
  readonly references = new References()

  /** Whether the record at `address` has the key in `KeyBytes.words`. */
  isLoadedAt(address: number, length: number): boolean {
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    if ((words[word] & longKeyBit) !== 0) return false
    if (((words[word + 2] >>> keyLengthShift) & keyLengthMask) !== length) return false
    const from = word + headerWords
    const count = KeyBytes.wordsFor(length)
    for (let i = 0; i < count; i++) if (words[from + i] !== KeyBytes.words[i]) return false
    return true
  }

  isKeyAt(address: number, key: string): boolean {
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    const { length } = key
    if ((words[word] & longKeyBit) !== 0) return this.references.get(words[word + headerWords]) === key
    return length <= KeyBytes.inlineKeyMax && this.isLoadedAt(address, length)
  }

  positionOf(address: number): number {
    return this.segments.words[segmentOf(address)][wordAt(address) + 1]
  }

  keyOf(address: number): string {
    const segment = segmentOf(address)
    const words = this.segments.words[segment]
    const word = wordAt(address)
    const from = word + headerWords
    if ((words[word] & longKeyBit) !== 0) return this.references.get(words[from]) as string
    const length = (words[word + 2] >>> keyLengthShift) & keyLengthMask
    return this.segments.bytes[segment].latin1Slice(from << 2, (from << 2) + length)
  }

  valueAt(address: number): Value {
    const segment = segmentOf(address)
    const words = this.segments.words[segment]
    const word = wordAt(address)
    const at = valueWord(words, word)
    switch (words[word] & kindMask) {
      case kindText: {
        const length = words[word + 2] & valueLengthMask
        return length === 0 ? "" : this.segments.bytes[segment].latin1Slice(at << 2, (at << 2) + length)
      }
      case kindInteger:
        return words[at]
      case kindDouble:
        return readDouble(words, at)
      case kindPacked:
        return unpack(this.segments.bytes[segment], at << 2, (at << 2) + (words[word + 2] & valueLengthMask))
      default: {
        const item = this.references.get(words[at])
        return (words[word] & longTextBit) === 0 ? (item as Value) : (item as LongText).read()
      }
    }
  }

  /** The value when it is an object already. */
  collectionAt(address: number): Collection | undefined {
    const words = this.segments.words[segmentOf(address)]
    const word = wordAt(address)
    if ((words[word] & (kindMask | longTextBit)) !== kindReference) return undefined
    const value = this.references.get(words[valueWord(words, word)])
    return typeof value === "object" ? (value as Collection) : undefined
  }

  /** Writes a value for which there is room, over none or one that is no reference. */
  writeValue(segment: number, words: Int32Array, word: number, at: number, value: Value): void {
    let kind = kindText
    let length = 4
    if (typeof value === "string" && value.length <= inlineValueMax) {
      length = value.length
      const bytes = this.segments.bytes[segment]
      if (length > writtenCharwiseMax) bytes.latin1Write(value, at << 2, length)
      else for (let i = 0; i < length; i++) bytes[(at << 2) + i] = value.charCodeAt(i)
    } else if (typeof value === "number") {
      if ((value | 0) === value) {
        kind = kindInteger
        words[at] = value
      } else {
        kind = kindDouble
        length = 8
        writeDouble(words, at, value)
      }
    } else {
      kind = kindReference
      const isLongText = LongText.takes(value)
      if (isLongText) kind |= longTextBit
      words[at] = this.references.add(isLongText ? new LongText(value) : kept(value))
    }
    words[word] = (words[word] & ~(kindMask | longTextBit)) | kind
    words[word + 2] = (words[word + 2] & ~valueLengthMask) | length
  }

  /** Puts another value in the place of a reference, where it is to be a reference too. */
  replaceReference(words: Int32Array, word: number, value: Value): void {
    const flags = words[word]
    const at = words[valueWord(words, word)]
    if (LongText.takes(value)) {
      const old = (flags & longTextBit) === 0 ? undefined : (this.references.get(at) as LongText)
      if (old?.replace(value) === true) return
      this.references.set(at, new LongText(value))
      words[word] = flags | longTextBit
    } else {
      this.references.set(at, kept(value))
      words[word] = flags & ~longTextBit
    }
  }

  /** The value is no longer a reference. */
  removeReference(words: Int32Array, word: number): void {
    this.references.remove(words[valueWord(words, word)])
    words[word] &= ~(kindMask | longTextBit)
  }
}
