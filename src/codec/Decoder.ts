/**
 * Turns the bytes of one connection into requests: RESP multibulk, and lines typed by hand ("inline"). It does not know
 * what a command is; it stops where one request ends, so that AUTH or CONFIG SET can change the limits for the next one.
 *
 * The idea to hold: a chunk becomes one string at once and arguments are cut out of it, which V8 does without copying.
 * Only long ones are copied, those collected from several chunks anyway, so that whoever keeps them need not.
 * Nothing is read twice: of an unfinished request the arguments so far are kept, and how much more is needed before another
 * look is worth while. An argument of which much is missing is collected as bytes, received right there if possible, and may stay bytes
 * (LongRequest.ts).
 *
 * After a protocol error `failure` is set, and nothing more is accepted or given out.
 */
import { constants } from "node:buffer"
import * as BufferPool from "../bytes/BufferPool.ts"
import { flat, ownLengthMin } from "../bytes/Bytes.ts"
import { parseInteger } from "../bytes/Numbers.ts"
import { splitArguments } from "../bytes/Quoting.ts"
import { ProtocolError } from "../errors/ProtocolError.ts"
import { LongRequest } from "./LongRequest.ts"

/** Longest line (inline request, or the length before arguments) that may be waiting for its end. */
const lineLengthMax = 64 * 1024
const argumentCountMax = 2147483647
const argumentCountMaxUnauthenticated = 10
const bulkLengthMaxUnauthenticated = 16 * 1024
const bulkLengthMaxDefault = 512 * 1024 * 1024
/**
 * Differs: the longest string V8 can make is 24 bytes short of 512 MiB, which is where proto-max-bulk-len stands by
 * default and may be set beyond. What is longer is answered as what exceeds the setting.
 */
const bulkLengthMaxString = constants.MAX_STRING_LENGTH
/** An argument of which this much is missing is collected as bytes: joining strings copies all that came before. */
const missingBytesCollected = 32 * 1024
/** What the length of a long argument, and all that stands before it, is likely to fit into, and what it fits into where keys are long. */
const beginningBytes = 256
const longBeginningBytes = 1024
/** The next key may be a little longer than the one before. */
const shortHeadMax = beginningBytes - 64
/** Of an argument longer than this only twice of what has come is set aside: its length is no more than a claim. */
const collectorBytesTrusted = 1024 * 1024 + 4096
/** Where the beginning of an argument this long has been seen, enough of it is missing. */
const longLengthMin = missingBytesCollected + longBeginningBytes
const collectorBytesMin = 64 * 1024

const takeCollector = (bytes: number, present: number): Buffer =>
  BufferPool.take(bytes <= collectorBytesTrusted ? bytes : Math.min(bytes, Math.max(collectorBytesMin, 2 * present)))

/**
 * Where the beginning of a request is received when the one before had a long argument, so that another long argument is received where it
 * is to stay: of a SET of 64 KiB a second system call costs less than copying. What comes here becomes a string and bytes again, so it is
 * short. A longer argument is not there at once anyway.
 */
const longBeginning = Buffer.allocUnsafeSlow(longBeginningBytes)
const beginning = longBeginning.subarray(0, beginningBytes)
const aheadLengthMax = 128 * 1024

const argumentsAllocatedMax = 64
/** Requests of up to so many arguments of up to so many bytes are allowed to everybody, whatever the limits are set to. */
const plainCountMax = 9
const plainBulkMax = bulkLengthMaxUnauthenticated
/** What an argument of one byte takes, and a request of that. */
const plainBulkBytesMin = 7
const plainBytesMin = plainBulkBytesMin + 4
/** Above this, and below 1, a length is looked at more closely than digit by digit. */
const plainLengthMax = 999999999
const unknown = -1

const asterisk = 42
const dollar = 36
const carriageReturn = 13
const zero = 48
const nine = 57
const noArguments: Array<string> = []
const nothingSeen: ReadonlyArray<Array<string>> = []

/** What a request took that was read as a plain one. */
const plainBytes = (request: ReadonlyArray<string>): number =>
  request.reduce((sum, { length }) => sum + String(length).length + length + 5, 4)

export class Decoder {
  /** Until the client has authenticated, requests must be small. */
  authenticated = true
  /** proto-max-bulk-len */
  bulkLengthMax = bulkLengthMaxDefault
  /** Why the connection must be closed once this is answered. */
  failure: ProtocolError | undefined = undefined

  private text = ""
  private position = 0
  /** How many bytes from `position` on must be there before another look is worth while, unless `awaited` comes. */
  private wanted = 1
  private awaited = ""
  /** The arguments so far of a request of `count`, of which `missing` are still to come. */
  private args = noArguments
  private missing = 0
  private count = 0
  /** Length of the argument to come, once it has been read. */
  private bulkLength = unknown
  /** The argument being collected, with its CR LF, in a buffer that grows with what has really arrived. */
  private collector: Buffer | undefined = undefined
  private collected = 0
  /** Length of the long argument that the last request had, 0 for none: the next one may be like it. */
  private longLength = 0
  /** Whether more stood before that argument than usual. */
  private isBehindMuch = false
  /** A request that was read when it came, since it might have been the beginning of a long one. */
  private ahead: Array<string> | undefined = undefined
  /** What `lookAhead` read last, and how many of that `next` has given out. */
  private seen: ReadonlyArray<Array<string>> = nothingSeen
  private given = 0
  /** The arguments of which `argumentBytes` has measured so many. */
  private measured = noArguments
  private measuredCount = 0
  private measuredBytes = 0

  /** Bytes received and not yet given out as arguments. */
  get bufferedBytes(): number {
    let bytes = this.text.length - this.position + this.collected
    for (let i = this.given; i < this.seen.length; i++) bytes += plainBytes(this.seen[i]!)
    return bytes
  }

  /** As `bufferedBytes`, with what has been given out of the same chunk and is still held. */
  get heldBytes(): number {
    return this.text.length + this.collected
  }

  /** Room set aside for the argument that is collected. */
  get freeBytes(): number {
    return this.collector === undefined ? 0 : this.collector.length - this.collected
  }

  /** Bytes of the arguments so far of a request that is not complete. */
  get argumentBytes(): number {
    if (this.missing === 0) return 0
    if (this.measured !== this.args) {
      this.measured = this.args
      this.measuredCount = this.measuredBytes = 0
    }
    // It may be asked after each chunk of a million arguments.
    for (; this.measuredCount < this.count - this.missing; this.measuredCount++) {
      this.measuredBytes += this.args[this.measuredCount]!.length
    }
    return this.measuredBytes
  }

  /** Where what comes next should be received: anywhere, if absent. `filled` takes what was received there. */
  room(): Buffer | undefined {
    const { collector } = this
    // Nothing may be received into memory that others are about to get.
    if (collector === undefined || this.collected === this.bulkLength + 2) {
      return this.longLength > 0 && this.longLength <= aheadLengthMax && this.position === this.text.length
        ? this.isBehindMuch
          ? longBeginning
          : beginning
        : undefined
    }
    if (this.collected === collector.length) return this.grow(collector, this.collected + 1).subarray(this.collected)
    return collector.subarray(this.collected)
  }

  /** As `push`, for so many bytes that were received where `room` said. */
  filled(length: number): void {
    if (this.failure !== undefined) return
    const { collector } = this
    if (collector === undefined || this.collected === this.bulkLength + 2) {
      if (this.isBetween) this.begin(longBeginning.latin1Slice(0, length))
      else this.push(longBeginning.subarray(0, length))
      return
    }
    const end = this.collected + length
    this.collected = Math.min(end, this.bulkLength + 2)
    if (this.collected < end) this.push(collector.subarray(this.collected, end))
  }

  /** Takes what was received. The buffer may be used again afterwards. */
  push(chunk: Buffer): void {
    if (this.failure !== undefined) return
    let from = 0
    if (this.collector !== undefined) {
      from = this.collect(this.collector, chunk)
      if (from === chunk.length) return
    }
    if (this.longLength > 0 && chunk.length - from >= longBeginningBytes && this.isBetween) {
      from = this.lookFor(chunk, from)
      if (from === chunk.length) return
    }
    const received = chunk.latin1Slice(from, chunk.length)
    if (this.awaited !== "" && received.includes(this.awaited)) this.wanted = 1
    this.text = this.position === this.text.length ? received : this.text.substring(this.position) + received
    this.position = 0
  }

  /** Whether no request has begun, nor waits to be given out. */
  private get isBetween(): boolean {
    const isRead = this.collector === undefined && this.ahead === undefined && this.missing === 0
    return isRead && this.position === this.text.length && this.seen === nothingSeen
  }

  /**
   * Turns only the beginning of a chunk into a string when the request before had a long argument. Where another one begins, it is
   * collected from the chunk itself.
   */
  private lookFor(chunk: Buffer, from: number): number {
    const next = from + longBeginningBytes
    this.begin(chunk.latin1Slice(from, next))
    if (this.failure !== undefined) return chunk.length
    const { collector } = this
    if (collector === undefined) return next
    return next + this.collect(collector, chunk.subarray(next))
  }

  /** Reads what may be the beginning of a long request at once, so that the rest is received where it is to stay. */
  private begin(text: string): void {
    this.text = text
    this.position = 0
    this.ahead = this.next()
  }

  /**
   * The requests that `next` is going to give, at most `max`, as far as they are complete and plain. Whatever they change, limits or
   * who the client is, they are read the same.
   */
  lookAhead(max: number): ReadonlyArray<ReadonlyArray<string>> {
    const seen: Array<Array<string>> = this.seen === nothingSeen ? [] : this.seen.slice(this.given)
    while (seen.length < max) {
      const request = this.readPlain(this.text)
      if (request === undefined) break
      seen.push(request)
    }
    this.seen = seen.length === 0 ? nothingSeen : seen
    this.given = 0
    return seen
  }

  /** Whether there are bytes that have not been read. */
  get hasMore(): boolean {
    return this.position < this.text.length
  }

  /** The next request, or `undefined` if it is not complete, or if `failure` says that there will not be one. */
  next(): Array<string> | undefined {
    return this.seen === nothingSeen ? (this.readPlain(this.text) ?? this.readNext()) : this.giveSeen()
  }

  /**
   * A whole request of a few short arguments, as almost all are. Absent, with nothing done, for any other, and for one that is not
   * complete.
   */
  private readPlain(text: string): Array<string> | undefined {
    if (this.missing > 0 || this.wanted > 1 || this.ahead !== undefined || this.collector !== undefined)
      return undefined
    const size = text.length
    let at = this.position
    // Reading behind the end of a string would make every reading slow from then on.
    if (at + plainBytesMin > size) return undefined
    const count = text.charCodeAt(at + 1) - zero
    if (count <= 0 || count > plainCountMax) return undefined
    if (text.charCodeAt(at) !== asterisk || text.charCodeAt(at + 2) !== carriageReturn) return undefined
    at += 4
    const args = new Array<string>(count)
    for (let i = 0; i < count; i++) {
      if (at + plainBulkBytesMin > size || text.charCodeAt(at) !== dollar) return undefined
      let length = text.charCodeAt(at + 1) - zero
      if (length <= 0 || length > 9) return undefined
      at += 2
      let code = text.charCodeAt(at)
      while (code >= zero && code <= nine) {
        length = length * 10 + (code - zero)
        if (++at === size || length > plainBulkMax) return undefined
        code = text.charCodeAt(at)
      }
      if (code !== carriageReturn) return undefined
      const start = at + 2
      at = start + length + 2
      if (at > size) return undefined
      args[i] = text.substring(start, start + length)
    }
    this.position = at
    if (this.longLength > 0) this.longLength = 0
    return args
  }

  private giveSeen(): Array<string> {
    const { seen } = this
    const request = seen[this.given++]!
    if (this.given === seen.length) {
      // Nothing of it is kept.
      this.seen = nothingSeen
      this.given = 0
    }
    return request
  }

  private readNext(): Array<string> | undefined {
    if (this.ahead !== undefined) {
      const { ahead } = this
      this.ahead = undefined
      return ahead
    }
    if (this.collector !== undefined) {
      return this.takeCollected(this.collector) ? this.readArguments(this.text, this.args, this.missing) : undefined
    }
    const text = this.text
    while (this.missing === 0) {
      if (text.length - this.position < this.wanted) return this.forgetIfEmpty()
      if (text.charCodeAt(this.position) !== asterisk) {
        const words = this.readLine(text)
        if (words === undefined || words.length > 0) return words
      } else {
        const count = this.readLength(text, asterisk)
        if (count === unknown) return undefined
        // An array of its final size: 85 ns for a SET of three arguments, where pushing takes 97 and 100 bytes more. A large
        // number is only a claim so far, and nothing is set aside for it.
        if (count === 0) continue
        this.count = count
        this.longLength = 0
        return this.readArguments(text, count <= argumentsAllocatedMax ? new Array<string>(count) : [], count)
      }
    }
    if (text.length - this.position < this.wanted) return undefined
    return this.readArguments(text, this.args, this.missing)
  }

  /** Reads the last `missing` arguments of a request, as far as they are there. Only what is not complete is kept. */
  private readArguments(text: string, args: Array<string>, toRead: number): Array<string> | undefined {
    let missing = toRead
    let bulkLength = this.bulkLength
    this.wanted = 1
    while (missing > 0) {
      if (bulkLength === unknown) {
        bulkLength = this.readLength(text, dollar)
        if (bulkLength === unknown) break
      }
      const start = this.position
      const end = start + bulkLength
      if (text.length < end + 2) {
        this.awaitBulk(text, bulkLength)
        break
      }
      const argument = text.substring(start, end)
      args[this.count - missing] = bulkLength > ownLengthMin ? flat(argument) : argument
      if (bulkLength >= longLengthMin) this.noteLong(bulkLength, start)
      // Nobody looks at the two bytes after an argument, in Redis neither.
      this.position = end + 2
      bulkLength = unknown
      missing--
    }
    this.missing = missing
    this.bulkLength = bulkLength
    if (missing > 0) {
      // After a failure nothing is.
      if (this.failure === undefined) this.args = args
      return undefined
    }
    if (this.args !== noArguments) this.args = noArguments
    return args
  }

  /** Passes the line at `position`, `*3` or `$3`, and gives its number; `unknown` if it is not complete or wrong. */
  private readLength(text: string, mark: number): number {
    const start = this.position
    let value = 0
    let i = start + 1
    let code = 0
    for (; i < text.length; i++) {
      code = text.charCodeAt(i)
      if (code < zero || code > nine) break
      value = value * 10 + (code - zero)
    }
    const plain = code === carriageReturn && i + 2 <= text.length && value > 0 && value <= plainLengthMax
    if (!plain || text.charCodeAt(start) !== mark || text.charCodeAt(start + 1) === zero) {
      return this.readOddLength(text, mark)
    }
    this.position = i + 2
    this.wanted = 1
    return value <= argumentCountMaxUnauthenticated ? value : this.checkLength(value, mark)
  }

  private checkLength(value: number, mark: number): number {
    if (mark === asterisk) {
      if (value > argumentCountMax) return this.fail("invalid multibulk length")
      if (!this.authenticated && value > argumentCountMaxUnauthenticated) {
        return this.fail("unauthenticated multibulk length")
      }
      // A negative number of arguments is none.
      return value < 0 ? 0 : value
    }
    if (value < 0 || value > this.bulkLengthMax) return this.fail("invalid bulk length")
    if (!this.authenticated && value > bulkLengthMaxUnauthenticated) return this.fail("unauthenticated bulk length")
    if (value > bulkLengthMaxString) return this.fail("invalid bulk length")
    return value
  }

  /** `readLength` for everything but short plain digits in a complete line. */
  private readOddLength(text: string, mark: number): number {
    const start = this.position
    const end = this.findLineEnd(
      text,
      "\r",
      mark === asterisk ? "too big mbulk count string" : "too big bulk count string",
    )
    if (end === unknown) return unknown
    if (text.length < end + 2) {
      this.wanted = end + 2 - start
      return unknown
    }
    if (mark === dollar && text.charCodeAt(start) !== dollar) return this.fail(`expected '$', got '${text[start]}'`)
    const value = parseInteger(text.substring(start + 1, end))
    if (value === undefined) {
      return this.fail(mark === asterisk ? "invalid multibulk length" : "invalid bulk length")
    }
    this.position = end + 2
    this.wanted = 1
    return this.checkLength(Number(value), mark)
  }

  /** An inline request; no words if the line is empty, `undefined` if it is not complete or wrong. */
  private readLine(text: string): Array<string> | undefined {
    const end = this.findLineEnd(text, "\n", "too big inline request")
    if (end === unknown) return undefined
    const last = end > this.position && text.charCodeAt(end - 1) === carriageReturn ? end - 1 : end
    const words = splitArguments(text.substring(this.position, last))
    if (words === undefined) {
      this.fail("unbalanced quotes in request")
      return undefined
    }
    this.position = end + 1
    this.wanted = 1
    return words
  }

  /** Where the line at `position` ends. Redis looks for it with strchr, so a line with a NUL byte never ends. */
  private findLineEnd(text: string, terminator: string, tooLong: string): number {
    const end = text.indexOf(terminator, this.position)
    const stuck = text.substring(this.position, end < 0 ? text.length : end).includes("\0")
    if (end >= 0 && !stuck) return end
    if (text.length - this.position > lineLengthMax) return this.fail(tooLong)
    this.wanted = lineLengthMax + 1
    this.awaited = stuck ? "" : terminator
    return unknown
  }

  private awaitBulk(text: string, bulkLength: number): void {
    const bytes = bulkLength + 2
    const present = text.length - this.position
    this.wanted = bytes
    this.awaited = ""
    if (bytes - present < missingBytesCollected) return
    this.noteLong(bulkLength, this.position)
    this.collector = takeCollector(bytes, present)
    this.collected = this.collector.latin1Write(text.substring(this.position), 0, present)
    this.text = ""
    this.position = 0
  }

  private noteLong(length: number, start: number): void {
    this.longLength = length
    this.isBehindMuch = start > shortHeadMax
  }

  /** Adds to the collected argument and returns how much of `chunk` belonged to it. */
  private collect(collector: Buffer, chunk: Buffer): number {
    const taken = Math.min(chunk.length, this.bulkLength + 2 - this.collected)
    const needed = this.collected + taken
    const target = needed > collector.length ? this.grow(collector, needed) : collector
    chunk.copy(target, this.collected, 0, taken)
    this.collected = needed
    return taken
  }

  private grow(collector: Buffer, needed: number): Buffer {
    const grown = BufferPool.take(Math.min(this.bulkLength + 2, 2 * needed))
    collector.copy(grown, 0, 0, this.collected)
    BufferPool.give(collector)
    this.collector = grown
    return grown
  }

  private takeCollected(collector: Buffer): boolean {
    if (this.collected < this.bulkLength + 2) return false
    const position = this.count - this.missing
    // What comes in a request of many arguments, or is the second one, is a string at once.
    if (
      LongRequest.isPosition(position) &&
      this.count <= argumentsAllocatedMax &&
      !(this.args instanceof LongRequest)
    ) {
      this.args = LongRequest.make(this.args, position, collector, this.bulkLength)
    } else {
      this.args[position] = collector.latin1Slice(0, this.bulkLength)
      BufferPool.give(collector)
    }
    this.missing--
    this.bulkLength = unknown
    this.collector = undefined
    this.collected = 0
    return true
  }

  /** An idle connection does not keep its last chunk alive. */
  private forgetIfEmpty(): undefined {
    if (this.position === this.text.length) {
      this.text = ""
      this.position = 0
    }
    return undefined
  }

  private fail(what: string): typeof unknown {
    this.failure = ProtocolError.of(what)
    this.text = ""
    this.position = 0
    this.args = noArguments
    return unknown
  }
}
