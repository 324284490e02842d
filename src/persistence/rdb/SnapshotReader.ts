/**
 * A snapshot file as it comes off the disk, chunk by chunk, into calls of a visitor: databases, keys with their values and deadlines,
 * function libraries. Knows formats; what becomes of a key is the visitor's business.
 *
 * The idea to hold: chunks are collected until a record is whole. A record that does not fit is tried again when the window has
 * doubled, so a value of any size is read in linear time, and many small records cost no retry.
 */
import { Crc64 } from "../../bytes/Crc64.ts"
import { ByteReader, needMore } from "./ByteReader.ts"
import { Opcode, Type, versionReadMax } from "./Format.ts"
import type { Source } from "../../store/Keyspace.ts"
import type { ModuleData } from "./Model.ts"
import { skipModuleAux } from "./ReadValue.ts"

/** What stands beside a key's value. */
export interface KeyAttributes {
  /** Unix ms; -1 for never. */
  readonly expiresAtMs: number
  /** Seconds since the last access, or -1 if the file does not say. */
  readonly idleSeconds: number
  /** The access counter of LFU eviction, or -1. */
  readonly frequency: number
}

/** `V` is what the visitor makes of a value. */
export interface SnapshotVisitor<V> {
  readonly selectDatabase: (index: number) => void
  /** So many keys of the database follow, as the file says. */
  readonly resize?: (keys: number) => void
  /** Reads one value of the type from its bytes; module values are told by their type. */
  readonly value: (reader: ByteReader, type: number) => V | ModuleData
  readonly key: (key: string, value: V, attributes: KeyAttributes) => void
  /**
   * A key as it stands in the file, which spares making a string of it; with `isInBytes` its value too is a plain string that stands
   * there, and `value` is absent. False: have it in the ordinary way. `source` and its bytes are valid during the call.
   */
  readonly entry?: (source: Source, isInBytes: boolean, value: V | undefined, attributes: KeyAttributes) => boolean
  /** All that `feed` was given has been handed out. */
  readonly pause?: () => void
  /** The source of a function library. */
  readonly functionLibrary: (source: string) => void
  /** A field about the file: `redis-ver`, `ctime`, `aof-base`, ... */
  readonly aux: (name: string, value: string) => void
  /** Something that only a module could read was passed over. */
  readonly skipped: (reason: string) => void
}

/** `REDIS` and four digits. */
const headerSize = 9
/** Files of version 5 and later end in a checksum. */
const checksumVersionMin = 5
const never: KeyAttributes = { expiresAtMs: -1, idleSeconds: -1, frequency: -1 }
const noBytes = Buffer.alloc(0)

export class SnapshotReader<V> {
  /** Whether the end of the snapshot has been read; `rest` holds what came behind it. */
  done = false
  private readonly visitor: SnapshotVisitor<V>
  private readonly verify: boolean
  private readonly reader = new ByteReader(noBytes, 0, false)
  private readonly checksum = new Crc64()
  private version = 0
  /** Up to where the bytes of the window are in `checksum`. */
  private summed = 0
  /** Chunks that are not in the window yet, and how many bytes it takes until trying again makes sense. */
  private waiting: Array<Buffer> = []
  private waitingSize = 0
  /** Where the window lies. */
  private room: Buffer = noBytes
  private wanted = 0

  /** `verify` is the setting `rdbchecksum`. */
  constructor(visitor: SnapshotVisitor<V>, verify: boolean) {
    this.visitor = visitor
    this.verify = verify
  }

  /** What the last chunk held beyond the end of the snapshot: in an append-only file, its commands. */
  get rest(): Buffer {
    return this.reader.bytes.subarray(this.reader.position)
  }

  /** Offset in the file of `rest`. */
  get offset(): number {
    return this.reader.offset
  }

  /** Takes the next bytes of the file, which the caller may use again after. `last` says that no more follow. Throws `Damaged`. */
  feed(chunk: Buffer, last: boolean): void {
    const reader = this.reader
    this.waiting.push(chunk)
    this.waitingSize += chunk.length
    const left = reader.bytes.length - reader.position
    const size = left + this.waitingSize
    if (size < this.wanted && !last) {
      this.waiting[this.waiting.length - 1] = Buffer.from(chunk)
      return
    }
    const base = reader.offset
    // One piece of memory for all windows: to take a new one each time costs as much as copying into it.
    const room = size > this.room.length ? Buffer.allocUnsafeSlow(Math.max(size, 2 * this.room.length)) : this.room
    reader.bytes.copy(room, 0, reader.position)
    let at = left
    for (const part of this.waiting) at += part.copy(room, at)
    this.room = room
    reader.bytes = room.subarray(0, size)
    reader.position = 0
    this.summed = 0
    reader.base = base
    reader.last = last
    this.waiting = []
    this.waitingSize = 0
    this.wanted = this.records() ? 0 : 2 * (reader.bytes.length - reader.position)
    this.visitor.pause?.()
  }

  /** Reads records until the bytes or the file end. False if a record did not fit. */
  private records(): boolean {
    const reader = this.reader
    let record = reader.position
    try {
      if (this.version === 0) this.header()
      for (;;) {
        record = reader.position
        if (record === reader.bytes.length && !reader.last) break
        if (this.record()) {
          this.done = true
          break
        }
      }
      if (!this.done) this.sum(record)
      return true
    } catch (cause) {
      if (cause !== needMore) throw cause
      reader.position = record
      this.sum(record)
      return false
    }
  }

  /** Takes the bytes of the window up to `end` into the checksum. */
  private sum(end: number): void {
    if (this.verify) this.checksum.update(this.reader.bytes, this.summed, end)
    this.summed = end
  }

  private header(): void {
    const reader = this.reader
    reader.need(headerSize)
    const header = reader.bytes.latin1Slice(reader.position, reader.position + headerSize)
    if (!/^REDIS\d{4}$/.test(header)) reader.fail("not a snapshot: the file does not begin with REDIS and a version")
    const version = Number(header.slice(5))
    if (version < 1 || version > versionReadMax) reader.fail(`snapshot version ${version} is not supported`)
    this.version = version
    reader.position += headerSize
  }

  /** One key with what stands before it, or one of the other records. True at the end of the snapshot. */
  private record(): boolean {
    const { reader, visitor } = this
    let expiresAtMs = -1
    let idleSeconds = -1
    let frequency = -1
    for (;;) {
      const opcode = reader.byte()
      switch (opcode) {
        case Opcode.expireSeconds:
          expiresAtMs = (reader.uint32() | 0) * 1000
          continue
        case Opcode.expireMs:
          expiresAtMs = reader.milliseconds()
          continue
        case Opcode.idle:
          idleSeconds = reader.length()
          continue
        case Opcode.frequency:
          frequency = reader.byte()
          continue
        case Opcode.selectDatabase:
          visitor.selectDatabase(reader.length())
          return false
        case Opcode.resize: {
          const keys = reader.length()
          reader.length()
          visitor.resize?.(keys)
          return false
        }
        case Opcode.slotInfo:
          reader.length()
          reader.length()
          reader.length()
          return false
        case Opcode.aux: {
          const name = reader.string()
          visitor.aux(name, reader.string())
          return false
        }
        case Opcode.moduleAux:
          visitor.skipped(`data of the module ${skipModuleAux(reader)} was passed over`)
          return false
        case Opcode.function:
          visitor.functionLibrary(reader.string())
          return false
        case Opcode.functionPreRelease:
          return reader.fail("function library of a Redis 7 release candidate")
        case Opcode.end:
          this.finish()
          return true
        default:
          this.key(
            opcode,
            expiresAtMs === -1 && idleSeconds === -1 && frequency === -1
              ? never
              : { expiresAtMs, idleSeconds, frequency },
          )
          return false
      }
    }
  }

  private key(type: number, attributes: KeyAttributes): void {
    const { reader, visitor } = this
    if (type > Type.hashListpackDeadlines) {
      reader.position--
      reader.fail(`unknown opcode or value type ${type}`)
    }
    const start = reader.position
    const isBytes = visitor.entry !== undefined && this.keyInBytes()
    if (isBytes && type === Type.string && this.valueInBytes(attributes)) return
    if (!isBytes) reader.string()
    const value = visitor.value(reader, type)
    if (isModule(value)) {
      visitor.skipped(`a value of the module ${value.name} was passed over: key ${JSON.stringify(this.keyAt(start))}`)
    } else if (!isBytes || !visitor.entry!(this.source, false, value, attributes)) {
      visitor.key(this.keyAt(start), value, attributes)
    }
  }

  /** The key that stands at `position`, once more. */
  private keyAt(position: number): string {
    const { reader } = this
    const after = reader.position
    reader.position = position
    const key = reader.string()
    reader.position = after
    return key
  }

  private readonly source = {
    bytes: noBytes as Buffer,
    view: new DataView(noBytes.buffer) as DataView,
    keyStart: 0,
    keyLength: 0,
    valueStart: 0,
    valueLength: 0,
  }

  /** Moves behind a key that is plain and has a length of one byte; else the position stays. */
  private keyInBytes(): boolean {
    const { reader, source } = this
    const { bytes, position } = reader
    if (position >= bytes.length) return false
    const keyLength = bytes[position]
    const end = position + 1 + keyLength
    if (keyLength >= 0x40 || end > bytes.length) return false
    if (source.bytes !== bytes) {
      source.bytes = bytes
      source.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    source.keyStart = position + 1
    source.keyLength = keyLength
    reader.position = end
    return true
  }

  /** Hands out a value that is plain and in the window; else the position stays. */
  private valueInBytes(attributes: KeyAttributes): boolean {
    const { reader, source, visitor } = this
    const { bytes, position } = reader
    // One byte more than the least there can be: a second one of the length.
    if (position + 1 >= bytes.length) return false
    const first = bytes[position]
    if (first >= 0x80) return false
    const start = position + (first < 0x40 ? 1 : 2)
    const length = first < 0x40 ? first : ((first & 0x3f) << 8) | bytes[position + 1]
    if (start + length > bytes.length) return false
    source.valueStart = start
    source.valueLength = length
    if (!visitor.entry!(source, true, undefined, attributes)) return false
    reader.position = start + length
    return true
  }

  private finish(): void {
    const reader = this.reader
    if (this.version < checksumVersionMin) return
    const end = reader.position
    reader.need(8)
    reader.position = end + 8
    // All zeros means that the file was written without a checksum.
    const stored = reader.bytes.readBigUInt64LE(end)
    if (!this.verify || stored === 0n) return
    this.sum(end)
    if (!this.checksum.matches(reader.bytes, end)) {
      reader.position = end
      reader.fail("wrong checksum")
    }
  }
}

const isModule = <V>(value: V | ModuleData): value is ModuleData =>
  typeof value === "object" && value !== null && "type" in value && value.type === "module"
