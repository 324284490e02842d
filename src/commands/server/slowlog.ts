/**
 * SLOWLOG: the commands that took longer than `slowlog-log-slower-than`, newest first.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Clock } from "../../clock/Clock.ts"
import { flat } from "../../bytes/Bytes.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import { Observers } from "../../command/Observers.ts"
import { redact } from "../../command/Redaction.ts"
import { Config } from "../../config/Config.ts"
import { InvalidArgument, WrongForm } from "../../errors/CommandError.ts"

const countTooSmall = new InvalidArgument("count should be greater than or equal to -1")

interface Slow {
  readonly id: number
  readonly atSeconds: number
  readonly micros: number
  readonly argv: ReadonlyArray<string>
  readonly address: string
  readonly name: string
}

/** What is kept of a request: its first 31 words, each at most 128 bytes, and how much is left out. */
const wordsMax = 32
const wordLengthMax = 128

const shorten = (argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const kept = argv.length > wordsMax ? argv.slice(0, wordsMax - 1) : argv
  const words = kept.map((word) =>
    flat(
      word.length > wordLengthMax
        ? `${word.slice(0, wordLengthMax)}... (${word.length - wordLengthMax} more bytes)`
        : word,
    ),
  )
  return argv.length > wordsMax ? [...words, `... (${argv.length - wordsMax + 1} more arguments)`] : words
}

/** SLOWLOG with its subcommands. */
export const slowlogCommands = Effect.gen(function* () {
  const clock = yield* Clock
  const { current, onChange } = yield* Config
  const observers = yield* Observers
  const slow: Array<Slow> = []
  let nextId = 0

  const trim = () => {
    slow.length = Math.min(slow.length, current.slowlogMaxLen)
  }
  onChange(["slowlog-max-len"], trim)
  observers.measured.push((client, { command }, argv, micros) => {
    const threshold = current.slowlogLogSlowerThan
    if (threshold < 0 || micros < threshold || command.mask & Command.Flag.skip_slowlog) return
    slow.unshift({
      id: nextId++,
      atSeconds: Math.floor(clock.now() / 1000),
      micros: Math.floor(micros),
      argv: shorten(redact(command.name, argv)),
      address: observers.scriptKeys === undefined ? client.address : "?:0",
      name: observers.scriptKeys === undefined ? client.name : "",
    })
    trim()
  })

  const slowlogGet = Command.make({
    name: "slowlog|get",
    summary: "Get the slow log's entries",
    since: "2.2.12",
    group: "server",
    complexity: "O(N) where N is the number of entries returned",
    history: [["4.0.0", "Added client IP address, port and name to the reply."]],
    arity: -2,
    flags: "admin loading stale",
    tips: ["request_policy:all_nodes", "nondeterministic_output"],
    args: [Arg.integer("count", { optional: true })],
    parse: (args) => {
      if (args.left > 1) args.fail(WrongForm.of("SLOWLOG", args.argv[1]!))
      return args.more ? args.intIn(-1, Number.MAX_SAFE_INTEGER, countTooSmall, countTooSmall) : 10
    },
    run: (count) => {
      const listed = count < 0 ? slow : slow.slice(0, count)
      return Either.right(
        Reply.array(
          listed.map(({ id, atSeconds, micros, argv, address, name }) =>
            Reply.array([
              Reply.int(id),
              Reply.int(atSeconds),
              Reply.int(micros),
              Reply.bulks(argv),
              Reply.bulk(address),
              Reply.bulk(name),
            ]),
          ),
        ),
      )
    },
  })

  const slowlogLen = Command.make({
    name: "slowlog|len",
    summary: "Get the slow log's length",
    since: "2.2.12",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "admin loading stale",
    tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    parse: () => undefined,
    run: () => Either.right(Reply.int(slow.length)),
  })

  const slowlogReset = Command.make({
    name: "slowlog|reset",
    summary: "Clear all entries from the slow log",
    since: "2.2.12",
    group: "server",
    complexity: "O(N) where N is the number of entries in the slowlog",
    arity: 2,
    flags: "admin loading stale",
    tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
    parse: () => undefined,
    run: () => {
      slow.length = 0
      return Either.right(Reply.ok)
    },
  })

  const slowlogHelp = help(
    "slowlog",
    {
      summary: "Show helpful text about the different subcommands",
      since: "6.2.0",
      group: "server",
      complexity: "O(1)",
      flags: "loading stale",
    },
    [
      "GET [<count>]",
      "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
      "    Entries are made of:",
      "    id, timestamp, time in microseconds, arguments array, client IP and port,",
      "    client name",
      "LEN",
      "    Return the length of the slowlog.",
      "RESET",
      "    Reset the slowlog.",
    ],
  )

  const slowlog = Command.container({
    name: "slowlog",
    summary: "A container for slow log commands",
    since: "2.2.12",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [slowlogGet, slowlogLen, slowlogReset, slowlogHelp],
  })

  return [slowlog]
})
