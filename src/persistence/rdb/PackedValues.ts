/**
 * Small collections of a snapshot as the store keeps them, straight from the listpack (or the strings of a set) in the file: both are
 * bytes with lengths between the elements, so one is rewritten into the other and no element becomes a string of its own.
 *
 * The idea to hold: only what is plainly small and in order is done here. Everything else, damage included, answers `undefined`, and is
 * read again the long way, which knows all cases and their errors.
 */
import { parseDouble } from "../../bytes/Numbers.ts"
import { List } from "../../store/List.ts"
import { headerBytes, Kind, PackedCollection } from "../../store/PackedCollection.ts"
import { fewMax } from "../../store/MemberTable.ts"
import * as PackedFields from "../../store/PackedFields.ts"
import * as PackedScores from "../../store/PackedScores.ts"
import * as PackedStrings from "../../store/PackedStrings.ts"
import type { Limits } from "../../store/Value.ts"
import type { Blob, ByteReader } from "./ByteReader.ts"
import { Container, Type } from "./Format.ts"
import { ListpackReader } from "./Listpack.ts"
import { intsetHeaderSize } from "./OldEncodings.ts"

/** Longer listpacks are read the long way: their elements outweigh the work for each. */
const blobBytesMax = 4096
/** An element of a listpack takes at least 2 bytes, and here at most 3 chars, its length twice and 8 bytes of score. */
const packed = new PackedCollection(blobBytesMax * 8)
const scratch = packed.bytes
const scratchView = new DataView(scratch.buffer)
/** Lengths are one byte. */
const lengthMax = 254

/** More members are records: see `MemberTable`. */
const membersMax = fewMax
const [minus, zero, nine] = [45, 48, 57]

/** The next value if it is such a collection, valid until the next call; the position has moved behind it only then. */
export const read = (reader: ByteReader, type: number, limits: Limits): PackedCollection | undefined => {
  const { position } = reader
  let value: PackedCollection | undefined
  if (type === Type.hashListpack) value = hash(reader.blob(), limits)
  else if (type === Type.sortedSetListpack) value = sortedSet(reader.blob(), limits)
  else if (type === Type.listQuicklist2 && reader.length() === 1 && reader.length() === Container.packed) {
    value = list(reader.blob())
  } else if (type === Type.set) value = set(reader)
  else if (type === Type.setIntset) value = integers(reader.blob(), limits)
  if (value === undefined) reader.position = position
  return value
}

/** Whether all elements have been read, and as many as the listpack says. */
const isWhole = (elements: ListpackReader, count: number): boolean => elements.count === count || elements.count === -1

const hash = (blob: Blob, limits: Limits): PackedCollection | undefined => {
  if (blob.end - blob.start > blobBytesMax) return undefined
  const elements = new ListpackReader(blob)
  let at = headerBytes
  let count = 0
  for (; !elements.done; count++) {
    const end = elements.textInto(scratch, at + 1)
    const length = end - at - 1
    if (length > lengthMax) return undefined
    scratch[at] = length
    at = end
  }
  if (count === 0 || count % 2 !== 0 || count > 2 * limits.hashMaxListpackEntries) return undefined
  if (!isWhole(elements, count) || !PackedFields.isDistinct(scratch, headerBytes, at, count / 2)) return undefined
  return packed.finish(Kind.hash, count / 2, at)
}

const sortedSet = (blob: Blob, limits: Limits): PackedCollection | undefined => {
  if (blob.end - blob.start > blobBytesMax) return undefined
  const elements = new ListpackReader(blob)
  let at = headerBytes
  let count = 0
  for (; !elements.done; count++) {
    const end = elements.textInto(scratch, at + PackedScores.headerLength)
    const length = end - at - PackedScores.headerLength
    if (length > PackedScores.memberLengthMax || elements.done) return undefined
    const score = scoreIn(elements, end)
    if (score === undefined) return undefined
    scratch[at] = length
    // As the platform has its doubles, which is how scores are packed; a minus zero is a zero in a small set.
    scratchView.setFloat64(at + 1, score + 0, PackedScores.isLittleEndian)
    at = end
  }
  if (count === 0 || count > Math.min(PackedScores.entriesMax, limits.zsetMaxListpackEntries)) return undefined
  if (!isWhole(elements, 2 * count) || !PackedScores.isSound(scratch, scratchView, headerBytes, at)) return undefined
  return packed.finish(Kind.sortedSet, count, at)
}

/** The next element as a score; `free` is where the scratch buffer is not in use. */
const scoreIn = (elements: ListpackReader, free: number): number | undefined => {
  const integer = elements.smallInteger()
  if (integer !== undefined) return integer
  return parseDouble(scratch.latin1Slice(free, elements.textInto(scratch, free)))
}

const list = (blob: Blob): PackedCollection | undefined => {
  if (blob.end - blob.start > List.packedLengthMax) return undefined
  const elements = new ListpackReader(blob)
  let at = headerBytes
  let count = 0
  for (; !elements.done; count++) {
    const end = elements.textInto(scratch, at + 1)
    const length = end - at - 1
    if (length > PackedStrings.elementLengthMax) return undefined
    scratch[at] = length
    scratch[end] = length
    at = end + 1
  }
  if (count === 0 || at - headerBytes > List.packedLengthMax || count > List.packedCountMax) return undefined
  return isWhole(elements, count) ? packed.finish(Kind.list, count, at) : undefined
}

/** A set of integers only is kept in another way, unless it is too large for that. */
const set = (reader: ByteReader): PackedCollection | undefined => {
  const count = reader.length()
  if (count === 0 || count > membersMax) return undefined
  let at = headerBytes
  let hasText = false
  for (let left = count; left > 0; left--) {
    const end = reader.textInto(scratch, at + 1, PackedStrings.elementLengthMax)
    if (end === -1) return undefined
    const length = end - at - 1
    scratch[at] = length
    scratch[end] = length
    hasText ||= length === 0 || (scratch[at + 1] !== minus && (scratch[at + 1] < zero || scratch[at + 1] > nine))
    at = end + 1
  }
  if (!hasText || !PackedStrings.isDistinct(scratch, headerBytes, at)) return undefined
  return packed.finish(Kind.set, count, at)
}

const integers = (blob: Blob, limits: Limits): PackedCollection | undefined => {
  const { bytes, start, end } = blob
  const first = start + intsetHeaderSize
  if (first >= end || end - start > blobBytesMax) return undefined
  const width = bytes.readUInt32LE(start)
  const count = bytes.readUInt32LE(start + 4)
  // Wider ones are so rare that they may be read the long way.
  if ((width !== 2 && width !== 4) || end - first !== width * count || count > limits.setMaxIntsetEntries)
    return undefined
  let previous = -Infinity
  scratch[headerBytes] = width
  for (let from = first, at = headerBytes + 1; from < end; from += width, at += width) {
    const value = width === 2 ? bytes.readInt16LE(from) : bytes.readInt32LE(from)
    if (value <= previous) return undefined
    previous = value
    for (let i = 0; i < width; i++) scratch[at + i] = bytes[from + width - 1 - i]
  }
  return packed.finish(Kind.integers, count, headerBytes + 1 + width * count)
}
