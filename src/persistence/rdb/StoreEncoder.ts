/**
 * Values of the store as they stand in a snapshot or a DUMP payload: the layout follows from the encoding that OBJECT ENCODING reports,
 * as in redis-server 7.0.15.
 *
 * The idea to hold: the type byte and the value are written apart, because in a file the key stands between them.
 */
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { Stream } from "../../store/Stream.ts"
import { StringBuffer } from "../../store/StringBuffer.ts"
import type { StreamNode } from "../../store/StreamNode.ts"
import { bytesOf, type Collection, type Limits, type StringValue, type Value } from "../../store/Value.ts"
import { type Elements, of as elementsOf } from "../snapshot/Elements.ts"
import { ByteWriter } from "./ByteWriter.ts"
import { Type } from "./Format.ts"
import { ListpackWriter } from "./Listpack.ts"
import * as LongString from "./LongString.ts"
import type { StreamNodeData } from "./Model.ts"
import { writeStreamEnd, writeStreamNode } from "./Streams.ts"
import * as Write from "./WriteValue.ts"

/** Shorter strings may be numbers, which have a form of their own. */
const copiedLengthMax = 64

export class StoreEncoder {
  private readonly out: ByteWriter
  private readonly limits: Limits
  private readonly pack = new ListpackWriter()
  /** The nodes of a list, laid out before their number is known. */
  private readonly nodes: ByteWriter

  constructor(out: ByteWriter, limits: Limits) {
    this.out = out
    this.limits = limits
    this.nodes = new ByteWriter(256, out.compression)
  }

  /** `inPieces`: the value will be written by `pieces`. */
  type(value: Value, inPieces: boolean): void {
    this.out.byte(inPieces && value instanceof List ? Type.list : typeByte(value))
  }

  /**
   * Writes a large collection or a long string a piece at a time; `end` is called after the last one. A list is written as its elements one by one, and not
   * as nodes: their number would have to be known first.
   */
  pieces(value: Value, end: () => void): Elements {
    const { out } = this
    if (LongString.isLong(value)) return LongString.pieces(value, out, end)
    const earliest = value instanceof Hash ? value.nextDeadline : Infinity
    if (earliest !== Infinity) out.milliseconds(earliest)
    out.length(value instanceof Stream ? value.nodes.size : (value as Collection).size)
    return elementsOf(value, {
      member: (member) => out.string(member),
      field: (field, content, deadline) => {
        if (earliest !== Infinity) out.length(deadline === undefined ? 0 : deadline - earliest + 1)
        out.string(field)
        out.string(content)
      },
      scored: (member, score) => {
        out.string(member)
        out.double(score)
      },
      item: (item) => out.string(item),
      node: (node) => writeStreamNode(out, nodeData(node)),
      rest: (stream) => writeStreamEnd(out, stream),
      end,
    })
  }

  value(value: Value): void {
    const { out, pack } = this
    if (typeof value === "number") {
      if ((value | 0) === value) out.integer(value)
      else out.string(String(value))
    } else if (typeof value === "string") out.string(value)
    else if (value instanceof List) Write.writeQuicklist(out, this.nodes, pack, value, this.limits.listMaxListpackSize)
    else if (value instanceof SetValue) {
      if (value.encoding === "intset") Write.writeIntegers(out, value)
      else Write.writeStrings(out, value.size, value)
    } else if (value instanceof Hash) this.hash(value)
    else if (value instanceof SortedSet) this.sortedSet(value)
    else if (value instanceof Stream) this.stream(value)
    // A large one stays bytes: the longest are longer than a string can be.
    else if (value instanceof StringBuffer && value.length > copiedLengthMax) {
      out.blob(value.bytes.subarray(0, value.length))
    } else out.string(bytesOf(value as StringValue))
  }

  private hash(value: Hash): void {
    const { out, pack } = this
    if (value.nextDeadline !== Infinity) {
      const entries: Array<string> = []
      const deadlines: Array<number> = []
      value.forEach((field, content) => {
        entries.push(field, content)
        deadlines.push(value.deadline(field) ?? 0)
      })
      Write.writeHashDeadlines(out, { type: "hash", entries, deadlines })
    } else if (value.encoding === "listpack") {
      pack.clear()
      value.forEach((field, content) => {
        pack.string(field)
        pack.string(content)
      })
      pack.writeTo(out)
    } else {
      out.length(value.size)
      value.forEach((field, content) => {
        out.string(field)
        out.string(content)
      })
    }
  }

  private stream(value: Stream): void {
    const { out } = this
    out.length(value.nodes.size)
    for (const node of value.nodes) writeStreamNode(out, nodeData(node))
    for (const rest = writeStreamEnd(out, value.state(false)); rest.next().done !== true;);
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

const nodeData = (node: StreamNode): StreamNodeData => ({ ms: node.ms, seq: node.seq, listpack: node.toListpack() })
