/**
 * The command for @effect/cli, built from the table of settings: version, shell completions and the wizard. It is loaded
 * only when one of these is asked for; see Arguments.ts.
 */
import { stripVTControlCharacters } from "node:util"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import type { ValidationError } from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import type * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Directive } from "../config/Directive.ts"
import { type Entry, entries } from "../config/Settings.ts"
import type { Sources } from "../config/Sources.ts"
import { usual, wordsOf } from "./Arguments.ts"
import * as Help from "./Help.ts"

/** What the wizard and the completions say about a setting. */
const describe = (entry: Entry): string => `${entry.setting.about} ${Help.values(entry)}`

const flagOf = (entry: Entry): Options.Options<ReadonlyArray<string>> => {
  const aliased = entry.setting.aliases.reduce(
    (flag, alias) => Options.withAlias(flag, alias),
    Options.text(entry.name),
  )
  return aliased.pipe(Options.withPseudoName("words"), Options.withDescription(describe(entry)), Options.repeated)
}

const flags = Options.all(entries.map(flagOf))
const file = Args.text({ name: "file" }).pipe(Args.withDescription(Help.fileAbout), Args.optional)

/**
 * Does what `argv` asks for. `start` is called where that is a server after all, as at the end of the wizard. `argv` is the
 * command line without the program.
 */
export const run = <E, R>(
  argv: ReadonlyArray<string>,
  start: (sources: Sources) => Effect.Effect<unknown, E, R>,
): Effect.Effect<void, E | ValidationError, R> => {
  const command = Command.make("tiny-redis", { file, flags }, (given) =>
    Effect.asVoid(
      start({
        file: Option.getOrUndefined(given.file),
        flags: entries.flatMap((entry, i) =>
          given.flags[i]!.map((value): Directive => ({
            name: entry.name,
            words: wordsOf(value),
            origin: `--${entry.name}`,
          })),
        ),
      }),
    ),
  ).pipe(Command.withDescription(HelpDoc.p(Help.about)))
  const answered = Command.run(command, { name: "tiny-redis", version: Help.version })([
    "node",
    "tiny-redis",
    ...usual(argv),
  ])
  return Effect.flatMap(Effect.console, (console) => Effect.withConsole(answered, plainWhereNeeded(console))).pipe(
    Effect.provide(NodeContext.layer),
  )
}

/** Without the codes for colours and bold letters, which @effect/cli always writes, where nobody sees them: in a file or a pipe. */
const plainWhereNeeded = (console: Console.Console): Console.Console => {
  const plain = (stream: NodeJS.WriteStream, args: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
    stream.isTTY ? args : args.map((arg) => (typeof arg === "string" ? stripVTControlCharacters(arg) : arg))
  return {
    ...console,
    log: (...args) => console.log(...plain(process.stdout, args)),
    error: (...args) => console.error(...plain(process.stderr, args)),
  }
}
