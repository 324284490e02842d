/**
 * How a key and its value lie in a block of a segment.
 *
 * A record, in words of four bytes:
 *
 *     access stamp << 8 | flags    position    class << 26 | key length << 14 | value length    key    value    ...    deadline
 *
 * Key and value begin at a word and the key's last word is filled up with zeros. A value is text, an integer of 4 or 8 bytes, a
 * `PackedCollection`, or the index of a `References` slot: other collections, and strings too long for a block. A deadline takes the last three words of the block, the
 * third of them the record's index among those that have one.
 */
import type { Value } from "../Value.ts"
import * as KeyBytes from "./KeyBytes.ts"
import { classShift, Segments } from "./Segments.ts"

/** What the value's bytes are. */
export const kindMask = 64 | 3
export const kindText = 0
export const kindInteger = 1
export const kindDouble = 2
export const kindReference = 3
export const kindPacked = 64
export const deadlineBit = 4
/** The key's first word is the index of a reference; its length reads 0. */
export const longKeyBit = 8
/** The reference is a `LongText`. (16 is `freeBit`.) */
export const longTextBit = 32

export const headerWords = 3
export const deadlineWords = 3
export const keyLengthShift = 14
export const keyLengthMask = 0xfff
export const valueLengthMask = 0x3fff

/** Longer strings are references: see LongText.ts for which of them are in the heap. */
export const inlineValueMax = 4096

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)

export const classMask = ~((1 << classShift) - 1)

/** Words that the key takes in its record. */
export const keyWords = (lengths: number, flags: number): number =>
  (flags & longKeyBit) !== 0 ? 1 : KeyBytes.wordsFor((lengths >>> keyLengthShift) & keyLengthMask)

/** The first of the value's words. */
export const valueWord = (words: Int32Array, word: number): number =>
  word + headerWords + keyWords(words[word + 2], words[word])

/** The first of a deadline's words: two of a double, then the index among the records that have one. */
export const deadlineWord = (words: Int32Array, word: number): number =>
  word + (Segments.sizeAt(words, word) >>> 2) - deadlineWords

export const readDouble = (words: Int32Array, at: number): number => {
  doubleWords[0] = words[at]
  doubleWords[1] = words[at + 1]
  return double[0]
}

export const writeDouble = (words: Int32Array, at: number, value: number): void => {
  double[0] = value
  words[at] = doubleWords[0]
  words[at + 1] = doubleWords[1]
}

/** Bytes that a value takes in its record. */
export const valueBytes = (value: Value): number =>
  typeof value === "string"
    ? value.length > inlineValueMax
      ? 4
      : value.length
    : typeof value === "number" && (value | 0) !== value
      ? 8
      : 4
