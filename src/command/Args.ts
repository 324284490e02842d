/**
 * The cursor with which a command reads its arguments. Option parsing then reads like the manual:
 * `while (args.more) if (args.option("EX")) ... else args.fail(SyntaxError.error)`.
 *
 * The idea to hold: a wrong argument *throws* a `CommandError` here, and `Command.make` is the single place that catches it;
 * nothing has been changed by then, because parsing comes before running. There is one cursor a dispatcher, reset per command.
 */
import { flat, upToNul, ownLengthMin } from "../bytes/Bytes.ts"
import {
  ceilProduct,
  int64Max,
  parseDouble,
  parseInteger,
  parseLongDouble,
  parseSafeInteger,
} from "../bytes/Numbers.ts"
import { LongRequest } from "../codec/LongRequest.ts"
import {
  type CommandError,
  InvalidArgument,
  NotFloat,
  NotInteger,
  OutOfRange,
  SyntaxError,
} from "../errors/CommandError.ts"
import { StringBuffer, storedBytesMin } from "../store/StringBuffer.ts"
import { stored, type StringValue } from "../store/Value.ts"

/** A word of the grammar in upper case; like a C string, it ends with a NUL. */
export const keyword = (word: string): string => upToNul(word).toUpperCase()

export class Args {
  /** The whole request, the command's name (and subcommand's) included. */
  argv: ReadonlyArray<string> = []
  /** Index in `argv` of the next argument. */
  position = 0

  /** Begins with `argv`; `from` is 1, or 2 for a subcommand. */
  reset(argv: ReadonlyArray<string>, from: number): this {
    this.argv = argv
    this.position = from
    return this
  }

  /** How many arguments are left. */
  get left(): number {
    return this.argv.length - this.position
  }

  get more(): boolean {
    return this.position < this.argv.length
  }

  /** The next argument, to compare, to look up, or for the store, which copies what it keeps: it may hold a whole received chunk. */
  next(): string {
    if (this.position >= this.argv.length) throw SyntaxError.error
    return this.argv[this.position++]!
  }

  /** The next argument as a key. */
  key(): string {
    return this.next()
  }

  /** The next argument as a value to store. It may be taken once: what is long comes as the bytes that were received. */
  value(): StringValue {
    const { argv, position } = this
    if (argv instanceof LongRequest) {
      const taken = argv.take(position)
      if (taken !== undefined) {
        this.position++
        return new StringBuffer(taken.bytes, taken.length)
      }
    }
    const argument = this.next()
    return argument.length < storedBytesMin ? stored(argument) : StringBuffer.from(argument)
  }

  /** The next argument as a copy that may be kept outside of the store: a name, a setting. */
  owned(): string {
    const argument = this.next()
    return argument.length > ownLengthMin ? argument : flat(argument)
  }

  /** The next argument without taking it. */
  peek(): string | undefined {
    return this.argv[this.position]
  }

  /** All arguments left. */
  rest(): ReadonlyArray<string> {
    const rest = this.argv.slice(this.position)
    this.position = this.argv.length
    return rest
  }

  /** Takes the next argument if it is `word`, in any case. `word` is given in upper case. */
  option(word: string): boolean {
    const argument = this.argv[this.position]
    if (argument === undefined || argument.length < word.length) return false
    if (argument !== word) {
      // As in `keyword`, without a copy for most words that are not it.
      if (argument.length > word.length && argument.charCodeAt(word.length) !== 0) return false
      if (argument.slice(0, word.length).toUpperCase() !== word) return false
    }
    this.position++
    return true
  }

  /** Takes `word` only when at least `count` more arguments follow it, as most of Redis's option parsers do. */
  optionWith(word: string, count: number): boolean {
    return this.position + count < this.argv.length && this.option(word)
  }

  /** A 64-bit signed integer, exact: bigint beyond 2^53. */
  int64(error: CommandError = NotInteger.error): number | bigint {
    const value = parseInteger(this.next())
    if (value === undefined) throw error
    return value
  }

  /** A 64-bit signed integer for counts, indexes and times: beyond 2^53 it saturates. */
  int(error: CommandError = NotInteger.error): number {
    const value = parseSafeInteger(this.next())
    if (value === undefined) throw error
    return value
  }

  /** An integer in [min, max], else `range`; not an integer at all: `error`. */
  intIn(
    min: number,
    max: number,
    range: CommandError = OutOfRange.error,
    error: CommandError = NotInteger.error,
  ): number {
    const value = this.int(error)
    if (value < min || value > max) throw range
    return value
  }

  /** A floating point number, infinities included. */
  float(error: CommandError = NotFloat.error): number {
    const value = parseDouble(this.next())
    if (value === undefined) throw error
    return value
  }

  /** How long to wait, in seconds with a fraction: as milliseconds, rounded up; 0 is for ever. */
  timeoutMs(): number {
    const text = this.next()
    const whole = parseSafeInteger(text)
    if (whole !== undefined && whole >= 0 && whole <= wholeSecondsMax) return whole * 1000
    const seconds = parseLongDouble(text)
    if (seconds === undefined) throw timeoutNotFloat
    const ms = ceilProduct(seconds, 1000n)
    // What does not fit 64 bits wraps around in Redis.
    if (ms === undefined || ms < 0n || ms > int64Max) throw timeoutNegative
    return Number(ms)
  }

  /** The `numkeys` that counts the keys after it; `error` when it is not positive, `notInteger` when it is no integer. */
  counted(
    error: CommandError = notPositiveNumkeys,
    notInteger: CommandError = NotInteger.error,
  ): ReadonlyArray<string> {
    const count = this.int(notInteger)
    if (count <= 0) throw error
    if (count > this.left) throw SyntaxError.error
    const keys = this.argv.slice(this.position, this.position + count)
    this.position += count
    return keys
  }

  /** Fails the command. Typed as `never` so that it ends a branch. */
  fail(error: CommandError): never {
    throw error
  }

  /** Fails with a syntax error when arguments are left. */
  end(): void {
    if (this.more) throw SyntaxError.error
  }
}

/** Seconds that are exact as milliseconds. */
const wholeSecondsMax = 2 ** 43

const timeoutNotFloat = new InvalidArgument("timeout is not a float or out of range")
const timeoutNegative = new InvalidArgument("timeout is negative")
const notPositiveNumkeys = new InvalidArgument("numkeys should be greater than 0")
