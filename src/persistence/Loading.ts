/**
 * Brings the data back at the start: a snapshot straight into the store, a log by running its commands again.
 *
 * The idea to hold: a file is read in chunks, and a chunk is one synchronous slice, so a server that loads still answers (LOADING, and
 * INFO with the progress). While it loads, deadlines do not pass: what expired before the crash is removed by what the log says, the
 * rest when loading has ended.
 */
import * as Effect from "effect/Effect"
import { toUtf8 } from "../bytes/Bytes.ts"
import { parseSafeInteger } from "../bytes/Numbers.ts"
import { CannotRecover, DamagedFile, type DiskFailure } from "../errors/PersistenceErrors.ts"
import { isLfu, lfuStampOf, lruStamp } from "../store/Access.ts"
import type { Databases, StoreService } from "../store/Store.ts"
import type { Keyspace, Loader, Source } from "../store/Keyspace.ts"
import { PackedCollection } from "../store/PackedCollection.ts"
import { type Collection, type Limits, storedNumberLengthMax, type Value } from "../store/Value.ts"
import type { Disk } from "./disk/Disk.ts"
import type { Pace } from "./Pace.ts"
import type { Replay, SnapshotStream } from "./Persistence.ts"
import { LogReader, type LogVisitor } from "./log/LogText.ts"
import { Damaged } from "./rdb/Format.ts"
import { type KeyAttributes, SnapshotReader, type SnapshotVisitor } from "./rdb/SnapshotReader.ts"
import { readPacked } from "./rdb/StoreDecoder.ts"

/** What has been read, for INFO. */
export interface Progress {
  /** Unix seconds at which it began. */
  readonly startedAtSeconds: number
  totalBytes: number
  loadedBytes: number
  keysLoaded: number
  keysExpired: number
  /** What the snapshot says of the memory of the server that wrote it, in bytes. */
  rdbUsedMemory: number
}

export const noProgress = (startedAtSeconds: number): Progress => ({
  startedAtSeconds,
  totalBytes: 0,
  loadedBytes: 0,
  keysLoaded: 0,
  keysExpired: 0,
  rdbUsedMemory: 0,
})

export interface Loading {
  readonly disk: Disk
  readonly store: StoreService
  readonly limits: Limits
  readonly replay: Replay
  readonly pace: Pace
  readonly progress: Progress
  /** The setting `loading-process-events-interval-bytes`. */
  readonly chunkBytesMax: number
  /** Run where there is more to load than so many bytes, or loading is slow. */
  readonly lasting: Effect.Effect<void>
  /** The setting `rdbchecksum`. */
  readonly verify: boolean
  /** Whether `sanitize-dump-payload` is yes. */
  readonly isStrict: boolean
  /** The setting `maxmemory-policy`. */
  readonly policy: string
  /** When loading began, Unix ms. */
  readonly now: number
  /** Stop before the first change that was made later than this second. */
  readonly until: number | undefined
  /** Whether a key that is there already is replaced; otherwise the file is at fault. */
  readonly replaceKeys?: boolean
  /** Whether a function library that is there already makes loading fail; otherwise it is replaced. */
  readonly keepLibraries?: boolean
}

/** Keys take more than this in a snapshot, but for such small ones that growing with them does no harm. */
const bytesAKeyMin = 16

/** Whether a value might be one that is stored as a number: see `stored`. */
const isNumberLike = ({ bytes, valueStart, valueLength }: Source): boolean => {
  if (valueLength === 0 || valueLength > storedNumberLengthMax) return false
  const first = bytes[valueStart]
  return first <= 57 && (first >= 48 || first === 45)
}

const textOf = ({ bytes, keyStart, keyLength }: Source): string => bytes.latin1Slice(keyStart, keyStart + keyLength)

/** What a snapshot needs that comes from somewhere else than the disk. */
export type Receiving = Omit<Loading, "disk" | "chunkBytesMax" | "lasting" | "store"> & { readonly store: Databases }

interface Target {
  readonly loading: Receiving
  /** Bounds what is reserved for keys. */
  readonly fileSize: number
  /** Keys whose deadline lies before it are left out. */
  readonly dropBefore: number
  readonly warn: (text: string) => void
  /** Told the fields about the file. */
  readonly aux?: ((name: string, value: string) => void) | undefined
  /** Told which keys are left out. */
  readonly expired?: ((db: number, key: string) => void) | undefined
  /** How far the file has been read. */
  readonly offset: () => number
}

/** What comes out of a snapshot: a value, packed where it is small, or absent where it would be empty. */
type Read = Value | PackedCollection | undefined

/** Puts the keys of a snapshot into the store. */
const visitor = ({ loading, fileSize, dropBefore, warn, offset, aux, expired }: Target): SnapshotVisitor<Read> => {
  const { store, limits, pace, progress, replay, replaceKeys } = loading
  let db = store.databases[0]
  /** Takes strings of `loaded` as bytes. */
  let loader: Loader | undefined
  let loaded: Keyspace | undefined
  const flush = () => {
    const twice = loader?.flush()
    if (twice !== undefined) throw new Damaged(offset(), `key ${JSON.stringify(twice)} twice`)
  }
  const isPast = ({ expiresAtMs }: KeyAttributes): boolean => {
    const past = expiresAtMs !== -1 && expiresAtMs < dropBefore
    if (past) progress.keysExpired++
    return past
  }
  return {
    selectDatabase: (index) => {
      const found = store.database(index)
      if (found === undefined)
        throw new Damaged(offset(), `database ${index} of a server with more databases than this one`)
      db = found
    },
    // The file may say anything: no more is made than the rest of its keys could fill.
    resize: (keys) => db.keyspace.reserve?.(Math.min(keys, Math.floor(fileSize / bytesAKeyMin))),
    value: (reader, type) => {
      reader.isStrict = loading.isStrict
      return readPacked(reader, type, limits)
    },
    entry: (source, isInBytes, value, attributes) => {
      if (replaceKeys === true) return false
      if (db.keyspace !== loaded) {
        flush()
        loaded = db.keyspace
        loader = loaded.loader?.()
      }
      if (loader === undefined || (isInBytes ? isNumberLike(source) : value === undefined)) return false
      if (isPast(attributes)) {
        expired?.(db.index, textOf(source))
        return true
      }
      const { expiresAtMs } = attributes
      const access = accessOf(attributes, loading.policy, loading.now)
      if (!loader.add(source, value, expiresAtMs === -1 ? undefined : expiresAtMs, access)) return false
      pace.count(1)
      if (hasElementDeadlines(value)) {
        flush()
        db.scheduleElements(textOf(source), value)
      }
      progress.keysLoaded++
      return true
    },
    pause: flush,
    key: (key, read, attributes) => {
      const value = read instanceof PackedCollection ? read.unpack() : read
      if (value === undefined) {
        warn(`key ${JSON.stringify(key)} of database ${db.index} was empty and has been passed over`)
        return
      }
      if (isPast(attributes)) return expired?.(db.index, key)
      flush()
      if (replaceKeys === true) db.remove(key)
      if (!db.keyspace.put(key, value, true)) throw new Damaged(offset(), `key ${JSON.stringify(key)} twice`)
      pace.count(1)
      const { expiresAtMs } = attributes
      if (expiresAtMs !== -1) db.keyspace.setDeadline(key, expiresAtMs)
      const access = accessOf(attributes, loading.policy, loading.now)
      if (access !== undefined) db.keyspace.setAccess(key, access)
      if (hasElementDeadlines(value)) db.scheduleElements(key, value)
      progress.keysLoaded++
    },
    functionLibrary: (source) => {
      const reason = replay.functionLibrary(source, loading.keepLibraries !== true)
      if (reason !== undefined) throw new Damaged(offset(), `function library: ${reason}`)
    },
    aux: (name, value) => {
      aux?.(name, value)
      if (name === "used-mem") progress.rdbUsedMemory = parseSafeInteger(value) ?? 0
      // A base holds the state of the second in which it was written, and nothing tells what was before.
      if (name === "ctime" && loading.until !== undefined && Number(value) > loading.until)
        throw new TooLate(Number(value))
    },
    skipped: warn,
  }
}

/** What is packed has none. */
const hasElementDeadlines = (value: Read): value is Collection =>
  typeof value === "object" && "nextDeadline" in value && value.nextDeadline !== undefined

/** What the eviction policy of now keeps for a key; absent where the file says nothing that it could use. */
const accessOf = ({ idleSeconds, frequency }: KeyAttributes, policy: string, now: number): number | undefined => {
  if (isLfu(policy)) return frequency === -1 ? undefined : lfuStampOf(frequency, now)
  return idleSeconds === -1 ? undefined : lruStamp(Math.max(0, now - idleSeconds * 1000))
}

/**
 * Reads a master's snapshot into the store. Of keys past their deadline a replica keeps those that its master has, and waits to be told
 * that they go. `sizeBytes`: how long it is, as far as that is known.
 */
export const receiveSnapshot = (
  receiving: Receiving,
  sizeBytes: number,
  hooks: Required<Pick<Target, "warn" | "aux">>,
): Pick<SnapshotReader<Read>, "feed" | "done" | "offset"> => {
  const offset = () => reader.offset
  const reader: SnapshotReader<Read> = new SnapshotReader(
    visitor({ ...hooks, loading: receiving, fileSize: sizeBytes, dropBefore: -Infinity, offset }),
    receiving.verify,
  )
  return reader
}

/** After a piece of a file. */
const pause = ({ chunkBytesMax, lasting, pace, progress }: Loading): Effect.Effect<void> =>
  Effect.suspend(() =>
    progress.loadedBytes >= chunkBytesMax || pace.isDue ? Effect.zipRight(lasting, pace.rest) : pace.rest,
  )

/** A snapshot is of a later second than the one that is to be restored. */
class TooLate {
  readonly second: number
  constructor(second: number) {
    this.second = second
  }
}

/** Runs a slice of reading; damage becomes the typed error that names the file. */
const slice = (path: string, read: () => void): Effect.Effect<void, DamagedFile | CannotRecover> =>
  Effect.suspend((): Effect.Effect<void, DamagedFile | CannotRecover> => {
    try {
      read()
      return Effect.void
    } catch (cause) {
      if (cause instanceof TooLate) {
        return Effect.fail(new CannotRecover({ path, reason: `it begins with the state of second ${cause.second}` }))
      }
      if (!(cause instanceof Damaged)) throw cause
      return Effect.fail(new DamagedFile({ path, offset: cause.offset, reason: cause.message }))
    }
  })

/** Collects warnings of a slice, to be logged after it. */
const collector = (path: string) => {
  const waiting: Array<string> = []
  return {
    add: (text: string) => void waiting.push(text),
    log: Effect.suspend(() =>
      Effect.forEach(waiting.splice(0), (text) => Effect.logWarning(`${path}: ${text}`), { discard: true }),
    ),
  }
}

/**
 * Loads a snapshot. False if there is no such file. Keys whose deadline lies before `now` are left out, as in redis-server; a replica
 * keeps them, its master says when they go.
 */
export const loadSnapshot = (
  loading: Loading,
  path: string,
  now: number,
  stream?: SnapshotStream | undefined,
): Effect.Effect<boolean, DiskFailure | DamagedFile | CannotRecover> =>
  Effect.gen(function* () {
    const size = yield* loading.disk.size(path)
    if (size === undefined) return false
    loading.progress.totalBytes += size
    const warnings = collector(path)
    const offset = () => reader.offset
    const dropBefore = loading.store.isReplica ? -Infinity : now
    const { aux, expired } = stream ?? {}
    const reader: SnapshotReader<Read> = new SnapshotReader(
      visitor({ loading, fileSize: size, dropBefore, warn: warnings.add, offset, aux, expired }),
      loading.verify,
    )
    const take = (chunk: Buffer, last: boolean) =>
      slice(path, () => {
        loading.progress.loadedBytes += chunk.length
        if (reader.done) return
        reader.feed(chunk, last)
      }).pipe(Effect.zipRight(warnings.log), Effect.zipRight(pause(loading)))
    yield* loading.disk.read(path, take, loading.chunkBytesMax)
    return true
  })

/** Commands of a file whose failing is told one by one. A log that was mended by hand may hold any number of them. */
const failuresTold = 10

/** How reading a file of the log ended. */
export interface LogEnd {
  /** Bytes that are whole commands. */
  readonly offset: number
  readonly size: number
  /** The wanted second was reached. */
  readonly stopped: boolean
  /** Whether the file tells when its changes were made. */
  readonly hasTimestamps: boolean
}

/** Runs a file of the log: commands, or a snapshot and then commands. What a crash has torn off at the end is the caller's business. */
export const loadLogFile = (
  loading: Loading,
  path: string,
): Effect.Effect<LogEnd, DiskFailure | DamagedFile | CannotRecover> =>
  Effect.gen(function* () {
    const { pace, progress, replay, until } = loading
    const warnings = collector(path)
    const fileSize = (yield* loading.disk.size(path)) ?? 0
    const offset = () => snapshot?.offset ?? 0
    const keys = visitor({ loading, fileSize, dropBefore: -Infinity, warn: warnings.add, offset })
    let log: LogReader | undefined
    let snapshot: SnapshotReader<Read> | undefined
    let size = 0
    let hasTimestamps = false
    let failures = 0
    const commands: LogVisitor = {
      command: (argv) => {
        pace.count(1)
        const failure = replay.command(argv)
        if (failure === undefined) return
        if (failure.isFatal) throw new Damaged(log!.offset, failure.reason)
        failures++
        const name = JSON.stringify(toUtf8(argv[0]!))
        if (failures <= failuresTold) warnings.add(`at byte ${log!.offset} ${name} failed: ${failure.reason}`)
      },
      timestamp: (second) => {
        hasTimestamps = true
        return until === undefined || second <= until
      },
    }
    const take = (chunk: Buffer, last: boolean) =>
      slice(path, () => {
        progress.loadedBytes += chunk.length
        if (size === 0 && chunk.length > 0) {
          if (chunk.toString("latin1", 0, 5) === "REDIS") snapshot = new SnapshotReader(keys, loading.verify)
          else log = new LogReader(commands)
        }
        size += chunk.length
        if (snapshot !== undefined) {
          snapshot.feed(chunk, last)
          if (!snapshot.done) return
          log = new LogReader(commands, snapshot.offset)
          const { rest } = snapshot
          snapshot = undefined
          log.feed(rest)
        } else log?.feed(chunk)
      }).pipe(Effect.zipRight(warnings.log), Effect.zipRight(pause(loading)))
    yield* loading.disk.read(path, take, loading.chunkBytesMax)
    if (failures > failuresTold) warnings.add(`${failures} commands failed; what it makes may not be what was there`)
    yield* warnings.log
    return { offset: log?.offset ?? 0, size, stopped: log?.stopped ?? false, hasTimestamps }
  })
