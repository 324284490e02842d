/**
 * Values of a snapshot as values of the store, checked on the way: what a file says must be what the classes of the store could have
 * become, or it is damage.
 *
 * The idea to hold: an empty collection is no value. redis-server passes such keys by in files and refuses them in RESTORE; both get
 * `undefined` from here.
 */
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import { PackedCollection } from "../../store/PackedCollection.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { Stream } from "../../store/Stream.ts"
import { StringBuffer } from "../../store/StringBuffer.ts"
import { entriesUpTo, Group, Pending } from "../../store/StreamGroup.ts"
import * as Id from "../../store/StreamId.ts"
import { StreamNode } from "../../store/StreamNode.ts"
import { type Limits, stored, type Value } from "../../store/Value.ts"
import type { ByteReader } from "./ByteReader.ts"
import { Damaged, Type } from "./Format.ts"
import * as PackedValues from "./PackedValues.ts"
import { readValue } from "./ReadValue.ts"
import type { GroupData, HashData, ModuleData, SetData, SortedSetData, StreamData, ValueData } from "./Model.ts"

/** The next value of a snapshot or payload, or absent where it would be empty. Throws `Damaged`. */
export const readStored = (reader: ByteReader, type: number, limits: Limits): Value | ModuleData | undefined => {
  const value = readPacked(reader, type, limits)
  return value instanceof PackedCollection ? value.unpack() : value
}

/** As `readStored`; a small collection is packed, and valid until the next call. */
export const readPacked = (
  reader: ByteReader,
  type: number,
  limits: Limits,
): Value | PackedCollection | ModuleData | undefined => {
  const packed = PackedValues.read(reader, type, limits)
  if (packed !== undefined) return packed
  const data = readValue(reader, type)
  if (typeof data === "object" && data.type === "module") return data
  return toStore(data, limitsFor(type, limits), reader.offset)
}

const listpacks: ReadonlySet<number> = new Set([
  ...[Type.hashListpack, Type.hashZiplist, Type.sortedSetListpack, Type.sortedSetZiplist],
])

/** What holds for a value of that type: one that comes as a listpack stays one, however long its elements are. */
export const limitsFor = (type: number, limits: Limits): Limits =>
  listpacks.has(type) ? { ...limits, hashMaxListpackValue: Infinity, zsetMaxListpackValue: Infinity } : limits

/** The value, or absent where it would be empty. Throws `Damaged`; `offset` is where the value ends, for its text. */
export const toStore = (data: Exclude<ValueData, ModuleData>, limits: Limits, offset: number): Value | undefined => {
  if (typeof data === "string") return stored(data)
  switch (data.type) {
    case "string":
      return new StringBuffer(data.bytes)
    case "list":
      return data.items.length === 0 ? undefined : List.from(data.items)
    case "set":
      return set(data, limits, offset)
    case "hash":
      return hash(data, limits, offset)
    case "zset":
      return sortedSet(data, limits, offset)
    case "stream":
      return stream(data, offset)
  }
}

const set = ({ members }: SetData, limits: Limits, offset: number): Value | undefined => {
  const value = new SetValue()
  for (const member of members) if (!value.add(member, limits)) throw new Damaged(offset, "set member twice")
  return value.size === 0 ? undefined : value
}

const hash = ({ entries, deadlines }: HashData, limits: Limits, offset: number): Value | undefined => {
  const value = new Hash()
  for (let i = 0; i < entries.length; i += 2) {
    if (!value.put(entries[i], entries[i + 1], limits)) throw new Damaged(offset, "hash field twice")
    const deadline = deadlines === undefined ? 0 : deadlines[i / 2]
    if (deadline > 0) value.setDeadline(entries[i], deadline)
  }
  return value.size === 0 ? undefined : value
}

const longest = (members: ReadonlyArray<string>): number =>
  members.reduce((length, member) => Math.max(length, member.length), 0)

const sortedSet = ({ members, scores }: SortedSetData, limits: Limits, offset: number): Value | undefined => {
  const value = SortedSet.expecting(members.length, longest(members), limits)
  for (let i = 0; i < members.length; i++) {
    if (value.put(members[i], scores[i], limits) !== "added") throw new Damaged(offset, "sorted set member twice")
  }
  return value.size === 0 ? undefined : value
}

const stream = (data: StreamData, offset: number): Value => {
  const value = new Stream()
  for (const { ms, seq, listpack } of data.nodes) {
    const node = StreamNode.fromListpack({ ms, seq }, listpack)
    if (node === undefined) throw new Damaged(offset, "stream node is not sound")
    const last = value.nodes.last()
    if (last !== undefined && Id.compare(last, node) >= 0) throw new Damaged(offset, "stream nodes out of order")
    value.addNode(node)
    value.length += node.entries
  }
  if (value.length !== data.length) throw new Damaged(offset, "stream with a wrong length")
  value.lastId = data.lastId
  value.maxDeletedId = data.maxDeletedId
  value.entriesAdded = data.entriesAdded
  value.firstId = data.firstId ?? value.edgeId(false)
  for (const group of data.groups) {
    if (value.groups.has(group.name)) throw new Damaged(offset, "consumer group twice")
    value.groups.set(group.name, readGroup(group, value, offset))
  }
  return value
}

const readGroup = (data: GroupData, value: Stream, offset: number): Group => {
  const lastId = Id.make(data.ms, data.seq)
  const { entriesRead } = data
  const group = new Group(
    data.name,
    lastId,
    entriesRead === undefined ? entriesUpTo(value, lastId) : entriesRead === -1 ? undefined : entriesRead,
  )
  const pending = new Map(data.pending.map((entry) => [Id.format(entry), entry]))
  if (pending.size !== data.pending.length) throw new Damaged(offset, "pending entry twice")
  for (const { name, seenAtMs, activeAtMs, pending: owned } of data.consumers) {
    if (group.consumers.has(name)) throw new Damaged(offset, "consumer twice")
    const consumer = group.addConsumer(name, seenAtMs, activeAtMs)
    for (const id of owned) {
      const entry = pending.get(Id.format(id))
      if (entry === undefined || group.pending.get(id) !== undefined)
        throw new Damaged(offset, "pending entry without its own")
      group.addPending(new Pending(Id.make(id.ms, id.seq), consumer, entry.deliveredAtMs, entry.deliveries))
    }
  }
  if (group.pending.size !== pending.size) throw new Damaged(offset, "pending entry without a consumer")
  return group
}
