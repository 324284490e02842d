/**
 * The command table of one server: from a name to its command and its counters. Commands are values shared by all servers
 * of a process; what is counted is not.
 *
 * The idea to hold: the table is data handed in. A family is an array of commands, or an effect that takes the services its
 * commands need and gives that array; a test hands in three commands. A name given twice is a defect of the program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import { type Command, Flag } from "./Command.ts"
import type { Histogram } from "./Histogram.ts"

/** A group of commands, with `R` the services they close over. */
export type Family<R = never> = ReadonlyArray<Command> | Effect.Effect<ReadonlyArray<Command>, never, R>

/** The services that a family, or a union of them, needs. */
export type ServicesOf<F> = F extends Effect.Effect<infer _Commands, infer _E, infer R> ? R : never

/**
 * A command in the table of one server. What is read for every request stands in it directly: commands have as many shapes as
 * there are optional words about them, and a read that meets many shapes costs several times one that meets this one.
 */
export class Entry {
  readonly command: Command
  /** In lower case; a subcommand is `container|name`. */
  readonly name: string
  readonly arity: number
  readonly mask: number
  /** Index of the first argument in a request: 1, or 2 for a subcommand. */
  readonly firstArgument: number
  readonly execute: Command["execute"]
  readonly suspending: boolean
  /** Whether it takes a short time, as long as its request and its answer are short. */
  readonly isBrief: boolean
  readonly subcommands: ReadonlyMap<string, Entry>
  calls = 0
  micros = 0
  /** Refused before it ran. */
  rejected = 0
  /** Answered with an error while running. */
  failed = 0
  /** Times of its calls; made at the first call that is measured. */
  histogram: Histogram | undefined = undefined

  constructor(command: Command) {
    this.command = command
    this.name = command.name
    this.arity = command.arity
    this.mask = command.mask
    this.firstArgument = command.name.includes("|") ? 2 : 1
    this.execute = command.execute
    this.suspending = command.suspending
    // In Redis's table SET is not, since it may free what was there: here that is put off (see store/Dropped.ts).
    this.isBrief = !command.suspending && ((command.mask & Flag.fast) !== 0 || command.name === "set")
    this.subcommands = new Map([...command.subcommands].map(([name, sub]) => [name, new Entry(sub)]))
  }
}

export interface RegistryService {
  /** Top-level commands, in the order of the families. */
  readonly entries: ReadonlyArray<Entry>
  /** Those of `entries` that a request can name. */
  readonly callable: () => ReadonlyArray<Entry>
  /** By the name of a request, in any case. */
  readonly find: (name: string) => Entry | undefined
  /** The same by full name, `config|get` included, in lower case. */
  readonly findFull: (name: string) => Entry | undefined
  /** By its own full name, which it has whatever requests call it, in lower case. */
  readonly findOwn: (name: string) => Entry | undefined
  /** Has requests call a command otherwise; not at all, if `to` is empty. Gives the reason why not, if there is one. */
  readonly rename: (from: string, to: string) => string | undefined
  readonly resetStats: () => void
}

export class Registry extends Context.Tag("tiny-redis/Registry")<Registry, RegistryService>() {
  /** A family may take the registry itself as a service: COMMAND and INFO read the table they stand in. */
  static readonly layer = <const Families extends ReadonlyArray<Family<unknown>>>(
    families: Families,
  ): Layer.Layer<Registry, never, Exclude<ServicesOf<Families[number]>, Registry>> =>
    Layer.effect(this, makeFrom(families as ReadonlyArray<Family<ServicesOf<Families[number]>>>))
}

const makeFrom = <R>(families: ReadonlyArray<Family<R>>): Effect.Effect<RegistryService, never, Exclude<R, Registry>> =>
  Effect.suspend(() => {
    const { add, registry } = make()
    const addAll = (commands: ReadonlyArray<Command>) => commands.forEach(add)
    return Effect.as(
      Effect.forEach(families, (family) =>
        isEffect(family)
          ? Effect.map(Effect.provideService(family, Registry, registry), addAll)
          : Effect.sync(() => addAll(family)),
      ),
      registry,
    )
  })

const isEffect = <R>(family: Family<R>): family is Effect.Effect<ReadonlyArray<Command>, never, R> =>
  Effect.isEffect(family)

/** One less than a power of two. */
const recentMask = 255

const make = (): { readonly registry: RegistryService; readonly add: (command: Command) => void } => {
  const entries: Array<Entry> = []
  const byName = new Map<string, Entry>()
  const byOwnName = new Map<string, Entry>()
  /** The name last met for each of some values of a cheap hash. */
  const recentNames = new Array<string>(recentMask + 1).fill("")
  const recentEntries = new Array<Entry | undefined>(recentMask + 1).fill(undefined)
  const add = (command: Command) => {
    const { name } = command
    if (byName.has(name)) throw new Error(`two commands are named ${name}`)
    const entry = new Entry(command)
    entries.push(entry)
    byOwnName.set(name, entry)
    setName(name, entry)
  }
  /** Clients write names in upper or in lower case; both are found without converting. */
  const setName = (name: string, entry: Entry) => {
    byName.set(name, entry)
    byName.set(name.toUpperCase(), entry)
  }
  const find = (name: string): Entry | undefined => {
    // A name just cut out of a chunk has no hash yet: comparing it with one met before costs 12 ns, the map 28.
    const slot = (name.length * 32 + name.charCodeAt(0) + 8 * name.charCodeAt(name.length - 1)) & recentMask
    if (recentNames[slot] === name) return recentEntries[slot]
    const entry = byName.get(name) ?? byName.get(name.toLowerCase())
    if (entry !== undefined) {
      recentNames[slot] = flat(name)
      recentEntries[slot] = entry
    }
    return entry
  }
  const findIn = (findTop: typeof find, name: string): Entry | undefined => {
    const bar = name.indexOf("|")
    return bar < 0 ? findTop(name) : findTop(name.slice(0, bar))?.subcommands.get(name.slice(bar + 1))
  }
  const findOwnTop = (name: string) => byOwnName.get(name)
  const registry: RegistryService = {
    entries,
    callable: () => {
      const named = new Set(byName.values())
      return entries.filter((entry) => named.has(entry))
    },
    find,
    findFull: (name) => findIn(find, name),
    findOwn: (name) => findIn(findOwnTop, name),
    rename: (from, to) => {
      const [before, after] = [from.toLowerCase(), to.toLowerCase()]
      const entry = byName.get(before)
      if (entry === undefined) return "No such command in rename-command"
      // Differs: redis-server lets a command have a name that was another's. This server's log says some changes by the commands' own names.
      const taken = byOwnName.get(after) ?? byName.get(after)
      if (taken !== undefined && taken !== entry) return "Target command name already exists"
      byName.delete(before)
      byName.delete(before.toUpperCase())
      recentNames.fill("")
      recentEntries.fill(undefined)
      if (after !== "") setName(after, entry)
      return undefined
    },
    resetStats: () => {
      const reset = (entry: Entry) => {
        entry.calls = entry.micros = entry.rejected = entry.failed = 0
        entry.histogram = undefined
        entry.subcommands.forEach(reset)
      }
      entries.forEach(reset)
    },
  }
  return { registry, add }
}

/** The ACL categories of a command, in Redis's order: those that follow from its flags and those it names. */
export const categoriesOf = (command: Command): ReadonlyArray<string> => {
  const found = new Set(command.acl === undefined ? [] : command.acl.split(" "))
  if (command.mask & Flag.write) found.add("write")
  if (command.mask & Flag.readonly && command.group !== "scripting") found.add("read")
  if (command.mask & Flag.admin) found.add("admin").add("dangerous")
  if (command.mask & Flag.pubsub) found.add("pubsub")
  if (command.mask & Flag.blocking) found.add("blocking")
  found.add(command.mask & Flag.fast ? "fast" : "slow")
  return categoryOrder.filter((category) => found.has(category))
}

/** All of them, in the order in which ACL CAT names them. */
export const categoryOrder = [
  ...[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
  ],
  ...["pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting"],
]
