/**
 * Values of the store as they stand in a snapshot or a DUMP payload: the layout follows from the encoding that OBJECT ENCODING reports,
 * as in redis-server 7.0.15.
 *
 * The idea to hold: the type byte and the value are written apart, because in a file the key stands between them.
 */
import { SortedSet } from "../../store/SortedSet.ts"
import { Stream } from "../../store/Stream.ts"
import type { Group } from "../../store/StreamGroup.ts"
import { bytesOf, type Limits, type StringValue, type Value } from "../../store/Value.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { Type } from "./Format.ts"
import { ListpackWriter } from "./Listpack.ts"
import type { ConsumerData, GroupData } from "./Model.ts"
import { writeStream } from "./Streams.ts"
import * as Write from "./WriteValue.ts"

export class StoreEncoder {
  private readonly out: ByteWriter
  private readonly pack = new ListpackWriter()

  constructor(out: ByteWriter, _limits: Limits) {
    this.out = out
  }

  type(value: Value): void {
    this.out.byte(typeByte(value))
  }

  value(value: Value): void {
    const { out } = this
    if (typeof value === "number") {
      if ((value | 0) === value) out.integer(value)
      else out.string(String(value))
    } else if (typeof value === "string") out.string(value)
    else if (value instanceof SortedSet) this.sortedSet(value)
    else if (value instanceof Stream) writeStream(out, streamData(value))
    else out.string(bytesOf(value as StringValue))
  }

  private sortedSet(value: SortedSet): void {
    const members: Array<string> = []
    const scores: Array<number> = []
    value.forEach((member, score) => {
      members.push(member)
      scores.push(score)
    })
    if (value.encoding === "listpack") Write.writeSortedSetListpack(this.out, this.pack, members, scores)
    else Write.writeSortedSet(this.out, members, scores)
  }
}

const typeByte = (value: Value): number => {
  if (typeof value !== "object") return Type.string
  switch (value.type) {
    case "string":
      return Type.string
    case "list":
      return Type.listQuicklist2
    case "set":
      return value.encoding === "intset" ? Type.setIntset : Type.set
    case "hash":
      if (value.nextDeadline !== undefined && value.nextDeadline !== Infinity) return Type.hashDeadlines
      return value.encoding === "listpack" ? Type.hashListpack : Type.hash
    case "zset":
      return value.encoding === "listpack" ? Type.sortedSetListpack : Type.sortedSet
    case "stream":
      return Type.stream2
  }
}

const streamData = (stream: Stream) => {
  const nodes = []
  for (const node of stream.nodes) nodes.push({ ms: node.ms, seq: node.seq, listpack: node.toListpack() })
  return {
    type: "stream" as const,
    nodes,
    length: stream.length,
    firstId: stream.firstId,
    lastId: stream.lastId,
    maxDeletedId: stream.maxDeletedId,
    entriesAdded: stream.entriesAdded,
    groups: stream.sortedGroups().map(groupData),
  }
}

const groupData = (group: Group): GroupData => ({
  name: group.name,
  ms: group.lastId.ms,
  seq: group.lastId.seq,
  entriesRead: group.entriesRead ?? -1,
  pending: Array.from(group.pending, ({ ms, seq, deliveredMs, deliveries }) => ({
    ms,
    seq,
    deliveredAtMs: deliveredMs,
    deliveries,
  })),
  consumers: group.sortedConsumers().map((consumer): ConsumerData => ({
    name: consumer.name,
    seenAtMs: consumer.seenMs,
    activeAtMs: -1,
    pending: [...consumer.pending],
  })),
})
