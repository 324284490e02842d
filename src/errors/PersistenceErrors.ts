/**
 * What goes wrong between the store and the disk. Two kinds that never mix: failures of files (`DiskFailure`,
 * `DamagedFile`, `DirectoryInUse`), which stop a start or turn writes into refusals, and the answers a client gets because of
 * them (`Misconfigured` and the refusals of SAVE, BGSAVE and RESTORE), which are `CommandError`s with Redis's texts.
 */
import * as Data from "effect/Data"
import { CommandError } from "./CommandError.ts"

/** The system refused an operation on a file. `reason` is its text ("No space left on device"). */
export class DiskFailure extends Data.TaggedError("DiskFailure")<{
  readonly operation: string
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `Cannot ${this.operation} ${this.path}: ${this.reason}`
  }
}

/** The bytes of a file are not what its format permits. `offset` is where reading stopped making sense. */
export class DamagedFile extends Data.TaggedError("DamagedFile")<{
  readonly path: string
  readonly offset: number
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path} is damaged at byte ${this.offset}: ${this.reason}`
  }
}

/** The log does not tell the state of the second that is to be restored. */
export class CannotRecover extends Data.TaggedError("CannotRecover")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `The state of that second cannot be restored from ${this.path}: ${this.reason}`
  }
}

/** Another live server holds the lock of this directory. */
export class DirectoryInUse extends Data.TaggedError("DirectoryInUse")<{
  readonly directory: string
  readonly holder: string
}> {
  override get message(): string {
    return `${this.directory} is in use by ${this.holder}`
  }
}

export type PersistenceError = DiskFailure | DamagedFile | DirectoryInUse | CannotRecover

/** Writes are refused because what they change could not be kept. */
export class Misconfigured extends CommandError("Misconfigured", "MISCONF") {
  /** The last snapshot failed and `stop-writes-on-bgsave-error` is set. */
  static readonly snapshot = new Misconfigured(
    "Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
  )
  /** The log cannot be written; `reason` is the system's text. */
  static log(reason: string): Misconfigured {
    return new Misconfigured(`Errors writing to the AOF file: ${reason}`)
  }
}

/** SAVE, BGSAVE or BGREWRITEAOF while another of them is at work. */
export class SaveInProgress extends CommandError("SaveInProgress", "ERR") {
  static readonly save = new SaveInProgress("Background save already in progress")
  static readonly child = new SaveInProgress(
    "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
  )
  static readonly rewrite = new SaveInProgress("Background append only file rewriting already in progress")
}

/**
 * SAVE or BGREWRITEAOF could not do its work; the log has the reason.
 * Differs: redis-server answers a SAVE that fails with `-ERR` alone.
 */
export class SaveFailed extends CommandError("SaveFailed", "ERR") {
  static readonly save = new SaveFailed(
    "The snapshot could not be written. Please check the server logs for more information.",
  )
  static readonly rewrite = new SaveFailed(
    "Can't execute an AOF background rewriting. Please check the server logs for more information.",
  )
}

/** DEBUG RELOAD or LOADAOF could not read the files again. */
export class LoadFailed extends CommandError("LoadFailed", "ERR") {
  static readonly of = (from: "snapshot" | "log"): LoadFailed =>
    new LoadFailed(
      from === "log" ? "Error trying to load the AOF files, check server logs." : "Error trying to load the RDB dump",
    )
}

/** RESTORE's payload is not one of DUMP's, or not whole. */
export class BadPayload extends CommandError("BadPayload", "ERR") {
  static readonly checksum = new BadPayload("DUMP payload version or checksum are wrong")
  static readonly format = new BadPayload("Bad data format")
}

/** RESTORE without REPLACE onto a key that exists. */
export class BusyKey extends CommandError("BusyKey", "BUSYKEY") {
  static readonly error = new BusyKey("Target key name already exists.")
}
