/**
 * The kinds of value that only one setting has: save points, output limits per class of client, classes of keyspace events,
 * percentiles. Each reads and prints the words of redis.conf; the texts of refusals are redis-server's.
 */
import * as Either from "effect/Either"
import { parseDoubleLoosely } from "../bytes/Numbers.ts"
import { bytes, int32Max, oneOf, parseMemory, type SettingType } from "./SettingType.ts"

const none = (words: ReadonlyArray<string>): boolean => words.length === 0 || (words.length === 1 && words[0] === "")

/** A snapshot is due when `changes` keys changed and `seconds` passed since the last one. */
export interface SavePoint {
  readonly seconds: number
  readonly changes: number
}

/** A whole number as C's atoi and strtol take them here; Differs: what exceeds 32 bits is refused, not wrapped around. */
const count = (word: string, min: number): number | undefined => {
  if (!/^[0-9]+$/.test(word)) return undefined
  const value = Number(word)
  return value >= min && value <= int32Max ? value : undefined
}

export const savePoints: SettingType<ReadonlyArray<SavePoint>> = {
  allowed: 'pairs of seconds and changes, as 900 1 300 10, or "" for never',
  variadic: true,
  parse: (words) => {
    const points: Array<SavePoint> = []
    if (none(words)) return Either.right(points)
    if (words.length % 2 !== 0) return Either.left("Invalid save parameters")
    for (let i = 0; i < words.length; i += 2) {
      const seconds = count(words[i]!, 1)
      const changes = count(words[i + 1]!, 0)
      if (seconds === undefined || changes === undefined) return Either.left("Invalid save parameters")
      points.push({ seconds, changes })
    }
    return Either.right(points)
  },
  print: (points) => points.map(({ seconds, changes }) => `${seconds} ${changes}`).join(" "),
  lines: (points) => (points.length === 0 ? ['""'] : points.map(({ seconds, changes }) => `${seconds} ${changes}`)),
  append: (first, second) => (second.length === 0 ? second : [...first, ...second]),
}

/** How many bytes of replies may wait for one client. 0 is no limit; the soft limit must be exceeded for `softSeconds`. */
export interface OutputLimit {
  readonly hardBytes: number
  readonly softBytes: number
  readonly softSeconds: number
}

export interface OutputLimits {
  readonly normal: OutputLimit
  readonly replica: OutputLimit
  readonly pubsub: OutputLimit
}

const clientClasses: ReadonlyMap<string, keyof OutputLimits> = new Map([
  ["normal", "normal"],
  ["slave", "replica"],
  ["replica", "replica"],
  ["pubsub", "pubsub"],
])

const outputLimit = (words: ReadonlyArray<string>): OutputLimit | undefined => {
  const hard = parseMemory(words[1]!)
  const soft = parseMemory(words[2]!)
  const softSeconds = count(words[3]!, 0)
  if (hard === undefined || soft === undefined || softSeconds === undefined) return undefined
  return { hardBytes: Number(hard), softBytes: Number(soft), softSeconds }
}

export const outputLimits: SettingType<OutputLimits> = {
  allowed: "a class (normal, replica, pubsub), a hard and a soft limit in bytes and seconds, as pubsub 32mb 8mb 60",
  variadic: true,
  parse: (words, previous) => {
    if (none(words)) return Either.right(previous)
    if (words.length % 4 !== 0) return Either.left("Wrong number of arguments in buffer limit configuration.")
    const limits: { -readonly [Class in keyof OutputLimits]: OutputLimit } = { ...previous }
    for (let i = 0; i < words.length; i += 4) {
      const name = clientClasses.get(words[i]!.toLowerCase())
      if (name === undefined) return Either.left("Invalid client class specified in buffer limit configuration.")
      const limit = outputLimit(words.slice(i, i + 4))
      if (limit === undefined) {
        return Either.left("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
      }
      limits[name] = limit
    }
    return Either.right(limits)
  },
  print: ({ normal, replica, pubsub }) =>
    [["normal", normal] as const, ["slave", replica] as const, ["pubsub", pubsub] as const]
      .map(([name, limit]) => `${name} ${limit.hardBytes} ${limit.softBytes} ${limit.softSeconds}`)
      .join(" "),
  lines: ({ normal, replica, pubsub }) =>
    [["normal", normal] as const, ["replica", replica] as const, ["pubsub", pubsub] as const].map(
      ([name, limit]) => `${name} ${limit.hardBytes} ${limit.softBytes} ${limit.softSeconds}`,
    ),
}

/** The letters of the classes of keyspace events; the first is bit 0 of the value. `A` stands for all but m, n, K and E. */
export const eventLetters = "g$lshzxetmdnKE"

const eventBit = (letter: string): number => 1 << eventLetters.indexOf(letter)
const eventBits = (letters: string): number => [...letters].reduce((bits, letter) => bits | eventBit(letter), 0)
const allEvents = eventBits("g$lshzxetd")

const letters = (bits: number, names: string): string =>
  [...names].filter((name) => (bits & eventBit(name)) !== 0).join("")

/** Which keyspace events are published, as bits in the order of `eventLetters`. */
export const eventClasses: SettingType<number> = {
  allowed: "letters out of Ag$lshzxeKEtmdn",
  variadic: false,
  parse: (words) => {
    if (words.length !== 1) return Either.left("wrong number of arguments")
    let bits = 0
    for (const letter of words[0]!) {
      if (letter === "A") bits |= allEvents
      else if (eventLetters.includes(letter)) bits |= eventBit(letter)
      else return Either.left("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    }
    return Either.right(bits)
  },
  // redis-server leaves out n where it prints A.
  print: (bits) => ((bits & allEvents) === allEvents ? "A" : letters(bits, "g$lshzxetdn")) + letters(bits, "KEm"),
  lines: (bits) => [
    bits === 0 ? '""' : (bits & allEvents) === allEvents ? `A${letters(bits, "nKEm")}` : eventClasses.print(bits),
  ],
}

/** What printf's %.9g gives, without trailing zeros. */
const formatPercentile = (value: number): string => `${Number(value.toPrecision(9))}`

export const percentiles: SettingType<ReadonlyArray<number>> = {
  allowed: 'numbers from 0 to 100, or "" for none',
  variadic: true,
  parse: (words) => {
    const values: Array<number> = []
    if (none(words)) return Either.right(values)
    for (const word of words) {
      const value = word === "" ? undefined : parseDoubleLoosely(word)
      if (value === undefined || Number.isNaN(value)) {
        return Either.left("Invalid latency-tracking-info-percentiles parameters")
      }
      if (value < 0 || value > 100) {
        return Either.left("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
      }
      values.push(value)
    }
    return Either.right(values)
  },
  print: (values) => values.map(formatPercentile).join(" "),
  lines: (values) => [values.length === 0 ? '""' : values.join(" ")],
}

/** Where a master listens. */
export interface Master {
  readonly host: string
  readonly port: number
}

/** The master of a replica; absent for none. */
export const master: SettingType<Master | undefined> = {
  allowed: "the master's host and port, or no one",
  variadic: true,
  parse: (words) => {
    if (none(words)) return Either.right(undefined)
    const [host, last] = words
    if (words.length !== 2) return Either.left("wrong number of arguments")
    if (host!.toLowerCase() === "no" && last!.toLowerCase() === "one") return Either.right(undefined)
    const port = count(last!, 0)
    return port === undefined || port > 65535 ? Either.left("Invalid master port") : Either.right({ host: host!, port })
  },
  print: (value) => (value === undefined ? "" : `${value.host} ${value.port}`),
  lines: (value) => (value === undefined ? [] : [`${value.host} ${value.port}`]),
}

/** How the server is to stop, in the words of SHUTDOWN. */
export interface ShutdownMode {
  readonly save: "always" | "never" | "as configured"
  /** Do not wait for replicas. */
  readonly now: boolean
  /** Also when a snapshot fails. */
  readonly force: boolean
}

const shutdownWords = ["default", "save", "nosave", "now", "force"]

export const shutdownMode: SettingType<ShutdownMode> = {
  allowed: `default, or some of ${shutdownWords.slice(1).join(", ")}`,
  variadic: true,
  parse: (given) => {
    const words = given.map((word) => word.toLowerCase())
    const has = (word: string) => words.includes(word)
    if (words.length === 0 || words.some((word) => !shutdownWords.includes(word)))
      return Either.left(`argument(s) must be one of the following: ${shutdownWords.join(", ")}`)
    if (has("save") && has("nosave"))
      return Either.left("shutdown options SAVE and NOSAVE can't be used simultaneously")
    const save = has("save") ? "always" : has("nosave") ? "never" : "as configured"
    return Either.right({ save, now: has("now"), force: has("force") })
  },
  print: ({ save, now, force }) => {
    const saving = { always: ["save"], never: ["nosave"], "as configured": [] }[save]
    const words = [...saving, ...(now ? ["now"] : []), ...(force ? ["force"] : [])]
    return words.length === 0 ? "default" : words.join(" ")
  },
  lines: (mode) => [shutdownMode.print(mode)],
}

export const defaultShutdown: ShutdownMode = { save: "as configured", now: false, force: false }

/** What a title is made of. */
export const titleFields = [
  "title",
  "listen-addr",
  "server-mode",
  "port",
  "tls-port",
  "unixsocket",
  "config-file",
] as const

export type TitleField = (typeof titleFields)[number]

export const titleFieldNames = titleFields.map((field) => `{${field}}`).join(" ")

const isTitleTemplate = (text: string): boolean =>
  text !== "" && !text.replaceAll(/\{([^{}]*)\}/g, (all, name) => (titleFields.includes(name) ? "" : all)).includes("{")

export const titleTemplate: SettingType<string> = {
  ...bytes,
  allowed: "text that is not empty, with nothing else in braces than these",
  parse: (words, previous) =>
    Either.filterOrLeft(
      bytes.parse(words, previous),
      isTitleTemplate,
      () => "template format is invalid or contains unknown variables",
    ),
}

/** `relative` is what `yes` means. */
export const oomScoring: SettingType<"no" | "yes" | "relative" | "absolute"> = (() => {
  const type = oneOf("no", "yes", "relative", "absolute")
  return {
    ...type,
    parse: (words, previous) =>
      Either.map(type.parse(words, previous), (value) => (value === "relative" ? "yes" : value)),
  }
})()

const oomScoreMax = 2000

/** Of a master, of a replica, of child processes. */
export const oomScores: SettingType<ReadonlyArray<number>> = {
  allowed: "three numbers from -2000 to 2000",
  variadic: true,
  parse: (words) => {
    if (words.length !== 3) return Either.left("wrong number of arguments")
    const scores = words.map((word) => (/^[+-]?[0-9]+$/.test(word) ? Number(word) : NaN))
    return scores.every((score) => Math.abs(score) <= oomScoreMax)
      ? Either.right(scores)
      : Either.left(`Invalid oom-score-adj-values, elements must be between ${-oomScoreMax} and ${oomScoreMax}.`)
  },
  print: (scores) => scores.join(" "),
  lines: (scores) => [scores.join(" ")],
}
