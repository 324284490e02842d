/**
 * One node of a stream: up to some hundred entries in the bytes of a Redis listpack, and how to add, walk and delete them.
 *
 *   bytes:  fieldCount field... 0 | flags ms seq [fieldCount] value... elementCount | flags ...
 *
 * The idea to hold: the first entry's id and field names stand once at the head (the master entry); an entry holds the
 * difference of its id, and of an entry with the same fields only the values. An entry ends with the number of its elements, so
 * the node is walked both ways. A deleted entry stays, with a flag, until its whole node goes. The format is Redis's own to
 * the byte, because the sizes of nodes decide how much XTRIM ~ trims, and because a snapshot then only frames these bytes.
 *
 * The counters of live and deleted entries, which a listpack holds as its first two elements, and its header are written
 * only by `toListpack`. The invariant: `entries` is never 0 in a stream, the last node of an exact trim excepted (as in Redis).
 */
import * as Element from "./ListpackElement.ts"
import type { StreamId, U64 } from "./StreamId.ts"
import * as Id from "./StreamId.ts"

const deletedFlag = 1
const sameFieldsFlag = 2
/** Total bytes and element count at the head of a listpack. */
const headerSize = 6
const terminator = 0xff
/** The element count in a header from which on it means "count them". */
const countUnknown = 0xffff
/** A node that grows is made larger by this factor: small streams are many, and growing ones soon shrink to size. */
const growth = 1.5
/** Flags, both differences, two counts. */
const entryOverheadMax = 2 * Element.integerSizeMax + 3 * Element.countSizeMax
/** Nodes up to this size are turned into one string to cut values from. */
const textSizeMax = 16 * 1024

export class StreamNode implements StreamId {
  readonly ms: U64
  readonly seq: U64
  entries = 0
  deleted = 0
  /** The master fields and the entries; only the first `used` bytes count. */
  bytes: Buffer
  used: number
  /** Offset of the first entry. */
  readonly start: number

  private constructor(id: StreamId, bytes: Buffer, used: number, start: number) {
    this.ms = id.ms
    this.seq = id.seq
    this.bytes = bytes
    this.used = used
    this.start = start
  }

  /** An empty node whose first entry will have the id `id` and the fields of `pairs` (fields and values alternating). */
  static make(id: StreamId, pairs: ReadonlyArray<string>): StreamNode {
    const fieldCount = pairs.length >> 1
    // Room for the first entry too, whose fields are not written again.
    let room = 2 * Element.countSizeMax + entryOverheadMax
    for (let i = 0; i < pairs.length; i++) room += Element.elementSizeMax(pairs[i]!)
    const bytes = Buffer.allocUnsafeSlow(room)
    let at = Element.writeInteger(bytes, 0, fieldCount)
    for (let i = 0; i < pairs.length; i += 2) at = Element.writeText(bytes, at, pairs[i]!)
    at = Element.writeInteger(bytes, at, 0)
    return new StreamNode(id, bytes, at, at)
  }

  /** Bytes of the whole listpack. */
  get listpackSize(): number {
    return headerSize + Element.countSize(this.entries) + Element.countSize(this.deleted) + this.used + 1
  }

  /** The field names at the head. */
  fields(): Array<string> {
    const count = Number(Element.readInteger(this.bytes, 0))
    const fields: Array<string> = []
    let at = Element.nextElement(this.bytes, 0)
    for (let i = 0; i < count; i++) {
      fields.push(Element.readText(this.bytes, at))
      at = Element.nextElement(this.bytes, at)
    }
    return fields
  }

  /** Whether the fields of `pairs` are those at the head, in that order. */
  hasFields(pairs: ReadonlyArray<string>): boolean {
    const { bytes } = this
    if (Element.readInteger(bytes, 0) !== pairs.length >> 1) return false
    let at = Element.nextElement(bytes, 0)
    for (let i = 0; i < pairs.length; i += 2) {
      if (!Element.isText(bytes, at, pairs[i]!)) return false
      at = Element.nextElement(bytes, at)
    }
    return true
  }

  /** Adds an entry behind the others. `sameFields`: its fields are those at the head, in that order. */
  append(id: StreamId, pairs: ReadonlyArray<string>, sameFields: boolean): void {
    let room = entryOverheadMax
    for (let i = sameFields ? 1 : 0; i < pairs.length; i += sameFields ? 2 : 1)
      room += Element.elementSizeMax(pairs[i]!)
    this.reserve(room)
    const bytes = this.bytes
    const fieldCount = pairs.length >> 1
    let at = Element.writeInteger(bytes, this.used, sameFields ? sameFieldsFlag : 0)
    at = Element.writeInteger(bytes, at, Id.subtract64(id.ms, this.ms))
    at = Element.writeInteger(bytes, at, Id.subtract64(id.seq, this.seq))
    if (sameFields) {
      for (let i = 1; i < pairs.length; i += 2) at = Element.writeText(bytes, at, pairs[i]!)
    } else {
      at = Element.writeInteger(bytes, at, fieldCount)
      for (let i = 0; i < pairs.length; i++) at = Element.writeText(bytes, at, pairs[i]!)
    }
    this.used = Element.writeInteger(bytes, at, sameFields ? fieldCount + 3 : 2 * fieldCount + 4)
    this.entries++
  }

  /** Gives back the room for growth, once a node is full. */
  shrink(): void {
    if (this.bytes.length > this.used) this.bytes = copyOf(this.bytes, this.used, this.used)
  }

  markDeleted(entry: Entry): void {
    this.bytes[entry.at] = entry.flags | deletedFlag
    this.entries--
    this.deleted++
  }

  copy(): StreamNode {
    const copy = new StreamNode(this, copyOf(this.bytes, this.used, this.used), this.used, this.start)
    copy.entries = this.entries
    copy.deleted = this.deleted
    return copy
  }

  /** The node as Redis writes it into a snapshot. */
  toListpack(): Buffer {
    const size = this.listpackSize
    const listpack = Buffer.allocUnsafe(size)
    let at = Element.writeInteger(listpack, headerSize, this.entries)
    at = Element.writeInteger(listpack, at, this.deleted)
    this.bytes.copy(listpack, at, 0, this.used)
    listpack[size - 1] = terminator
    let elements = 2
    for (let offset = 0; offset < this.used; offset = Element.nextElement(this.bytes, offset)) elements++
    listpack.writeUInt32LE(size, 0)
    listpack.writeUInt16LE(Math.min(elements, countUnknown), 4)
    return listpack
  }

  /** The reverse of `toListpack`; undefined when the bytes are damaged anywhere. Nothing of `listpack` is kept. */
  static fromListpack(id: StreamId, listpack: Buffer): StreamNode | undefined {
    const end = listpack.length - 1
    if (end < headerSize || listpack.readUInt32LE(0) !== listpack.length || listpack[end] !== terminator)
      return undefined
    let elements = 0
    for (let at = headerSize; at < end; at = Element.nextElement(listpack, at)) {
      if (!Element.isElement(listpack, at, end)) return undefined
      elements++
    }
    const declared = listpack.readUInt16LE(4)
    if (elements < 4 || (declared !== countUnknown && declared !== elements)) return undefined
    const live = Element.readInteger(listpack, headerSize)
    const deletedAt = Element.nextElement(listpack, headerSize)
    const deleted = Element.readInteger(listpack, deletedAt)
    const from = Element.nextElement(listpack, deletedAt)
    const used = end - from
    const bytes = Buffer.allocUnsafeSlow(used)
    listpack.copy(bytes, 0, from, end)
    const start = masterSize(bytes, used)
    if (start === undefined) return undefined
    const node = new StreamNode(id, bytes, used, start)
    node.entries = Number(live)
    node.deleted = Number(deleted)
    return node.isSound() ? node : undefined
  }

  /** Whether the entries are what the counters and their own element counts say. */
  private isSound(): boolean {
    const { bytes, used } = this
    const fieldCount = Number(Element.readInteger(bytes, 0))
    let live = 0
    let deleted = 0
    let at = this.start
    while (at < used) {
      const flags = bytes[at]!
      if (flags > (deletedFlag | sameFieldsFlag)) return false
      const same = (flags & sameFieldsFlag) !== 0
      // Flags, two differences, and the number of fields where it stands.
      let own = 0
      for (let i = 0; i < (same ? 3 : 4); i++) {
        if (at >= used) return false
        own = Number(Element.readInteger(bytes, at))
        if (Number.isNaN(own)) return false
        at = Element.nextElement(bytes, at)
      }
      if (!same && own < 0) return false
      const values = same ? fieldCount : 2 * own
      for (let i = 0; i < values; i++) {
        if (at >= used) return false
        at = Element.nextElement(bytes, at)
      }
      if (at >= used || Element.readInteger(bytes, at) !== values + (same ? 3 : 4)) return false
      at = Element.nextElement(bytes, at)
      if (flags & deletedFlag) deleted++
      else live++
    }
    return live === this.entries && deleted === this.deleted
  }

  private reserve(room: number): void {
    const needed = this.used + room
    if (needed <= this.bytes.length) return
    this.bytes = copyOf(this.bytes, this.used, Math.max(needed, Math.ceil(this.bytes.length * growth)))
  }
}

const copyOf = (bytes: Buffer, used: number, capacity: number): Buffer => {
  const copy = Buffer.allocUnsafeSlow(capacity)
  bytes.copy(copy, 0, 0, used)
  return copy
}

/** Bytes of the master entry; undefined when there is none. */
const masterSize = (bytes: Buffer, used: number): number | undefined => {
  const fieldCount = Number(Element.readInteger(bytes, 0))
  if (!(fieldCount >= 0)) return undefined
  let at = Element.nextElement(bytes, 0)
  for (let i = 0; i < fieldCount; i++) {
    if (at >= used) return undefined
    at = Element.nextElement(bytes, at)
  }
  if (at >= used || Element.readInteger(bytes, at) !== 0) return undefined
  return Element.nextElement(bytes, at)
}

/** A place in a node: one entry, deleted or not, and the way to its neighbours. */
export class Entry implements StreamId {
  readonly node: StreamNode
  ms: U64 = 0
  seq: U64 = 0
  flags = 0
  /** Offset of the entry, and of the one behind it. */
  at = 0
  end: number
  private valuesAt = 0
  private fieldCount = 0
  private fields: ReadonlyArray<string> | undefined = undefined
  private text = ""
  private textStart = 0

  /** Before the first entry. */
  constructor(node: StreamNode) {
    this.node = node
    this.end = node.start
  }

  /** Behind the last entry. */
  toEnd(): this {
    this.at = this.node.used
    return this
  }

  get isDeleted(): boolean {
    return (this.flags & deletedFlag) !== 0
  }

  /** Goes to the next entry; false at the end of the node. */
  forward(): boolean {
    if (this.end >= this.node.used) return false
    this.read(this.end)
    return true
  }

  /** Goes to the entry before; false at the start of the node. */
  backward(): boolean {
    const { node } = this
    if (this.at <= node.start) return false
    const count = Element.previousElement(node.bytes, this.at)
    let at = count
    for (let left = Number(Element.readInteger(node.bytes, count)); left > 0; left--) {
      at = Element.previousElement(node.bytes, at)
    }
    this.read(at)
    return true
  }

  /** How many fields and values there are together. */
  get length(): number {
    if ((this.flags & sameFieldsFlag) === 0) return 2 * this.fieldCount
    return 2 * (this.fields ??= this.node.fields()).length
  }

  /** Fields and values, alternating. They may be cut out of one string of the whole node: copy what is to be kept. */
  pairs(): Array<string> {
    const pairs: Array<string> = []
    this.visit((text, start, end) => pairs.push(text.substring(start, end)))
    return pairs
  }

  /** Gives `take` fields and values, alternating, each as a part of a string. */
  visit(take: (text: string, start: number, end: number) => void): void {
    const { node } = this
    const { bytes } = node
    if (this.at < this.textStart || this.end > this.textStart + this.text.length) {
      // What follows is likely to be asked for next, unless the walk goes backwards.
      const end = this.textStart > this.at ? this.end : node.used
      this.textStart = this.at
      this.text = end - this.at <= textSizeMax ? bytes.latin1Slice(this.at, end) : ""
    }
    let at = this.valuesAt
    if (this.flags & sameFieldsFlag) {
      const fields = (this.fields ??= node.fields())
      for (let i = 0; i < fields.length; i++) {
        const field = fields[i]!
        take(field, 0, field.length)
        Element.visitText(bytes, at, this.text, this.textStart, take)
        at = Element.nextElement(bytes, at)
      }
    } else {
      for (let i = 0; i < 2 * this.fieldCount; i++) {
        Element.visitText(bytes, at, this.text, this.textStart, take)
        at = Element.nextElement(bytes, at)
      }
    }
  }

  private read(start: number): void {
    const { node } = this
    const { bytes } = node
    this.at = start
    let at = start
    this.flags = Number(Element.readInteger(bytes, at))
    at = Element.nextElement(bytes, at)
    this.ms = Id.addU64(node.ms, Element.readInteger(bytes, at))
    at = Element.nextElement(bytes, at)
    this.seq = Id.addU64(node.seq, Element.readInteger(bytes, at))
    at = Element.nextElement(bytes, at)
    let elements: number
    if (this.flags & sameFieldsFlag) {
      elements = Number(Element.readInteger(bytes, 0))
    } else {
      this.fieldCount = Number(Element.readInteger(bytes, at))
      at = Element.nextElement(bytes, at)
      elements = 2 * this.fieldCount
    }
    this.valuesAt = at
    for (; elements >= 0; elements--) at = Element.nextElement(bytes, at)
    this.end = at
  }
}
