/**
 * The numbered databases and what they share: the instant of the running command, counters, and the events that the layers
 * above subscribe to. In memory; what survives the process is persistence's business.
 *
 * The invariant: a command sees one instant. `at(now)` is called between commands, not before each of a batch, and by any fiber that
 * touches the store in the one `Effect.sync` in which it does so.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Clock } from "../clock/Clock.ts"
import { lruStamp } from "./Access.ts"
import { Database, type Shared } from "./Database.ts"
import { Dropped } from "./Dropped.ts"
import * as Events from "./Events.ts"
import { type AccessClock, type Make, makeMap } from "./Keyspace.ts"

export interface Databases {
  readonly databases: ReadonlyArray<Database>
  /** The database, or absent when `index` is outside of the configured range. */
  readonly database: (index: number) => Database | undefined
}

export interface StoreService extends Shared, Databases {
  /** As many empty databases, of which nobody hears: to be filled while those that are there are used. */
  readonly beside: () => Databases
  /** Those that are being filled; absent usually. They count as used memory. */
  filling: Databases | undefined
  /** What was filled `beside` is in these databases from now on, and what was in them is gone. */
  readonly takeOver: (others: Databases) => void
  /** Sets the instant the following look-ups see, Unix ms. */
  readonly at: (now: number) => void
  /** CLIENT PAUSE: until `atMs` nothing is removed for its deadline or for memory; what is due goes at once when that has passed. */
  readonly keepUntil: (atMs: number) => void
  /** How a used key is stamped for eviction; see store/Memory.ts. */
  readonly accessClock: AccessClock
}

export class Store extends Context.Tag("tiny-redis/Store")<Store, StoreService>() {
  /** Databases in memory. `databases` is their number; `keyspace` the inside of one (`Keyspace.makeMap` unless given). */
  static readonly layerMemory = (options: { readonly databases: number; readonly keyspace?: Make }) =>
    Layer.effect(
      this,
      Effect.map(Clock, (clock) => make(options, clock.now())),
    )
}

const make = (options: { readonly databases: number; readonly keyspace?: Make }, now: number): StoreService => {
  const accessClock: AccessClock = { stamp: () => lruStamp(store.now) }
  const onUntidy = () => {
    for (let i = 0; i < store.events.untidy.length; i++) store.events.untidy[i]()
  }
  const store: StoreService = {
    now,
    expire: true,
    keepsUntil: 0,
    activeExpire: true,
    verifiesChecksums: true,
    isReplica: false,
    unfinished: false,
    touching: true,
    clientBytes: 0,
    dirty: 0,
    dirtyAwaited: Infinity,
    events: Events.make(),
    counters: { hits: 0, misses: 0, expired: 0, evicted: 0, expiryMicros: 0 },
    dropped: new Dropped(onUntidy),
    accessClock,
    libraryBytes: 0,
    at: (instant) => {
      store.now = instant
    },
    keepUntil: (atMs) => {
      store.keepsUntil = atMs
      for (let i = 0; i < store.events.kept.length; i++) store.events.kept[i]!()
    },
    databases: [],
    filling: undefined,
    database: (index) => store.databases[index],
    beside: () => {
      const databases = makeDatabases({ ...store, expire: false, events: Events.make() })
      return (store.filling = { databases, database: (index) => databases[index] })
    },
    takeOver: ({ databases: others }) => {
      const { databases } = store
      for (const [i, db] of databases.entries()) {
        const other = others[i]!
        // Of the first one clients that track keys hear even where there are none.
        if (i === 0 || db.size + other.size > 0) db.takeOver(other)
        other.clear()
      }
      store.filling = undefined
      databases[0]!.announceReplaced()
    },
  }
  const makeKeyspace = options.keyspace ?? makeMap
  const makeDatabases = (shared: Shared): ReadonlyArray<Database> =>
    Array.from(
      { length: options.databases },
      (_, i) => new Database(i, makeKeyspace(accessClock, onUntidy, store.dropped), shared),
    )
  return Object.assign(store, { databases: makeDatabases(store) })
}
