/**
 * The values of a snapshot as plain data, between the bytes of a file and the classes of the store: readers make these whatever the
 * encoding was, and the store is built from them.
 *
 * The idea to hold: pairs lie flat in one array, because a million small hashes must not become a million arrays of pairs.
 */

export interface ListData {
  readonly type: "list"
  readonly items: Array<string>
}

export interface SetData {
  readonly type: "set"
  readonly members: Array<string>
}

export interface HashData {
  readonly type: "hash"
  /** Field, value, field, value, ... */
  readonly entries: Array<string>
  /** For each field the time (Unix ms) at which it goes, 0 for never; absent if no field has one. */
  readonly deadlines: Array<number> | undefined
}

export interface SortedSetData {
  readonly type: "zset"
  readonly members: Array<string>
  readonly scores: Array<number>
}

/** A stream id, or a count that may pass 2^53: a bigint only where a number is not exact. */
export type Unsigned = number | bigint

export interface StreamIdData {
  readonly ms: Unsigned
  readonly seq: Unsigned
}

/** Up to some hundred entries: the id of the first, and a listpack as the store keeps it. */
export interface StreamNodeData extends StreamIdData {
  readonly listpack: Buffer
}

export interface PendingData extends StreamIdData {
  readonly deliveredAtMs: number
  readonly deliveries: Unsigned
}

export interface ConsumerData {
  readonly name: string
  readonly seenAtMs: number
  /** -1: has never read anything (or the file does not say). */
  readonly activeAtMs: number
  readonly pending: Array<StreamIdData>
}

export interface GroupData extends StreamIdData {
  readonly name: string
  /** Entries read so far; -1: Redis says it does not know, `undefined`: files before Redis 7 do not have it. */
  readonly entriesRead: Unsigned | undefined
  readonly pending: Array<PendingData>
  readonly consumers: Array<ConsumerData>
}

export interface StreamData {
  readonly type: "stream"
  readonly nodes: ReadonlyArray<StreamNodeData>
  /** Live entries. */
  readonly length: number
  /** Of the first live entry, 0-0 without one; absent in files before Redis 7. */
  readonly firstId: StreamIdData | undefined
  readonly lastId: StreamIdData
  readonly maxDeletedId: StreamIdData
  readonly entriesAdded: Unsigned
  readonly groups: Array<GroupData>
}

export interface ModuleData {
  readonly type: "module"
  readonly name: string
}

/** A string that is longer than a string of V8 can be. */
export interface LongStringData {
  readonly type: "string"
  readonly bytes: Buffer
}

/** A string is a byte string; `ModuleData` is what is left of a value that only a module could read. */
export type ValueData =
  | string
  | LongStringData
  | ListData
  | SetData
  | HashData
  | SortedSetData
  | StreamData
  | ModuleData
