/**
 * A directive is one statement about one setting: a line of a file, a flag, a variable, or a property given to
 * `Config.layer`. All of them become values here, in the order in which they are given; later ones count.
 *
 * The idea to hold: whatever a setting is given by, it is a list of words, so there is one way from text to value.
 */
import * as Either from "effect/Either"
import { toUtf8 } from "../bytes/Bytes.ts"
import { InvalidSetting, UnknownSetting } from "../errors/ConfigErrors.ts"
import * as Constants from "./Constants.ts"
import { type Entry, entries, find, type Property, settings, type Value, type Values } from "./Settings.ts"
import { withoutEffect } from "./WithoutEffect.ts"

export interface Directive {
  /** As it was written, in any case. */
  readonly name: string
  /** Byte strings. */
  readonly words: ReadonlyArray<string>
  /** Where it was written, for people: `--port`, `redis.conf line 3`, `TINY_REDIS_PORT`. */
  readonly origin: string
  /** Whether it takes the place of what was said before even where lines of a file add up (`save`). */
  readonly replaces?: boolean
}

/** A user, as a settings file declares one. */
export interface UserLine {
  readonly name: string
  readonly rules: ReadonlyArray<string>
  readonly origin: string
}

/** A new name for a command, as a settings file gives one. */
export interface Rename {
  readonly from: string
  /** Empty: requests cannot name it any more. */
  readonly to: string
  readonly origin: string
}

export interface Loaded {
  readonly values: Values
  /** In the order in which they were given. */
  readonly renames: ReadonlyArray<Rename>
  /** In the order in which they were declared. */
  readonly users: ReadonlyArray<UserLine>
  /** What was passed over, a line each. */
  readonly warnings: ReadonlyArray<string>
}

/** The value of `words` for one setting, by the rules of its kind: one word of several is split at its spaces. */
export const parse = (
  { setting }: Entry,
  words: ReadonlyArray<string>,
  previous: Value,
): Either.Either<Value, string> =>
  setting.type.parse(setting.type.variadic && words.length === 1 ? words[0]!.split(" ") : words, previous)

/** A mutable copy of every setting's default, with the properties in the table's order. */
export const defaults = (): Record<Property, Value> => {
  const values = Object.fromEntries(entries.map((entry) => [entry.property, entry.setting.default]))
  return values as Record<Property, Value>
}

const invalid = (setting: string, { words, origin }: Directive, reason: string): InvalidSetting =>
  new InvalidSetting({ setting, value: toUtf8(words.join(" ")), origin, reason })

/** A setting that this server does not have, or has no choice in. */
const unusable = (directive: Directive, constant: Constants.Constant | undefined): InvalidSetting | UnknownSetting =>
  constant === undefined
    ? new UnknownSetting({ setting: directive.name, origin: directive.origin })
    : invalid(directive.name.toLowerCase(), directive, Constants.refusal(constant))

export const invalidRename = ({ from, to, origin }: Rename, reason: string): InvalidSetting =>
  new InvalidSetting({ setting: "rename-command", value: toUtf8(`${from} ${to}`), origin, reason })

const invalidUser = ({ words, origin }: Directive, reason: string): InvalidSetting =>
  new InvalidSetting({ setting: "user", value: toUtf8(words[0] ?? ""), origin, reason })

/** Takes the directives in order. What only the system can tell (does the directory exist) is checked at the end. */
export const load = (directives: ReadonlyArray<Directive>): Either.Either<Loaded, InvalidSetting | UnknownSetting> => {
  const values = defaults()
  const given = new Map<string, Directive>()
  const idle: Array<string> = []
  const users: Array<UserLine> = []
  const renames: Array<Rename> = []
  for (const directive of directives) {
    if (directive.name.toLowerCase() === "user") {
      const [name, ...rules] = directive.words
      const reason =
        name === undefined
          ? "user takes a name and rules"
          : users.some((user) => user.name === name)
            ? "Duplicate user found. A user can only be defined once in config files"
            : undefined
      if (reason !== undefined) return Either.left(invalidUser(directive, reason))
      users.push({ name: name!, rules, origin: directive.origin })
      continue
    }
    if (directive.name.toLowerCase() === "rename-command") {
      const { words, origin } = directive
      if (words.length !== 2) return Either.left(invalid("rename-command", directive, "rename-command takes two names"))
      renames.push({ from: words[0]!, to: words[1]!, origin })
      continue
    }
    const entry = find(directive.name)
    if (entry === undefined) {
      const name = directive.name.toLowerCase()
      const constant = Constants.find(name)
      if (constant !== undefined && Constants.says(constant, directive.words.join(" "))) continue
      if (!withoutEffect.has(name)) return Either.left(unusable(directive, constant))
      idle.push(name)
      continue
    }
    const { property, setting } = entry
    const parsed = parse(entry, directive.words, values[property])
    if (Either.isLeft(parsed)) {
      return Either.left(invalid(entry.name, directive, `${entry.name} takes ${setting.type.allowed}`))
    }
    const adds = setting.type.append !== undefined && given.has(entry.name) && directive.replaces !== true
    values[property] = adds ? setting.type.append!(values[property], parsed.right) : parsed.right
    given.set(entry.name, directive)
  }
  // The default of dir stands for the directory the process runs in.
  if (!given.has("dir")) values.dir = Either.getOrThrow(settings.dir.type.parse(["./"], ""))
  for (const entry of entries) {
    const directive = given.get(entry.name)
    const refusal = directive && entry.setting.type.check?.(values[entry.property])
    if (directive !== undefined && refusal !== undefined) return Either.left(invalid(entry.name, directive, refusal))
  }
  const warnings = idle.length === 0 ? [] : [`Settings that have no effect in this server: ${idle.join(", ")}`]
  return Either.right({ values: values as Values, renames, users, warnings })
}

/** Directives out of properties, as a program gives them: printed and read again, so the same limits hold. */
export const fromValues = (values: Partial<Values>): ReadonlyArray<Directive> =>
  entries.flatMap((entry) => {
    const value = values[entry.property]
    if (value === undefined) return []
    return [
      { name: entry.name, words: [entry.setting.type.print(value)], origin: "given by the program", replaces: true },
    ]
  })
