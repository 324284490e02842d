/**
 * One set of permissions: which commands, on which keys, to which channels. A user has one of its own and may have more; a
 * request must fit into one of them as a whole.
 *
 * The idea to hold: commands are a default (`future`, what a command gets that no rule has named) and the names that differ
 * from it, so that `+@all` needs no list. A subcommand has a permission of its own; a rule for a container is one for each.
 */
import { globMatch } from "../bytes/Glob.ts"
import { type Command, Flag } from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import { categoriesOf, categoryOrder } from "../command/Registry.ts"
import type { Denial } from "../command/Identity.ts"

/** The commands that rules can name. */
export interface CommandTable {
  readonly commands: ReadonlyArray<Command>
  /** By full name, in any case: `config|get`. */
  readonly find: (name: string) => Command | undefined
}

/** What a rule can be refused for. */
export const Refusal = {
  syntax: "Syntax error",
  unknown: "Unknown command or category name in ACL",
  afterAllKeys:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
  afterAllChannels:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels",
  badHash: "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
  noSuchPassword: "The password you are trying to remove from the user does not exist",
  subcommandArgument: "Allowing first-arg of a subcommand is not supported",
} as const

const read = 1
const write = 2
const readWrite = read | write

interface KeyPattern {
  readonly pattern: string
  access: number
}

export const hasSpaces = (word: string): boolean => /[\0\t-\r ]/.test(word)

const prefixes = ["", "%R~", "%W~", "~"]
const wordOf = ({ pattern, access }: KeyPattern): string => `${prefixes[access]}${pattern}`

/** What a command needs to be allowed to do with a key, by the flags of its specification. */
const accessOf = (flags: ReadonlyArray<string>): number =>
  flags.reduce((access, flag) => {
    if (flag === "access") return access | read
    return flag === "insert" || flag === "delete" || flag === "update" ? access | write : access
  }, 0)

/**
 * Differs: redis-server finds no key at all in a request of which one specification finds none (PFMERGE without sources, ZUNIONSTORE of
 * 0 keys), and lets everybody write to its destination.
 */
const keysOf = (command: Command, argv: ReadonlyArray<string>): ReadonlyArray<Key.Found> =>
  command.keysOf?.(argv) ?? (command.keys ?? []).flatMap((specification) => Key.find([specification], argv) ?? [])

export class Selector {
  allKeys = false
  allChannels: boolean
  private future = false
  /** Full names of commands whose permission is not `future`. */
  private exceptions = new Set<string>()
  /** First arguments with which a command is allowed that is not otherwise, by its name. */
  private firstArguments = new Map<string, Array<string>>()
  private keys: Array<KeyPattern> = []
  channels: Array<string> = []

  constructor(allChannels: boolean) {
    this.allChannels = allChannels
  }

  copy(): Selector {
    const copy = new Selector(this.allChannels)
    copy.allKeys = this.allKeys
    copy.future = this.future
    copy.exceptions = new Set(this.exceptions)
    copy.firstArguments = new Map([...this.firstArguments].map(([name, words]) => [name, [...words]]))
    copy.keys = this.keys.map((key) => ({ ...key }))
    copy.channels = [...this.channels]
    return copy
  }

  get isUnrestricted(): boolean {
    return this.allKeys && this.allChannels && this.future && this.exceptions.size === 0
  }

  // --- rules -------------------------------------------------------------------------------------------------------

  /** Follows one rule; answers why it cannot. */
  apply(rule: string, table: CommandTable): string | undefined {
    switch (rule.toLowerCase()) {
      case "allkeys":
      case "~*":
        this.allKeys = true
        this.keys = []
        return undefined
      case "resetkeys":
        this.allKeys = false
        this.keys = []
        return undefined
      case "allchannels":
      case "&*":
        this.allChannels = true
        this.channels = []
        return undefined
      case "resetchannels":
        this.allChannels = false
        this.channels = []
        return undefined
      case "allcommands":
      case "+@all":
        this.setAll(true)
        return undefined
      case "nocommands":
      case "-@all":
        this.setAll(false)
        return undefined
    }
    const sign = rule[0]
    if (sign === "~" || sign === "%") return this.addKeys(rule)
    if (sign === "&") return this.addChannels(rule.slice(1))
    if (sign !== "+" && sign !== "-") return Refusal.syntax
    const allow = sign === "+"
    if (rule[1] === "@") return this.setCategory(rule.slice(2).toLowerCase(), allow, table)
    return allow ? this.allow(rule.slice(1), table) : this.setFound(table.find(rule.slice(1)), false)
  }

  private setAll(allow: boolean): void {
    this.future = allow
    this.exceptions.clear()
    this.firstArguments.clear()
  }

  private addKeys(rule: string): string | undefined {
    if (this.allKeys) return Refusal.afterAllKeys
    let access = 0
    let at = 1
    if (rule[0] === "~") access = readWrite
    else {
      for (; at < rule.length && rule[at] !== "~"; at++) {
        const bit = /r/i.test(rule[at]!) ? read : /w/i.test(rule[at]!) ? write : 0
        if (bit === 0 || access & bit) return Refusal.syntax
        access |= bit
      }
      if (access === 0) return Refusal.syntax
      at++
    }
    const pattern = rule.slice(at)
    if (hasSpaces(pattern)) return Refusal.syntax
    const known = this.keys.find((key) => key.pattern === pattern)
    if (known === undefined) this.keys.push({ pattern, access })
    else known.access |= access
    return undefined
  }

  private addChannels(pattern: string): string | undefined {
    if (this.allChannels) return Refusal.afterAllChannels
    if (hasSpaces(pattern)) return Refusal.syntax
    if (!this.channels.includes(pattern)) this.channels.push(pattern)
    return undefined
  }

  /** `+command`, `+container|subcommand`, `+command|argument`. */
  private allow(name: string, table: CommandTable): string | undefined {
    const bar = name.lastIndexOf("|")
    if (bar < 0) return this.setFound(table.find(name), true)
    const command = table.find(name.slice(0, bar))
    const word = name.slice(bar + 1)
    if (command === undefined) return Refusal.unknown
    if (command.name.includes("|")) return Refusal.subcommandArgument
    if (word === "") return Refusal.syntax
    if (command.subcommands.size > 0) return this.setFound(table.find(name), true)
    const words = this.firstArguments.get(command.name) ?? []
    if (words.length === 0) this.firstArguments.set(command.name, words)
    if (!words.some((known) => known.toLowerCase() === word.toLowerCase())) words.push(word)
    return undefined
  }

  private setFound(command: Command | undefined, allow: boolean): string | undefined {
    if (command === undefined) return Refusal.unknown
    this.set(command, allow)
    return undefined
  }

  set(command: Command, allow: boolean): void {
    if (allow === this.future) this.exceptions.delete(command.name)
    else this.exceptions.add(command.name)
    this.firstArguments.delete(command.name)
    for (const sub of command.subcommands.values()) this.set(sub, allow)
  }

  setCategory(category: string, allow: boolean, table: CommandTable): string | undefined {
    if (!categoryOrder.includes(category)) return Refusal.unknown
    // A container's category is that of its subcommands too, which then have their own say.
    for (const command of allCommands(table)) if (categoriesOf(command).includes(category)) this.set(command, allow)
    return undefined
  }

  // --- questions ---------------------------------------------------------------------------------------------------

  allows(name: string): boolean {
    return this.future !== this.exceptions.has(name)
  }

  denial(command: Command, argv: ReadonlyArray<string>): (Denial & { readonly position: number }) | undefined {
    const { name } = command
    if (!this.allows(name) && (command.mask & Flag.no_auth) === 0) {
      const word = argv[1]?.toLowerCase()
      const allowed = this.firstArguments.get(name)?.some((known) => known.toLowerCase() === word) ?? false
      if (!allowed) return { obstacle: "command", object: name, position: 0 }
    }
    if (!this.allKeys) {
      for (const { position, flags } of keysOf(command, argv)) {
        if (flags.includes("not_key") || this.reaches(argv[position]!, accessOf(flags))) continue
        return { obstacle: "key", object: argv[position]!, position }
      }
    }
    const { channels } = command
    if (this.allChannels || channels === undefined) return undefined
    const end = channels === "one" ? 2 : argv.length
    for (let position = 1; position < end; position++) {
      if (this.hears(argv[position]!, channels === "patterns")) continue
      return { obstacle: "channel", object: argv[position]!, position }
    }
    return undefined
  }

  private reaches(key: string, access: number): boolean {
    return this.keys.some((known) => (known.access & access) === access && globMatch(known.pattern, key))
  }

  /** A pattern is compared as it stands: what it would match is not known. */
  hears(channel: string, isPattern: boolean): boolean {
    if (this.allChannels) return true
    return this.channels.some((known) => (isPattern ? known === channel : globMatch(known, channel)))
  }

  /** Whether every key may be read. */
  get readsAll(): boolean {
    return this.allKeys || this.keys.some(({ pattern, access }) => pattern === "*" && (access & read) !== 0)
  }

  // --- as text -----------------------------------------------------------------------------------------------------

  get keyRules(): string {
    return this.allKeys ? "~*" : this.keys.map(wordOf).join(" ")
  }

  get channelRules(): string {
    return this.allChannels ? "&*" : this.channels.map((channel) => `&${channel}`).join(" ")
  }

  /**
   * The shortest way found to say which commands: all or none, then the categories that fit best, one after the other, then what
   * differs from them by name.
   * Differs: there are other commands than in redis-server, so other categories may fit best, and the order of names is the table's.
   */
  commandRules(table: CommandTable): string {
    const shown = new Selector(false)
    shown.setAll(this.future)
    const left = this.copy()
    const words = [this.future ? "+@all" : "-@all"]
    const sign = this.future ? "-" : "+"
    const applied = new Set<string>()
    for (;;) {
      const best = bestCategory(left, !this.future, applied, table)
      if (best === undefined) break
      words.push(`${sign}@${best}`)
      shown.setCategory(best, !this.future, table)
      left.setCategory(best, this.future, table)
      applied.add(best)
    }
    for (const command of allCommands(table)) {
      const { name } = command
      const allowed = this.allows(name)
      if (allowed !== shown.allows(name)) {
        words.push(`${allowed ? "+" : "-"}${name}`)
        shown.set(command, allowed)
      }
      if (!allowed) for (const word of this.firstArguments.get(name) ?? []) words.push(`+${name}|${word}`)
    }
    return words.join(" ")
  }

  describe(table: CommandTable): string {
    const channels = [...(this.allChannels ? [] : ["resetchannels"]), this.channelRules]
    return [this.keyRules, ...channels, this.commandRules(table)].filter((word) => word !== "").join(" ")
  }
}

/** Every command and subcommand, a container before what is in it. */
const allCommands = (table: CommandTable): ReadonlyArray<Command> =>
  table.commands.flatMap((command) => [command, ...command.subcommands.values()])

/** The category of which most is as wanted, and least is not; absent when none is more right than wrong. */
const bestCategory = (
  selector: Selector,
  wanted: boolean,
  applied: ReadonlySet<string>,
  table: CommandTable,
): string | undefined => {
  let best: { readonly category: string; readonly right: number; readonly wrong: number } | undefined
  const commands = allCommands(table).map((command) => ({
    isRight: selector.allows(command.name) === wanted,
    categories: categoriesOf(command),
  }))
  for (const category of categoryOrder) {
    if (applied.has(category)) continue
    const inside = commands.filter(({ categories }) => categories.includes(category))
    const right = inside.filter(({ isRight }) => isRight).length
    const wrong = inside.length - right
    if (right <= wrong) continue
    if (best === undefined || wrong < best.wrong || (wrong === best.wrong && right > best.right))
      best = { category, right, wrong }
  }
  return best?.category
}
