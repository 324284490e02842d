/**
 * One numbered database as commands see it: look-ups that respect deadlines, typed access, changes that are announced.
 *
 * The idea to hold: `read` and `write` say what a command is going to do. `read` counts hits and misses; `write` lets a
 * running snapshot save the old value before it changes. Reads check the deadline themselves, the expiry fiber only
 * reclaims memory, so a key is gone at its deadline to the millisecond.
 * Changing a value does not announce itself: a handler says `changed(key, EventClass.list, "lpush")` once it knows.
 */
import type * as Either from "effect/Either"
import { flat } from "../bytes/Bytes.ts"
import type { WrongType } from "../errors/CommandError.ts"
import type { Dropped } from "./Dropped.ts"
import { EventClass, type StoreEvents } from "./Events.ts"
import type { Keyspace, Take } from "./Keyspace.ts"
import { as, asString, type Collection, type StringValue, type Value } from "./Value.ts"

/** What all databases of a store share. */
export interface Shared {
  /** The instant every look-up sees, Unix ms: set between commands only. */
  now: number
  /** Off while a log is replayed: deadlines then pass only by what the log says. */
  expire: boolean
  /** Until then (Unix ms; 0: not at all) no key is removed for its deadline or for memory, though past its deadline it is not found. */
  keepsUntil: number
  /** DEBUG SET-ACTIVE-EXPIRE: off, keys past their deadline go only when somebody looks at them. */
  activeExpire: boolean
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION: whether the checksums of snapshots and of DUMP payloads are looked at. */
  verifiesChecksums: boolean
  /** The data is a master's copy: what is past its deadline is not found, but goes when the master says so, and nothing is evicted. */
  isReplica: boolean
  /** A script has paused in the middle: nothing expires by itself, is logged or put into a snapshot until it has ended. */
  unfinished: boolean
  /** Off while a client with CLIENT NO-TOUCH runs a command: reads leave access stamps alone. */
  touching: boolean
  /** What clients hold, in bytes: it counts with the data against `maxmemory`. Kept while there is a limit, by `socket/ClientMemory.ts`. */
  clientBytes: number
  /** What the function libraries take: data that is in no database. */
  libraryBytes: number
  /** Changes since the last snapshot, as INFO's rdb_changes_since_last_save counts them. */
  dirty: number
  /** `events.awaited` is told, once, when `dirty` reaches it. */
  dirtyAwaited: number
  readonly events: StoreEvents
  readonly dropped: Dropped
  readonly counters: Counters
}

export interface Counters {
  hits: number
  misses: number
  expired: number
  /** Time in which expired keys were removed outside of commands. */
  expiryMicros: number
  evicted: number
}

export class Database {
  readonly index: number
  readonly #shared: Shared
  #keyspace: Keyspace
  /** Keys whose values have elements with deadlines; may name keys that have none any more. */
  #elementsExpire = new Set<string>()

  constructor(index: number, keyspace: Keyspace, shared: Shared) {
    this.index = index
    this.#keyspace = keyspace
    this.#shared = shared
  }

  get size(): number {
    return this.#keyspace.size
  }
  get volatileSize(): number {
    return this.#keyspace.volatileSize
  }
  /** For scans, sampling, snapshots: the inside, deadlines not checked. */
  get keyspace(): Keyspace {
    return this.#keyspace
  }

  /** The value for reading, or absent. Counts a hit or a miss and marks the key as used. */
  read(key: string): Value | undefined {
    const value = this.#isExpired(key) ? this.#overdue(key) : this.#settled(key, this.#keyspace.find(key))
    this.#count(key, value !== undefined)
    return value
  }

  /** As `read`, for who only passes a longer text on: see `Keyspace.findOr`. */
  readOr<A extends object>(key: string, take: Take<A>): Value | A | undefined {
    if (this.#isExpired(key)) return this.read(key)
    const value = this.#keyspace.findOr(key, take)
    // Elements may be past their deadlines.
    if (typeof value === "object" && "type" in value && value.nextDeadline !== undefined) return this.read(key)
    this.#count(key, value !== undefined)
    return value
  }

  /** See `Keyspace.isLarge`. */
  get isLarge(): boolean {
    return this.#keyspace.isLarge
  }

  expect(key: string): void {
    this.#keyspace.expect(key)
  }

  fetchExpected(): void {
    this.#keyspace.fetchExpected()
  }

  #count(key: string, hit: boolean): void {
    if (hit) this.#shared.counters.hits++
    else {
      this.#shared.counters.misses++
      this.notify(EventClass.keyMiss, "keymiss", key)
    }
  }

  /** The value as `read` counts it, without a mark of use: for commands that ask about a key (TYPE, TTL). */
  inspect(key: string): Value | undefined {
    const value = this.peek(key)
    this.#count(key, value !== undefined)
    return value
  }

  /** The value of a key that the command may change, or absent. */
  write(key: string): Value | undefined {
    if (this.#isExpired(key)) return this.#expire(key)
    this.#beforeWrite(key)
    return this.#settled(key, this.#keyspace.find(key))
  }

  /** The value without any trace: no count, no access stamp. For OBJECT, DEBUG, TTL. */
  peek(key: string): Value | undefined {
    return this.#isExpired(key) ? this.#overdue(key) : this.#settled(key, this.#keyspace.peek(key))
  }

  has(key: string): boolean {
    if (this.#isExpired(key)) return this.#overdue(key) !== undefined
    const value = this.#keyspace.collection(key)
    return value === undefined ? this.#keyspace.has(key) : this.#settled(key, value) !== undefined
  }

  readAs<T extends Collection>(
    key: string,
    type: abstract new (...args: never) => T,
  ): Either.Either<T | undefined, WrongType> {
    return as(this.read(key), type)
  }

  writeAs<T extends Collection>(
    key: string,
    type: abstract new (...args: never) => T,
  ): Either.Either<T | undefined, WrongType> {
    return as(this.write(key), type)
  }

  readString(key: string): Either.Either<StringValue | undefined, WrongType> {
    return asString(this.read(key))
  }

  writeString(key: string): Either.Either<StringValue | undefined, WrongType> {
    return asString(this.write(key))
  }

  /** Stores `value` under `key` with no deadline, whatever was there: what SET does. Use after `write`, or alone. */
  set(key: string, value: Value): void {
    this.put(key, value)
    if (this.#keyspace.volatileSize > 0) this.#keyspace.setDeadline(key, undefined)
  }

  /** Stores `value` under `key` until `atMs`. */
  setUntil(key: string, value: Value, atMs: number): void {
    this.put(key, value)
    this.setDeadline(key, atMs)
  }

  /** Stores `value` under `key` and leaves the deadline as it is. */
  put(key: string, value: Value): void {
    // A key past its deadline that nobody looked at goes first, or its deadline would apply to the new value.
    if (this.#isExpired(key)) this.#expire(key)
    else this.#beforeWrite(key)
    const { ready } = this.#shared.events
    const replacesStream = ready.length > 0 && isStream(this.#keyspace.collection(key)) && !isStream(value)
    if (this.#keyspace.put(key, value)) {
      this.ready(key)
      this.notify(EventClass.newKey, "new", key)
    } else if (replacesStream) this.ready(key)
    if (typeof value === "object") {
      this.#shared.dropped.keep(value)
      this.scheduleElements(key, value)
    }
  }

  /** Removes a key; returns its value. Announces nothing. */
  remove(key: string): Value | undefined {
    if (this.#isExpired(key)) return this.#expire(key)
    this.#beforeWrite(key)
    const value = this.#keyspace.remove(key)
    // Whoever waits as a consumer of a group learns that the group has gone.
    if (isStream(value)) this.ready(key)
    return value
  }

  /** A collection that a command may have emptied: an empty one goes, with the event `del`. Returns whether it went. */
  removeIfEmpty(key: string, value: Collection): boolean {
    if (value.size > 0) return false
    this.#keyspace.remove(key)
    this.notify(EventClass.generic, "del", key)
    return true
  }

  /** Unix time in ms at which the key goes, or absent when it stays or does not exist. */
  deadline(key: string): number | undefined {
    return this.#keyspace.volatileSize === 0 || this.#isExpired(key) ? undefined : this.#keyspace.deadline(key)
  }

  /** Sets or (with `undefined`) takes away the deadline of an existing key. */
  setDeadline(key: string, atMs: number | undefined): void {
    this.#beforeWrite(key)
    // The expiry queue holds an entry at or before each deadline, so a later one needs no entry of its own.
    if (atMs !== undefined && atMs < (this.#keyspace.deadline(key) ?? Infinity)) this.#schedule(key, atMs)
    this.#keyspace.setDeadline(key, atMs)
  }

  /** Has the expiry fiber look at `key` when the earliest element of its value ends (hash fields). */
  scheduleElements(key: string, value: Collection): void {
    const atMs = elementDeadline(value)
    if (atMs === Infinity) return
    if (!this.#elementsExpire.has(key)) this.#elementsExpire.add(flat(key))
    this.#schedule(key, atMs)
  }

  #schedule(key: string, atMs: number): void {
    const { scheduled } = this.#shared.events
    for (let i = 0; i < scheduled.length; i++) scheduled[i]!(this, key, atMs)
  }

  /**
   * Announces a change: WATCH, tracking, the keyspace event, and `count` towards the changes since the last snapshot. Without `isNews`,
   * tracking is not told.
   */
  changed(key: string, eventClass: number, event: string, count = 1, isNews = true): void {
    this.signal(key, count, isNews)
    this.notify(eventClass, event, key)
  }

  /** Announces a change without a keyspace event. */
  signal(key: string, count = 1, isNews = true): void {
    const { events } = this.#shared
    this.touched(count)
    for (let i = 0; i < events.modified.length; i++) events.modified[i]!(this, key, isNews)
  }

  /** Counts `count` changes that WATCH and tracking do not see, as those of a stream's groups are. */
  touched(count = 1): void {
    const shared = this.#shared
    shared.dirty += count
    if (shared.dirty < shared.dirtyAwaited) return
    shared.dirtyAwaited = Infinity
    const { awaited } = shared.events
    for (let i = 0; i < awaited.length; i++) awaited[i]!()
  }

  /** A keyspace event alone. */
  notify(eventClass: number, event: string, key: string): void {
    const { notified } = this.#shared.events
    for (let i = 0; i < notified.length; i++) notified[i]!(this, eventClass, event, key)
  }

  /** Clients blocked on `key` may look again; called by handlers only where an existing value grew (streams). */
  ready(key: string): void {
    const { ready } = this.#shared.events
    for (let i = 0; i < ready.length; i++) ready[i]!(this, key)
  }

  /** Removes everything; returns how many keys there were. */
  clear(): number {
    this.#replacing(undefined, false)
    const count = this.#keyspace.size
    this.#keyspace.clear()
    this.announceReplaced()
    return count
  }

  /** Exchanges the contents of two databases (SWAPDB). */
  swap(other: Database): void {
    this.#replacing(other, true)
    other.#replacing(this, true)
    this.#exchange(other)
    this.announceReplaced()
  }

  /** Takes the keys of `other`, of databases beside the store's, which gets those of this one. The caller announces it. */
  takeOver(other: Database): void {
    this.#replacing(other, false)
    this.#exchange(other)
  }

  #exchange(other: Database): void {
    const keyspace = this.#keyspace
    this.#keyspace = other.#keyspace
    other.#keyspace = keyspace
    const elementsExpire = this.#elementsExpire
    this.#elementsExpire = other.#elementsExpire
    other.#elementsExpire = elementsExpire
  }

  /** Tells that deadlines may have changed without notice. */
  announceReplaced(): void {
    const { replaced } = this.#shared.events
    for (let i = 0; i < replaced.length; i++) replaced[i]!()
  }

  #replacing(other: Database | undefined, isExchange: boolean): void {
    const { replacing } = this.#shared.events
    for (let i = 0; i < replacing.length; i++) replacing[i]!(this, other, isExchange)
  }

  /** A key that exists now, or absent when there is none. `below(n)` draws a position. */
  randomKey(below: (bound: number) => number): string | undefined {
    let draws = 0
    while (this.#keyspace.size > 0) {
      const key = this.#keyspace.keyAt(below(this.#keyspace.size))
      if (!this.#isExpired(key)) return key
      this.#overdue(key)
      // Nothing goes at the moment, and it may be that there is nothing else: redis-server 7.0 would draw for ever, 7.2 gives this one.
      if (++draws >= drawsMax && this.isKept && this.#keyspace.volatileSize === this.#keyspace.size) return key
    }
    return undefined
  }

  /**
   * Removes what of `key` is due, at most `max` elements, and returns when to look at it again; absent when never. For the expiry fiber:
   * who looks at the key meanwhile removes the rest. `isOwn`: a replica may remove it, too.
   */
  expireDue(key: string, max = Infinity, isOwn = false): number | undefined {
    const value = this.#isExpired(key)
      ? isOwn
        ? this.#expire(key)
        : this.#overdue(key)
      : this.#settled(key, this.#keyspace.peek(key), max)
    if (value === undefined) return undefined
    const next = Math.min(this.#keyspace.deadline(key) ?? Infinity, elementDeadline(value))
    return next === Infinity ? undefined : next
  }

  /** Every deadline of this database: of keys, and the earliest within each value that has some. */
  *deadlines(): IterableIterator<readonly [key: string, atMs: number]> {
    for (const key of this.#keyspace.volatileKeys()) yield [key, this.#keyspace.deadline(key)!]
    for (const key of this.#elementsExpire) {
      const value = this.#keyspace.peek(key)
      const next = value === undefined ? Infinity : elementDeadline(value)
      if (next === Infinity) this.#elementsExpire.delete(key)
      else yield [key, next]
    }
  }

  /** True when the key's deadline has passed, removed or not. */
  isExpired(key: string): boolean {
    return this.#isExpired(key)
  }

  #isExpired(key: string): boolean {
    if (this.#keyspace.volatileSize === 0) return false
    const deadline = this.#keyspace.deadline(key)
    return deadline !== undefined && deadline <= this.#shared.now && this.#shared.expire
  }

  /** The value without the elements that are past their own deadline; absent when none is left. */
  #settled(key: string, value: Value | undefined, max = Infinity): Value | undefined {
    if (typeof value !== "object" || elementDeadline(value) > this.#shared.now || !this.#shared.expire) return value
    this.#beforeWrite(key)
    // Taking a million fields out one by one would hold everybody up for a second.
    const goesWhole = value.size >= wholeMin && value.lastDeadline! <= this.#shared.now
    const fields = goesWhole ? undefined : value.expireElements!(this.#shared.now, max)
    this.#keyspace.touch(key)
    const { fieldsExpired } = this.#shared.events
    for (let i = 0; i < fieldsExpired.length; i++) fieldsExpired[i]!(this, key, fields)
    this.notify(EventClass.hash, "hexpired", key)
    if (!goesWhole && value.size > 0) return value
    this.#keyspace.remove(key)
    this.notify(EventClass.generic, "del", key)
    this.signal(key, 0)
    return undefined
  }

  /** Whether keys past their deadline stay for now. */
  get isKept(): boolean {
    return this.#shared.keepsUntil > this.#shared.now || this.#shared.isReplica
  }

  /** A key past its deadline that somebody looks for: it is gone for them, and usually goes. */
  #overdue(key: string): undefined {
    return this.isKept ? undefined : this.#expire(key)
  }

  #expire(key: string): undefined {
    this.#beforeWrite(key)
    this.#keyspace.remove(key)
    this.#shared.counters.expired++
    this.#reclaimed(key, EventClass.expired, "expired")
  }

  /** Removes a key to win memory. */
  evict(key: string): void {
    this.#beforeWrite(key)
    this.#keyspace.remove(key)
    this.#shared.counters.evicted++
    this.#reclaimed(key, EventClass.evicted, "evicted")
  }

  #reclaimed(key: string, eventClass: number, event: string): void {
    const { events } = this.#shared
    for (let i = 0; i < events.reclaimed.length; i++) events.reclaimed[i]!(this, key)
    this.notify(eventClass, event, key)
    for (let i = 0; i < events.modified.length; i++) events.modified[i]!(this, key, true)
  }

  #beforeWrite(key: string): void {
    const { beforeWrite } = this.#shared.events
    for (let i = 0; i < beforeWrite.length; i++) beforeWrite[i]!(this, key)
  }
}

/** A collection of so many elements that are all past their deadlines goes as one. */
const wholeMin = 1000

/** Draws of RANDOMKEY among keys that are all past their deadline. */
const drawsMax = 100

const isStream = (value: Value | undefined): boolean => typeof value === "object" && value.type === "stream"

const elementDeadline = (value: Value): number =>
  typeof value === "object" && value.nextDeadline !== undefined ? value.nextDeadline : Infinity
