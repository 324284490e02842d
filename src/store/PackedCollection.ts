/**
 * A small collection without its object: the bytes that are its inside (see `PackedStrings`, `PackedIntegers`, `PackedFields` and
 * `PackedScores`), behind a word that says what they are. So it comes out of a snapshot, and so a keyspace may keep it until it is first used: a million keys
 * that nobody asks for are then a million records, and nothing that the garbage collector walks.
 *
 * The idea to hold: packed bytes never change. What reads the collection or changes it unpacks it, which is to make a string of the
 * bytes and an object around it, and whoever wants the change to last puts the object in the place of the bytes.
 */
import { Hash } from "./Hash.ts"
import { List } from "./List.ts"
import { SetValue } from "./SetValue.ts"
import { SortedSet } from "./SortedSet.ts"
import type { Collection } from "./Value.ts"

/** What the bytes are. */
export const Kind = { list: 0, hash: 1, sortedSet: 2, set: 3, integers: 4 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** The word before the inside: the kind in its first byte, the number of elements (pairs of a hash) in its last two. */
export const headerBytes = 4
const countOffset = 2

/** One after the other in the same memory: valid until the next one is made there. */
export class PackedCollection {
  /** The header, and room for the inside behind it. */
  readonly bytes: Buffer
  /** The same memory. */
  readonly words: Int32Array
  /** Bytes of header and inside. */
  length = 0

  constructor(roomBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(headerBytes + roomBytes)
    this.words = new Int32Array(this.bytes.buffer, 0, this.bytes.length >>> 2)
  }

  /** The inside has been written, and ends at `end`. */
  finish(kind: Kind, count: number, end: number): this {
    this.words[0] = 0
    this.bytes[0] = kind
    this.bytes.writeUInt16LE(count, countOffset)
    this.length = end
    return this
  }

  unpack(): Collection {
    return unpack(this.bytes, 0, this.length)
  }
}

/** The collection that is packed in `bytes` from `start` up to `end`. */
export const unpack = (bytes: Buffer, start: number, end: number): Collection => {
  const inside = bytes.latin1Slice(start + headerBytes, end)
  const count = bytes.readUInt16LE(start + countOffset)
  switch (bytes[start] as Kind) {
    case Kind.list:
      return List.ofPacked(inside, count)
    case Kind.hash:
      return Hash.ofPacked(inside, count)
    case Kind.sortedSet:
      return SortedSet.ofPacked(inside, count)
    case Kind.set:
      return SetValue.ofPacked(inside)
    case Kind.integers:
      return SetValue.ofIntegers(inside)
  }
}
