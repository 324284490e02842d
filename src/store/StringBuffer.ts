/**
 * A string value as growable bytes: what a value turns into when a command changes it in place (APPEND, SETRANGE, SETBIT,
 * BITFIELD, PFADD). Redis calls this encoding `raw`. Whether a length is allowed (proto-max-bulk-len) is the caller's
 * business.
 *
 * The idea to hold: `bytes` is the capacity, `length` what counts of it. Growing what is there allocates ahead as Redis does (double up
 * to 1 MiB, then 1 MiB more), so a million small APPENDs cost a few copies. A large growth is never filled by hand: the memory
 * comes zeroed from the system, so SETBIT k 4294967295 1 touches two pages, not 512 MiB.
 */
import { constants } from "node:buffer"
import * as BufferPool from "../bytes/BufferPool.ts"
import { bytesOf, type Collection, type StringValue } from "./Value.ts"

/** Above this many bytes, growing reserves a fixed amount ahead instead of doubling. */
const preallocatedMax = 1024 * 1024

/** The longest string that V8 can make, in chars; 24 bytes less than Redis's longest value. */
export const stringLengthMax = constants.MAX_STRING_LENGTH

/** The longest one that still fits with a bulk string's header and line ends around it. */
export const bulkLengthMax = stringLengthMax - 32

export class StringBuffer implements Collection {
  readonly type = "string"
  readonly encoding = "raw"
  /** The storage. Bytes from `length` on mean nothing. Replaced when it grows: do not keep it. */
  bytes: Buffer
  /** How many bytes of the storage are the value. */
  length: number

  /** How many have the storage as it is, and rely on it. */
  private loans = 0

  /** Takes ownership of `bytes`. */
  constructor(bytes: Buffer, length = bytes.length) {
    this.bytes = bytes
    this.length = length
  }

  /** The bytes of `value`, with `spare` bytes of room behind them. */
  static from(value: string, spare = 0): StringBuffer {
    const capacity = value.length + spare
    const bytes = capacity < storedBytesMin ? Buffer.allocUnsafeSlow(capacity) : BufferPool.take(capacity)
    bytes.latin1Write(value, 0, value.length)
    return new StringBuffer(bytes, value.length)
  }

  /** `length` zero bytes. */
  static zeros(length: number): StringBuffer {
    return new StringBuffer(Buffer.alloc(length))
  }

  get size(): number {
    return this.length
  }

  /** As Redis would count it: an object, a string header, the capacity and a terminating zero. */
  memoryUsage(): number {
    return 16 + 9 + this.bytes.length + 1
  }

  copy(): StringBuffer {
    const bytes = Buffer.allocUnsafeSlow(this.length)
    this.bytes.copy(bytes, 0, 0, this.length)
    return new StringBuffer(bytes)
  }

  /** The whole value; throws a RangeError above `stringLengthMax`. */
  toString(): string {
    return this.bytes.latin1Slice(0, this.length)
  }

  /** The bytes from `start` up to but not including `end`. */
  slice(start: number, end: number): string {
    return this.bytes.latin1Slice(start, end)
  }

  /** The value's bytes, shared with this buffer: valid until it changes. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** As `view`, but valid until given back: whoever changes the value meanwhile gets new storage for it. */
  lend(): Buffer {
    this.loans++
    return this.view()
  }

  giveBack(bytes: Buffer): void {
    if (bytes.buffer === this.bytes.buffer) this.loans--
  }

  /** To be called before the storage is changed. */
  own(): this {
    if (this.loans > 0) this.replaceStorage(this.copy().bytes)
    return this
  }

  /** The value is no longer wanted by anybody: its storage may be used for another. */
  reuse(): void {
    if (this.loans === 0) BufferPool.give(this.bytes)
  }

  private replaceStorage(bytes: Buffer): void {
    this.bytes = bytes
    this.loans = 0
  }

  append(value: string): void {
    const offset = this.length
    this.reserve(offset + value.length)
    this.bytes.latin1Write(value, offset, value.length)
    this.length = offset + value.length
  }

  /** Overwrites from `offset` on; a gap behind the old end reads as zeros. */
  setRange(offset: number, value: string): void {
    this.growTo(offset + value.length)
    this.bytes.latin1Write(value, offset, value.length)
  }

  /** The bit at `offset`, counted from the most significant bit of the first byte; 0 behind the end. */
  getBit(offset: number): number {
    // A bit offset may need 33 bits, so this divides where a shift would cut.
    const index = Math.floor(offset / 8)
    return index < this.length ? (this.bytes[index] >> (7 - (offset & 7))) & 1 : 0
  }

  /** Sets or clears a bit, growing the value to hold it. Answers what it was. */
  setBit(offset: number, on: boolean): number {
    const index = Math.floor(offset / 8)
    this.growTo(index + 1)
    const mask = 1 << (7 - (offset & 7))
    const byte = this.bytes[index]
    this.bytes[index] = on ? byte | mask : byte & ~mask
    return (byte & mask) === 0 ? 0 : 1
  }

  /** Makes the value at least `length` bytes long; new bytes are zeros. */
  growTo(length: number): void {
    const before = this.length
    if (length <= before) return
    // Fresh storage is zero behind the old end already.
    if (!this.reserve(length)) this.bytes.fill(0, before, length)
    this.length = length
  }

  /** Room for `length` bytes in all. True when the storage is new, and zero from the value's end on. */
  private reserve(length: number): boolean {
    if (length <= this.bytes.length) return false
    const ahead = this.length === 0 ? 0 : Math.min(length, preallocatedMax)
    const grown = Buffer.alloc(length + ahead)
    this.bytes.copy(grown, 0, 0, this.length)
    this.replaceStorage(grown)
    return true
  }
}

/** Strings from this length on are stored as bytes by commands that set a whole one. */
export const storedBytesMin = 16 * 1024

/** A form of a string value that may be changed: the value itself when it is one already, otherwise a copy. */
export const growable = (value: StringValue): StringBuffer =>
  value instanceof StringBuffer ? value.own() : StringBuffer.from(bytesOf(value))

/** The first `length` bytes of a value, for whoever looks no further: a whole one may be longer than a string can be. */
export const beginningOf = (value: StringValue, length: number): string =>
  value instanceof StringBuffer && value.length > length ? value.slice(0, length) : bytesOf(value)
