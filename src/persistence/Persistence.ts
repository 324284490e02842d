/**
 * What survives the process. The dispatcher appends every change to one stream, in deterministic form; what becomes of it
 * (nothing, a list in memory, files) is the layer's business, and no file format shows here; files are in Files.ts.
 *
 * The idea to hold: `append` is synchronous and only notes; `commit` is an effect that ends when what was noted is as safe
 * as the fsync policy promises. Connections hold replies back for it only when `mustCommit` says so.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { CommandError } from "../errors/CommandError.ts"
import type { Progress } from "./Loading.ts"
import * as Spool from "./Spool.ts"
import { LoadFailed, type PersistenceError, SaveFailed } from "../errors/PersistenceErrors.ts"

/** One change: a request that, run in database `db`, repeats it. */
export interface Change {
  readonly db: number
  readonly argv: ReadonlyArray<string>
}

/** A request of a log that was answered with an error. */
export interface ReplayFailure {
  readonly reason: string
  /** Whether the log cannot be loaded because of it. */
  readonly isFatal: boolean
}

/** How data that is loaded goes where only the layers above can put it. Each returns why it could not, or nothing. */
export interface Replay {
  /** Runs a request of the log; SELECT is one of them, MULTI and EXEC are not. */
  readonly command: (argv: ReadonlyArray<string>) => ReplayFailure | undefined
  readonly functionLibrary: (source: string, replace: boolean) => string | undefined
}

/** The stream of changes that snapshots are states of; see replication. */
export interface SnapshotStream {
  /** What a snapshot of this instant tells of it. */
  readonly facts: () => ReadonlyArray<readonly [name: string, value: string]>
  /** A snapshot that is loaded at the start tells this. */
  readonly aux: (name: string, value: string) => void
  /** A key of it has been left out because its time has come. */
  readonly expired: (db: number, key: string) => void
  /** All of it is there. */
  readonly loaded: () => void
}

/** What persistence needs of the layers above it, once they are there. */
export interface Attachment {
  readonly replay: Replay
  /** Absent where changes go nowhere else. */
  readonly stream?: SnapshotStream | undefined
  /** The sources of the function libraries, which snapshots hold. */
  readonly functionLibraries: () => ReadonlyArray<string>
}

/**
 * What becomes of the data in memory when files are loaded again: it goes before, or it stays, and then keys and function libraries that
 * the files have too are replaced, or loading fails.
 */
export type Present = "flush" | "replace" | "keep"

/**
 * How another server's data comes: in place of ours, which is gone and of which nothing is kept any more; or beside ours, which stays if
 * it does not come to its end. Commands get LOADING, but where ours is `served` meanwhile.
 */
export type Replacing = "in place" | "beside" | "served"

/** What becomes of work in the background that was asked for. */
export type Accepted = "started" | "scheduled"

export interface PersistenceService {
  /** Loads what is there, then begins to keep what changes. Called once, when commands can be run. */
  readonly start: (attachment: Attachment) => Effect.Effect<void, PersistenceError>
  /** Whether changes are to be appended at all; when false the dispatcher keeps no requests. */
  readonly active: () => boolean
  /** Notes changes that belong together: after a crash all of them are there or none. */
  readonly append: (changes: ReadonlyArray<Change>) => void
  /** Called before anybody is told of changes: gives the system those it can take at once. */
  readonly writeNow: () => void
  /** True when replies must wait for `commit`: there are changes not yet on disk and the policy is `always`. */
  readonly mustCommit: () => boolean
  /**
   * Ends when all that was appended before is on disk; one sync serves all that wait. Fails when it cannot be brought there now: the
   * changes are made and are written as soon as that is possible, but they must not be acknowledged.
   */
  readonly commit: Effect.Effect<void, CommandError>
  /** Where what has been appended ends: a position that only grows. */
  readonly position: () => number
  /** Whether what was appended up to a position has been synced; false while nothing is kept. */
  readonly isSynced: (position: number) => boolean
  /** Whether what the log goes on from is on the disk: not while it is being written, after the log was switched on or a master's data came. */
  readonly hasBase: () => boolean
  /** Ends when what was appended up to a position has been synced, whatever the policy, or nothing is kept any more. */
  readonly whenSynced: (position: number) => Effect.Effect<void>
  /** The error that commands which write get at the moment, if any (MISCONF). */
  readonly refusal: () => CommandError | undefined
  /** Ends when clients can be answered: when loading is over, or lasts, so that they are told. */
  readonly answerable: Effect.Effect<void>
  /** True while data is being read at start: commands get LOADING. */
  readonly loading: () => boolean
  /** True while data comes beside ours, which is served: commands that would be in the way get LOADING. */
  readonly loadingBeside: () => boolean
  /**
   * Another server's data takes the place of ours: see `Replacing`. To be told by the function that this gives whether it came to its end;
   * then what is in memory is kept from the beginning.
   */
  readonly replace: (progress: Progress, how: Replacing) => (isWhole: boolean) => void
  /** Where to keep another server's snapshot until all of it has come. */
  readonly spool: Effect.Effect<Spool.Spool, PersistenceError, Scope.Scope>
  /** Lines of INFO's section persistence, without the heading. */
  readonly info: () => ReadonlyArray<readonly [name: string, value: string | number]>
  /** CONFIG RESETSTAT: what `info` has counted begins anew. */
  readonly resetCounts: () => void
  /** Unix seconds of the last snapshot that succeeded, or of the start. */
  readonly lastSave: () => number
  /** SAVE: ends when a snapshot of the instant at which it began is on disk. */
  readonly save: Effect.Effect<void, CommandError>
  /** Loads the snapshot, or the log, again, as DEBUG RELOAD and LOADAOF do. */
  readonly reload: (from: "snapshot" | "log", present: Present) => Effect.Effect<void, CommandError>
  /** BGSAVE. `schedule`: wait for a rewrite that is under way instead of failing. */
  readonly saveInBackground: (schedule: boolean, inTransaction?: boolean) => Either.Either<Accepted, CommandError>
  /** FLUSHALL: what BGSAVE is writing is given up, at once and without being a failure; the effect ends when it has gone. */
  readonly giveUpSnapshot: () => Effect.Effect<void>
  /** BGREWRITEAOF: begins to replace the log by a shorter one with the same meaning. */
  readonly rewriteLog: (inTransaction?: boolean) => Either.Either<Accepted, CommandError>
  /**
   * Before the server stops because a client asks for it: a last snapshot, none, or one if snapshots are configured. Ends when it is
   * on disk; then none is written at the end, as it is where a server stops without having been asked.
   */
  readonly saveBeforeEnd: (choice: "always" | "never" | "as configured") => Effect.Effect<void, CommandError>
}

/** What waits to be written to the log, as INFO tells it. */
export const logBufferBytes = (persistence: PersistenceService): number =>
  Number(persistence.info().find(([name]) => name === "aof_buffer_length")?.[1] ?? 0)

/** For layers that keep no files. */
const withoutFiles = () => {
  let replacing: Replacing | undefined
  return {
    ...nothing,
    loading: () => replacing !== undefined && replacing !== "served",
    loadingBeside: () => replacing === "served",
    replace: (_, how) => {
      replacing = how
      return () => void (replacing = undefined)
    },
    spool: Spool.inMemory,
  } satisfies Partial<PersistenceService>
}

const nothing = {
  start: () => Effect.void,
  writeNow: () => {},
  mustCommit: () => false,
  answerable: Effect.void,
  commit: Effect.void,
  position: () => 0,
  isSynced: () => false,
  whenSynced: () => Effect.void,
  hasBase: () => true,
  refusal: () => undefined,
  info: () => [],
  resetCounts: () => {},
  lastSave: () => 0,
  save: Effect.fail(SaveFailed.save),
  reload: (from: "snapshot" | "log") => Effect.fail(LoadFailed.of(from)),
  saveInBackground: () => Either.left(SaveFailed.save),
  giveUpSnapshot: () => Effect.void,
  rewriteLog: () => Either.left(SaveFailed.rewrite),
  saveBeforeEnd: (choice) => (choice === "always" ? Effect.fail(SaveFailed.save) : Effect.void),
} satisfies Partial<PersistenceService>

export class Persistence extends Context.Tag("tiny-redis/Persistence")<Persistence, PersistenceService>() {
  /** Nothing survives. */
  static readonly layerNoop = Layer.sync(this, () => ({ ...withoutFiles(), active: () => false, append: () => {} }))

  /** Keeps the changes in `log`, for tests. */
  static readonly layerMemory = (log: Array<Change>) =>
    Layer.sync(this, () => {
      const without = withoutFiles()
      return {
        ...without,
        active: () => !without.loading(),
        append: (changes: ReadonlyArray<Change>) => {
          for (const change of changes) log.push(change)
        },
      }
    })
}
