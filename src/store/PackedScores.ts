/**
 * The inside of a small sorted set: one byte string with its members in order of score and then member. An entry is one
 * byte of length, the eight bytes of the score, and the member.
 *
 * The idea to hold: at up to 128 short members a walk over a flat string is as fast as any index, and it costs 9 bytes an
 * entry where two arrays and a string a member would cost 40. A change builds a new string (150 ns to 1 us); nothing here
 * holds state, so a copy of the set is the same string.
 */
import { flat } from "../bytes/Bytes.ts"

/** More members, longer ones, or more bytes of them belong into an `IndexedScores`. */
export const entriesMax = 128
export const memberLengthMax = 255

/** Bytes of an entry before its member. */
export const headerLength = 9
/** In which order the bytes of a score stand: as this machine has them. */
export const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
const lengthMax = entriesMax * (headerLength + 64)

/** Whether `member` may be added. */
export const hasRoom = (packed: string, { length }: string): boolean =>
  length <= memberLengthMax && packed.length + headerLength + length <= lengthMax

const scoreBytes = new Uint8Array(8)
const scoreCell = new Float64Array(scoreBytes.buffer)

const scoreAt = (packed: string, entry: number): number => {
  for (let i = 0; i < 8; i++) scoreBytes[i] = packed.charCodeAt(entry + 1 + i)
  return scoreCell[0]!
}

const memberAt = (packed: string, entry: number): string =>
  packed.substring(entry + headerLength, entry + headerLength + packed.charCodeAt(entry))

const next = (packed: string, entry: number): number => entry + headerLength + packed.charCodeAt(entry)

const entryOf = (member: string, score: number): string => {
  scoreCell[0] = score
  const [a, b, c, d, e, f, g, h] = scoreBytes
  return String.fromCharCode(member.length, a!, b!, c!, d!, e!, f!, g!, h!) + member
}

/** Where the entry of `member` begins, or -1. */
export const find = (packed: string, member: string): number => {
  // The native search tells most absent members apart without a walk.
  if (packed.indexOf(member, headerLength) === -1) return -1
  const { length } = member
  for (let entry = 0; entry < packed.length; entry = next(packed, entry)) {
    if (packed.charCodeAt(entry) === length && packed.startsWith(member, entry + headerLength)) return entry
  }
  return -1
}

/**
 * Whether the entries that stand in `bytes` from `start` up to `end` are in order, and no member is there twice. `view` is of the
 * same bytes.
 */
export const isSound = (bytes: Buffer, view: DataView, start: number, end: number): boolean => {
  let before = NaN
  let previous = start
  for (let entry = start; entry < end; previous = entry, entry += headerLength + bytes[entry]) {
    const score = view.getFloat64(entry + 1, isLittleEndian)
    if (entry !== start && !(before < score || (before === score && isLess(bytes, previous, entry)))) return false
    before = score
    for (let other = start; other < entry; other += headerLength + bytes[other]) {
      if (isSameMember(bytes, entry, other)) return false
    }
  }
  return true
}

const isSameMember = (bytes: Buffer, one: number, other: number): boolean => {
  const length = bytes[one]
  if (bytes[other] !== length) return false
  for (let i = headerLength; i < headerLength + length; i++) if (bytes[one + i] !== bytes[other + i]) return false
  return true
}

const isLess = (bytes: Buffer, one: number, other: number): boolean => {
  const shared = headerLength + Math.min(bytes[one], bytes[other])
  for (let i = headerLength; i < shared; i++) {
    if (bytes[one + i] !== bytes[other + i]) return bytes[one + i] < bytes[other + i]
  }
  return bytes[one] < bytes[other]
}

export const scoreOf = scoreAt

/** The member of the entry at `entry`: a cut of `packed`. Keep flat copies. */
export const memberOf = memberAt

/** Where the entry at `rank` begins. */
export const entryAt = (packed: string, rank: number): number => {
  let entry = 0
  for (let left = rank; left > 0; left--) entry = next(packed, entry)
  return entry
}

/** How many entries come before the one at `entry`. */
export const rankOf = (packed: string, entry: number): number => {
  let rank = 0
  for (let at = 0; at < entry; at = next(packed, at)) rank++
  return rank
}

/** Adds a member that is not there. */
export const insert = (packed: string, member: string, score: number): string => {
  let entry = 0
  for (; entry < packed.length; entry = next(packed, entry)) {
    const other = scoreAt(packed, entry)
    if (other > score || (other === score && memberAt(packed, entry) > member)) break
  }
  return flat(packed.substring(0, entry) + entryOf(member, score) + packed.substring(entry))
}

/** Removes the entry that begins at `entry`. */
export const remove = (packed: string, entry: number): string =>
  flat(packed.substring(0, entry) + packed.substring(next(packed, entry)))

/** How many entries have a score below `score`, or up to it when `inclusive`. */
export const countBelow = (packed: string, score: number, inclusive: boolean): number => {
  let count = 0
  for (let entry = 0; entry < packed.length; entry = next(packed, entry), count++) {
    const other = scoreAt(packed, entry)
    if (other > score || (other === score && !inclusive)) break
  }
  return count
}

/** Visits `count` entries in order from `rank`, downward when `reverse`. Members are cuts of `packed`: keep flat copies. */
export const visit = (
  packed: string,
  rank: number,
  count: number,
  reverse: boolean,
  visitor: (member: string, score: number) => void,
): void => {
  const start = reverse ? rank - count + 1 : rank
  let entry = 0
  for (let skipped = 0; skipped < start; skipped++) entry = next(packed, entry)
  if (!reverse) {
    for (let left = count; left > 0; left--, entry = next(packed, entry)) {
      visitor(memberAt(packed, entry), scoreAt(packed, entry))
    }
    return
  }
  const entries: Array<number> = []
  for (let left = count; left > 0; left--, entry = next(packed, entry)) entries.push(entry)
  for (let i = entries.length - 1; i >= 0; i--) visitor(memberAt(packed, entries[i]!), scoreAt(packed, entries[i]!))
}
