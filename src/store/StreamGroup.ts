/**
 * Consumer groups of a stream: how far a group has read, and what its consumers were given and have not acknowledged.
 *
 * The idea to hold: one `Pending` is in two ordered collections, its group's and its owner's, always in both or in neither. It never
 * changes: what is delivered again is a new one in the place of the old, so that a snapshot can hold on to those of an instant.
 * Names are flat byte strings. Who refuses what, and what is logged, is decided in `commands/streams`.
 */
import { type Sequence, SortedById } from "./SortedById.ts"
import type { StreamId, U64 } from "./StreamId.ts"
import * as Id from "./StreamId.ts"

/** An entry that a consumer was given and has not acknowledged. The entry itself may be deleted meanwhile. */
export class Pending implements StreamId {
  readonly ms: U64
  readonly seq: U64
  readonly consumer: Consumer
  /** Unix ms of the last delivery. */
  readonly deliveredMs: number
  /** How often it was delivered. */
  readonly deliveries: U64

  constructor(id: StreamId, consumer: Consumer, deliveredMs: number, deliveries: U64) {
    this.ms = id.ms
    this.seq = id.seq
    this.consumer = consumer
    this.deliveredMs = deliveredMs
    this.deliveries = deliveries
  }
}

export class Consumer {
  readonly name: string
  /** Unix ms of the last command in this consumer's name. */
  seenMs: number
  /** Unix ms of the last one that gave it an entry to acknowledge; -1 before the first. */
  activeMs: number
  readonly pending = new SortedById<Pending>()

  constructor(name: string, seenMs: number, activeMs: number) {
    this.name = name
    this.seenMs = seenMs
    this.activeMs = activeMs
  }
}

/** What a group is at one instant. */
export interface GroupState {
  readonly name: string
  readonly lastId: StreamId
  readonly entriesRead: U64 | undefined
  readonly pending: Sequence<Pending>
  /** In the order of their names. */
  readonly consumers: ReadonlyArray<{
    readonly name: string
    readonly seenMs: number
    readonly pending: Sequence<Pending>
  }>
}

export class Group {
  readonly name: string
  /** The last entry given to any consumer; reading with `>` goes on after it. */
  lastId: StreamId
  /** How many entries of the stream's history the group has read; absent when that cannot be known. */
  entriesRead: U64 | undefined
  readonly pending = new SortedById<Pending>()
  readonly consumers = new Map<string, Consumer>()

  constructor(name: string, lastId: StreamId, entriesRead: U64 | undefined) {
    this.name = name
    this.lastId = lastId
    this.entriesRead = entriesRead
  }

  /** Consumers in the order of their names, as Redis lists them. */
  sortedConsumers(): Array<Consumer> {
    return [...this.consumers.values()].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** The consumer of that name, which must not exist yet. */
  addConsumer(name: string, seenMs: number, activeMs = -1): Consumer {
    const consumer = new Consumer(name, seenMs, activeMs)
    this.consumers.set(name, consumer)
    return consumer
  }

  /** Removes a consumer and forgets what it had pending. */
  removeConsumer(consumer: Consumer): void {
    for (const pending of consumer.pending) this.pending.remove(pending)
    consumer.pending.clear()
    this.consumers.delete(consumer.name)
  }

  /** Adds an entry that is pending nowhere, or with its consumer. */
  addPending(pending: Pending): void {
    this.pending.put(pending)
    pending.consumer.pending.put(pending)
  }

  /** Records that `consumer` was given the entry now, for the first time or again by way of a rewound group. */
  deliver(id: StreamId, consumer: Consumer, nowMs: number): Pending {
    consumer.activeMs = nowMs
    const known = this.pending.get(id)
    if (known === undefined) {
      const pending = new Pending(id, consumer, nowMs, 1)
      this.addPending(pending)
      return pending
    }
    return this.renew(known, consumer, nowMs, 1)
  }

  /** Records another delivery of an entry that is pending, possibly to another consumer; returns what now stands for it. */
  renew(known: Pending, consumer: Consumer, deliveredMs: number, deliveries: U64): Pending {
    const pending = new Pending(known, consumer, deliveredMs, deliveries)
    if (known.consumer !== consumer) known.consumer.pending.remove(known)
    this.addPending(pending)
    return pending
  }

  /** Forgets a pending entry; returns whether there was one. */
  acknowledge(id: StreamId): boolean {
    const pending = this.pending.remove(id)
    if (pending === undefined) return false
    pending.consumer.pending.remove(id)
    return true
  }

  /** The group as it is now; with `frozen`, whatever becomes of it, and without only until it changes. */
  state(frozen: boolean): GroupState {
    const all = (pending: SortedById<Pending>) => (frozen ? pending.frozen() : pending)
    return {
      name: this.name,
      lastId: this.lastId,
      entriesRead: this.entriesRead,
      pending: all(this.pending),
      consumers: this.sortedConsumers().map(({ name, seenMs, pending }) => ({ name, seenMs, pending: all(pending) })),
    }
  }

  copy(): Group {
    const copy = new Group(this.name, this.lastId, this.entriesRead)
    for (const { name, seenMs, activeMs } of this.consumers.values()) copy.addConsumer(name, seenMs, activeMs)
    for (const pending of this.pending) {
      const owner = copy.consumers.get(pending.consumer.name)!
      copy.addPending(new Pending(pending, owner, pending.deliveredMs, pending.deliveries))
    }
    return copy
  }

  /** How many entries the group has left to read; absent when deletions have made that unknowable. */
  lag(stream: History): number | bigint | undefined {
    if (stream.entriesAdded === 0) return 0
    const read =
      this.entriesRead !== undefined && !hasDeletedAfter(stream, this.lastId)
        ? this.entriesRead
        : entriesUpTo(stream, this.lastId)
    return read === undefined ? undefined : Id.subtract64(stream.entriesAdded, read)
  }

  /** Moves on to `id`, an entry that was just read, and counts it where counting is still possible. */
  advance(stream: History, id: StreamId): void {
    if (this.entriesRead !== undefined && !hasDeletedAfter(stream, id)) {
      this.entriesRead = Id.addU64(this.entriesRead, 1)
    } else if (stream.entriesAdded !== 0) {
      this.entriesRead = entriesUpTo(stream, id)
    }
    this.lastId = Id.make(id.ms, id.seq)
  }
}

/** What a stream remembers of its past. */
export interface History {
  readonly length: number
  readonly firstId: StreamId
  readonly lastId: StreamId
  readonly maxDeletedId: StreamId
  readonly entriesAdded: U64
}

/** Whether XDEL has made holes between entries at or after `id`; what it removed before the first entry is no hole. */
const hasDeletedAfter = (stream: History, id: StreamId): boolean =>
  stream.length > 0 &&
  !Id.isZero(stream.maxDeletedId) &&
  Id.compare(stream.firstId, stream.maxDeletedId) <= 0 &&
  Id.compare(id, stream.maxDeletedId) <= 0

/** How many entries were ever added up to `id`, itself included; absent when deletions hide it. */
export const entriesUpTo = (stream: History, id: StreamId): U64 | undefined => {
  if (stream.entriesAdded === 0) return 0
  const toLast = Id.compare(id, stream.lastId)
  if (stream.length === 0 && toLast <= 0) return stream.entriesAdded
  if (toLast === 0) return stream.entriesAdded
  if (toLast > 0) return undefined
  if (Id.isZero(stream.maxDeletedId) || Id.compare(stream.maxDeletedId, stream.firstId) < 0) {
    const toFirst = Id.compare(id, stream.firstId)
    if (toFirst < 0) return Id.addU64(stream.entriesAdded, -stream.length)
    if (toFirst === 0) return Id.addU64(stream.entriesAdded, 1 - stream.length)
  }
  return undefined
}
