/**
 * The kinds of settings: what may be written for one, what it means, and how it is printed. A setting's text is a list of
 * words, as on a line of redis.conf; CONFIG SET and environment variables give the same as one word, which kinds of several
 * words split at spaces, exactly as redis-server does.
 *
 * The idea to hold: a kind knows nothing of any particular setting, and its refusals are the texts a client of CONFIG SET
 * reads. `allowed` says the same for people, in what a refused start prints.
 */
import { resolve } from "node:path"
import * as Either from "effect/Either"
import { toUtf8 } from "../bytes/Bytes.ts"
import { parseInteger } from "../bytes/Numbers.ts"

export interface SettingType<A> {
  /** What may be written, for people: it follows "port takes ". */
  readonly allowed: string
  /** Whether the setting takes several words, so that a single word with spaces is split into its words. */
  readonly variadic: boolean
  /** The value of `words` (byte strings), or why they are refused. `previous` is for settings that change part by part. */
  readonly parse: (words: ReadonlyArray<string>, previous: A) => Either.Either<A, string>
  /** The value as CONFIG GET shows it, a byte string. */
  readonly print: (value: A) => string
  /** The value as lines of a settings file, each without the setting's name. One line, `print` quoted, unless given. */
  readonly lines?: (value: A) => ReadonlyArray<string>
  /** What a second line of the same setting does to the first; without it the last line counts. */
  readonly append?: (first: A, second: A) => A
  /** What only the system can tell about a value: the reason it cannot be used. */
  readonly check?: (value: A) => string | undefined
}

const refuse = Either.left
const accept = Either.right

/** A kind whose value is one word. */
const single = <A>(
  allowed: string,
  parse: (word: string, previous: A) => Either.Either<A, string>,
  print: (value: A) => string,
): SettingType<A> => ({
  allowed,
  variadic: false,
  parse: (words, previous) => (words.length === 1 ? parse(words[0]!, previous) : refuse("wrong number of arguments")),
  print,
})

/** The largest of C's 64-bit integers; a limit of many settings, and beyond what a number holds exactly. */
export const int64Max = 9223372036854775807n
export const int32Max = 2147483647

const inRange = (value: number | bigint, min: number, max: number | bigint): Either.Either<number, string> =>
  value < min || value > max
    ? refuse(`argument must be between ${min} and ${max} inclusive`)
    : // Differs: a value beyond 2^53 becomes the nearest number, and CONFIG GET shows that one.
      accept(Number(value))

const printNumber = (value: number): string => (Number.isSafeInteger(value) ? `${value}` : `${BigInt(value)}`)

export const integer = (min: number, max: number | bigint): SettingType<number> =>
  single(
    max === int64Max ? `an integer from ${min}` : `an integer from ${min} to ${max}`,
    (word) => {
      const value = parseInteger(word)
      return value === undefined ? refuse("argument couldn't be parsed into an integer") : inRange(value, min, max)
    },
    printNumber,
  )

/** Bits of a file mode, written in base 8. */
export const fileMode: SettingType<number> = {
  ...single(
    "an octal number from 0 to 777",
    (word) => {
      if (!/^[0-7]+$/.test(word)) return refuse("argument couldn't be parsed as an octal number")
      const value = Number.parseInt(word, 8)
      return value > 0o777 ? refuse("argument must be between 0 and 777 inclusive") : accept(value)
    },
    (value) => value.toString(8),
  ),
}

const units = new Map<string, bigint>([
  ["", 1n],
  ["b", 1n],
  ["k", 1000n],
  ["kb", 1024n],
  ["m", 1000n ** 2n],
  ["mb", 1024n ** 2n],
  ["g", 1000n ** 3n],
  ["gb", 1024n ** 3n],
])

/** Bytes, with a unit or without; no digits at all are 0, as redis-server has it. */
export const parseMemory = (word: string): bigint | undefined => {
  const parts = /^([0-9]*)([a-z]*)$/i.exec(word)
  const unit = parts === null ? undefined : units.get(parts[2]!.toLowerCase())
  return unit === undefined ? undefined : BigInt(parts![1]!) * unit
}

/** Bytes in the largest unit that needs no fraction, as CONFIG REWRITE writes them. */
const memoryWithUnit = (bytes: number): string => {
  for (const [name, unit] of [
    ["gb", 1024 ** 3],
    ["mb", 1024 ** 2],
    ["kb", 1024],
  ] as const) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${name}`
  }
  return printNumber(bytes)
}

export const memory = (min = 0, max: bigint = int64Max): SettingType<number> => ({
  ...single(
    min === 0 ? "bytes, as 1024, 100mb or 1gb" : `at least ${memoryWithUnit(min)}, as 100mb or 1gb`,
    (word) => {
      const value = parseMemory(word)
      return value === undefined ? refuse("argument must be a memory value") : inRange(value, min, max)
    },
    printNumber,
  ),
  lines: (value) => [memoryWithUnit(value)],
})

/** Bytes, or a part of `maxmemory`. */
export type MemoryOrPercent = number | { readonly percent: number }

export const memoryOrPercent: SettingType<MemoryOrPercent> = {
  ...single<MemoryOrPercent>(
    "bytes, as 100mb, or a percentage of maxmemory, as 5%",
    (word) => {
      if (!word.endsWith("%")) {
        const value = parseMemory(word)
        return value === undefined ? refuse("argument must be a memory or percent value") : accept(Number(value))
      }
      const percent = parseInteger(word.slice(0, -1))
      if (percent === undefined || percent < 0) return refuse("argument must be a memory or percent value")
      if (percent > 100) return refuse("percentage argument must be less or equal to 100")
      return accept({ percent: Number(percent) })
    },
    (value) => (typeof value === "number" ? printNumber(value) : `${value.percent}%`),
  ),
  lines: (value) => [typeof value === "number" ? memoryWithUnit(value) : `${value.percent}%`],
}

export const boolean: SettingType<boolean> = single(
  "yes or no",
  (word) => {
    const lower = word.toLowerCase()
    return lower === "yes" ? accept(true) : lower === "no" ? accept(false) : refuse("argument must be 'yes' or 'no'")
  },
  (value) => (value ? "yes" : "no"),
)

/** One of some names, in the order in which the refusal lists them. */
export const oneOf = <const Name extends string>(...names: ReadonlyArray<Name>): SettingType<Name> =>
  single(
    `one of ${names.join(", ")}`,
    (word) => {
      const found = names.find((name) => name === word.toLowerCase())
      return found === undefined
        ? refuse(`argument(s) must be one of the following: ${names.join(", ")}`)
        : accept(found)
    },
    (value) => value,
  )

/** Any bytes. The value is a byte string. */
export const bytes: SettingType<string> = single("any text", accept, (value) => value)

/**
 * A path or a file's name. The value is text, ready for the file system; what bytes it was given as is not kept.
 * Differs: a name that is not UTF-8 is refused.
 */
const path = (allowed: string, refusal: (text: string) => string | undefined): SettingType<string> =>
  single(
    allowed,
    (word) => {
      const text = toUtf8(word)
      if (text.includes("\uFFFD") || text.includes("\0")) return refuse("argument must be a path in UTF-8")
      const reason = refusal(text)
      return reason === undefined ? accept(text) : refuse(reason)
    },
    (value) => Buffer.from(value, "utf8").latin1Slice(),
  )

/** A path, or "" for none. */
export const filePath: SettingType<string> = path('a path, or "" for none', () => undefined)

/** A name inside `dir`. `kind` is what the refusal calls it. */
export const fileName = (setting: string, kind: "filename" | "dirname", canBeEmpty = false): SettingType<string> =>
  path(`a ${kind === "filename" ? "file" : "directory"} name without slashes`, (text) => {
    if (text === "" && !canBeEmpty) return `${setting} can't be empty`
    return text.includes("/") ? `${setting} can't be a path, just a ${kind}` : undefined
  })

/** An existing directory; the value is its absolute path. `check` is given by the caller, who may look at disks. */
export const directory = (check: (path: string) => string | undefined): SettingType<string> => {
  const type = path("an existing directory", () => undefined)
  return {
    ...type,
    parse: (words, previous) =>
      // An empty path would resolve to the working directory; the check refuses it instead.
      Either.map(type.parse(words, previous), (text) => (text === "" ? text : resolve(text))),
    check,
  }
}

/** Words separated by spaces, as `bind` has them. */
export const wordList = (allowed: string, max: number, refusal: string): SettingType<ReadonlyArray<string>> => ({
  allowed,
  variadic: true,
  parse: (words) => {
    const given = words.length === 1 && words[0] === "" ? [] : words
    return given.length > max ? refuse(refusal) : accept(given)
  },
  print: (value) => value.join(" "),
  lines: (value) => [value.length === 0 ? '""' : value.join(" ")],
})
