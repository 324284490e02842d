/**
 * Persistence in files: Redis's snapshot and Redis 7's append-only directory. This file is the conductor: what is loaded at the start,
 * what follows when settings change, what is left to do at the end. The work itself is in `Jobs.ts`, `Loading.ts`, `snapshot/` and `log/`.
 *
 * The idea to hold: nothing here is on the path of a command but `append`, `mustCommit` and `refusal`, which only look at the log. All
 * waiting happens in fibers of this layer, and in those that asked to wait.
 */
import * as Effect from "effect/Effect"
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
  type DirectoryInUse,
  type DiskFailure,
  Misconfigured,
  type PersistenceError,
  LoadFailed,
  SaveFailed,
  SaveInProgress,
} from "../errors/PersistenceErrors.ts"
import { Store } from "../store/Store.ts"
import * as Disk from "./disk/Disk.ts"
import { FileSystem } from "./disk/FileSystem.ts"
import * as Lock from "./disk/Lock.ts"
import * as Info from "./Info.ts"
import { Pace } from "./Pace.ts"
import * as Jobs from "./Jobs.ts"
import { loadLogFile, loadSnapshot, noProgress, type Loading, type Progress } from "./Loading.ts"
import { AppendLog } from "./log/AppendLog.ts"
import { LogDirectory } from "./log/LogDirectory.ts"
import * as Manifest from "./log/Manifest.ts"
import { type Attachment, Persistence, type PersistenceService } from "./Persistence.ts"
import * as Spool from "./Spool.ts"

export interface FilesOptions {
  /** Restore the state as it was at the end of this second (Unix time), from a log with timestamps. */
  readonly recoverTo?: number | undefined
  /** Bytes of memory in use, which snapshots note; the process's resident memory unless given. */
  readonly usedMemory?: () => number
}

const make = (options: FilesOptions) =>
  Effect.gen(function* () {
    const chance = yield* Chance
    const clock = yield* Clock
    const config = yield* Config
    const fs = yield* FileSystem
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
    const state = Info.make(seconds())
    let attachment: Attachment | undefined
    let loading: Progress | undefined = noProgress(seconds())
    /** Data that comes beside ours, which goes on being served. */
    let beside: Progress | undefined
    let atEnd: "always" | "never" | "as configured" = "as configured"
    let locked = false
    /** Closed while another server's data comes in place of ours. */
    const whole = Effect.unsafeMakeLatch(true)
    /** That did not come to its end: what is on the disk is better than what is in memory. */
    let isPartial = false
    let isReplaced = false
    /** The second whose state is restored at the start. What came after it stays on the disk, beside the new log. */
    const recoverTo = options.recoverTo ?? (current.recoverTo === 0 ? undefined : current.recoverTo)
    state.keepsOld = recoverTo !== undefined

    const log = new AppendLog({
      policy: () => (state.needsBase && !log.isBroken ? "no" : current.appendfsync),
      mayWait: () => !(current.noAppendfsyncOnRewrite && state.job !== undefined),
      second: () => (current.aofTimestampEnabled ? seconds() : undefined),
      onBroken: () => {
        state.needsBase = true
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

    const jobs = Jobs.make({
      ...{ clock, current, directory, disk, fork, home, lock, log, state, store },
      // A snapshot begins within the call that asks for it, which a latch would not do even when it is open.
      whenWhole: Effect.suspend(() => (isReplaced || isPartial ? whole.await : Effect.void)),
      usedMemory: options.usedMemory ?? (() => process.memoryUsage.rss()),
      functionLibraries: () => attachment?.functionLibraries() ?? [],
      streamFacts: () => attachment?.stream?.facts() ?? [],
    })

    // ----- start

    const answerable = yield* Effect.makeLatch(false)

    const contextOf = (given: Attachment, progress: Progress): Loading => ({
      ...{ disk, store, limits: current, replay: given.replay, progress, pace: new Pace(() => current.keyLoadDelay) },
      ...{ chunkBytesMax: current.loadingProcessEventsIntervalBytes, lasting: answerable.open },
      ...{ verify: current.rdbchecksum && store.verifiesChecksums, isStrict: current.sanitizeDumpPayload === "yes" },
      ...{ until: recoverTo, policy: current.maxmemoryPolicy, now: clock.now() },
    })

    const load = (given: Attachment, progress: Progress): Effect.Effect<void, PersistenceError> =>
      Effect.gen(function* () {
        const context = contextOf(given, progress)
        if (!current.appendonly && recoverTo === undefined) {
          const path = `${home()}/${current.dbfilename}`
          if (yield* loadSnapshot(context, path, clock.now(), given.stream)) given.stream?.loaded()
          return
        }
        yield* loadLog(context)
      })

    const loadLog = (context: Loading): Effect.Effect<void, PersistenceError> =>
      Effect.gen(function* () {
        const { progress } = context
        if (!(yield* directory.open)) {
          if (recoverTo === undefined) return
          return yield* new CannotRecover({ path: directory.path, reason: "there is no log" })
        }
        let hasTimestamps = false
        const { base, incremental } = directory.manifest
        const files = base === undefined ? incremental : [base, ...incremental]
        const sizes = yield* directory.sizes
        progress.totalBytes = sizes.base + sizes.incremental
        state.baseBytes = sizes.base
        state.incrementalBytes = sizes.incremental
        state.sizeAtRewrite = sizes.base
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
            return yield* new DamagedFile({
              path,
              offset: end.offset,
              reason: "the file ends in the middle of a command",
            })
          }
          yield* Effect.logWarning(
            `${path}: a torn command at its end was cut off, at byte ${end.offset} of ${end.size}`,
          )
          yield* disk.cut(path, end.offset)
        }
        if (recoverTo === undefined) return
        if (!hasTimestamps) return yield* new CannotRecover({ path: directory.path, reason: "it has no timestamps" })
        state.needsBase = true
      })

    const openLog: Effect.Effect<void, PersistenceError> = Effect.suspend(() => {
      if (!current.appendonly) return Effect.void
      const { manifest } = directory
      const last = manifest.incremental[manifest.incremental.length - 1]
      // A log that begins, and one that was restored to a past second, begins with what is in memory.
      if (state.needsBase || (manifest.base === undefined && last === undefined)) {
        state.needsBase = true
        return jobs.rewrite
      }
      const file = last ?? jobs.nextIncremental(manifest)
      return Effect.gen(function* () {
        const opened = yield* disk.append(directory.pathOf(file), last === undefined)
        const size = (yield* disk.size(directory.pathOf(file))) ?? 0
        if (last === undefined) {
          yield* disk.syncDirectory(directory.path)
          yield* directory.persist(Manifest.withIncremental(manifest, file))
        }
        state.incrementalBytes -= size
        // What a server that was killed has written may not be on the disk yet.
        yield* opened.sync
        log.switchTo(opened, size, false)
        // A crash came after a rewrite and before its last step.
        yield* Effect.ignoreLogged(directory.forget)
      })
    })

    const noteLoaded = ({ keysLoaded, keysExpired }: Progress) => Object.assign(state, { keysLoaded, keysExpired })

    const start: PersistenceService["start"] = (given) =>
      Effect.gen(function* () {
        attachment = given
        const progress = loading!
        if (current.appendonly || current.save.length > 0 || recoverTo !== undefined) {
          yield* lock
          yield* jobs.clean
        }
        store.expire = false
        const began = clock.nowMicros()
        yield* load(given, progress)
        store.expire = true
        store.dirty = 0
        store.databases[0].announceReplaced()
        noteLoaded(progress)
        if (progress.loadedBytes > 0) {
          const took = ((clock.nowMicros() - began) / 1_000_000).toFixed(3)
          yield* Effect.logInfo(
            `data loaded: ${progress.keysLoaded} keys of snapshots, ${progress.loadedBytes} bytes, ${took} seconds`,
          )
        }
        yield* openLog
        state.keepsOld = false
        loading = undefined
        yield* answerable.open
        yield* Effect.forkIn(log.run, scope)
        yield* Effect.forkIn(log.runSync, scope)
        yield* Effect.forkIn(jobs.run, scope)
      })

    const reload: PersistenceService["reload"] = (from, present) =>
      Effect.suspend(() => {
        if (attachment === undefined || loading !== undefined) return Effect.fail(LoadFailed.of(from))
        const given = attachment
        const progress = noProgress(seconds())
        const { dirty } = store
        loading = progress
        store.expire = false
        if (present === "flush") {
          for (const db of store.databases) if (db.size > 0) db.clear()
          given.replay.command(["FUNCTION", "FLUSH"])
        }
        const context: Loading = {
          ...contextOf(given, progress),
          replaceKeys: present === "replace",
          keepLibraries: present === "keep",
        }
        const loaded: Effect.Effect<void, PersistenceError | LoadFailed> =
          from === "log"
            ? loadLog(context)
            : Effect.filterOrFail(
                loadSnapshot(context, `${home()}/${current.dbfilename}`, clock.now()),
                (found) => found,
                () => LoadFailed.of(from),
              )
        return loaded.pipe(
          Effect.tap(() => Effect.sync(() => noteLoaded(progress))),
          Effect.tapError((error) => Effect.logError("data could not be loaded again", error)),
          Effect.mapError(() => LoadFailed.of(from)),
          Effect.ensuring(
            Effect.sync(() => {
              loading = undefined
              store.expire = true
              // What was loaded is no change, and a log that was loaded holds all there is.
              store.dirty = from === "log" ? 0 : dirty
              store.databases[0].announceReplaced()
            }),
          ),
          Effect.asVoid,
        )
      })

    // ----- settings that change while the server runs

    const stopWaking = config.onChange(
      ["appendonly", "save", "auto-aof-rewrite-percentage", "auto-aof-rewrite-min-size"],
      jobs.wake,
    )
    const beginLog = () => {
      state.needsBase = true
      state.nextRepairAtMs = 0
      if (state.job !== undefined) state.rewriteScheduled = true
      else jobs.rewriteLog()
    }
    const stopListening = config.onChange(["appendonly"], (now) => {
      if (loading !== undefined) return
      if (!now.appendonly) return Effect.zipRight(jobs.giveUp("rewrite", "appendonly is off"), log.close)
      beginLog()
    })

    const replace: PersistenceService["replace"] = (progress, how) => {
      if (how === "served") beside = progress
      else loading = progress
      if (how === "in place") {
        isReplaced = state.isLogOld = true
        whole.unsafeClose()
      }
      return (isWhole) => {
        loading = beside = undefined
        noteLoaded(progress)
        if (!isWhole && how !== "in place") return
        isReplaced = false
        isPartial = !isWhole
        if (isPartial) return
        state.isLogOld = true
        whole.unsafeOpen()
        if (current.appendonly) beginLog()
      }
    }

    /** A server that keeps nothing leaves no file behind, and needs no directory of its own. */
    const spool: PersistenceService["spool"] = Effect.suspend(() => {
      const keeps = current.appendonly || current.save.length > 0
      const path = keeps ? jobs.receivedSnapshot() : `${home()}/temp-${chance.below(2 ** 30).toString(36)}.rdb`
      const target = keeps ? `${home()}/${current.dbfilename}` : undefined
      const open = Spool.inFile(disk, path, target, current.loadingProcessEventsIntervalBytes)
      return keeps ? Effect.zipRight(lock, open) : open
    })

    // ----- end

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        stopListening()
        stopWaking()
        // Differs: redis-server does not end when its last snapshot fails. A scope that closes cannot be kept open, so here the failure is
        // logged and the server ends; SHUTDOWN and signals are refused as there.
        const wanted = atEnd === "always" || (atEnd === "as configured" && current.save.length > 0)
        if (wanted && loading === undefined && !isPartial && state.job === undefined)
          yield* Effect.ignore(jobs.snapshot)
        // A script that was given up leaves no whole state to keep.
        const isWhole = loading === undefined && !isPartial && !store.unfinished
        if (state.needsBase && current.appendonly && isWhole) yield* Effect.ignore(jobs.rewrite)
        yield* log.close
        yield* Scope.close(lockScope, Exit.void)
      }),
    )

    return {
      start,
      active: () => log.isOpen && loading === undefined && !isPartial && !state.isLogOld,
      append: (changes) => log.append(changes),
      writeNow: () => log.writeNow(),
      mustCommit: () => log.mustCommit,
      commit: log.commit,
      position: () => log.position,
      isSynced: (position) => !state.isLogOld && log.isSynced(position),
      whenSynced: (position) => log.whenSynced(position),
      hasBase: () => !state.needsBase,
      refusal: () => {
        if (log.refusal !== undefined) return log.refusal
        return !state.lastSaveOk && current.stopWritesOnBgsaveError && current.save.length > 0
          ? Misconfigured.snapshot
          : undefined
      },
      answerable: answerable.await,
      loading: () => loading !== undefined,
      loadingBeside: () => beside !== undefined,
      replace,
      spool,
      info: () =>
        Info.lines(state, { loading, beside, now: seconds(), dirty: store.dirty, log, appendonly: current.appendonly }),
      resetCounts: () => {
        state.saves = state.rewrites = 0
      },
      lastSave: () => state.lastSaveSeconds,
      save: Effect.suspend((): Effect.Effect<void, CommandError> =>
        isPartial
          ? Effect.fail(SaveFailed.save)
          : state.job?.kind === "snapshot"
            ? Effect.fail(SaveInProgress.save)
            : Effect.mapError(jobs.snapshot, () => SaveFailed.save),
      ),
      // Without a log of this server's, that of the last rewrite is loaded, if there is one.
      reload: (from, present) =>
        from === "snapshot"
          ? reload(from, present)
          : log.isOpen
            ? Effect.zipRight(log.commit, reload(from, present))
            : Effect.flatMap(
                Effect.orElseSucceed(directory.open, () => false),
                (found) => (found ? reload(from, present) : Effect.fail(LoadFailed.of(from))),
              ),
      saveInBackground: jobs.saveInBackground,
      giveUpSnapshot: () => jobs.giveUp("snapshot", "FLUSHALL has come"),
      rewriteLog: jobs.rewriteLog,
      saveBeforeEnd: (choice) =>
        Effect.suspend(() => {
          // Half of the data would replace all of it.
          if (
            loading !== undefined ||
            isPartial ||
            choice === "never" ||
            (choice === "as configured" && current.save.length === 0)
          ) {
            atEnd = "never"
            return Effect.void
          }
          // One that is being written is given up when the server stops, and begun again.
          if (state.job?.kind === "snapshot") {
            atEnd = "always"
            return Effect.void
          }
          return Effect.mapBoth(jobs.snapshot, {
            onFailure: () => SaveFailed.save,
            onSuccess: () => void (atEnd = "never"),
          })
        }),
    } satisfies PersistenceService
  })

/** Needs the settings, the store and a file system. */
export const layer = (options: FilesOptions = {}) =>
  Layer.scoped(
    Persistence,
    Effect.suspend(() => make(options)),
  )
