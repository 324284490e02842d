/**
 * A snapshot file as bytes: header, fields about the file, function libraries, keys, end and checksum. It fills a buffer that its
 * owner empties into the file.
 *
 * The idea to hold: keys may come in any order of databases; the number of the database is written whenever it differs from the one
 * before, which readers take anywhere.
 */
import { Crc64 } from "../../bytes/Crc64.ts"
import { idleSeconds, isLfu } from "../../store/Access.ts"
import type { Limits, Value } from "../../store/Value.ts"
import { type Elements, isLarge } from "../snapshot/Elements.ts"
import { ByteWriter } from "./ByteWriter.ts"
import { Opcode, versionWritten } from "./Format.ts"
import { isLong } from "./LongString.ts"
import { StoreEncoder } from "./StoreEncoder.ts"

/** To begin with; it grows to what is written at once. */
const capacity = 4 * 1024
const besideCapacity = 256

export interface SnapshotOptions {
  /** The settings `rdbcompression` and `rdbchecksum`. */
  readonly compression: boolean
  readonly checksum: boolean
  readonly limits: Limits
  /** The setting `maxmemory-policy`. */
  readonly policy: string
  /** Unix ms. */
  readonly now: () => number
}

export class SnapshotWriter {
  private readonly out: ByteWriter
  private readonly encoder: StoreEncoder
  /** Keys that come while a large one is being written, and go behind it. */
  private readonly beside: ByteWriter
  private readonly besideEncoder: StoreEncoder
  /** Large keys that are being written or wait for it. */
  private open = 0
  private readonly limits: Limits
  private readonly checksum: Crc64 | undefined
  private readonly policy: string
  private readonly now: () => number
  private selected = -1

  constructor({ compression, checksum, limits, policy, now }: SnapshotOptions) {
    this.limits = limits
    this.policy = policy
    this.now = now
    this.out = new ByteWriter(capacity, compression)
    this.encoder = new StoreEncoder(this.out, limits)
    this.beside = new ByteWriter(besideCapacity, compression)
    this.besideEncoder = new StoreEncoder(this.beside, limits)
    this.checksum = checksum ? new Crc64() : undefined
  }

  /** Bytes that wait to be taken. */
  get size(): number {
    return this.out.size
  }

  /**
   * The bytes so far, which stay until the next call. Two buffers take turns: a new one for each piece made V8 collect its whole heap
   * every 64 MiB, 4 to 8 ms in which nobody was answered.
   */
  take(): Buffer {
    this.checksum?.update(this.out.bytes, 0, this.out.size)
    return this.out.swap()
  }

  header(fields: ReadonlyArray<readonly [name: string, value: string]>): void {
    this.out.raw(Buffer.from(`REDIS${String(versionWritten).padStart(4, "0")}`, "latin1"))
    for (const [name, value] of fields) {
      this.out.byte(Opcode.aux)
      this.out.string(name)
      this.out.string(value)
    }
  }

  functionLibrary(source: string): void {
    this.out.byte(Opcode.function)
    this.out.string(source)
  }

  /**
   * `access` is what the eviction policy keeps for the key (store/Access.ts), and is written where there is one. Of a large collection
   * the elements that have yet to be written are returned; they are taken in the order in which they were returned.
   */
  key(db: number, key: string, value: Value, deadline: number | undefined, access: number): Elements | undefined {
    const isWaiting = this.open > 0
    if (!isLarge(value) && !isLong(value)) {
      const out = isWaiting ? this.beside : this.out
      this.select(out, db)
      this.attributes(out, deadline, access)
      const encoder = isWaiting ? this.besideEncoder : this.encoder
      encoder.type(value, false)
      out.string(key)
      encoder.value(value)
      return undefined
    }
    this.open++
    // One that has to wait is written beside until its turn: only what is about to change of it.
    const own = isWaiting ? new ByteWriter(besideCapacity, this.out.compression) : this.out
    const encoder = isWaiting ? new StoreEncoder(own, this.limits) : this.encoder
    if (isWaiting) this.selected = -1
    this.select(own, db)
    if (isWaiting) this.selected = -1
    this.attributes(own, deadline, access)
    encoder.type(value, true)
    own.string(key)
    const elements = encoder.pieces(value, () => {
      if (own !== this.out) this.move(own)
      this.move(this.beside)
      this.open--
      // What is written beside from now on comes behind the next large one.
      if (this.open > 0) this.selected = -1
    })
    if (!isWaiting) return elements
    return {
      ...elements,
      next: () => {
        const more = elements.next()
        if (more) this.move(own)
        return more
      },
    }
  }

  private select(out: ByteWriter, db: number): void {
    if (db === this.selected) return
    this.selected = db
    out.byte(Opcode.selectDatabase)
    out.length(db)
  }

  private attributes(out: ByteWriter, deadline: number | undefined, access: number): void {
    if (deadline !== undefined) {
      out.byte(Opcode.expireMs)
      out.milliseconds(deadline)
    }
    if (this.policy.endsWith("-lru")) {
      out.byte(Opcode.idle)
      out.length(idleSeconds(access, this.now()))
    } else if (isLfu(this.policy)) {
      out.byte(Opcode.frequency)
      out.byte(access & 255)
    }
  }

  private move(from: ByteWriter): void {
    this.out.raw(from.written)
    from.clear()
  }

  /** Ends the file; what `take` gives after this are its last bytes. */
  end(): Buffer {
    this.out.byte(Opcode.end)
    const bytes = this.take()
    const footer = Buffer.alloc(8)
    this.checksum?.write(footer, 0)
    return Buffer.concat([bytes, footer])
  }
}
