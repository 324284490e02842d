/**
 * The work in the background: snapshots of the data and rewrites of the log, when they are asked for and when they are due.
 *
 * The idea to hold: at most one job writes the data out at a time. A rewrite that must repair or begin a log (`needsBase`) puts new
 * files beside the old ones and makes them the log in one step, at the end; an ordinary one first has the manifest name the new
 * incremental file, so what is acknowledged meanwhile is in the log. Whatever ends a job early, a bug as well as a disk, is a failure that
 * INFO shows; only the end of the server is none.
 */
import * as Cause from "effect/Cause"

import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { ClockService } from "../clock/Clock.ts"
import type { Values } from "../config/Config.ts"
import type { CommandError } from "../errors/CommandError.ts"
import {
  type DirectoryInUse,
  type DiskFailure,
  type PersistenceError,
  SaveInProgress,
} from "../errors/PersistenceErrors.ts"
import { listen } from "../store/Events.ts"
import type { StoreService } from "../store/Store.ts"
import type { Disk } from "./disk/Disk.ts"
import type { State } from "./Info.ts"
import type { AppendLog } from "./log/AppendLog.ts"
import { CommandWriter } from "./log/CommandWriter.ts"
import type { LogDirectory } from "./log/LogDirectory.ts"
import * as Manifest from "./log/Manifest.ts"
import { Pace } from "./Pace.ts"
import type { Accepted } from "./Persistence.ts"
import type { Capture } from "./snapshot/Capture.ts"
import { CaptureLost, type Format } from "./snapshot/Slices.ts"
import { write } from "./snapshot/SnapshotFile.ts"
import * as SnapshotFormat from "./snapshot/SnapshotFormat.ts"

/** After a snapshot or a rewrite failed, the next one by itself comes no sooner. */
const retrySeconds = 5
const rewriteRetrySeconds = 60

/** Between two looks at what may be due, while something may be. */
const lookMs = 1000
/** The same while nothing may be, but the log may grow unnoticed: keys that expire are no changes. */
const logLookMs = 60_000
/** Timers go no further than 24 days. */
const restMsMax = 24 * 3600_000

export interface JobServices {
  readonly clock: ClockService
  readonly current: Values
  readonly directory: LogDirectory
  readonly disk: Disk
  readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  readonly functionLibraries: () => ReadonlyArray<string>
  /** The directory of the files. */
  readonly home: () => string
  readonly lock: Effect.Effect<void, DirectoryInUse | DiskFailure>
  readonly log: AppendLog
  readonly state: State
  readonly store: StoreService
  /** What a snapshot of this instant tells of the stream of changes. */
  readonly streamFacts: () => ReadonlyArray<readonly [name: string, value: string]>
  /** Ends when no other server's data is taking the place of ours: half of it is nothing to keep. */
  readonly whenWhole: Effect.Effect<void>
  /** Bytes. */
  readonly usedMemory: () => number
}

export interface Jobs {
  readonly snapshot: Effect.Effect<void, DiskFailure | DirectoryInUse>
  readonly rewrite: Effect.Effect<void, DiskFailure | DirectoryInUse>
  readonly saveInBackground: (schedule: boolean, inTransaction?: boolean) => Either.Either<Accepted, CommandError>
  readonly rewriteLog: (inTransaction?: boolean) => Either.Either<Accepted, CommandError>
  /** Gives up a job in the background, at once; the effect ends when it has gone. */
  readonly giveUp: (kind: "snapshot" | "rewrite", reason: string) => Effect.Effect<void>
  /** Removes what a server that was killed may have left of a job. */
  readonly clean: Effect.Effect<void>
  /** Where a master's snapshot is until all of it has come. */
  readonly receivedSnapshot: () => string
  /** A number for the next incremental file. */
  readonly nextIncremental: (manifest: Manifest.Manifest) => Manifest.LogFile
  /** Begins what is due by itself, for ever: a second after it may have become so, or when its time has come. */
  readonly run: Effect.Effect<never>
  /** To be called when settings change what may become due. */
  readonly wake: () => void
}

export const make = (services: JobServices): Jobs => {
  const {
    clock,
    current,
    directory,
    disk,
    fork,
    functionLibraries,
    home,
    lock,
    log,
    state,
    store,
    streamFacts,
    usedMemory,
    whenWhole,
  } = services
  const seconds = () => Math.floor(clock.now() / 1000)
  const saveDelay = () => current.rdbKeySaveDelay
  /** Held while a snapshot is written. */
  const snapshots = Effect.unsafeMakeSemaphore(1)

  /** Logs what a job has made, and how long that took. */
  const tellDone = (text: string, size: number, beganMicros: number): Effect.Effect<void> => {
    const took = ((clock.nowMicros() - beganMicros) / 1_000_000).toFixed(3)
    return Effect.logInfo(`${text}: ${size} bytes, ${took} seconds`)
  }

  const snapshotFormat = (isBase: boolean): Format =>
    SnapshotFormat.make({ clock, current, usedMemory, functionLibraries, facts: isBase ? [] : streamFacts(), isBase })

  /** Begins again when all keys of a database went at once: the later instant is as good, and there is less to write. */
  const whileLost = <A, E>(effect: Effect.Effect<A, E | CaptureLost>): Effect.Effect<A, E> =>
    Effect.catchIf(
      effect,
      (error): error is CaptureLost => error instanceof CaptureLost,
      () => whileLost(effect),
    ) as Effect.Effect<A, E>

  /** Notes that a job has failed, and says why. */
  const onFailure = <A, E extends PersistenceError>(job: Effect.Effect<A, E>, text: string, note: () => void) =>
    Effect.onError(job, (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.void
      note()
      const failure = Cause.failureOption(cause)
      return failure._tag === "Some"
        ? Effect.logError(`${text}: ${failure.value.message}`)
        : Effect.logError(text, cause)
    })

  // One server has the directory, so these names are nobody else's.
  const temporarySnapshot = () => `${home()}/temp-tiny-redis.rdb`
  const receivedSnapshot = () => `${home()}/temp-tiny-redis-master.rdb`
  const clean = Effect.suspend(() =>
    Effect.all([disk.remove(temporarySnapshot()), disk.remove(receivedSnapshot()), directory.clean], { discard: true }),
  )

  const begin = (kind: "snapshot" | "rewrite") => (capture: Capture) => {
    state.job = { kind, startedAtSeconds: state.job?.startedAtSeconds ?? seconds(), capture }
  }

  const endJob = () => {
    state.job = undefined
    log.resume()
  }

  /**
   * One after the other. The first begins within the call that starts it, as a fork would: what the same client sends behind BGSAVE is
   * not in the snapshot. `withPermits` alone would begin a turn later.
   */
  const inTurn = <A, E>(job: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.flatMap(
      snapshots.withPermitsIfAvailable(1)(job),
      Option.match({ onNone: () => snapshots.withPermits(1)(job), onSome: Effect.succeed }),
    )

  /** Writes the snapshot file; says so in INFO. Two SAVE while the log is rewritten come one after the other. */
  const snapshot: Effect.Effect<void, DiskFailure | DirectoryInUse> = Effect.suspend(() => {
    const startedAt = seconds()
    const beganMicros = clock.nowMicros()
    let dirty = 0
    const path = `${home()}/${current.dbfilename}`
    const temporary = temporarySnapshot()
    // SAVE may come while the log is rewritten, and waits for no job.
    const owns = state.job === undefined
    if (owns) state.job = { kind: "snapshot", startedAtSeconds: startedAt, capture: undefined }
    state.lastTrySeconds = startedAt
    const attempt = Effect.flatMap(whenWhole, () =>
      write({
        disk,
        store,
        path: temporary,
        format: () => snapshotFormat(false),
        prepare: lock,
        pace: new Pace(saveDelay),
        micros: clock.nowMicros,
        begin: (capture) => {
          dirty = store.dirty
          if (owns) begin("snapshot")(capture)
        },
      }),
    )
    return whileLost(attempt).pipe(
      Effect.zipLeft(disk.rename(temporary, path)),
      Effect.tap(() => {
        store.dirty -= dirty
        state.lastSaveSeconds = seconds()
        state.saves++
        state.lastSaveOk = true
      }),
      Effect.flatMap((size) => tellDone("snapshot written", size, beganMicros)),
      (job) => onFailure(job, "the snapshot failed", () => {}),
      Effect.ensuring(
        Effect.sync(() => {
          state.lastSaveDuration = seconds() - startedAt
          if (owns) endJob()
        }),
      ),
    )
  }).pipe(inTurn)

  /** Replaces the log by a base of now and an empty incremental file. */
  const rewrite: Effect.Effect<void, DiskFailure | DirectoryInUse> = Effect.suspend(() => {
    const startedAt = seconds()
    const beganMicros = clock.nowMicros()
    state.job = { kind: "rewrite", startedAtSeconds: startedAt, capture: undefined }
    state.lastRewriteTrySeconds = startedAt
    return lock.pipe(
      Effect.zipRight(directory.make),
      Effect.zipRight(whileLost(Effect.flatMap(whenWhole, () => rewriteOnce))),
      Effect.map(() => {
        state.lastRewriteOk = true
        state.rewriteFailures = 0
        state.rewrites++
      }),
      Effect.flatMap(() => tellDone("log rewritten", state.baseBytes, beganMicros)),
      (job) =>
        onFailure(job, "rewriting the log failed", () => {
          state.lastRewriteOk = false
          state.rewriteFailures++
        }),
      Effect.ensuring(
        Effect.sync(() => {
          state.lastRewriteDuration = seconds() - startedAt
          endJob()
        }),
      ),
    )
  })

  const rewriteOnce: Effect.Effect<void, DiskFailure | CaptureLost> = Effect.gen(function* () {
    const wanted = current.appendonly
    const deferred = state.needsBase
    const { manifest } = directory
    const first = nextIncremental(manifest)
    let next = manifest
    let switched = false
    const file = wanted ? yield* disk.append(directory.pathOf(first), true) : undefined
    const switchLog = () => {
      if (file === undefined) return
      switched = true
      state.isLogOld = false
      state.incrementalBytes += log.size
      log.switchTo(file, 0, deferred)
    }
    const format = current.aofUseRdbPreamble ? "rdb" : "aof"
    const base = {
      name: Manifest.baseName(directory.name, Manifest.nextBaseSeq(manifest), format),
      seq: Manifest.nextBaseSeq(manifest),
    }
    const temporary = directory.temporaryPath
    // It may be given up while the base is written, but not between that and the manifest.
    const work = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (file !== undefined) {
          yield* disk.syncDirectory(directory.path)
          next = Manifest.withIncremental(manifest, first)
          if (!deferred) yield* directory.persist(next)
        }
        const size = yield* restore(
          write({
            disk,
            store,
            path: temporary,
            format: () =>
              format === "rdb"
                ? snapshotFormat(true)
                : new CommandWriter(functionLibraries(), current.aofTimestampEnabled ? seconds() : undefined),
            prepare: Effect.void,
            pace: new Pace(saveDelay),
            micros: clock.nowMicros,
            begin: (capture) => {
              switchLog()
              begin("rewrite")(capture)
            },
          }),
        )
        yield* disk.rename(temporary, directory.pathOf(base))
        yield* directory.persist(Manifest.withBase(next, base, first))
        state.baseBytes = size
        state.incrementalBytes = 0
        state.sizeAtRewrite = size
      }),
    )
    yield* Effect.onError(work, () => Effect.suspend(() => (switched || file === undefined ? Effect.void : file.close)))
    if (deferred && wanted) {
      state.needsBase = false
      log.repaired()
    }
    yield* log.closeGiven
    // It was switched off while its base was being written.
    if (!current.appendonly) yield* log.close
    yield* Effect.ignoreLogged(state.keepsOld ? directory.release : directory.forget)
  })

  /** A number that no file has, even one of a rewrite that failed before the manifest named it. */
  let usedSeq = 0
  const nextIncremental = (manifest: Manifest.Manifest): Manifest.LogFile => {
    usedSeq = Math.max(Manifest.nextIncrementalSeq(manifest), usedSeq + 1)
    return { name: Manifest.incrementalName(directory.name, usedSeq), seq: usedSeq }
  }

  /** The job in the background; interrupted, it has not failed. */
  let running: Fiber.RuntimeFiber<void> | undefined
  const giveUp: Jobs["giveUp"] = (kind, reason) => {
    if (running === undefined || state.job?.kind !== kind) return Effect.void
    fork(Effect.logInfo(`the ${kind} is given up: ${reason}`))
    running.unsafeInterruptAsFork(running.id())
    return Effect.asVoid(Fiber.await(running))
  }

  const runJob = (job: Effect.Effect<void, PersistenceError>) => {
    const fiber = fork(Effect.catchAllCause(job, () => Effect.void))
    running = fiber
    fiber.addObserver(() => {
      if (running === fiber) running = undefined
    })
  }

  const saveInBackground = (schedule: boolean, inTransaction = false): Either.Either<Accepted, CommandError> => {
    if (state.job?.kind === "snapshot") return Either.left(SaveInProgress.save)
    if (state.job !== undefined || inTransaction) {
      if (!schedule && !inTransaction) return Either.left(SaveInProgress.child)
      state.saveScheduled = true
      wake()
      return Either.right("scheduled")
    }
    // Only a failure in the background has writes refused: whoever asked for SAVE or SHUTDOWN is told, and may decide.
    const noted = Effect.onError(snapshot, (cause) =>
      Effect.sync(() => {
        if (!Cause.isInterruptedOnly(cause)) state.lastSaveOk = false
      }),
    )
    runJob(noted)
    return Either.right("started")
  }

  const rewriteLog = (inTransaction = false): Either.Either<Accepted, CommandError> => {
    if (state.job?.kind === "rewrite") return Either.left(SaveInProgress.rewrite)
    if (state.job !== undefined || inTransaction) {
      state.rewriteScheduled = true
      wake()
      return Either.right("scheduled")
    }
    state.rewriteScheduled = false
    runJob(rewrite)
    return Either.right("started")
  }

  /** Begins what is due. */
  const tick = Effect.sync(() => {
    if (state.job !== undefined || store.unfinished) return
    if (state.needsBase && current.appendonly) {
      if (clock.now() < state.nextRepairAtMs) return
      state.nextRepairAtMs = clock.now() + 1000 * Math.min(60, 2 ** state.rewriteFailures)
      return void rewriteLog()
    }
    if (state.rewriteScheduled) return void rewriteLog()
    if (state.saveScheduled) {
      state.saveScheduled = false
      return void saveInBackground(false)
    }
    const now = seconds()
    const since = now - state.lastSaveSeconds
    const mayTry = state.lastSaveOk || now - state.lastTrySeconds > retrySeconds
    if (mayTry && current.save.some((point) => store.dirty >= point.changes && since > point.seconds)) {
      return void saveInBackground(false)
    }
    const mayRewrite = state.lastRewriteOk || now - state.lastRewriteTrySeconds > rewriteRetrySeconds
    const size = state.baseBytes + state.incrementalBytes + log.size
    const growth = ((size - state.sizeAtRewrite) * 100) / Math.max(1, state.sizeAtRewrite)
    const { autoAofRewritePercentage: percentage, autoAofRewriteMinSize: minSize } = current
    if (log.isOpen && percentage > 0 && size > minSize && growth >= percentage && mayRewrite) rewriteLog()
  })

  const woken = Effect.unsafeMakeLatch(false)
  const wake = () => void woken.unsafeOpen()

  /** The time after which something can be due although nothing happens until then. */
  const restMs = (): number => {
    if (state.rewriteScheduled || state.saveScheduled) return lookMs
    if (!current.appendonly && current.save.length === 0) return Infinity
    const isBusy = state.job !== undefined || store.unfinished || (state.needsBase && current.appendonly)
    if (isBusy || !state.lastSaveOk || !state.lastRewriteOk) return lookMs
    const reached = current.save.filter((point) => store.dirty >= point.changes)
    const due = reached.map((point) => (state.lastSaveSeconds + point.seconds + 1) * 1000 - clock.now())
    return Math.max(lookMs, Math.min(current.appendonly ? logLookMs : restMsMax, ...due))
  }

  /** The changes that make a longer rest too long: those of a save point, or any where they make the log grow. */
  const awaitedChanges = (): number =>
    current.appendonly
      ? store.dirty + 1
      : Math.min(...current.save.map(({ changes }) => (changes > store.dirty ? changes : Infinity)))

  /** A second that passes for nothing costs a test under the virtual clock as much as any other: 4 ms. */
  const rest = Effect.suspend(() => {
    const ms = restMs()
    if (ms === lookMs) return Effect.sleep(lookMs)
    woken.unsafeClose()
    store.dirtyAwaited = awaitedChanges()
    const soon = Effect.zipRight(woken.await, Effect.sleep(lookMs))
    return ms === Infinity ? soon : Effect.raceFirst(soon, Effect.sleep(ms))
  })

  const run = Effect.acquireUseRelease(
    Effect.sync(() => listen(store.events.awaited, wake)),
    () => Effect.forever(Effect.zipRight(rest, tick)),
    (stop) => Effect.sync(stop),
  )

  return {
    snapshot,
    rewrite,
    saveInBackground,
    rewriteLog,
    giveUp,
    clean,
    receivedSnapshot,
    nextIncremental,
    run,
    wake,
  }
}
