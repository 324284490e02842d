/**
 * CONFIG: settings of a running server. What a setting is stands in config/Settings.ts, how a change is checked and taken back
 * in config/Config.ts; here is only what is on the wire.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import { isLocal } from "../command/Client.ts"
import * as Command from "../command/Command.ts"
import { Registry, type RegistryService } from "../command/Registry.ts"
import { Stats, type StatsService } from "../command/Stats.ts"
import { Config, type ConfigService } from "../config/Config.ts"
import { SyntaxError } from "../errors/CommandError.ts"
import { Persistence, type PersistenceService } from "../persistence/Persistence.ts"
import { Replication, type ReplicationService } from "../replication/Replication.ts"

/** An `Either` stays one, so that the answer needs no fiber. */
const okAfter = <E>(done: Effect.Effect<void, E>): Effect.Effect<Reply.Reply, E> =>
  Either.isEither(done) ? Either.map(done as Either.Either<void, E>, () => Reply.ok) : Effect.as(done, Reply.ok)

const get = (config: ConfigService) =>
  Command.make({
    name: "config|get",
    summary: "Get the values of configuration parameters",
    since: "2.0.0",
    group: "server",
    complexity: "O(N) when N is the number of configuration parameters provided",
    history: [["7.0.0", "Added the ability to pass multiple pattern parameters in one call"]],
    arity: -3,
    flags: "admin noscript loading stale",
    args: [Arg.block("parameter", [Arg.string("parameter")], { multiple: true })],
    parse: (args) => args.rest(),
    run: (patterns) =>
      Either.right(Reply.map(config.get(patterns).flatMap(([name, value]) => [Reply.bulk(name), Reply.bulk(value)]))),
  })

const set = (config: ConfigService, persistence: PersistenceService) =>
  Command.suspending({
    name: "config|set",
    summary: "Set configuration parameters to the given values",
    since: "2.0.0",
    group: "server",
    complexity: "O(N) when N is the number of configuration parameters provided",
    history: [["7.0.0", "Added the ability to set multiple parameters in one call."]],
    arity: -4,
    flags: "admin noscript loading stale",
    tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: [Arg.block("parameter_value", [Arg.string("parameter"), Arg.string("value")], { multiple: true })],
    parse: (args) => {
      if (args.left % 2 !== 0) return args.fail(SyntaxError.error)
      const pairs: Array<readonly [string, string]> = []
      while (args.more) pairs.push([args.owned(), args.owned()])
      return pairs
    },
    run: (pairs, { client }) =>
      okAfter(
        config.set(pairs, { local: isLocal(client), loading: persistence.loading() || persistence.loadingBeside() }),
      ),
  })

const resetstat = (
  registry: RegistryService,
  stats: StatsService,
  persistence: PersistenceService,
  replication: ReplicationService,
) =>
  Command.make({
    name: "config|resetstat",
    summary: "Reset the stats returned by INFO",
    since: "2.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "admin noscript loading stale",
    parse: () => undefined,
    run: (_, { store }) => {
      stats.reset()
      replication.replicas.resetCounts()
      registry.resetStats()
      persistence.resetCounts()
      store.dropped.freed = 0
      Object.assign(store.counters, {
        hits: 0,
        misses: 0,
        expired: 0,
        evicted: 0,
        expiryMicros: 0,
      } satisfies typeof store.counters)
      return Either.right(Reply.ok)
    },
  })

const rewrite = (config: ConfigService) =>
  Command.suspending({
    name: "config|rewrite",
    summary: "Rewrite the configuration file with the in memory configuration",
    since: "2.8.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "admin noscript loading stale",
    parse: () => undefined,
    run: () => okAfter(config.rewrite),
  })

const help = Command.make({
  name: "config|help",
  summary: "Show helpful text about the different subcommands",
  since: "5.0.0",
  group: "server",
  complexity: "O(1)",
  arity: 2,
  flags: "loading stale",
  parse: () => undefined,
  run: () => Either.right(helpText),
})

const helpText = Reply.array(
  [
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
    "HELP",
    "    Prints this help.",
  ].map(Reply.simple),
)

export const configCommands = Effect.gen(function* () {
  const config = yield* Config
  const registry = yield* Registry
  const replication = yield* Replication
  const stats = yield* Stats
  const persistence = yield* Persistence
  return [
    Command.container({
      name: "config",
      summary: "A container for server configuration commands",
      since: "2.0.0",
      group: "server",
      complexity: "Depends on subcommand.",
      arity: -2,
      flags: "",
      subcommands: [
        rewrite(config),
        get(config),
        resetstat(registry, stats, persistence, replication),
        help,
        set(config, persistence),
      ],
    }),
  ]
})
