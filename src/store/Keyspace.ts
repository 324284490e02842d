/**
 * The inside of one database: from a key to its value, its deadline and its access stamp, nothing else. Lazy expiry, types
 * and events are the business of `Database`; this interface stays narrow because its inside is exchangeable.
 *
 * The idea to hold: keys have positions 0..size-1 without holes; removing one moves the last key into the hole. That makes
 * RANDOMKEY and sampling O(1), and a scan that walks the positions *downward* complete: a moved key only ever goes to a
 * lower position, so a key present from start to end is met, and new keys land behind the scan.
 */
import { flat } from "../bytes/Bytes.ts"
import { stringBytes } from "./HeapBytes.ts"
import type { Dropped } from "./Dropped.ts"
import { LastingMap } from "./LastingMap.ts"
import type { PackedCollection } from "./PackedCollection.ts"
import { type Collection, elementSamples, type Value } from "./Value.ts"

export interface Keyspace {
  readonly size: number
  /** Keys that have a deadline. */
  readonly volatileSize: number
  /** The value, and marks the key as accessed with `stamp`. */
  readonly find: (key: string) => Value | undefined
  /** As `find`, but for who only passes a longer text on: it may be given to `take` as bytes, and what that makes of it is answered. */
  readonly findOr: <A>(key: string, take: Take<A>) => Value | A | undefined
  /** Whether look-ups wait for memory, so that it is worth while to say beforehand which keys are going to be looked up. */
  readonly isLarge: boolean
  /** Notes that `key` is about to be looked up: of several, `fetchExpected` finds the memory of all at once. Changes nothing. */
  readonly expect: (key: string) => void
  readonly fetchExpected: () => void
  /** The value, for reading only: a change of it need not last. The access stamp stays. */
  readonly peek: (key: string) => Value | undefined
  /** Whether the key is there. */
  readonly has: (key: string) => boolean
  /** The value when it is an object already, and not a string or packed; costs less than `peek` where these are not objects. */
  readonly collection: (key: string) => Collection | undefined
  /**
   * Inserts or replaces; a deadline stays. Returns whether the key is new. Keeps copies of strings, which may be cut out of something
   * large (see bytes/Bytes.ts), but where `isFlat` says that they are not.
   */
  readonly put: (key: string, value: Value, isFlat?: boolean) => boolean
  /** About `count` keys are going to be put: what is empty may make room for them. */
  readonly reserve?: (count: number) => void
  /** A way to put many new keys with string values from the bytes of a file; absent where there is none that costs less than `put`. */
  readonly loader?: () => Loader
  /** Removes key, value and deadline; returns the value. */
  readonly remove: (key: string) => Value | undefined
  /** Unix time in ms. */
  readonly deadline: (key: string) => number | undefined
  /** The key must exist; `undefined` takes the deadline away. */
  readonly setDeadline: (key: string, atMs: number | undefined) => void
  /** 24 bits the eviction policy keeps for a key; 0 when absent. */
  readonly access: (key: string) => number
  readonly setAccess: (key: string, stamp: number) => void
  /** About how many bytes a key takes with its value, without what belongs to a collection itself. */
  readonly entryBytes: (key: string, value: Value) => number
  /**
   * About how many bytes all keys take with their values, `entryBytes` and collections added up. Between commands only: collections that
   * were found since it was asked last are measured for it, which costs 0.1 us each, once, and nothing where there are none.
   */
  readonly dataBytes: () => number
  /** The value of `key` has changed although it was not looked up by `find`. */
  readonly touch: (key: string) => void
  /** Visits at least `count` keys from `cursor` (0 begins) and returns the next cursor (0: done). `visit` must not change the keyspace. */
  readonly scan: (cursor: number, count: number, visit: (key: string, value: Value) => void) => number
  /** Begins a walk over the keys that are there now: see `Walk`. */
  readonly walk: () => Walk
  /** The key at a position drawn by the caller, 0 <= position < size. */
  readonly keyAt: (position: number) => string
  /** Keys with a deadline, in no order. */
  readonly volatileKeys: () => IterableIterator<string>
  readonly clear: () => void
  /** What it takes outside the JavaScript heap; absent when that is nothing. */
  readonly footprint: () => Footprint | undefined
  /** Does a little, well below a millisecond, of what is left to do until memory is given back. False when nothing is left. */
  readonly tidy: () => boolean
}

/** Copies a text of at least `takenLengthMin` bytes from where it is stored. Absent where it wants the value as any other. */
export type Take<A> = (bytes: Buffer, start: number, end: number) => A | undefined

/** Shorter values are cheaper as strings. */
export const takenLengthMin = 256

/** Puts keys in batches: they can be found only after `flush`, which must come before anything else is done with the keyspace. */
export interface Loader {
  /** `value` absent: it is a string and stands in the bytes. False, having done nothing, where `put` has to do it. */
  readonly add: (
    source: Source,
    value: Value | PackedCollection | undefined,
    deadline: number | undefined,
    access: number | undefined,
  ) => boolean
  /** Ends a batch. A key that came twice, or was there already, keeps its first value and is returned; absent when there was none. */
  readonly flush: () => string | undefined
}

/** Where in the bytes of a file a key and its value stand. */
export interface Source {
  readonly bytes: Buffer
  /** The same bytes. */
  readonly view: DataView
  readonly keyStart: number
  readonly keyLength: number
  readonly valueStart: number
  readonly valueLength: number
}

/** Memory outside the JavaScript heap, in bytes. */
export interface Footprint {
  /** Pieces that keys and values lie in. */
  readonly segments: number
  /** Taken by the keys and values that are there. */
  readonly used: number
  /** Between and behind them: `used` and `holes` together are what the segments have ever touched. */
  readonly holes: number
  /** Size of the segments; what was never touched takes no memory. */
  readonly allocated: number
  /** Taken by the tables that lead to them. */
  readonly index: number
}

/**
 * A walk for snapshots: meets each key that was there when it began exactly once, unless it was removed before, and no key
 * that came later, whatever changes between its steps.
 */
export interface Walk {
  /** Visits up to `count` keys. False when there is none left. `visit` must not change the keyspace. */
  readonly next: (count: number, visit: (key: string, value: Value) => void) => boolean
  /** Whether the walk has yet to visit `key`. */
  readonly isAhead: (key: string) => boolean
  /** The walk passes `key` by. */
  readonly skip: (key: string) => void
  /** Must be called when the walk is no longer wanted. */
  readonly end: () => void
}

/** The footprints of all, added up; absent when none has one. */
export const footprintOf = (keyspaces: ReadonlyArray<Keyspace>): Footprint | undefined => {
  const sum = { segments: 0, used: 0, holes: 0, allocated: 0, index: 0 }
  let found = false
  for (const keyspace of keyspaces) {
    const footprint = keyspace.footprint()
    if (footprint === undefined) continue
    found = true
    sum.segments += footprint.segments
    sum.used += footprint.used
    sum.holes += footprint.holes
    sum.allocated += footprint.allocated
    sum.index += footprint.index
  }
  return found ? sum : undefined
}

/**
 * Makes the inside of a database. It calls `onUntidy` when changes begin to leave something for `tidy` to do, and tells `dropped` of the
 * collections that are the value of no key any more.
 */
export type Make = (clock: AccessClock, onUntidy?: () => void, dropped?: Dropped) => Keyspace

/** What `find` writes as the access stamp; the dispatcher moves it on. One object is shared by all databases of a store. */
export interface AccessClock {
  /** Stamp for a key used now, given its old stamp; 0 for a new key. */
  stamp: (old: number) => number
}

const firstCapacity = 16

/** Position, key and value slots and access stamp, and on average the spare room of the tables they stand in. */
const entryBytes = 68
/** A deadline in its map and in the expiry queue. */
const deadlineBytes = 160

/** The readable inside: a Map from key to position and dense arrays beside it. About 216 bytes a key of 16 + 32 bytes. */
export const makeMap: Make = (clock, _onUntidy, dropped) => {
  const positions = new LastingMap()
  let keys: Array<string> = []
  let values: Array<Value> = []
  let stamps = new Uint32Array(firstCapacity)
  const deadlines = new LastingMap()
  /** Bytes of each key, and the keys that have to be measured anew. Made when somebody asks for their sum. */
  let weights: Map<string, number> | undefined
  const touched = new Set<string>()
  let totalWeight = 0
  const touch = (position: number) => {
    if (weights !== undefined) touched.add(keys[position]!)
  }
  const walks: Array<MapWalk> = []

  const find = (key: string): Value | undefined => {
    const position = positions.get(key)
    if (position === undefined) return undefined
    stamps[position] = clock.stamp(stamps[position]!)
    const value = values[position]
    if (typeof value === "object") touch(position)
    return value
  }

  const bytesOf = (key: string, value: Value): number =>
    entryBytes +
    stringBytes(key.length) +
    (deadlines.size > 0 && deadlines.has(key) ? deadlineBytes : 0) +
    (typeof value === "string"
      ? stringBytes(value.length)
      : typeof value === "object" || (value | 0) === value
        ? 0
        : 16)

  return {
    get size() {
      return keys.length
    },
    get volatileSize() {
      return deadlines.size
    },
    find,
    findOr: find,
    // Where the records are is V8's business.
    isLarge: false,
    expect: () => {},
    fetchExpected: () => {},
    peek: (key) => {
      const position = positions.get(key)
      return position === undefined ? undefined : values[position]
    },
    has: (key) => positions.has(key),
    collection: (key) => {
      const position = positions.get(key)
      const value = position === undefined ? undefined : values[position]
      return typeof value === "object" ? value : undefined
    },
    put: (key, given, isFlat) => {
      const value = isFlat === true || typeof given !== "string" ? given : flat(given)
      const position = positions.get(key)
      if (position !== undefined) {
        dropped?.add(values[position]!)
        values[position] = value
        touch(position)
        return false
      }
      const last = keys.length
      // A copy is not only made but hashed again: loading passes keys that are flat already, and takes a third less time.
      const owned = isFlat === true ? key : flat(key)
      positions.set(owned, last)
      keys.push(owned)
      values.push(value)
      if (last === stamps.length) {
        const grown = new Uint32Array(stamps.length * 2)
        grown.set(stamps)
        stamps = grown
      }
      stamps[last] = clock.stamp(0)
      touch(last)
      return true
    },
    remove: (key) => {
      const position = positions.get(key)
      if (position === undefined) return undefined
      const value = values[position]!
      dropped?.add(value)
      // The maps keep what they are given for a while, and `key` may be cut from a longer string.
      const owned = keys[position]!
      positions.delete(owned)
      if (deadlines.size > 0) deadlines.delete(owned)
      const lastKey = keys.pop()!
      const lastValue = values.pop()!
      for (let i = 0; i < walks.length; i++) moved(walks[i]!, lastKey, keys.length, position)
      totalWeight -= weights?.get(owned) ?? 0
      weights?.delete(owned)
      if (position < keys.length) {
        keys[position] = lastKey
        values[position] = lastValue
        stamps[position] = stamps[keys.length]!
        positions.set(lastKey, position)
      }
      return value
    },
    deadline: (key) => (deadlines.size === 0 ? undefined : deadlines.get(key)),
    setDeadline: (key, atMs) => {
      const owned = keys[positions.get(key)!]!
      touch(positions.get(key)!)
      if (atMs === undefined) deadlines.delete(owned)
      else deadlines.set(owned, Math.max(0, atMs))
    },
    access: (key) => {
      const position = positions.get(key)
      return position === undefined ? 0 : stamps[position]!
    },
    setAccess: (key, stamp) => {
      const position = positions.get(key)
      if (position !== undefined) stamps[position] = stamp
    },
    entryBytes: bytesOf,
    dataBytes: () => {
      if (weights === undefined) {
        weights = new Map()
        for (const key of keys) touched.add(key)
      }
      for (const key of touched) {
        const position = positions.get(key)
        if (position === undefined) continue
        const value = values[position]!
        const bytes = bytesOf(key, value) + (typeof value === "object" ? value.memoryUsage(elementSamples) : 0)
        totalWeight += bytes - (weights.get(key) ?? 0)
        weights.set(key, bytes)
      }
      touched.clear()
      return totalWeight
    },
    touch: (key) => {
      const position = positions.get(key)
      if (position !== undefined) touch(position)
    },
    scan: (cursor, count, visit) => {
      // The cursor is the position after the next one to visit; 0 begins at the top.
      let next = cursor === 0 ? keys.length : Math.min(cursor, keys.length)
      for (let left = count; left > 0 && next > 0; left--) {
        next--
        visit(keys[next]!, values[next]!)
      }
      return next
    },
    walk: () => {
      const walk: MapWalk = { cursor: keys.length, skipped: new Set() }
      walks.push(walk)
      return {
        next: (count, visit) => {
          for (let left = count; left > 0 && walk.cursor > 0; left--) {
            walk.cursor--
            const key = keys[walk.cursor]!
            if (!walk.skipped.delete(key)) visit(key, values[walk.cursor]!)
          }
          return walk.cursor > 0
        },
        isAhead: (key) => {
          const position = positions.get(key)
          return position !== undefined && position < walk.cursor && !walk.skipped.has(key)
        },
        skip: (key) => {
          const position = positions.get(key)
          if (position !== undefined && position < walk.cursor) walk.skipped.add(keys[position]!)
        },
        end: () => {
          const index = walks.indexOf(walk)
          if (index >= 0) walks.splice(index, 1)
        },
      }
    },
    keyAt: (position) => keys[position]!,
    volatileKeys: () => deadlines.keys(),
    clear: () => {
      for (const walk of walks) walk.cursor = 0
      dropped?.addAll(values)
      positions.clear()
      deadlines.clear()
      keys = []
      values = []
      stamps = new Uint32Array(firstCapacity)
      weights = undefined
      touched.clear()
      totalWeight = 0
    },
    footprint: () => undefined,
    tidy: () => false,
  }
}

/** Everything below `cursor` is still ahead, but for the keys in `skipped`. */
interface MapWalk {
  cursor: number
  readonly skipped: Set<string>
}

/** Keeps a walk right when the last key, at position `from`, fills the hole that a removed one leaves at `to`. */
const moved = (walk: MapWalk, lastKey: string, from: number, to: number): void => {
  // What has been visited, or is new, may come to lie ahead; what is ahead only ever moves to a place that is ahead too.
  if (from >= walk.cursor && to < walk.cursor) walk.skipped.add(lastKey)
  if (walk.cursor > from) walk.cursor = from
}
