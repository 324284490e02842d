/**
 * The options that SET and GETEX share: conditions, and the four ways to say when a key ends.
 *
 * The idea to hold: the grammar is checked first, the amount of time later, because GETEX of a missing key answers nil
 * whatever the amount is. An option may be repeated, and the last one counts, but two different ones exclude each other.
 */
import * as Either from "effect/Either"
import { parseInteger } from "../../bytes/Numbers.ts"
import type { Args } from "../../command/Args.ts"
import { type CommandError, NotInteger, SyntaxError } from "../../errors/CommandError.ts"
import { InvalidExpireTime } from "../../errors/StringErrors.ts"

/** Seconds or milliseconds from now on, or since 1970. */
export type Unit = "EX" | "PX" | "EXAT" | "PXAT"
const units: ReadonlyArray<Unit> = ["EX", "PX", "EXAT", "PXAT"]

export interface Options {
  condition: "NX" | "XX" | undefined
  get: boolean
  keepTtl: boolean
  persist: boolean
  unit: Unit | undefined
  /** The word after the unit, not looked at yet. */
  amount: string
}

/** No option at all: one object for all requests. */
export const none: Readonly<Options> = {
  condition: undefined,
  get: false,
  keepTtl: false,
  persist: false,
  unit: undefined,
  amount: "",
}

/** Reads all words left; throws a syntax error where they do not follow the grammar of `command`. */
export const parseOptions = (args: Args, command: "set" | "getex"): Readonly<Options> => {
  if (!args.more) return none
  const options: Options = { ...none }
  while (args.more) {
    const taken =
      command === "set" ? takeCondition(args, options) || takeKeepTtl(args, options) : takePersist(args, options)
    if (!taken && !takeUnit(args, options)) args.fail(SyntaxError.error)
  }
  return options
}

const takeCondition = (args: Args, options: Options): boolean => {
  if (options.condition !== "XX" && args.option("NX")) options.condition = "NX"
  else if (options.condition !== "NX" && args.option("XX")) options.condition = "XX"
  else if (args.option("GET")) options.get = true
  else return false
  return true
}

const takeKeepTtl = (args: Args, options: Options): boolean => {
  if (options.unit !== undefined || !args.option("KEEPTTL")) return false
  options.keepTtl = true
  return true
}

const takePersist = (args: Args, options: Options): boolean => {
  if (options.unit !== undefined || !args.option("PERSIST")) return false
  options.persist = true
  return true
}

const takeUnit = (args: Args, options: Options): boolean => {
  if (options.keepTtl || options.persist) return false
  for (const unit of units) {
    if ((options.unit !== undefined && options.unit !== unit) || !args.optionWith(unit, 1)) continue
    options.unit = unit
    options.amount = args.next()
    return true
  }
  return false
}

const instantMax = 9223372036854775807n
/** The latest instant that a number can hold and 64 bits can, too: what is logged must be readable again. */
const deadlineMax = 2 ** 63 - 1024
const thousand = 1000n

/**
 * The instant, Unix ms, that `amount` of a unit names for `command`.
 * Differs: beyond 2^53 ms (the year 287396) it is rounded to what a double holds.
 */
export const deadlineOf = (
  unit: Unit,
  amount: string,
  now: number,
  command: string,
): Either.Either<number, CommandError> => {
  const parsed = parseInteger(amount)
  if (parsed === undefined) return Either.left(NotInteger.error)
  if (parsed <= 0) return Either.left(InvalidExpireTime.of(command))
  const inSeconds = unit === "EX" || unit === "EXAT"
  const isRelative = unit === "EX" || unit === "PX"
  if (parsed < 2 ** 42) {
    const milliseconds = Number(parsed) * (inSeconds ? 1000 : 1)
    return Either.right(isRelative ? now + milliseconds : milliseconds)
  }
  const milliseconds = BigInt(parsed) * (inSeconds ? thousand : 1n)
  const instant = isRelative ? BigInt(now) + milliseconds : milliseconds
  return instant > instantMax
    ? Either.left(InvalidExpireTime.of(command))
    : Either.right(Math.min(Number(instant), deadlineMax))
}
