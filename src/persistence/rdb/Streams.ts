/**
 * Streams in a snapshot: listpacks of up to a hundred entries under the id of their first, then counters, then the consumer groups.
 * In a listpack the first entry's field names stand once, and the ids are differences to the first.
 *
 * The idea to hold: an entry marked as deleted stays in its listpack until all are, so reading passes over them; we write only
 * live ones.
 */
import type { ByteReader } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { EntryFlag, Type } from "./Format.ts"
import { ListpackReader, type ListpackWriter } from "./Listpack.ts"
import type {
  ConsumerData,
  GroupData,
  PendingData,
  StreamData,
  StreamEntryData,
  StreamIdData,
  Unsigned,
} from "./Model.ts"

const narrow = (value: bigint): Unsigned => (value <= 9007199254740991n ? Number(value) : value)

/** 64-bit sum that wraps around, as the differences of ids do. */
const add = (a: Unsigned, b: number | bigint): Unsigned => {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b
    if (sum >= 0 && sum <= Number.MAX_SAFE_INTEGER) return sum
  }
  return narrow(BigInt.asUintN(64, BigInt(a) + BigInt(b)))
}

const subtract = (a: Unsigned, b: Unsigned): number | bigint => {
  if (typeof a === "number" && typeof b === "number") return a - b
  const difference = BigInt.asIntN(64, BigInt(a) - BigInt(b))
  const number = Number(difference)
  return Number.isSafeInteger(number) ? number : difference
}

const bigEndian = (bytes: Buffer, at: number): Unsigned => narrow(bytes.readBigUInt64BE(at))

/** What Redis stores where it does not know how many entries a group has read. */
const entriesReadUnknown = 0xffff_ffff_ffff_ffffn

export const readStream = (reader: ByteReader, type: number): StreamData => {
  const entries: Array<StreamEntryData> = []
  for (let nodes = reader.length(); nodes > 0; nodes--) readNode(reader, entries)
  const start = reader.offset
  const length = reader.number()
  if (length !== entries.length) reader.fail(`stream of ${length} entries has ${entries.length} (before byte ${start})`)
  const lastId = readIdNumbers(reader)
  let maxDeletedId: StreamIdData = { ms: 0, seq: 0 }
  let entriesAdded: Unsigned = length
  if (type !== Type.stream1) {
    readIdNumbers(reader) // the first id, which the entries tell
    maxDeletedId = readIdNumbers(reader)
    entriesAdded = reader.number()
  }
  const groups: Array<GroupData> = []
  for (let count = reader.length(); count > 0; count--) groups.push(readGroup(reader, type))
  return { type: "stream", entries, lastId, maxDeletedId, entriesAdded, groups }
}

const readIdNumbers = (reader: ByteReader): StreamIdData => {
  const ms = reader.number()
  return { ms, seq: reader.number() }
}

const readRawId = (reader: ByteReader): StreamIdData => {
  const bytes = reader.raw(16)
  return { ms: bigEndian(bytes, 0), seq: bigEndian(bytes, 8) }
}

const readNode = (reader: ByteReader, entries: Array<StreamEntryData>): void => {
  const key = reader.blob()
  if (key.bytes.length !== 16) reader.fail("stream node without an id")
  const ms = bigEndian(key.bytes, 0)
  const seq = bigEndian(key.bytes, 8)
  const pack = new ListpackReader(reader.blob())
  const live = pack.nextCount()
  const deleted = pack.nextCount()
  const masterFields: Array<string> = []
  for (let count = pack.nextCount(); count > 0; count--) masterFields.push(pack.next())
  if (pack.nextCount() !== 0) pack.fail("stream node without the end of its fields")
  let seenLive = 0
  let seenDeleted = 0
  while (!pack.done) {
    const flags = pack.nextCount()
    const entryMs = add(ms, pack.nextInteger())
    const entrySeq = add(seq, pack.nextInteger())
    const fields: Array<string> = []
    if ((flags & EntryFlag.sameFields) !== 0) {
      for (const field of masterFields) fields.push(field, pack.next())
    } else {
      for (let count = pack.nextCount(); count > 0; count--) {
        const field = pack.next()
        fields.push(field, pack.next())
      }
    }
    pack.skip() // the number of elements, for walking backwards
    if ((flags & EntryFlag.deleted) !== 0) seenDeleted++
    else {
      seenLive++
      entries.push({ ms: entryMs, seq: entrySeq, fields })
    }
  }
  if (seenLive !== live || seenDeleted !== deleted) pack.fail("stream node with a wrong count")
}

const readGroup = (reader: ByteReader, type: number): GroupData => {
  const name = reader.string()
  const { ms, seq } = readIdNumbers(reader)
  let entriesRead: Unsigned | undefined
  if (type !== Type.stream1) {
    entriesRead = reader.number()
    if (entriesRead === entriesReadUnknown) entriesRead = -1
  }
  const pending: Array<PendingData> = []
  for (let count = reader.length(); count > 0; count--) {
    const id = readRawId(reader)
    const deliveredAtMs = reader.milliseconds()
    pending.push({ ms: id.ms, seq: id.seq, deliveredAtMs, deliveries: reader.length() })
  }
  const consumers: Array<ConsumerData> = []
  for (let count = reader.length(); count > 0; count--) {
    const consumer = reader.string()
    const seenAtMs = reader.milliseconds()
    const activeAtMs = type === Type.stream3 ? reader.milliseconds() : -1
    const ids: Array<StreamIdData> = []
    for (let owned = reader.length(); owned > 0; owned--) ids.push(readRawId(reader))
    consumers.push({ name: consumer, seenAtMs, activeAtMs, pending: ids })
  }
  return { name, ms, seq, entriesRead, pending, consumers }
}

export interface StreamLimits {
  readonly "stream-node-max-bytes": number
  readonly "stream-node-max-entries": number
}

/** A listpack grows to at most this, whatever the settings say. */
const nodeBytesMax = 1 << 30

/**
 * Writes what follows the type byte of `Type.stream2`. `firstId` is that of the first entry, 0-0 in an empty stream.
 */
export const writeStream = (out: ByteWriter, pack: ListpackWriter, stream: StreamData, limits: StreamLimits): void => {
  const { entries } = stream
  const nodes: Array<number> = nodeStarts(entries, limits)
  out.length(nodes.length)
  for (let i = 0; i < nodes.length; i++) {
    writeNode(out, pack, entries, nodes[i], i + 1 < nodes.length ? nodes[i + 1] : entries.length)
  }
  out.length(entries.length)
  writeIdNumbers(out, stream.lastId)
  writeIdNumbers(out, entries.length > 0 ? entries[0] : { ms: 0, seq: 0 })
  writeIdNumbers(out, stream.maxDeletedId)
  out.length(stream.entriesAdded)
  out.length(stream.groups.length)
  for (const group of stream.groups) writeGroup(out, group)
}

const writeIdNumbers = (out: ByteWriter, id: StreamIdData): void => {
  out.length(id.ms)
  out.length(id.seq)
}

const writeRawId = (out: ByteWriter, id: StreamIdData): void => {
  out.bigEndian64(id.ms)
  out.bigEndian64(id.seq)
}

/** Where the listpacks begin, by the rule by which XADD begins a new one. The size counts strings only, which is near enough. */
const nodeStarts = (entries: ReadonlyArray<StreamEntryData>, limits: StreamLimits): Array<number> => {
  const bytesMax = Math.min(limits["stream-node-max-bytes"] || nodeBytesMax, nodeBytesMax)
  const entriesMax = limits["stream-node-max-entries"] || Infinity
  const starts: Array<number> = []
  let size = 0
  for (let i = 0; i < entries.length; i++) {
    let payload = 0
    for (const part of entries[i].fields) payload += part.length
    if (starts.length === 0 || size + payload >= bytesMax || i - starts[starts.length - 1] >= entriesMax) {
      starts.push(i)
      size = 0
    }
    size += payload + 8
  }
  return starts
}

const sameFields = (master: ReadonlyArray<string>, fields: ReadonlyArray<string>): boolean => {
  if (master.length !== fields.length) return false
  for (let i = 0; i < master.length; i += 2) if (master[i] !== fields[i]) return false
  return true
}

const writeNode = (
  out: ByteWriter,
  pack: ListpackWriter,
  entries: ReadonlyArray<StreamEntryData>,
  start: number,
  end: number,
): void => {
  const first = entries[start]
  const master = first.fields
  pack.clear()
  pack.integer(end - start)
  pack.integer(0)
  pack.integer(master.length / 2)
  for (let i = 0; i < master.length; i += 2) pack.string(master[i])
  pack.integer(0)
  for (let index = start; index < end; index++) {
    const { ms, seq, fields } = entries[index]
    const same = sameFields(master, fields)
    pack.integer(same ? EntryFlag.sameFields : 0)
    pack.integer(subtract(ms, first.ms))
    pack.integer(subtract(seq, first.seq))
    if (!same) pack.integer(fields.length / 2)
    for (let i = same ? 1 : 0; i < fields.length; i += same ? 2 : 1) pack.string(fields[i])
    pack.integer(same ? fields.length / 2 + 3 : fields.length + 4)
  }
  const key = Buffer.allocUnsafe(16)
  key.writeBigUInt64BE(BigInt(first.ms), 0)
  key.writeBigUInt64BE(BigInt(first.seq), 8)
  out.length(16)
  out.raw(key)
  pack.writeTo(out)
}

const writeGroup = (out: ByteWriter, group: GroupData): void => {
  out.string(group.name)
  writeIdNumbers(out, group)
  const read = group.entriesRead ?? -1
  out.length(read === -1 ? entriesReadUnknown : read)
  out.length(group.pending.length)
  for (const entry of group.pending) {
    writeRawId(out, entry)
    out.milliseconds(entry.deliveredAtMs)
    out.length(entry.deliveries)
  }
  out.length(group.consumers.length)
  for (const consumer of group.consumers) {
    out.string(consumer.name)
    out.milliseconds(consumer.seenAtMs)
    out.length(consumer.pending.length)
    for (const id of consumer.pending) writeRawId(out, id)
  }
}
