/**
 * All of a master's data in place of ours, as it comes.
 *
 * The idea to hold: nothing is touched before the snapshot's header has come and is one that can be read. From then until the last byte
 * there is half of the data, and commands get LOADING; when it ends early there is none, and no history that anybody could continue.
 * Differs: redis-server receives a snapshot into a file first, and answers from its old data meanwhile; here that would take a disk, or the
 * memory for both.
 */
import { Damaged, versionReadMax } from "../../persistence/rdb/Format.ts"
import { noProgress, type Progress, receiveSnapshot } from "../../persistence/Loading.ts"
import { Pace } from "../../persistence/Pace.ts"
import type { PersistenceService, Replay } from "../../persistence/Persistence.ts"
import type { Values } from "../../config/Config.ts"
import type { ClockService } from "../../clock/Clock.ts"
import type { StoreService } from "../../store/Store.ts"
import { Payload, type Sink } from "./Payload.ts"

export interface IntakeServices {
  /** Our own data is about to go. */
  readonly began: () => void
  readonly clock: ClockService
  readonly current: Values
  readonly persistence: PersistenceService
  readonly replay: Replay
  readonly store: StoreService
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
  private replaced: ((isWhole: boolean) => void) | undefined

  constructor(services: IntakeServices) {
    this.services = services
    this.pace = new Pace(() => services.current.keyLoadDelay)
    this.progress = noProgress(Math.floor(services.clock.now() / 1000))
    this.payload = new Payload((totalBytes) => this.reader(totalBytes))
  }

  get keys(): number {
    return this.progress.keysLoaded
  }

  /** Whether our own data has gone. */
  get hasBegun(): boolean {
    return this.replaced !== undefined
  }

  /** Takes what comes next; gives what is behind the snapshot when all of it is there. Throws `Damaged`. */
  feed(chunk: Buffer): Buffer | undefined {
    return this.payload.feed(chunk)
  }

  /** The data is whole. */
  finish(): void {
    this.services.store.dirty += this.progress.keysLoaded
    this.end(true)
  }

  /** There will be no more of it: half of the data is worth nothing. */
  abort(): void {
    if (this.replaced === undefined) return
    this.clear()
    this.end(false)
  }

  private end(isWhole: boolean): void {
    const { replaced } = this
    const { store } = this.services
    this.replaced = undefined
    store.expire = true
    store.databases[0]!.announceReplaced()
    replaced?.(isWhole)
  }

  private clear(): void {
    const { replay, store } = this.services
    replay.command(["FUNCTION", "FLUSH"])
    for (const db of store.databases) if (db.size > 0) db.clear()
  }

  private begin(): void {
    const { began, persistence, store } = this.services
    // Who follows us must not be sent half of it.
    began()
    this.replaced = persistence.replace(this.progress)
    store.expire = false
    this.clear()
  }

  private reader(totalBytes: number): Sink {
    const { current, clock, replay, store } = this.services
    const { progress } = this
    progress.totalBytes = totalBytes
    const reader = receiveSnapshot(
      {
        ...{ store, replay, progress, pace: this.pace, limits: current, policy: current.maxmemoryPolicy },
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
        this.begin()
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
