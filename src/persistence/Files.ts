/**
 * Persistence in files: Redis's snapshot and Redis 7's append-only directory. This file is the conductor: what is loaded at the start,
 * when a snapshot or a rewrite begins, what INFO says. The work itself is in `snapshot/`, `log/` and `Loading.ts`.
 *
 * The idea to hold: at most one job (snapshot or rewrite) writes the data out at a time. A rewrite that must repair or begin a log
 * (`needsBase`) puts new files beside the old ones and makes them the log in one step, at the end; an ordinary one first has the
 * manifest name the new incremental file, so what is acknowledged meanwhile is in the log.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { Chance } from "../clock/Chance.ts"
import { Clock } from "../clock/Clock.ts"
import { Config } from "../config/Config.ts"
import type { CommandError } from "../errors/CommandError.ts"
import {
  CannotRecover,
  DamagedFile,
  DirectoryInUse,
  type DiskFailure,
  Misconfigured,
  type PersistenceError,
  SaveFailed,
  SaveInProgress,
} from "../errors/PersistenceErrors.ts"
import { Store } from "../store/Store.ts"
import * as Disk from "./disk/Disk.ts"
import * as Lock from "./disk/Lock.ts"
import * as Info from "./Info.ts"
import { loadLogFile, loadSnapshot, type Loading, type Progress } from "./Loading.ts"
import { AppendLog } from "./log/AppendLog.ts"
import { CommandWriter } from "./log/CommandWriter.ts"
import { LogDirectory } from "./log/LogDirectory.ts"
import * as Manifest from "./log/Manifest.ts"
import { type Accepted, type Attachment, Persistence, type PersistenceService } from "./Persistence.ts"
import { SnapshotWriter } from "./rdb/SnapshotWriter.ts"
import type { Capture } from "./snapshot/Capture.ts"
import { CaptureLost, type Format, write } from "./snapshot/SnapshotFile.ts"

export interface FilesOptions {
  /** Restore the state as it was at the end of this second (Unix time), from a log with timestamps. */
  readonly recoverTo?: number | undefined
}

/** What the version field of snapshots says: the version whose answers we give. */
const versionText = "7.4.0"
/** After a snapshot failed, the next one by itself comes no sooner. */
const retrySeconds = 5
const rewriteRetrySeconds = 60

const make = (options: FilesOptions) =>
  Effect.gen(function* () {
    const chance = yield* Chance
    const clock = yield* Clock
    const config = yield* Config
    const fs = yield* FileSystem.FileSystem
    const store = yield* Store
    const scope = yield* Effect.scope
    // The lock outlives the background work: it is given back when the last byte is on the disk.
    const lockScope = yield* Scope.make()
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const fork = (effect: Effect.Effect<void>) => runFork(effect, { scope })

    const { current } = config
    const disk = Disk.make(fs)
    const home = () => current.dir.replace(/\/+$/, "") || "/"
    const directory = new LogDirectory(disk, home(), current.appenddirname, current.appendfilename)
    const seconds = () => Math.floor(clock.now() / 1000)
    const info: Info.Facts = Info.make(seconds())
    let attachment: Attachment | undefined
    let loading: Progress | undefined = { totalBytes: 0, loadedBytes: 0, keysLoaded: 0, keysExpired: 0 }
    let atEnd: "always" | "never" | "as configured" = "as configured"
    let locked = false
    /** The log on the disk lacks what memory has: it was switched on, or a sync failed. */
    let needsBase = false
    let nextRepairAtMs = 0
    /** The second whose state is restored at the start. What came after it stays on the disk, beside the new log. */
    const recoverTo = options.recoverTo ?? (current.recoverTo === 0 ? undefined : current.recoverTo)
    let keepsOld = recoverTo !== undefined

    const log = new AppendLog({
      policy: () => (needsBase && !log.isBroken ? "no" : current.appendfsync),
      mayWait: () => !(current.noAppendfsyncOnRewrite && info.job !== undefined),
      second: () => (current.aofTimestampEnabled ? seconds() : undefined),
      onBroken: () => {
        needsBase = true
      },
    })

    // ----- one server a directory

    const lock: Effect.Effect<void, DirectoryInUse | DiskFailure> = Effect.suspend(() => {
      if (locked) return Effect.void
      locked = true
      const name = `${chance.below(2 ** 30).toString(36)}${chance.below(2 ** 30).toString(36)}`
      return Lock.acquire(fs, home(), name).pipe(
        Scope.extend(lockScope),
        Effect.tapError(() => Effect.sync(() => (locked = false))),
      )
    })

    // ----- snapshots and rewrites

    const snapshotFormat = (isBase: boolean): Format => {
      const writer = new SnapshotWriter({ compression: current.rdbcompression, checksum: current.rdbchecksum, limits: current })
      writer.header([
        ["redis-ver", versionText],
        ["redis-bits", "64"],
        ["ctime", String(seconds())],
        ["used-mem", String(process.memoryUsage.rss())],
        ["aof-base", isBase ? "1" : "0"],
      ])
      for (const source of attachment?.functionLibraries() ?? []) writer.functionLibrary(source)
      return writer
    }

    /** Begins again when all keys of a database went at once: the later instant is as good, and there is less to write. */
    const whileLost = <A, E>(effect: Effect.Effect<A, E | CaptureLost>): Effect.Effect<A, E> =>
      Effect.catchIf(
        effect,
        (error): error is CaptureLost => error instanceof CaptureLost,
        () => whileLost(effect),
      ) as Effect.Effect<A, E>

    const begin = (kind: "snapshot" | "rewrite") => (capture: Capture) => {
      info.job = { kind, startedAtSeconds: info.job?.startedAtSeconds ?? seconds(), capture }
    }

    /** Writes the snapshot file; says so in INFO. */
    const snapshot: Effect.Effect<void, DiskFailure | DirectoryInUse> = Effect.suspend(() => {
      const startedAt = seconds()
      let dirty = 0
      const path = `${home()}/${current.dbfilename}`
      const temporary = `${home()}/temp-${process.pid}.rdb`
      // SAVE may come while the log is rewritten, and waits for no job.
      const owns = info.job === undefined
      if (owns) info.job = { kind: "snapshot", startedAtSeconds: startedAt, capture: undefined }
      info.lastTrySeconds = startedAt
      const attempt = Effect.suspend(() =>
        write({
          disk,
          store,
          path: temporary,
          format: snapshotFormat(false),
          prepare: lock,
          begin: (capture) => {
            dirty = store.dirty
            if (owns) begin("snapshot")(capture)
          },
        }),
      )
      return whileLost(attempt).pipe(
        Effect.zipRight(disk.rename(temporary, path)),
        Effect.map(() => {
          store.dirty -= dirty
          info.lastSaveSeconds = seconds()
          info.saves++
          info.lastSaveOk = true
        }),
        Effect.tapError((failure) => {
          info.lastSaveOk = false
          return Effect.logError(`the snapshot failed: ${failure.message}`)
        }),
        Effect.ensuring(
          Effect.sync(() => {
            info.lastSaveDuration = seconds() - startedAt
            if (owns) info.job = undefined
          }),
        ),
      )
    })

    /** Replaces the log by a base of now and an empty incremental file. */
    const rewrite: Effect.Effect<void, DiskFailure | DirectoryInUse> = Effect.suspend(() => {
      const startedAt = seconds()
      info.job = { kind: "rewrite", startedAtSeconds: startedAt, capture: undefined }
      info.lastRewriteTrySeconds = startedAt
      return lock.pipe(
        Effect.zipRight(directory.make),
        Effect.zipRight(whileLost(Effect.suspend(() => rewriteOnce))),
        Effect.map(() => {
          info.lastRewriteOk = true
          info.rewriteFailures = 0
          info.rewrites++
        }),
        Effect.tapError((failure) => {
          info.lastRewriteOk = false
          info.rewriteFailures++
          return Effect.logError(`rewriting the log failed: ${failure.message}`)
        }),
        Effect.ensuring(
          Effect.sync(() => {
            info.lastRewriteDuration = seconds() - startedAt
            info.job = undefined
          }),
        ),
      )
    })

    const rewriteOnce: Effect.Effect<void, DiskFailure | CaptureLost> = Effect.gen(function* () {
      const wanted = current.appendonly
      const deferred = needsBase
      const { manifest } = directory
      const first = nextIncremental(manifest)
      let next = manifest
      let switched = false
      const file = wanted ? yield* disk.append(directory.pathOf(first), true) : undefined
      const switchLog = () => {
        if (file === undefined) return
        switched = true
        info.incrementalBytes += log.size
        log.switchTo(file, 0, deferred)
      }
      const format = current.aofUseRdbPreamble ? "rdb" : "aof"
      const base = { name: Manifest.baseName(directory.name, Manifest.nextBaseSeq(manifest), format), seq: Manifest.nextBaseSeq(manifest) }
      const temporary = `${directory.path}/temp-rewriteaof-${process.pid}.aof`
      const work = Effect.gen(function* () {
        if (file !== undefined) {
          yield* disk.syncDirectory(directory.path)
          next = Manifest.withIncremental(manifest, first)
          if (!deferred) yield* directory.persist(next)
        }
        const size = yield* write({
          disk,
          store,
          path: temporary,
          format: format === "rdb" ? snapshotFormat(true) : new CommandWriter(),
          prepare: Effect.void,
          begin: (capture) => {
            switchLog()
            begin("rewrite")(capture)
          },
        })
        yield* disk.rename(temporary, directory.pathOf(base))
        yield* directory.persist(Manifest.withBase(next, base, first))
        info.baseBytes = size
        info.incrementalBytes = 0
        info.sizeAtRewrite = size
      })
      yield* Effect.onError(work, () =>
        Effect.suspend(() => (switched || file === undefined ? Effect.void : file.close)),
      )
      if (deferred && wanted) {
        needsBase = false
        log.repaired()
      }
      yield* log.closeGiven
      yield* Effect.ignoreLogged(keepsOld ? directory.release : directory.forget)
    })

    /** A number that no file has, even one of a rewrite that failed before the manifest named it. */
    let usedSeq = 0
    const nextIncremental = (manifest: Manifest.Manifest): Manifest.LogFile => {
      usedSeq = Math.max(Manifest.nextIncrementalSeq(manifest), usedSeq + 1)
      return { name: Manifest.incrementalName(directory.name, usedSeq), seq: usedSeq }
    }

    const runJob = (job: Effect.Effect<void, PersistenceError>) => fork(Effect.ignore(job))

    const saveInBackground = (schedule: boolean): Either.Either<Accepted, CommandError> => {
      if (info.job?.kind === "snapshot") return Either.left(SaveInProgress.save)
      if (info.job !== undefined) {
        if (!schedule) return Either.left(SaveInProgress.child)
        info.saveScheduled = true
        return Either.right("scheduled")
      }
      runJob(snapshot)
      return Either.right("started")
    }

    const rewriteLog = (): Either.Either<Accepted, CommandError> => {
      if (info.job?.kind === "rewrite") return Either.left(SaveInProgress.rewrite)
      if (info.job !== undefined) {
        info.rewriteScheduled = true
        return Either.right("scheduled")
      }
      info.rewriteScheduled = false
      runJob(rewrite)
      return Either.right("started")
    }

    /** Once a second: what is due by itself. */
    const tick = Effect.sync(() => {
      if (info.job !== undefined) return
      if (needsBase && current.appendonly) {
        if (clock.now() < nextRepairAtMs) return
        nextRepairAtMs = clock.now() + 1000 * Math.min(60, 2 ** info.rewriteFailures)
        return void rewriteLog()
      }
      if (info.rewriteScheduled) return void rewriteLog()
      if (info.saveScheduled) {
        info.saveScheduled = false
        return void saveInBackground(false)
      }
      const now = seconds()
      const since = now - info.lastSaveSeconds
      const mayTry = info.lastSaveOk || now - info.lastTrySeconds > retrySeconds
      if (mayTry && current.save.some((point) => store.dirty >= point.changes && since > point.seconds)) {
        return void saveInBackground(false)
      }
      const mayRewrite = info.lastRewriteOk || now - info.lastRewriteTrySeconds > rewriteRetrySeconds
      const size = info.baseBytes + info.incrementalBytes + log.size
      const growth = ((size - info.sizeAtRewrite) * 100) / Math.max(1, info.sizeAtRewrite)
      const { autoAofRewritePercentage: percentage, autoAofRewriteMinSize: minSize } = current
      if (log.isOpen && percentage > 0 && size > minSize && growth >= percentage && mayRewrite) rewriteLog()
    })

    // ----- start

    const load = (given: Attachment, progress: Progress): Effect.Effect<void, PersistenceError> =>
      Effect.gen(function* () {
        const context: Loading = {
          ...{ disk, store, limits: current, replay: given.replay, progress },
          ...{ verify: current.rdbchecksum, until: recoverTo },
        }
        if (!current.appendonly && recoverTo === undefined) {
          yield* loadSnapshot(context, `${home()}/${current.dbfilename}`, clock.now())
          return
        }
        if (!(yield* directory.open)) {
          if (recoverTo === undefined) return
          return yield* new CannotRecover({ path: directory.path, reason: "there is no log" })
        }
        let hasTimestamps = false
        const { base, incremental } = directory.manifest
        const files = base === undefined ? incremental : [base, ...incremental]
        const sizes = yield* directory.sizes
        progress.totalBytes = sizes.base + sizes.incremental
        info.baseBytes = sizes.base
        info.incrementalBytes = sizes.incremental
        info.sizeAtRewrite = sizes.base
        for (const [index, file] of files.entries()) {
          const path = directory.pathOf(file)
          const end = yield* loadLogFile(context, path)
          hasTimestamps ||= end.hasTimestamps
          if (end.stopped && file === base) {
            return yield* new CannotRecover({ path, reason: "it begins later" })
          }
          if (end.stopped) break
          if (end.offset === end.size) continue
          // A file gets its first byte when the one before it is complete, so only empty ones may follow a torn one.
          let behind = 0
          for (const later of files.slice(index + 1)) behind += (yield* disk.size(directory.pathOf(later))) ?? 0
          if (behind > 0 || !current.aofLoadTruncated) {
            return yield* new DamagedFile({ path, offset: end.offset, reason: "the file ends in the middle of a command" })
          }
          yield* Effect.logWarning(`${path}: a torn command at its end was cut off, at byte ${end.offset} of ${end.size}`)
          yield* disk.cut(path, end.offset)
        }
        if (recoverTo === undefined) return
        if (!hasTimestamps) return yield* new CannotRecover({ path: directory.path, reason: "it has no timestamps" })
        needsBase = true
      })

    const openLog: Effect.Effect<void, PersistenceError> = Effect.suspend(() => {
      if (!current.appendonly) return Effect.void
      const { manifest } = directory
      const last = manifest.incremental[manifest.incremental.length - 1]
      // A log that begins, and one that was restored to a past second, begins with what is in memory.
      if (needsBase || manifest.base === undefined) {
        needsBase = true
        return rewrite
      }
      const file = last ?? nextIncremental(manifest)
      return Effect.gen(function* () {
        const opened = yield* disk.append(directory.pathOf(file), last === undefined)
        const size = (yield* disk.size(directory.pathOf(file))) ?? 0
        if (last === undefined) {
          yield* disk.syncDirectory(directory.path)
          yield* directory.persist(Manifest.withIncremental(manifest, file))
        }
        info.incrementalBytes -= size
        // What a server that was killed has written may not be on the disk yet.
        yield* opened.sync
        log.switchTo(opened, size, false)
      })
    })

    const start: PersistenceService["start"] = (given) =>
      Effect.gen(function* () {
        attachment = given
        const progress = loading!
        if (current.appendonly || current.save.length > 0 || recoverTo !== undefined) yield* lock
        store.expire = false
        const began = clock.nowMicros()
        yield* load(given, progress)
        store.expire = true
        store.dirty = 0
        for (const db of store.databases) db.announceReplaced()
        info.keysLoaded = progress.keysLoaded
        info.keysExpired = progress.keysExpired
        if (progress.loadedBytes > 0) {
          const took = ((clock.nowMicros() - began) / 1_000_000).toFixed(3)
          yield* Effect.logInfo(`data loaded: ${progress.keysLoaded} keys of snapshots, ${progress.loadedBytes} bytes, ${took} seconds`)
        }
        yield* openLog
        keepsOld = false
        loading = undefined
        yield* Effect.forkIn(log.run, scope)
        yield* Effect.forkIn(log.runSync, scope)
        yield* Effect.forkIn(Effect.forever(Effect.delay(tick, "1 second")), scope)
      })

    // ----- settings that change while the server runs

    const stopListening = config.onChange(["appendonly"], (now) => {
      if (loading !== undefined) return
      if (!now.appendonly) return log.close
      needsBase = true
      nextRepairAtMs = 0
      if (info.job !== undefined) info.rewriteScheduled = true
      else rewriteLog()
    })

    // ----- end

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        stopListening()
        const wanted = atEnd === "always" || (atEnd === "as configured" && current.save.length > 0)
        if (wanted && loading === undefined && info.job === undefined) yield* Effect.ignore(snapshot)
        if (needsBase && current.appendonly && loading === undefined) yield* Effect.ignore(rewrite)
        yield* log.close
        yield* Scope.close(lockScope, Exit.void)
      }),
    )

    return {
      start,
      active: () => log.isOpen && loading === undefined,
      append: (changes) => log.append(changes),
      mustCommit: () => log.mustCommit,
      commit: log.commit,
      refusal: () => {
        if (log.refusal !== undefined) return log.refusal
        return !info.lastSaveOk && current.stopWritesOnBgsaveError && current.save.length > 0 ? Misconfigured.snapshot : undefined
      },
      loading: () => loading !== undefined,
      info: () => Info.lines(info, { loading, now: seconds(), dirty: store.dirty, log, appendonly: current.appendonly, needsBase }),
      lastSave: () => info.lastSaveSeconds,
      save: Effect.suspend((): Effect.Effect<void, CommandError> =>
        info.job?.kind === "snapshot" ? Effect.fail(SaveInProgress.save) : Effect.mapError(snapshot, () => SaveFailed.save),
      ),
      saveInBackground,
      rewriteLog,
      saveAtEnd: (choice) => {
        atEnd = choice
      },
    } satisfies PersistenceService
  })

/** Needs the settings, the store and a file system. */
export const layer = (options: FilesOptions = {}) => Layer.scoped(Persistence, Effect.suspend(() => make(options)))
