/**
 * The numbers of Redis's snapshot format (RDB): versions, opcodes and value types, and the one exception that reading
 * damaged bytes throws inside this folder.
 *
 * The idea to hold: we write version 10, which redis-server 7.0.15 reads, and read everything from version 1 (Redis 2.8 writes
 * 6) to 12 (Redis 7.4). The one thing version 10 has no words for, a deadline of a hash field, is written as Redis 7.4 does.
 */

/** The version in the header and in DUMP payloads that we write. */
export const versionWritten = 10
/** The newest version that we read: Redis 7.4. */
export const versionReadMax = 12

/** What a byte at the start of a record means, other than the type of a value. */
export const Opcode = {
  slotInfo: 244,
  function: 245,
  functionPreRelease: 246,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  resize: 251,
  expireMs: 252,
  expireSeconds: 253,
  selectDatabase: 254,
  end: 255,
} as const

/** How a value is laid out. */
export const Type = {
  string: 0,
  list: 1,
  set: 2,
  sortedSetText: 3,
  hash: 4,
  sortedSet: 5,
  modulePreRelease: 6,
  module: 7,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  sortedSetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  stream1: 15,
  hashListpack: 16,
  sortedSetListpack: 17,
  listQuicklist2: 18,
  stream2: 19,
  setListpack: 20,
  stream3: 21,
  hashDeadlinesPreRelease: 22,
  hashListpackDeadlinesPreRelease: 23,
  hashDeadlines: 24,
  hashListpackDeadlines: 25,
} as const

/** How a string that is not plain bytes is encoded: the low six bits after `11`. */
export const StringEncoding = { int8: 0, int16: 1, int32: 2, lzf: 3 } as const

/** Containers of a quicklist's nodes. */
export const Container = { plain: 1, packed: 2 } as const

/**
 * Bytes that the format does not permit. Thrown, because the readers are plain recursive-descent code; it leaves this folder as a
 * typed `DamagedFile` or `BadPayload`. `offset` counts from the start of the file; inside a compressed string it is the string's.
 */
export class Damaged extends Error {
  readonly offset: number
  constructor(offset: number, reason: string) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(reason)
    Error.stackTraceLimit = limit
    this.offset = offset
  }
}
