/**
 * Streams in a snapshot: listpacks of up to a hundred entries under the id of their first, then counters, then the consumer groups.
 *
 * The idea to hold: the store keeps the entries in the same listpacks (store/StreamNode.ts), so here they are bytes that are passed on;
 * whoever builds the stream checks them.
 */
import type { StreamState } from "../../store/Stream.ts"
import type { GroupState } from "../../store/StreamGroup.ts"
import { type ByteReader, contents } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { Type } from "./Format.ts"
import type {
  ConsumerData,
  GroupData,
  PendingData,
  StreamData,
  StreamIdData,
  StreamNodeData,
  Unsigned,
} from "./Model.ts"

const narrow = (value: bigint): Unsigned => (value <= 9007199254740991n ? Number(value) : value)

const bigEndian = (bytes: Buffer, at: number): Unsigned => narrow(bytes.readBigUInt64BE(at))

/** What Redis stores where it does not know how many entries a group has read. */
const entriesReadUnknown = 0xffff_ffff_ffff_ffffn

export const readStream = (reader: ByteReader, type: number): StreamData => {
  const nodes: Array<StreamNodeData> = []
  for (let count = reader.length(); count > 0; count--) {
    const key = contents(reader.blob())
    if (key.length !== 16) reader.fail("stream node without an id")
    const ms = bigEndian(key, 0)
    nodes.push({ ms, seq: bigEndian(key, 8), listpack: contents(reader.blob()) })
  }
  const length = reader.length()
  const lastId = readIdNumbers(reader)
  let firstId: StreamIdData | undefined
  let maxDeletedId: StreamIdData = { ms: 0, seq: 0 }
  let entriesAdded: Unsigned = length
  if (type !== Type.stream1) {
    firstId = readIdNumbers(reader)
    maxDeletedId = readIdNumbers(reader)
    entriesAdded = reader.number()
  }
  const groups: Array<GroupData> = []
  for (let count = reader.length(); count > 0; count--) groups.push(readGroup(reader, type))
  return { type: "stream", nodes, length, firstId, lastId, maxDeletedId, entriesAdded, groups }
}

const readIdNumbers = (reader: ByteReader): StreamIdData => {
  const ms = reader.number()
  return { ms, seq: reader.number() }
}

const readRawId = (reader: ByteReader): StreamIdData => {
  const bytes = reader.raw(16)
  return { ms: bigEndian(bytes, 0), seq: bigEndian(bytes, 8) }
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
    pending.push({ ms: id.ms, seq: id.seq, deliveredAtMs, deliveries: reader.number() })
  }
  const consumers: Array<ConsumerData> = []
  for (let count = reader.length(); count > 0; count--) {
    const consumer = reader.string()
    const seenAtMs = reader.milliseconds()
    // What older files do not tell is taken to be the same.
    const activeAtMs = type === Type.stream3 ? reader.milliseconds() : seenAtMs
    const ids: Array<StreamIdData> = []
    for (let owned = reader.length(); owned > 0; owned--) ids.push(readRawId(reader))
    consumers.push({ name: consumer, seenAtMs, activeAtMs, pending: ids })
  }
  return { name, ms, seq, entriesRead, pending, consumers }
}

/** Pending entries written between two yields: 0.1 ms and less. */
const pieceEntries = 256

export const writeStreamNode = (out: ByteWriter, node: StreamNodeData): void => {
  out.length(16)
  writeRawId(out, node)
  out.blob(node.listpack)
}

/** Writes what stands behind the nodes of a `Type.stream2`, in pieces. */
export function* writeStreamEnd(out: ByteWriter, stream: StreamState): Generator<void> {
  out.length(stream.length)
  writeIdNumbers(out, stream.lastId)
  writeIdNumbers(out, stream.firstId)
  writeIdNumbers(out, stream.maxDeletedId)
  out.length(stream.entriesAdded)
  out.length(stream.groups.length)
  for (const group of stream.groups) yield* writeGroup(out, group)
}

const writeIdNumbers = (out: ByteWriter, id: StreamIdData): void => {
  out.length(id.ms)
  out.length(id.seq)
}

const writeRawId = (out: ByteWriter, id: StreamIdData): void => {
  out.bigEndian64(id.ms)
  out.bigEndian64(id.seq)
}

function* writeGroup(out: ByteWriter, group: GroupState): Generator<void> {
  out.string(group.name)
  writeIdNumbers(out, group.lastId)
  out.length(group.entriesRead ?? entriesReadUnknown)
  let left = pieceEntries
  out.length(group.pending.size)
  for (const entry of group.pending) {
    writeRawId(out, entry)
    out.milliseconds(entry.deliveredMs)
    out.length(entry.deliveries)
    if (--left === 0) {
      left = pieceEntries
      yield
    }
  }
  out.length(group.consumers.length)
  for (const consumer of group.consumers) {
    out.string(consumer.name)
    out.milliseconds(consumer.seenMs)
    out.length(consumer.pending.size)
    for (const id of consumer.pending) {
      writeRawId(out, id)
      if (--left === 0) {
        left = pieceEntries
        yield
      }
    }
  }
}
