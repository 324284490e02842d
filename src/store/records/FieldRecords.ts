/**
 * Fields with values, see `RecordTable`: a value follows its field. It is written over in place where it fits, and most do: a value
 * that is set again is seldom longer than what was there before.
 *
 *     position    bytes of the field    bytes of the value    units of the record    field    value
 */
import { blockOf, unitsFor, wordAt } from "./RecordBlocks.ts"
import * as KeyBytes from "../bytes/KeyBytes.ts"
import * as Batch from "./Batch.ts"
import { RecordTable } from "./RecordTable.ts"

const headWords = 4

export class FieldRecords extends RecordTable {
  constructor() {
    super(headWords)
  }

  value(address: number): string {
    const block = blockOf(address)
    const words = this.blocks.words[block]
    const word = wordAt(address)
    const start = valueStart(words, word)
    return this.blocks.bytes[block].latin1Slice(start, start + words[word + 2])
  }

  valueLength(address: number): number {
    return this.blocks.words[blockOf(address)][wordAt(address) + 2]
  }

  /** Appends the fields and values at `count` positions from `position` on to `out`, by turns: see `members`. */
  pairsAt(position: number, count: number, out: Array<string>): void {
    Batch.begin()
    for (let i = 0; i < count; i++) {
      const address = this.at(position + i)
      const words = this.blocks.words[blockOf(address)]
      const word = wordAt(address)
      const length = words[word + 1]
      const valueLength = words[word + 2]
      if (length > Batch.textMax || valueLength > Batch.textMax) {
        Batch.end(out)
        out.push(this.member(address), this.value(address))
      } else {
        Batch.add(words, word + headWords, length, out)
        Batch.add(words, valueStart(words, word) >>> 2, valueLength, out)
      }
    }
    Batch.end(out)
  }

  /** Adds a field that is not there. */
  insertField(field: string, value: string): void {
    const more = KeyBytes.wordsFor(value.length)
    const address = this.insert(field, more)
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    words[word + 2] = value.length
    words[word + 3] = unitsFor(headWords + KeyBytes.wordsFor(field.length) + more)
    this.write(address, value, valueStart(words, word))
  }

  setValue(address: number, value: string): void {
    this.changing(address)
    const { length } = value
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    const start = valueStart(words, word)
    const room = (word << 2) + (words[word + 3] << 3) - start
    // A record much larger than needed is given back too, where there is a smaller one.
    if (length > room || (room > length + roomSpared && this.isShorter(words, word, length))) {
      return this.replaceValue(address, value)
    }
    words[word + 2] = length
    this.write(address, value, start)
  }

  /** Whether a value of `length` bytes would get a smaller record. */
  private isShorter(words: Int32Array, word: number, length: number): boolean {
    return unitsFor(headWords + KeyBytes.wordsFor(words[word + 1]) + KeyBytes.wordsFor(length)) < words[word + 3]
  }

  private replaceValue(from: number, value: string): void {
    const more = KeyBytes.wordsFor(value.length)
    const units = unitsFor(headWords + KeyBytes.wordsFor(this.memberLength(from)) + more)
    const address = this.resize(from, more)
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    words[word + 2] = value.length
    words[word + 3] = units
    this.write(address, value, valueStart(words, word))
    // Fields that are set again and again, to values of all lengths, leave as much behind as those that come and go.
    this.tidy(units)
  }

  protected override unitsAt(address: number): number {
    return this.blocks.words[blockOf(address)][wordAt(address) + 3]
  }
}

/** Bytes that a value may leave unused in its record. */
const roomSpared = 64

/** The byte at which the value of a record begins. */
const valueStart = (words: Int32Array, word: number): number =>
  (word + headWords + KeyBytes.wordsFor(words[word + 1])) << 2
