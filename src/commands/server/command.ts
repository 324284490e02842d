/**
 * COMMAND: the command table, told to clients. Everything here is derived from the commands' own objects.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { compileGlob } from "../../bytes/Glob.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { docs, info } from "../../command/Documentation.ts"
import { help } from "../../command/Help.ts"
import * as Key from "../../command/Key.ts"
import { categoriesOf, Registry } from "../../command/Registry.ts"
import { type CommandError, InvalidArgument, SyntaxError } from "../../errors/CommandError.ts"

const invalidCommand = new InvalidArgument("Invalid command specified")
const invalidArguments = new InvalidArgument("Invalid arguments specified for command")
const invalidNumber = new InvalidArgument("Invalid number of arguments specified for command")
const noKeys = new InvalidArgument("The command has no key arguments")

const commandHelp = help(
  "command",
  {
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "server",
    complexity: "O(1)",
    flags: "loading stale",
    acl: "connection",
  },
  [
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
  ],
)

/** COMMAND with its subcommands. */
export const commandCommands = Effect.map(Registry, (registry) => {
  const all = () => Reply.array(registry.callable().map(({ command }) => info(command)))

  const keysOf = (request: ReadonlyArray<string>): Either.Either<ReadonlyArray<Key.Found>, CommandError> => {
    const top = registry.find(request[0]!)
    const sub = top?.subcommands.get((request[1] ?? "").toLowerCase())
    const entry = top === undefined || top.subcommands.size === 0 ? top : sub
    if (entry === undefined) return Either.left(invalidCommand)
    const { command } = entry
    const specs = command.keys ?? []
    // The channel of SPUBLISH is told like a key, and is none.
    if (command.keysOf === undefined && specs.every(({ flags }) => flags.includes("not_key")))
      return Either.left(noKeys)
    if (command.arity > 0 ? request.length !== command.arity : request.length < -command.arity) {
      return Either.left(invalidNumber)
    }
    const found = (command.keysOf === undefined ? Key.find(specs, request) : command.keysOf(request)) ?? []
    const optional = (command.mask & Command.Flag.no_mandatory_keys) !== 0
    return found.length === 0 && !optional ? Either.left(invalidArguments) : Either.right(found)
  }

  const commandCount = Command.make({
    name: "command|count",
    summary: "Get total number of Redis commands",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "loading stale",
    acl: "connection",
    parse: () => undefined,
    run: () => Either.right(Reply.int(registry.callable().length)),
  })

  const commandInfo = Command.make({
    name: "command|info",
    summary: "Get array of specific Redis command details, or all when no argument is given.",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the number of commands to look up",
    history: [["7.0.0", "Allowed to be called with no argument to get info on all commands."]],
    arity: -2,
    flags: "loading stale",
    acl: "connection",
    tips: ["nondeterministic_output_order"],
    args: [Arg.string("command-name", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names) =>
      Either.right(
        names.length === 0
          ? all()
          : Reply.array(
              names.map((name) => {
                const entry = registry.findFull(name.toLowerCase())
                return entry === undefined ? Reply.nil : info(entry.command)
              }),
            ),
      ),
  })

  const commandDocs = Command.make({
    name: "command|docs",
    summary: "Get array of specific Redis command documentation",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the number of commands to look up",
    arity: -2,
    flags: "loading stale",
    acl: "connection",
    tips: ["nondeterministic_output_order"],
    args: [Arg.string("command-name", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names) => {
      const entries =
        names.length === 0 ? registry.callable() : names.flatMap((name) => registry.findFull(name.toLowerCase()) ?? [])
      return Either.right(Reply.map(entries.flatMap(({ command }) => [Reply.bulk(command.name), docs(command)])))
    },
  })

  const commandList = Command.make({
    name: "command|list",
    summary: "Get an array of Redis command names",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -2,
    flags: "loading stale",
    acl: "connection",
    tips: ["nondeterministic_output_order"],
    args: [
      Arg.oneOf(
        "filterby",
        [
          Arg.string("module-name", { token: "MODULE" }),
          Arg.string("category", { token: "ACLCAT" }),
          Arg.pattern("pattern", { token: "PATTERN" }),
        ],
        { token: "FILTERBY", optional: true },
      ),
    ],
    parse: (args) => {
      if (!args.more) return undefined
      if (args.left !== 3 || !args.option("FILTERBY")) return args.fail(SyntaxError.error)
      if (args.option("MODULE")) return () => false
      if (args.option("ACLCAT")) {
        const category = args.next().toLowerCase()
        return (command: Command.Command) => categoriesOf(command).includes(category)
      }
      if (!args.option("PATTERN")) return args.fail(SyntaxError.error)
      const matches = compileGlob(args.next(), true)
      return (command: Command.Command) => matches(command.name)
    },
    run: (wanted) => {
      const commands = registry.callable().flatMap(({ command }) => [command, ...command.subcommands.values()])
      const listed = wanted === undefined ? commands : commands.filter(wanted)
      return Either.right(Reply.bulks(listed.map(({ name }) => name)))
    },
  })

  const commandGetkeys = Command.make({
    name: "command|getkeys",
    summary: "Extract keys given a full Redis command",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the number of arguments to the command",
    arity: -4,
    flags: "loading stale",
    acl: "connection",
    parse: (args) => args.rest(),
    run: (request) =>
      Either.map(keysOf(request), (found) => Reply.array(found.map(({ position }) => Reply.bulk(request[position]!)))),
  })

  const commandGetkeysandflags = Command.make({
    name: "command|getkeysandflags",
    summary: "Extract keys and access flags given a full Redis command",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the number of arguments to the command",
    arity: -4,
    flags: "loading stale",
    acl: "connection",
    parse: (args) => args.rest(),
    run: (request) =>
      Either.map(keysOf(request), (found) =>
        Reply.array(
          found.map(({ position, flags }) =>
            Reply.array([Reply.bulk(request[position]!), Reply.set(flags.map(Reply.simple))]),
          ),
        ),
      ),
  })

  const command = Command.container({
    name: "command",
    summary: "Get array of Redis command details",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -1,
    flags: "loading stale",
    acl: "connection",
    tips: ["nondeterministic_output_order"],
    subcommands: [
      commandCount,
      commandInfo,
      commandDocs,
      commandList,
      commandGetkeys,
      commandGetkeysandflags,
      commandHelp,
    ],
    bare: () => Either.right(all()),
  })

  return [command]
})
