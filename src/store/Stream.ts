/**
 * The stream value: entries ordered by id in nodes of packed bytes, what the stream remembers of its past, and its consumer
 * groups. Ids are checked by the commands; here an appended id must be greater than `lastId`.
 *
 * The idea to hold: a stream grows at the end and is trimmed at the front, by whole nodes where it may be approximate.
 * Adding is O(1), finding a node O(log n), and within a node at most `stream-node-max-entries` entries are walked.
 * Node boundaries are those of Redis 7.0 (t_stream.c streamAppendItem), so that XTRIM ~ trims the same entries.
 */
import type { GroupState, Group } from "./StreamGroup.ts"
import { RadixCount } from "./RadixCount.ts"
import { SortedById } from "./SortedById.ts"
import type { StreamId, U64 } from "./StreamId.ts"
import * as Id from "./StreamId.ts"
import { Entry, StreamNode } from "./StreamNode.ts"
import type { Collection, Limits } from "./Value.ts"

/** No node grows beyond this, whatever is configured; nor may the fields and values of one entry. */
export const entryBytesMax = 1 << 30

export type NodeLimits = Pick<Limits, "streamNodeMaxBytes" | "streamNodeMaxEntries">

/** What to trim: all but the last `length` entries, or all before `id`. */
export interface Trim {
  readonly to:
    | { readonly _tag: "MaxLength"; readonly length: number }
    | { readonly _tag: "MinId"; readonly id: StreamId }
  /** Whole nodes only. */
  readonly approximate: boolean
  /** Removes no more than this many entries with whole nodes; 0: no limit. */
  readonly limit: number
}

/** What a stream is at one instant, but for its nodes. */
export interface StreamState {
  readonly length: number
  readonly firstId: StreamId
  readonly lastId: StreamId
  readonly maxDeletedId: StreamId
  readonly entriesAdded: U64
  /** In the order of their names. */
  readonly groups: ReadonlyArray<GroupState>
}

export class Stream implements Collection {
  readonly nodes = new SortedById<StreamNode>()
  length = 0
  /** The first entry's id; 0-0 when there is none. */
  firstId: StreamId = Id.zero
  /** The greatest id ever added, or what XSETID said. */
  lastId: StreamId = Id.zero
  /** The greatest id that XDEL removed. */
  maxDeletedId: StreamId = Id.zero
  /** Entries ever added. */
  entriesAdded: U64 = 0
  // Made when first needed: most streams are small and have neither groups nor a second node.
  private groupsMade: Map<string, Group> | undefined = undefined
  private radix: RadixCount | undefined = undefined
  /** Told before a node changes. */
  private watchers: Array<(node: StreamNode) => void> | undefined = undefined

  get type(): "stream" {
    return "stream"
  }

  get encoding(): "stream" {
    return "stream"
  }

  get groups(): Map<string, Group> {
    return (this.groupsMade ??= new Map())
  }

  get size(): number {
    return this.length
  }

  /** Adds an entry. `pairs` are fields and values, alternating; nothing of them is kept alive. */
  append(id: StreamId, pairs: ReadonlyArray<string>, limits: NodeLimits): void {
    let node = this.nodes.last()
    if (node === undefined || isFull(node, pairs, limits)) {
      node?.shrink()
      node = StreamNode.make(id, pairs)
      this.addNode(node)
      node.append(id, pairs, true)
    } else {
      this.changing(node)
      node.append(id, pairs, node.hasFields(pairs))
    }
    if (this.length === 0) this.firstId = id
    this.length++
    this.lastId = id
    this.entriesAdded = Id.addU64(this.entriesAdded, 1)
  }

  /** Adds a node behind the others, as a snapshot holds it. The counters of the stream are for the caller to set. */
  addNode(node: StreamNode): void {
    this.nodes.put(node)
    this.radix?.append(node)
  }

  /** The live entry with that id. */
  find(id: StreamId): Entry | undefined {
    const node = this.nodes.atMost(id)
    if (node === undefined) return undefined
    const entry = new Entry(node)
    while (entry.forward()) {
      const order = Id.compare(entry, id)
      if (order >= 0) return order === 0 && !entry.isDeleted ? entry : undefined
    }
    return undefined
  }

  has(id: StreamId): boolean {
    return this.find(id) !== undefined
  }

  /** Deletes the entries with these ids that are there; returns how many were. */
  delete(ids: ReadonlyArray<StreamId>): number {
    let deleted = 0
    let first = false
    for (const id of ids) {
      const entry = this.find(id)
      if (entry === undefined) continue
      deleted++
      this.length--
      if (Id.equals(id, this.firstId)) first = true
      if (entry.node.entries === 1) this.removeNode(entry.node)
      else {
        this.changing(entry.node)
        entry.node.markDeleted(entry)
      }
      if (Id.compare(id, this.maxDeletedId) > 0) this.maxDeletedId = id
    }
    if (first) this.firstId = this.edgeId(false)
    return deleted
  }

  /** Trims from the front; returns how many entries went. */
  trim({ to, approximate, limit }: Trim): number {
    let trimmed = 0
    for (let node = this.nodes.first(); node !== undefined; node = this.nodes.first()) {
      if (to._tag === "MaxLength" && this.length <= to.length) break
      if (limit > 0 && trimmed + node.entries > limit) break
      const whole =
        to._tag === "MaxLength" ? this.length - node.entries >= to.length : Id.compare(lastIdOf(node), to.id) < 0
      if (whole) {
        this.nodes.removeFirst()
        this.radix?.forget()
        this.length -= node.entries
        trimmed += node.entries
        continue
      }
      if (!approximate) trimmed += this.trimWithin(node, to)
      break
    }
    if (trimmed > 0) this.firstId = this.edgeId(false)
    return trimmed
  }

  /** The live entries from `start` to `end`, both included, in either direction. */
  walk(start: StreamId, end: StreamId, backwards: boolean): Walk {
    return new Walk(this.nodes, start, end, backwards)
  }

  /** The id of the first or last live entry; 0-0 when there is none. */
  edgeId(last: boolean): StreamId {
    const entry = this.length === 0 ? undefined : this.walk(Id.zero, Id.max, last).next()
    return entry === undefined ? Id.zero : Id.make(entry.ms, entry.seq)
  }

  /** Groups in the order of their names, as Redis lists them. */
  sortedGroups(): Array<Group> {
    return [...this.groups.values()].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** Nodes of the radix tree in which Redis keeps such a stream. */
  radixNodes(): number {
    return (this.radix ??= RadixCount.unknown()).of(this.nodes)
  }

  /** Has `watcher` told of each node before its bytes change, until the returned function is called. */
  watch(watcher: (node: StreamNode) => void): () => void {
    const watchers = (this.watchers ??= [])
    watchers.push(watcher)
    return () => void watchers.splice(watchers.indexOf(watcher), 1)
  }

  /** The stream as it is now, but for its nodes; with `frozen`, whatever becomes of it, and without only until it changes. */
  state(frozen: boolean): StreamState {
    const { length, firstId, lastId, maxDeletedId, entriesAdded } = this
    const groups = this.groupsMade === undefined ? [] : this.sortedGroups().map((group) => group.state(frozen))
    return { length, firstId, lastId, maxDeletedId, entriesAdded, groups }
  }

  copy(): Stream {
    const copy = new Stream()
    for (const node of this.nodes) copy.addNode(node.copy())
    for (const [name, group] of this.groupsMade ?? []) copy.groups.set(name, group.copy())
    copy.length = this.length
    copy.firstId = this.firstId
    copy.lastId = this.lastId
    copy.maxDeletedId = this.maxDeletedId
    copy.entriesAdded = this.entriesAdded
    return copy
  }

  /** Nodes are sampled, because a stream of millions is asked after each change while memory is limited. */
  memoryUsage(samples: number): number {
    const sampled = samples === 0 ? this.nodes.size : Math.min(samples, this.nodes.size)
    let bytes = 0
    let seen = 0
    for (const node of this.nodes) {
      if (seen++ === sampled) break
      bytes += nodeBytes + node.bytes.length
    }
    bytes = streamBytes + Math.round(sampled === 0 ? 0 : (bytes / sampled) * this.nodes.size)
    for (const { name, pending, consumers } of this.groupsMade?.values() ?? []) {
      bytes += groupBytes + name.length + consumers.size * consumerBytes + pending.size * pendingBytes
    }
    return bytes
  }

  private trimWithin(node: StreamNode, to: Trim["to"]): number {
    let trimmed = 0
    const entry = new Entry(node)
    while (entry.forward()) {
      if (to._tag === "MaxLength" ? this.length <= to.length : Id.compare(entry, to.id) >= 0) break
      if (entry.isDeleted) continue
      this.changing(node)
      node.markDeleted(entry)
      this.length--
      trimmed++
    }
    return trimmed
  }

  private changing(node: StreamNode): void {
    if (this.watchers !== undefined) for (const watcher of this.watchers) watcher(node)
  }

  private removeNode(node: StreamNode): void {
    this.nodes.remove(node)
    this.radix?.forget()
  }
}

/**
 * Bytes beyond the packed ones, as measured by the growth of the resident set: a stream, a node (half of it outside of the heap),
 * a pending entry; of a group and a consumer, with a name of 16, what their objects add up to.
 */
const streamBytes = 435
const nodeBytes = 300
const pendingBytes = 120
const groupBytes = 500
const consumerBytes = 320

const isFull = (node: StreamNode, pairs: ReadonlyArray<string>, limits: NodeLimits): boolean => {
  const configured = limits.streamNodeMaxBytes
  const bytesMax = configured === 0 || configured > entryBytesMax ? entryBytesMax : configured
  let added = 0
  for (let i = 0; i < pairs.length; i++) added += pairs[i]!.length
  if (node.listpackSize + added >= bytesMax) return true
  const entriesMax = limits.streamNodeMaxEntries
  return entriesMax > 0 && node.entries + node.deleted >= entriesMax
}

/** The id of the last entry of a node, deleted or not. */
const lastIdOf = (node: StreamNode): StreamId => {
  const entry = new Entry(node).toEnd()
  entry.backward()
  return entry
}

/** A walk over live entries. The entry it returns is valid until the next step; nothing may change meanwhile. */
export class Walk {
  private readonly nodes: SortedById<StreamNode>
  private readonly start: StreamId
  private readonly end: StreamId
  private readonly backwards: boolean
  private entry: Entry | undefined

  constructor(nodes: SortedById<StreamNode>, start: StreamId, end: StreamId, backwards: boolean) {
    this.nodes = nodes
    this.start = start
    this.end = end
    this.backwards = backwards
    const node = backwards ? nodes.atMost(end) : (nodes.atMost(start) ?? nodes.first())
    if (node !== undefined) this.entry = backwards ? new Entry(node).toEnd() : new Entry(node)
  }

  next(): Entry | undefined {
    const { backwards } = this
    while (this.entry !== undefined) {
      const entry = this.entry
      if (!(backwards ? entry.backward() : entry.forward())) {
        const node = backwards ? this.nodes.before(entry.node) : this.nodes.after(entry.node)
        this.entry = node === undefined ? undefined : backwards ? new Entry(node).toEnd() : new Entry(node)
        continue
      }
      if (backwards ? Id.compare(entry, this.start) < 0 : Id.compare(entry, this.end) > 0) break
      const inside = backwards ? Id.compare(entry, this.end) <= 0 : Id.compare(entry, this.start) >= 0
      if (inside && !entry.isDeleted) return entry
    }
    this.entry = undefined
    return undefined
  }
}
