/**
 * The writing end of the append-only log: changes are noted synchronously as text, which is written before anybody is told of them;
 * one fiber carries to the disk what could not be written then, and whoever must be sure waits until a sync covers what he noted.
 *
 * The idea to hold: positions. Every change ends at a position that only grows; `written` and `synced` follow it. Under
 * `always` the fiber syncs after each write, and one sync serves all who noted something before it began.
 *
 * The invariant: bytes are given up only when they are in the file. A write that fails is cut off again and repeated each second;
 * a sync that fails may have lost what the system held, and no later sync brings it back, so the log counts as broken until
 * `switchTo` begins a new file for which a new base has been written.
 *
 * Differs: redis-server ends when a write or a sync fails under `always`; here what cannot be acknowledged is refused until the disk works
 * again.
 */
import * as Effect from "effect/Effect"
import { Pieces } from "../../bytes/Pieces.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { type DiskFailure, Misconfigured } from "../../errors/PersistenceErrors.ts"
import type { OpenFile } from "../disk/Disk.ts"
import type { Change } from "../Persistence.ts"
import * as LogText from "./LogText.ts"

export interface AppendLogOptions {
  readonly policy: () => "always" | "everysec" | "no"
  /** False while syncs are to be left out (`no-appendfsync-on-rewrite`). */
  readonly mayWait: () => boolean
  /** Unix seconds to note before changes, absent when they are not to be noted. */
  readonly second: () => number | undefined
  /** Called when only a new file can help. */
  readonly onBroken: (failure: DiskFailure) => void
}

/** A file and the text it has yet to get. Text for a file that is being left stays with it. */
interface Segment {
  readonly file: OpenFile
  /** Bytes in the file that are whole, and how many of them a sync has covered. */
  size: number
  safe: number
  readonly text: Pieces
}

interface Waiter {
  readonly position: number
  readonly resume: (result: Effect.Effect<void, CommandError>) => void
}

/** Text that may wait for the disk before replies wait too: a disk that is too slow must slow down the clients. */
const waitingCharsMax = 32 * 1024 * 1024
/** Between attempts to write to a disk that failed. */
const retryMs = 1000
/** Text is turned into bytes in pieces of at most this size. */
const writtenChars = 4 * 1024 * 1024

/** Who waits for a sync rather than for what the policy promises. */
interface SyncWaiter {
  readonly position: number
  readonly resume: () => void
}

export class AppendLog {
  private readonly options: AppendLogOptions
  private readonly segments: Array<Segment> = []
  /** All bytes ever noted, written, and known to be on the disk. */
  private noted = 0
  private written = 0
  private synced = 0
  /** Up to where a base that is being written covers what was given up. */
  private covered = 0
  private waiters: Array<Waiter> = []
  private syncWaiters: Array<SyncWaiter> = []
  private selected = -1
  private second = 0
  private failed: Misconfigured | undefined
  private brokenBy: DiskFailure | undefined
  /** The file of the log whose last bytes are in doubt. */
  private doubtful: Segment | undefined
  /** The file that is written to is not in the manifest yet. */
  private isReplacing = false
  /** Files given up by `switchTo` and still open. */
  private readonly given: Array<OpenFile> = []
  /** Opened when there is something to do for the writing fiber. */
  private readonly work = Effect.unsafeMakeLatch(false)
  /** Waking it for what `writeNow` writes was a sixth of all a SET of a pipeline of one cost. */
  private readonly writeRest = () => {
    this.restIsDue = false
    if (this.noted !== this.written) this.work.unsafeOpen()
  }
  /** Whether `writeRest` runs once this turn of the event loop has been served. */
  private restIsDue = false
  /** Open while something written has not been synced. */
  private readonly unsynced = Effect.unsafeMakeLatch(false)
  /** Opened when a repair ends the wait for another attempt. */
  private readonly mended = Effect.unsafeMakeLatch(false)
  private readonly rest = Effect.suspend(() => {
    this.mended.unsafeClose()
    return Effect.raceFirst(Effect.sleep(retryMs), this.mended.await)
  })
  /** Set while bytes are on their way to the file by other ways than `writeNow`. */
  private isWriting = false
  private isSyncing = false
  /** Held around each write: the fiber that writes, and the one that closes, take turns. */
  private readonly writing = Effect.unsafeMakeSemaphore(1)
  /** Held around syncs and closing, which go on beside writes. */
  private readonly syncing = Effect.unsafeMakeSemaphore(1)
  /** Syncs that were left out because one was still running (INFO). */
  delayedSyncs = 0
  /** True while a sync of each second is running (INFO). */
  pendingSync = false

  constructor(options: AppendLogOptions) {
    this.options = options
  }

  get isOpen(): boolean {
    return this.segments.length > 0
  }

  /** Text that is not in a file yet, in chars. */
  get waiting(): number {
    return this.noted - this.written
  }

  /** Bytes of the file that is being appended to, what waits included. */
  get size(): number {
    const segment = this.segments[this.segments.length - 1]
    return segment === undefined ? 0 : segment.size + segment.text.length
  }

  /** What commands that write are refused with at the moment. */
  get refusal(): Misconfigured | undefined {
    return this.failed
  }

  get isBroken(): boolean {
    return this.brokenBy !== undefined
  }

  append(changes: ReadonlyArray<Change>): void {
    const segment = this.segments[this.segments.length - 1]
    if (segment === undefined) return
    const { text } = segment
    const before = text.length
    const second = this.options.second()
    if (second !== undefined && second > this.second) {
      this.second = second
      text.add(LogText.timestamp(second))
    }
    this.selected = LogText.write(changes, this.selected, text)
    this.noted += text.length - before
    if (this.restIsDue) return
    this.restIsDue = true
    queueMicrotask(this.writeRest)
  }

  /** Whether replies have to wait for `commit`. */
  get mustCommit(): boolean {
    // While writes are refused nothing new is noted that anybody asked for, and reads go on.
    if (this.noted === this.synced || this.failed !== undefined || !this.isOpen) return false
    return (this.options.policy() === "always" && this.options.mayWait()) || this.waiting > waitingCharsMax
  }

  /**
   * Gives the system what was noted, as redis-server does before it answers: it is then safe from the end of this process, if not of the
   * machine. What cannot be written at once, or only behind a write or a sync that is under way, is left to the writing fiber.
   */
  writeNow(): void {
    if (this.noted === this.written || this.isWriting || this.isSyncing || this.failed !== undefined) return
    const segment = this.segments[0]
    if (segment === undefined || this.segments.length > 1) return
    const { file, text } = segment
    while (text.length > 0) {
      const piece = text.take(writtenChars)
      const size = file.writeNow(Buffer.from(piece, "latin1"))
      segment.size += size
      this.written += size
      if (size === piece.length) continue
      text.putBack(piece.slice(size))
      break
    }
    this.unsynced.unsafeOpen()
  }

  /** Ends when everything noted so far is as safe as the policy promises; fails when it cannot be made so now. */
  readonly commit: Effect.Effect<void, CommandError> = Effect.suspend(() => {
    if (!this.mustCommit) return Effect.void
    return Effect.async<void, CommandError>((resume) => {
      const waiter: Waiter = { position: this.noted, resume }
      this.waiters.push(waiter)
      this.work.unsafeOpen()
      return Effect.sync(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter)
      })
    })
  })

  /** Where what has been noted ends. */
  get position(): number {
    return this.noted
  }

  isSynced(position: number): boolean {
    return this.isOpen && position <= this.synced
  }

  /** Ends when a sync covers `position`, whatever the policy, or when the log is closed. */
  whenSynced(position: number): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (!this.isOpen || this.isSynced(position)) return resume(Effect.void)
      const waiter: SyncWaiter = { position, resume: () => resume(Effect.void) }
      this.syncWaiters.push(waiter)
      return Effect.sync(() => {
        this.syncWaiters = this.syncWaiters.filter((other) => other !== waiter)
      })
    })
  }

  /** A sync, or a new base, has covered what was noted up to `position`. */
  private coveredTo(position: number): void {
    this.synced = Math.max(this.synced, position)
    this.resumeSynced(this.synced)
  }

  private resumeSynced(position: number): void {
    if (this.syncWaiters.length === 0) return
    const waiters = this.syncWaiters
    this.syncWaiters = waiters.filter((waiter) => waiter.position > position)
    for (const waiter of waiters) if (waiter.position <= position) waiter.resume()
  }

  /**
   * Goes on in another file of `size` synced bytes, from this instant. What was noted before still goes to the old one. With `discard` the old one is
   * given up with all that waits for it, because a new base covers it.
   */
  switchTo(file: OpenFile, size: number, discard: boolean): void {
    if (discard) {
      for (const segment of this.segments.splice(0)) this.given.push(segment.file)
      this.written = this.noted
      this.unsynced.unsafeOpen()
      this.covered = this.noted
      this.isReplacing = true
    }
    this.segments.push({ file, size, safe: size, text: new Pieces() })
    this.selected = -1
    this.second = 0
    this.work.unsafeOpen()
  }

  /** To be called when syncs that were left out may be made up for: see `mayWait`. */
  resume(): void {
    this.work.unsafeOpen()
  }

  /** What was given up by `switchTo` is safe in a new base: the log is in order again. */
  repaired(): void {
    this.coveredTo(this.covered)
    this.brokenBy = undefined
    this.doubtful = undefined
    this.isReplacing = false
    this.failed = undefined
    this.mended.unsafeOpen()
    this.work.unsafeOpen()
  }

  /** Closes files that `switchTo` gave up, once nothing syncs them any more. */
  readonly closeGiven: Effect.Effect<void> = this.syncing.withPermits(1)(
    Effect.suspend(() => Effect.forEach(this.given.splice(0), (file) => file.close, { discard: true })),
  )

  /** Carries text to the disk, for ever. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() =>
      this.work.await.pipe(
        Effect.tap(() => Effect.sync(() => this.work.unsafeClose())),
        Effect.zipRight(this.drain),
      ),
    ),
  )

  /** Syncs once a second under `everysec` as long as there is something to sync, for ever. */
  readonly runSync: Effect.Effect<never> = Effect.suspend(() => {
    if (this.synced === this.written) this.unsynced.unsafeClose()
    if (this.options.policy() !== "everysec" || this.synced === this.written) return Effect.void
    if (!this.options.mayWait() || this.brokenBy !== undefined) return Effect.void
    this.pendingSync = true
    return Effect.ensuring(
      this.sync,
      Effect.sync(() => {
        this.pendingSync = false
      }),
    )
  }).pipe(Effect.delay("1 second"), this.unsynced.whenOpen, Effect.forever)

  /** Writes, syncs and closes what there is; for the end of the server. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Effect.gen(this, function* () {
      for (let segment = this.segments[0]; segment !== undefined; segment = this.segments[0]) {
        while (this.brokenBy === undefined && (yield* this.hasText(segment))) if (!(yield* this.step)) break
        if (this.brokenBy === undefined && this.synced < this.written) yield* this.sync
        if (this.brokenBy !== undefined) yield* this.trim
        if (this.segments[0] === segment) this.segments.shift()
        yield* segment.file.close
      }
      yield* this.closeGiven
      // Whoever still waits learns how it went; without a log there is nothing to wait for.
      const result = this.failed === undefined ? Effect.void : Effect.fail(this.failed)
      for (const waiter of this.waiters.splice(0)) waiter.resume(result)
      this.resumeSynced(Infinity)
    }),
  )

  /** Whether there is something left to write, once a write that has begun is over. */
  private hasText(segment: Segment): Effect.Effect<boolean> {
    return this.writing.withPermits(1)(Effect.sync(() => segment.text.length > 0))
  }

  private readonly drain: Effect.Effect<void> = Effect.suspend(() =>
    Effect.gen(this, function* () {
      while (this.brokenBy === undefined && this.isOpen) {
        const first = this.segments[0]
        const always = this.options.policy() === "always" && this.options.mayWait()
        if (first.text.length > 0) {
          if (!(yield* this.step)) yield* this.rest
          else if (this.failed !== undefined) yield* this.recover
        } else if (this.synced < this.written && (always || this.waiters.length > 0 || this.segments.length > 1)) {
          yield* this.sync
        } else if (this.segments.length > 1) {
          this.segments.shift()
          yield* first.file.close
        } else {
          this.settle()
          return
        }
        if (always && this.synced < this.written && this.brokenBy === undefined) yield* this.sync
        this.settle()
      }
      while (this.brokenBy !== undefined && !(yield* this.trim)) yield* this.rest
    }),
  )

  /**
   * Cuts off what a failed sync may have lost, or a power cut would leave a hole in the middle of the log, and no server would start from
   * it. What was acknowledged as synced stays. False if it could not be done.
   */
  private readonly trim: Effect.Effect<boolean> = Effect.suspend(() => {
    const segment = this.doubtful
    if (segment === undefined) return Effect.succeed(true)
    segment.size = segment.safe
    return Effect.zipRight(segment.file.truncate(segment.safe), segment.file.sync).pipe(
      Effect.map(() => {
        this.doubtful = undefined
        return true
      }),
      Effect.orElseSucceed(() => false),
    )
  })

  /** After writes work again: what waited is older than what the policy may lose, so writes stay refused until it is synced. */
  private readonly recover: Effect.Effect<void> = Effect.suspend(() => {
    const segment = this.segments[0]
    if (segment === undefined || segment.text.length > 0) return Effect.void
    return Effect.map(this.options.policy() === "no" ? Effect.void : this.sync, () => {
      if (this.brokenBy === undefined) this.failed = undefined
    })
  })

  /** Writes one piece of text to the first file. False if that failed. */
  private readonly step: Effect.Effect<boolean> = this.writing.withPermits(1)(
    Effect.suspend(() => {
      const segment = this.segments[0]
      if (segment === undefined) return Effect.succeed(true)
      const piece = segment.text.take(writtenChars)
      this.isWriting = true
      return segment.file.write(Buffer.from(piece, "latin1")).pipe(
        Effect.map(() => {
          segment.size += piece.length
          // Unless the file was given up meanwhile, and its text with it.
          if (segment === this.segments[0]) {
            this.written += piece.length
            this.unsynced.unsafeOpen()
          }
          return true
        }),
        Effect.catchAll((failure) =>
          Effect.gen(this, function* () {
            segment.text.putBack(piece)
            this.fail(failure)
            yield* Effect.logError(failure.message)
            // Half a command may be in the file. If it cannot be cut off, nothing may be written behind it.
            const cut = yield* Effect.either(segment.file.truncate(segment.size))
            if (cut._tag === "Left") yield* this.break(cut.left)
            return false
          }),
        ),
        Effect.ensuring(Effect.sync(() => void (this.isWriting = false))),
        // Once a write has begun it must be known how it ended, or the file's size is not.
        Effect.uninterruptible,
      )
    }),
  )

  private readonly sync: Effect.Effect<void> = this.syncing.withPermits(1)(
    Effect.suspend(() => {
      const segment = this.segments[0]
      const position = this.written
      if (segment === undefined || this.synced >= position) return Effect.void
      const { size } = segment
      this.isSyncing = true
      return segment.file.sync.pipe(
        Effect.map(() => {
          this.coveredTo(position)
          segment.safe = size
        }),
        Effect.catchAll((failure) => this.break(failure)),
        Effect.ensuring(Effect.sync(() => void (this.isSyncing = false))),
        Effect.uninterruptible,
      )
    }),
  )

  private fail(failure: DiskFailure): void {
    this.failed = Misconfigured.log(failure.reason)
    for (const waiter of this.waiters.splice(0)) waiter.resume(Effect.fail(this.failed))
  }

  private break(failure: DiskFailure): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.brokenBy !== undefined) return Effect.void
      this.brokenBy = failure
      // A second failure, while the log is written anew, is of a file that no manifest names.
      if (!this.isReplacing) this.doubtful = this.segments[0]
      this.fail(failure)
      this.work.unsafeOpen()
      this.options.onBroken(failure)
      return Effect.logError(`${failure.message}; what the log holds is in doubt until it has been written anew`)
    })
  }

  /** Resumes those whose changes are safe. */
  private settle(): void {
    if (this.waiters.length === 0) return
    const safe = this.options.policy() === "always" && this.options.mayWait() ? this.synced : this.written
    const waiters = this.waiters
    this.waiters = []
    for (const waiter of waiters) {
      if (waiter.position <= safe) waiter.resume(Effect.void)
      else this.waiters.push(waiter)
    }
  }
}
