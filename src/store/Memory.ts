/**
 * How much memory the data takes, and what happens beyond `maxmemory`: the eight policies of Redis, by sampling.
 *
 * What counts: for each key its own bytes, its value's, its deadline's, and what the keyspace spends on an entry with the spare room of
 * its tables, as estimated by `sizeOf` from what V8 allocates. `npm run bench -- memory` holds the estimate against the growth of the
 * resident set: within a tenth for every type, small and large, once there is so much data that the process itself (its young
 * generation, compiled code, buffers: some 20 to 40 MB) does not show. And function libraries, and what clients have sent and not
 * completed, or not read, as in redis-server. Garbage not yet collected, idle connections and code do not count: a limit has to follow the data and not the collector's
 * mood. INFO's `used_memory` is what counts, together with `mem_not_counted_for_evict`: what is kept for replicas and for the log.
 * The idea to hold: the sum of all is always known. A keyspace counts the bytes of its records as it takes and frees them, and
 * measures anew only what may have changed and is no bytes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Chance } from "../clock/Chance.ts"
import { Clock } from "../clock/Clock.ts"
import { pause } from "../clock/EventLoop.ts"
import { Config } from "../config/Config.ts"
import * as Access from "./Access.ts"
import { spareBytes } from "./bytes/Outside.ts"
import type { Database } from "./Database.ts"
import { type Footprint, footprintOf, type Keyspace } from "./Keyspace.ts"
import { Store, type StoreService } from "./Store.ts"
import { elementSamples, type Value } from "./Value.ts"

export interface MemoryService {
  /** Evicts until the data fits `maxmemory`, except during CLIENT PAUSE and on a replica; false when the policy leaves nothing to evict. */
  readonly reclaim: () => boolean
  /** Bytes by the estimate above, what clients hold now, and what does not count. */
  readonly usage: (clientBytes: number, notCounted: number) => Usage
  /** What the whole process takes. */
  readonly process: () => ProcessMemory
}

export interface Usage {
  /** All keys with their values. */
  readonly data: number
  /** That, function libraries, what clients hold, and what does not count against `maxmemory`. */
  readonly used: number
  /** The most that `used` was when somebody looked. */
  readonly peak: number
}

/** Bytes of the process: data, code, garbage not yet collected, buffers. */
export interface ProcessMemory {
  /** In use, in V8's heap and outside of it. */
  readonly used: number
  /** Taken from the system for the heap and what is beside it. */
  readonly active: number
  readonly resident: number
  readonly footprint: Footprint | undefined
}

/**
 * What an empty database takes, about: a limit below it leaves no room for a first key either, as tests that want to see what happens
 * without memory expect. All databases are counted as one.
 */
const emptyBytes = 1024

/** Bytes that `key` with `value` takes in `keyspace`. */
export const sizeOf = (keyspace: Keyspace, key: string, value: Value, sampled = elementSamples): number =>
  keyspace.entryBytes(key, value) + (typeof value === "object" ? value.memoryUsage(sampled) : 0)

export class Memory extends Context.Tag("tiny-redis/Memory")<Memory, MemoryService>() {
  /** The limit and policy as configured. */
  static readonly layer = Layer.scoped(
    this,
    Effect.suspend(() => make),
  )
}

const processMemory = (store: StoreService): ProcessMemory => {
  const { heapUsed, heapTotal, rss, ...all } = process.memoryUsage()
  const external = all.external - spareBytes()
  const footprint = footprintOf(store.databases.map(({ keyspace }) => keyspace))
  // Memory taken for keys and values that none lies in is not used.
  const used = heapUsed + external - (footprint === undefined ? 0 : footprint.allocated - footprint.used)
  return { used, active: heapTotal + external, resident: rss, footprint }
}

/** The best candidates met so far, as Redis keeps them: better ones turn up as more keys are sampled. */
const poolSize = 16

/** Keys that go in one go where nobody waits for it: at some microseconds each others wait for no more than a millisecond. */
const sliceMax = 200

/** Whether the data fits the limit now, or did not when so many keys had gone, or the policy leaves none to evict. */
type Reclaimed = "enough" | "some" | "tooFew"

interface Candidate {
  readonly db: Database
  readonly key: string
  /** The larger, the better to evict. */
  readonly score: number
}

const make = Effect.gen(function* () {
  const chance = yield* Chance
  const clock = yield* Clock
  const { current, onChange } = yield* Config
  const store = yield* Store

  const bytesOf = (databases: ReadonlyArray<Database>) => {
    let sum = 0
    for (let i = 0; i < databases.length; i++) {
      const { keyspace } = databases[i]!
      if (keyspace.size > 0) sum += keyspace.dataBytes()
    }
    return sum
  }
  const dataBytes = () =>
    store.filling === undefined ? bytesOf(store.databases) : bytesOf(store.databases) + bytesOf(store.filling.databases)
  const besideBytes = () => emptyBytes + store.libraryBytes
  let peak = 0

  const follow = () => {
    const { maxmemoryPolicy, lfuDecayTime, lfuLogFactor } = current
    store.accessClock.stamp = Access.isLfu(maxmemoryPolicy)
      ? (old) =>
          old === 0
            ? Access.lfuFirstStamp(store.now)
            : store.touching
              ? Access.lfuStamp(old, store.now, lfuDecayTime, lfuLogFactor, chance.next())
              : old
      : (old) => (store.touching || old === 0 ? Access.lruStamp(store.now) : old)
  }
  follow()
  const unfollow = onChange(["maxmemory-policy", "lfu-decay-time", "lfu-log-factor"], follow)

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      unfollow()
      unwatch()
    }),
  )

  /** CLIENT PAUSE, and a replica, which has what its master has. */
  const isKept = () => store.keepsUntil > store.now || store.isReplica

  let pool: Array<Candidate> = []
  const walks = new Map<Database, IterableIterator<string>>()

  /** The next key with a deadline, round and round: the map of deadlines has no positions to draw from. */
  const nextVolatile = (db: Database): string | undefined => {
    for (let attempt = 0; attempt < 2; attempt++) {
      let walk = walks.get(db)
      if (walk === undefined) walks.set(db, (walk = db.keyspace.volatileKeys()))
      const next = walk.next()
      if (next.done !== true) return next.value
      walks.delete(db)
    }
    return undefined
  }

  const drawFrom = (db: Database, volatile: boolean): string | undefined =>
    volatile ? nextVolatile(db) : db.size === 0 ? undefined : db.keyspace.keyAt(chance.below(db.size))

  const scoreOf = (db: Database, key: string, policy: string): number =>
    policy === "volatile-ttl"
      ? -(db.keyspace.deadline(key) ?? Infinity)
      : Access.isLfu(policy)
        ? -Access.frequency(db.keyspace.access(key), store.now, current.lfuDecayTime)
        : Access.idleSeconds(db.keyspace.access(key), store.now)

  /** The key to go next, or nothing when the policy finds none. */
  const choose = (): Candidate | undefined => {
    const policy = current.maxmemoryPolicy
    const volatile = policy.startsWith("volatile-")
    const dbs = store.databases.filter((db) => (volatile ? db.volatileSize : db.size) > 0)
    if (policy === "noeviction" || dbs.length === 0) return undefined
    if (policy.endsWith("-random")) {
      const db = dbs[chance.below(dbs.length)]!
      const key = drawFrom(db, volatile)
      return key === undefined ? undefined : { db, key, score: 0 }
    }
    pool = pool.filter(({ db, key }) => (volatile ? db.keyspace.deadline(key) : db.keyspace.peek(key)) !== undefined)
    for (const db of dbs) {
      for (let i = 0; i < current.maxmemorySamples; i++) {
        const key = drawFrom(db, volatile)
        if (key === undefined || pool.some((candidate) => candidate.db === db && candidate.key === key)) continue
        pool.push({ db, key, score: scoreOf(db, key, policy) })
      }
    }
    pool.sort((a, b) => b.score - a.score)
    pool.length = Math.min(pool.length, poolSize)
    return pool.shift()
  }

  /** Evicts until the data fits, at most `max` keys. */
  const reclaim = (max = Infinity): Reclaimed => {
    // Clients are told of what goes, and what is on its way to them must not cost the next key.
    const dataMax = current.maxmemory - besideBytes() - store.clientBytes
    for (let left = max; dataBytes() > dataMax; left--) {
      if (left === 0) return "some"
      const victim = choose()
      if (victim === undefined) return "tooFew"
      victim.db.evict(victim.key)
    }
    return "enough"
  }

  // What a lower limit makes go does so after the command, and the transaction, that set it.
  let isLowered = false
  let wake: (() => void) | undefined
  const unwatch = onChange(["maxmemory"], () => {
    isLowered = true
    wake?.()
  })
  const untilLowered = Effect.async<void>((resume) => {
    if (isLowered) return resume(Effect.void)
    wake = () => {
      wake = undefined
      resume(Effect.void)
    }
  })
  const slice = Effect.sync(() => {
    if (current.maxmemory === 0 || store.unfinished) return false
    store.at(clock.now())
    return !isKept() && reclaim(sliceMax) === "some"
  })
  const lower = Effect.gen(function* () {
    yield* untilLowered
    isLowered = false
    while (yield* slice) yield* pause
  })
  yield* Effect.forkScoped(Effect.forever(lower))

  return {
    reclaim: () => current.maxmemory === 0 || isKept() || reclaim() === "enough",
    usage: (clientBytes, notCounted) => {
      const data = dataBytes()
      const used = data + besideBytes() + clientBytes + notCounted
      peak = Math.max(peak, used)
      return { data, used, peak }
    },
    process: () => processMemory(store),
  } satisfies MemoryService
})
