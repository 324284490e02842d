/**
 * The command line: `tiny-redis [file] [--setting words ...] ...`, every setting a flag spelled as in redis.conf, with as many
 * words as it takes, up to the next flag (`--save 900 1 300 10`, `--save ""`, `--bind 127.0.0.1 ::1`).
 *
 * The idea to hold: this grammar is redis-server's and not that of a usual command line, where a flag has one value. What is
 * here turns it into directives; `usual` turns it into one value a flag, which `Cli.ts` gives to @effect/cli for versions,
 * completions and the wizard. Loading @effect/cli costs more CPU (150 ms beside the server, 350 alone) than the whole start of
 * a server may (300), so a start that asks for none of these does without it.
 */
import { fromUtf8 } from "../bytes/Bytes.ts"
import { quote, splitArguments } from "../bytes/Quoting.ts"
import type { Directive } from "../config/Directive.ts"
import { find } from "../config/Settings.ts"
import { InvalidSetting } from "../errors/ConfigErrors.ts"
import type { Sources } from "../config/Sources.ts"

/** Flags that ask for something else than a server; @effect/cli's own. */
const questions: ReadonlySet<string> = new Set(["-h", "--help", "-v", "--version", "--completions", "--wizard"])

/** Whether the command line asks for help and the like. A word of a setting (`--requirepass -h`) asks for nothing. */
export const asks = (argv: ReadonlyArray<string>): boolean => {
  const { flags, rest } = group(argv)
  return rest.some(isQuestion) || flags.some(({ flag }) => isQuestion(flag))
}

const isQuestion = (word: string): boolean => questions.has(word.split("=")[0]!)

/** Whether what it asks for is help, whatever else it asks for. */
export const asksForHelp = (argv: ReadonlyArray<string>): boolean => {
  const { flags, rest } = group(argv)
  return [...rest, ...flags.map(({ flag }) => flag)].some((word) => word === "-h" || word === "--help")
}

/** What shells there are completions for. */
const shells = ["sh", "bash", "fish", "zsh"]

/** Why a question cannot be answered: @effect/cli would take the flag for a file, or say less. */
export const refusal = (argv: ReadonlyArray<string>): InvalidSetting | undefined => {
  const asked = group(argv).flags.find(({ flag }) => flag.split("=")[0] === "--completions")
  const shell = asked?.flag.split("=")[1] ?? asked?.words[0]
  if (asked === undefined || shells.includes(shell ?? "")) return undefined
  const reason = `completions takes one of ${shells.join(", ")}`
  return new InvalidSetting({ setting: "completions", value: shell ?? "", origin: "--completions", reason })
}

/** What a server is to be started with. */
export const parse = (argv: ReadonlyArray<string>): Sources => {
  const { flags, rest } = group(argv)
  const directives = flags.map(({ flag, words }): Directive => {
    const name = flag.replace(/^-+/, "")
    return { name, words: words.map(fromUtf8), origin: flag }
  })
  // What follows the file is a flag without its dashes, as for redis-server.
  const [file, bare, ...words] = rest
  const first: ReadonlyArray<Directive> =
    bare === undefined ? [] : [{ name: bare, words: words.map(fromUtf8), origin: "the command line" }]
  return { file, flags: [...first, ...directives] }
}

/** The same command line with one value for each flag: `--save`, `900 1 300 10`; words quoted where they need it. */
export const usual = (argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { flags, rest } = group(argv)
  const values = flags.flatMap(({ flag, words }) => {
    if (flag === "-v") return ["--version"]
    if (isQuestion(flag)) return [flag, ...words]
    // An empty value would be dropped; a quoted empty word says the same where a setting takes no words at all.
    return [flag.toLowerCase(), words.map(plainOrQuoted).join(" ") || '""']
  })
  // @effect/cli wants flags before arguments.
  return [...values, ...rest]
}

// A value that began with a dash would be taken for a flag.
const plainOrQuoted = (word: string): string => (/^[\w.:%/@+][\w.:%/@+-]*$/.test(word) ? word : quote(fromUtf8(word)))

/** The words of a value that `usual` made, byte strings. */
export const wordsOf = (value: string): ReadonlyArray<string> => splitArguments(fromUtf8(value)) ?? [fromUtf8(value)]

interface Flag {
  readonly flag: string
  readonly words: ReadonlyArray<string>
}

interface Grouped {
  readonly flags: ReadonlyArray<Flag>
  /** What stands before the first flag. */
  readonly rest: ReadonlyArray<string>
}

const group = (argv: ReadonlyArray<string>): Grouped => {
  const flags: Array<{ flag: string; words: Array<string> }> = []
  const rest: Array<string> = []
  for (const word of argv) {
    const last = flags.at(-1)
    if (startsFlag(word, last)) {
      const [flag, ...words] = cut(word)
      flags.push({ flag: flag!, words })
    } else if (last === undefined) rest.push(word)
    else last.words.push(word)
  }
  return { flags, rest }
}

/** `--name`, `--name=value`, and `"--name value"` in one word, which redis-server takes as well. */
const cut = (word: string): ReadonlyArray<string> => {
  const parts = /^(--[\w-]+)(?:=|\s+)(.*)$/s.exec(word)
  if (parts === null) return [word]
  return word[parts[1]!.length] === "="
    ? [parts[1]!, parts[2]!]
    : [parts[1]!, ...(splitArguments(parts[2]!) ?? [parts[2]!])]
}

/**
 * A word with two dashes is the value of a flag that has none yet, whatever it says: `--requirepass --port`. Only `--save` means
 * something by itself.
 */
const startsFlag = (word: string, last: Flag | undefined): boolean => {
  if (questions.has(word)) return last === undefined || last.words.length > 0 || word.startsWith("--")
  if (!word.startsWith("--")) return false
  const name = last?.words.length === 0 ? find(last.flag.slice(2))?.name : undefined
  return name === undefined || name === "save"
}
