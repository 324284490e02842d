/**
 * What the server says to the person who runs it: one line a message, as redis-server writes them,
 * `pid:M 22 Nov 2026 13:56:44.484 * message`, to standard output or to `logfile`.
 *
 * The idea to hold: everything logs through Effect, and only here is decided what is shown. Effect's levels stand for Redis's:
 * trace for debug (`.`), debug for verbose (`-`), info for notice (`*`), and from warning on for warning (`#`).
 */
import { appendFileSync } from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { InvalidSetting } from "../errors/ConfigErrors.ts"
import { Config } from "./Config.ts"
import { systemReason } from "./ConfigFile.ts"
import type { Values } from "./Settings.ts"

const shownFrom: Readonly<Record<Values["loglevel"], LogLevel.LogLevel>> = {
  debug: LogLevel.All,
  verbose: LogLevel.Debug,
  notice: LogLevel.Info,
  warning: LogLevel.Warning,
}

const mark = (level: LogLevel.LogLevel): string => {
  if (level.ordinal >= LogLevel.Warning.ordinal) return "#"
  if (level.ordinal >= LogLevel.Info.ordinal) return "*"
  return level.ordinal >= LogLevel.Debug.ordinal ? "-" : "."
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const digits = (value: number, length = 2): string => `${value}`.padStart(length, "0")

/** Local time, as redis-server prints it. */
const formatDate = (date: Date): string =>
  `${digits(date.getDate())} ${months[date.getMonth()]} ${date.getFullYear()} ` +
  `${digits(date.getHours())}:${digits(date.getMinutes())}:${digits(date.getSeconds())}.${digits(date.getMilliseconds(), 3)}`

const formatMessage = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part) => (part instanceof Error ? part.message : String(part)))
    .join(" ")

export interface Line {
  /** M for a master, S for a replica. */
  readonly role: "M" | "S"
  readonly date: Date
  readonly logLevel: LogLevel.LogLevel
  readonly message: unknown
  readonly cause: Cause.Cause<unknown>
}

/** A message as it is written, without the end of the line. A cause, with its stack, follows on lines of its own. */
export const format = ({ role, date, logLevel, message, cause }: Line): string => {
  const line = `${process.pid}:${role} ${formatDate(date)} ${mark(logLevel)} ${formatMessage(message)}`
  return Cause.isEmpty(cause) ? line : `${line}\n${Cause.pretty(cause, { renderErrorCause: true })}`
}

/** Logs as `loglevel`, which may change, and `logfile` say. Fails if the file cannot be written. */
export const layer: Layer.Layer<never, InvalidSetting, Config> = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { current } = yield* Config
    const path = current.logfile
    // Opened for each line, as redis-server does, so that a tool that rotates logs can move the file away.
    const write =
      path === "" ? (text: string) => void process.stdout.write(text) : (text: string) => appendFileSync(path, text)
    yield* Effect.try({
      try: () => (path === "" ? undefined : write("")),
      catch: (cause) => {
        const reason = systemReason(cause)
        return new InvalidSetting({ setting: "logfile", value: path, origin: "the file is opened for writing", reason })
      },
    })
    const logger = Logger.make((line) => {
      if (line.logLevel.ordinal < shownFrom[current.loglevel].ordinal) return
      write(`${format({ ...line, role: current.replicaof === undefined ? "M" : "S" })}\n`)
    })
    return Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All))
  }),
)
