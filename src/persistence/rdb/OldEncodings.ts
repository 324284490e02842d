/**
 * The encodings that Redis wrote before listpacks, and the intset that it still writes. Ziplist (Redis 2.4 to 6.2): a header of total
 * bytes, offset of the last entry and count, then entries that begin with the length of the one before. Zipmap (before 2.6): fields
 * and values with a length each. Intset: sorted integers of one width.
 *
 * The invariant: every step is checked against the end, so damaged bytes throw `Damaged` and nothing is allocated beyond the input.
 */
import { type Blob, contents, damaged } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"

const ziplistHeaderSize = 10
const ziplistCountUnknown = 0xffff

/** The entries of a ziplist. */
export const readZiplist = (blob: Blob): Array<string> => {
  const bytes = contents(blob)
  const size = bytes.length
  if (size < ziplistHeaderSize + 1) throw damaged(blob, 0, "ziplist too short")
  if (bytes.readUInt32LE(0) !== size) throw damaged(blob, 0, "ziplist with a wrong length")
  const end = size - 1
  if (bytes[end] !== 0xff) throw damaged(blob, 0, "ziplist without an end")
  const values: Array<string> = []
  let at = ziplistHeaderSize
  let entry = at
  let entrySize = 0
  const need = (count: number): void => {
    if (at + count > end) throw damaged(blob, at, "ziplist entry crosses the end")
  }
  while (at < end) {
    if (bytes[at] === 0xff) throw damaged(blob, at, "ziplist ends early")
    const previous = bytes[at] === 0xfe ? 5 : 1
    need(previous + 1)
    if ((previous === 1 ? bytes[at] : bytes.readUInt32LE(at + 1)) !== entrySize)
      throw damaged(blob, at, "ziplist entry after one of another length")
    entry = at
    at += previous
    const first = bytes[at]
    if (first < 0xc0) {
      const header = first < 0x40 ? 1 : first < 0x80 ? 2 : 5
      need(header)
      const length =
        first < 0x40 ? first : first < 0x80 ? ((first & 0x3f) << 8) | bytes[at + 1] : bytes.readUInt32BE(at + 1)
      need(header + length)
      at += header
      values.push(bytes.latin1Slice(at, at + length))
      at += length
    } else {
      const width = ziplistIntegerWidth(first)
      if (width < 0) throw damaged(blob, at, "unknown ziplist entry")
      need(1 + width)
      at += 1
      if (width === 0) values.push(String((first & 0x0f) - 1))
      else if (width === 8) values.push(String(bytes.readBigInt64LE(at)))
      else values.push(String(bytes.readIntLE(at, width)))
      at += width
    }
    entrySize = at - entry
  }
  if (bytes.readUInt32LE(4) !== entry) throw damaged(blob, 4, "ziplist whose last entry is elsewhere")
  const count = bytes.readUInt16LE(8)
  if (count !== ziplistCountUnknown && count !== values.length) throw damaged(blob, 0, "ziplist with a wrong count")
  return values
}

/** Bytes of the integer behind the encoding byte; 0 where it is in the byte itself, -1 where there is no such encoding. */
const ziplistIntegerWidth = (encoding: number): number => {
  switch (encoding) {
    case 0xc0:
      return 2
    case 0xd0:
      return 4
    case 0xe0:
      return 8
    case 0xf0:
      return 3
    case 0xfe:
      return 1
    default:
      return encoding >= 0xf1 && encoding <= 0xfd ? 0 : -1
  }
}

/** Fields and values of a zipmap, alternating. */
export const readZipmap = (blob: Blob): Array<string> => {
  const bytes = contents(blob)
  const end = bytes.length - 1
  if (end < 1 || bytes[end] !== 0xff) throw damaged(blob, 0, "zipmap without an end")
  const values: Array<string> = []
  let at = 1
  const length = (): number => {
    const first = bytes[at]
    if (first < 254) {
      at += 1
      return first
    }
    if (first === 255 || at + 5 > end) throw damaged(blob, at, "zipmap entry crosses the end")
    at += 5
    return bytes.readUInt32LE(at - 4)
  }
  const take = (count: number): string => {
    if (at + count > end) throw damaged(blob, at, "zipmap entry crosses the end")
    at += count
    return bytes.latin1Slice(at - count, at)
  }
  while (at < end) {
    values.push(take(length()))
    if (at >= end) throw damaged(blob, at, "zipmap field without a value")
    const valueLength = length()
    if (at >= end) throw damaged(blob, at, "zipmap entry crosses the end")
    const unused = bytes[at++]
    values.push(take(valueLength))
    if (at + unused > end) throw damaged(blob, at, "zipmap entry crosses the end")
    at += unused
  }
  return values
}

export const intsetHeaderSize = 8

/** The members of an intset, as byte strings. */
export const readIntset = (blob: Blob): Array<string> => {
  const bytes = contents(blob)
  if (bytes.length < intsetHeaderSize) throw damaged(blob, 0, "intset too short")
  const width = bytes.readUInt32LE(0)
  const count = bytes.readUInt32LE(4)
  if (width !== 2 && width !== 4 && width !== 8) throw damaged(blob, 0, "intset with an unknown width")
  if (bytes.length !== intsetHeaderSize + width * count) throw damaged(blob, 0, "intset with a wrong length")
  const values: Array<string> = new Array(count)
  for (let i = 0, at = intsetHeaderSize; i < count; i++, at += width) {
    values[i] = width === 8 ? String(bytes.readBigInt64LE(at)) : String(bytes.readIntLE(at, width))
  }
  return values
}

const compareIntegers = (a: number | bigint, b: number | bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** Writes `members` as an intset; they need not be in order. */
export const writeIntset = (out: ByteWriter, members: Array<number | bigint>): void => {
  members.sort(compareIntegers)
  const smallest = members[0] ?? 0
  const largest = members[members.length - 1] ?? 0
  const width = smallest >= -32768 && largest < 32768 ? 2 : smallest >= -2147483648 && largest < 2147483648 ? 4 : 8
  const bytes = Buffer.allocUnsafe(intsetHeaderSize + width * members.length)
  bytes.writeUInt32LE(width, 0)
  bytes.writeUInt32LE(members.length, 4)
  let at = intsetHeaderSize
  for (const member of members) {
    if (width === 8) bytes.writeBigInt64LE(BigInt(member), at)
    else bytes.writeIntLE(Number(member), at, width)
    at += width
  }
  out.blob(bytes)
}
