/**
 * All of a master's data in place of ours: as it comes, or when all of it has come, as `repl-diskless-load` says.
 *
 * The idea to hold: nothing is touched before the snapshot's header has come and is one that can be read, and where it is kept first, or
 * comes beside our data, not before its last byte has. From when our data goes until the last key has come there is half of it, and
 * commands get LOADING; when it ends early there is none, and no history that anybody could continue.
 * Differs: while data comes beside ours, what is past its deadline is not found; redis-server shows it until that has ended.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Damaged, versionReadMax } from "../../persistence/rdb/Format.ts"
import { noProgress, type Progress, receiveSnapshot } from "../../persistence/Loading.ts"
import { Pace } from "../../persistence/Pace.ts"
import type { PersistenceService } from "../../persistence/Persistence.ts"
import type { Spool } from "../../persistence/Spool.ts"
import type { Values } from "../../config/Config.ts"
import type { ClockService } from "../../clock/Clock.ts"
import type { DiskFailure, PersistenceError } from "../../errors/PersistenceErrors.ts"
import { Payload, type Sink } from "./Payload.ts"
import * as Place from "./Place.ts"

export interface IntakeServices extends Place.PlaceServices {
  readonly clock: ClockService
  readonly current: Values
  /** Whether our data is of the history that the snapshot is of. */
  readonly isSameHistory: boolean
  readonly persistence: PersistenceService
}

/** `REDIS` and four digits. */
const headerBytes = 9
/** Room is made for so many keys as a snapshot of this length can have, whatever it and its master say; further ones come without. */
const trustedBytes = 256 * 1024 * 1024

export class Intake {
  /** The database that the stream behind the snapshot begins in. */
  streamDb = 0
  /** To be told the operator. */
  readonly warnings: Array<string> = []
  readonly payload: Payload
  /** To be rested by after each piece. */
  readonly pace: Pace
  private readonly services: IntakeServices
  private readonly progress: Progress
  private place: Place.Place | undefined
  private replaced: ((isWhole: boolean) => void) | undefined
  /** What has come and is to be read when all has; absent where it is read as it comes. */
  private unread: Array<Buffer> | undefined
  private spool: Spool | undefined

  constructor(services: IntakeServices) {
    this.services = services
    this.pace = new Pace(() => services.current.keyLoadDelay)
    this.progress = noProgress(Math.floor(services.clock.now() / 1000))
    this.payload = new Payload((totalBytes) => this.sink(totalBytes))
  }

  get keys(): number {
    return this.progress.keysLoaded
  }

  /** Takes what comes next; gives what is behind the snapshot when all of it is there. Throws `Damaged`. */
  feed(chunk: Buffer): Buffer | undefined {
    return this.payload.feed(chunk)
  }

  /** To be waited for after each piece: puts away what is to be read later. */
  readonly store: Effect.Effect<void, PersistenceError, Scope.Scope> = Effect.suspend(() => {
    const { unread } = this
    if (unread === undefined || unread.length === 0) return Effect.void
    const { spool } = this
    const opened =
      spool === undefined
        ? Effect.tap(this.services.persistence.spool, (made) => Effect.sync(() => (this.spool = made)))
        : Effect.succeed(spool)
    return Effect.flatMap(opened, ({ write }) => Effect.forEach(unread.splice(0), write, { discard: true }))
  })

  /**
   * To be waited for when all has come: reads what was put away, each piece by `slice`, which is given what may throw `Damaged`. Then the
   * snapshot is our own.
   */
  load<E>(slice: (read: () => void) => Effect.Effect<void, E>): Effect.Effect<void, E | DiskFailure> {
    const { spool } = this
    if (spool === undefined) return Effect.void
    const reader = this.reader(this.payload.readBytes, Place.inPlace(this.services))
    const use = (chunk: Buffer, last: boolean) =>
      slice(() => {
        if (reader.done && chunk.length > 0)
          throw new Damaged(reader.offset, "something follows the end of the snapshot")
        if (!reader.done) reader.feed(chunk, last)
      })
    // It is as good in memory.
    const keep = Effect.catchAll(spool.keep, ({ message }) => Effect.sync(() => this.warnings.push(message)))
    return Effect.asVoid(Effect.zipRight(spool.read(use), keep))
  }

  /** The data is whole, and is ours from now on. Throws `Damaged` where it cannot be taken nevertheless. */
  takeOver(): void {
    this.place!.finish()
  }

  /** What is ours is known by its name from now on. */
  finish(): void {
    this.services.store.dirty += this.progress.keysLoaded
    this.replaced!(true)
    this.replaced = undefined
  }

  /** There will be no more of it. Gives whether our own data has gone. */
  abort(): boolean {
    const { place, replaced } = this
    if (replaced === undefined) return false
    this.replaced = undefined
    place!.abort()
    replaced(false)
    return place!.how === "in place"
  }

  private begin(place: Place.Place): void {
    this.place = place
    this.replaced = this.services.persistence.replace(this.progress, place.how)
    place.begin()
  }

  private sink(totalBytes: number): Sink {
    const { services } = this
    const { current, store } = services
    if (current.replDisklessLoad === "swapdb")
      return this.reader(totalBytes, Place.beside(services, services.isSameHistory))
    const isEmpty = store.databases.every(({ size }) => size === 0)
    if (current.replDisklessLoad === "on-empty-db" && isEmpty) return this.reader(totalBytes, Place.inPlace(services))
    const unread: Array<Buffer> = (this.unread = [])
    const sink = {
      done: false,
      offset: 0,
      feed: (chunk: Buffer, last: boolean) => {
        sink.offset += chunk.length
        sink.done = last
        if (chunk.length > 0) unread.push(chunk)
      },
    }
    return sink
  }

  private reader(totalBytes: number, place: Place.Place): Sink {
    const { current, clock, store } = this.services
    const { progress } = this
    progress.totalBytes = totalBytes
    const reader = receiveSnapshot(
      {
        ...{ store: place.store, replay: place.replay, progress, pace: this.pace },
        ...{ limits: current, policy: current.maxmemoryPolicy },
        ...{ verify: current.rdbchecksum && store.verifiesChecksums, isStrict: current.sanitizeDumpPayload === "yes" },
        ...{ now: clock.now(), until: undefined },
      },
      totalBytes === 0 ? trustedBytes : Math.min(totalBytes, trustedBytes),
      {
        warn: (text) => void this.warnings.push(text),
        aux: (name, value) => {
          if (name === "repl-stream-db") this.streamDb = Number(value)
        },
      },
    )
    let header: Buffer | undefined = Buffer.alloc(0)
    const feed = (chunk: Buffer, last: boolean): void => {
      let bytes = chunk
      if (header !== undefined) {
        header = Buffer.concat([header, chunk])
        if (header.length < headerBytes && !last) return
        const found = /^REDIS(\d{4})$/.exec(header.latin1Slice(0, headerBytes))
        if (found === null) throw new Damaged(0, "it does not begin with REDIS and a version")
        if (Number(found[1]) > versionReadMax) throw new Damaged(0, `version ${Number(found[1])} is not supported`)
        this.begin(place)
        bytes = header
        header = undefined
      }
      progress.loadedBytes += bytes.length
      reader.feed(bytes, last)
    }
    return {
      feed,
      get done() {
        return reader.done
      },
      get offset() {
        return reader.offset
      },
    }
  }
}
