/**
 * What the store tells the layers above it: that a key changed, that a deadline passed, that somebody waiting for a key may
 * look again. The store knows no listener; transactions, blocking, notifications, tracking and persistence subscribe.
 *
 * The idea to hold: every hook is a plain array of functions, so that a hook nobody uses costs one length check.
 */
import type { Database } from "./Database.ts"

/** The classes of keyspace events, as bits; the letters are those of `notify-keyspace-events`. */
export const EventClass = {
  /** g */ generic: 1 << 0,
  /** $ */ string: 1 << 1,
  /** l */ list: 1 << 2,
  /** s */ set: 1 << 3,
  /** h */ hash: 1 << 4,
  /** z */ sortedSet: 1 << 5,
  /** x */ expired: 1 << 6,
  /** e */ evicted: 1 << 7,
  /** t */ stream: 1 << 8,
  /** m */ keyMiss: 1 << 9,
  /** d */ module: 1 << 10,
  /** n */ newKey: 1 << 11,
  /** K */ keyspace: 1 << 12,
  /** E */ keyevent: 1 << 13,
} as const

export interface StoreEvents {
  /** A key's value or deadline changed, or the key went. Called after the change; `isNews` is for tracking. */
  readonly modified: Array<(db: Database, key: string, isNews: boolean) => void>
  /**
   * All keys of `db` are about to go, and those of `other` to come in their place: FLUSHDB, SWAPDB. `isExchange`: those of `db` will be
   * those of `other`; they are not lost.
   */
  readonly replacing: Array<(db: Database, other: Database | undefined, isExchange: boolean) => void>
  /** Keys and deadlines changed without further notice; called after `replacing`, and when expiry goes on after a pause. */
  readonly replaced: Array<() => void>
  /** Fields of a hash were removed because their deadline passed; absent: all of very many, and the key with them. */
  readonly fieldsExpired: Array<(db: Database, key: string, fields: ReadonlyArray<string> | undefined) => void>
  /** A keyspace notification: class bits of `EventClass`, and the event's name. */
  readonly notified: Array<(db: Database, eventClass: number, event: string, key: string) => void>
  /** A key came into being, or a stream grew: clients blocked on it may look again. */
  readonly ready: Array<(db: Database, key: string) => void>
  /** A key was removed because its deadline passed, or for lack of memory. */
  readonly reclaimed: Array<(db: Database, key: string) => void>
  /** The value of a key is about to change or go: a running snapshot saves the old one first. */
  readonly beforeWrite: Array<(db: Database, key: string) => void>
  /** A key got a deadline, or an earlier one than it had; or a part of its value did (hash fields). */
  readonly scheduled: Array<(db: Database, key: string, atMs: number) => void>
  /** There are as many changes as `Shared.dirtyAwaited` said. */
  readonly awaited: Array<() => void>
  /** `Shared.keepsUntil` was set. */
  readonly kept: Array<() => void>
  /** Keys past their deadline were looked for outside of commands, which took so many microseconds. */
  readonly swept: Array<(micros: number) => void>
  /** Memory could be given back by some calls of `Keyspace.tidy`. */
  readonly untidy: Array<() => void>
}

export const make = (): StoreEvents => ({
  modified: [],
  replacing: [],
  replaced: [],
  fieldsExpired: [],
  notified: [],
  ready: [],
  reclaimed: [],
  beforeWrite: [],
  scheduled: [],
  awaited: [],
  kept: [],
  swept: [],
  untidy: [],
})

/** Adds a listener and returns the function that takes it away again. */
export const listen = <Listener>(hook: Array<Listener>, listener: Listener): (() => void) => {
  hook.push(listener)
  return () => {
    const index = hook.indexOf(listener)
    if (index >= 0) hook.splice(index, 1)
  }
}
