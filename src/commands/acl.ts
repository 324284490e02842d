/**
 * ACL: the users of the server, what they may do, and what was refused to them. The rules themselves are read and followed in
 * acl/; here is only what is on the wire.
 */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Acl, tableOf } from "../acl/Acl.ts"
import type { LogEntry } from "../acl/AclLog.ts"
import { type CommandTable, type Selector } from "../acl/Selector.ts"
import { upToNul } from "../bytes/Bytes.ts"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import type { Client } from "../command/Client.ts"
import * as Command from "../command/Command.ts"
import { help } from "../command/Help.ts"
import { categoriesOf, categoryOrder, Registry } from "../command/Registry.ts"
import { AclError } from "../errors/AclErrors.ts"
import { WrongArity, WrongForm } from "../errors/CommandError.ts"

const passwordBitsDefault = 256
const passwordBitsMax = 4096
const bitsPerDigit = 4

const administration = "admin noscript loading stale"
const everybody = "noscript loading stale"

const okAfter = <E>(done: Either.Either<void, E>) => Either.map(done, () => Reply.ok)

/** The rules of a selector, by their kinds. */
const rulesOf = (selector: Selector, table: CommandTable): Record<string, Reply.Reply> => ({
  commands: Reply.bulk(selector.commandRules(table)),
  keys: Reply.bulk(selector.keyRules),
  channels: Reply.bulk(selector.channelRules),
})

const entryReply = (entry: LogEntry, now: number): Reply.Reply =>
  Reply.record({
    count: Reply.int(entry.count),
    reason: Reply.bulk(entry.reason),
    context: Reply.bulk(entry.context),
    object: Reply.bulk(entry.object),
    username: Reply.bulk(entry.username),
    "age-seconds": Reply.double((now - entry.atMs) / 1000),
    "client-info": Reply.bulk(entry.client),
  })

const genpass = Command.make({
  name: "acl|genpass",
  summary: "Generate a pseudorandom secure password to use for ACL users",
  since: "6.0.0",
  group: "server",
  complexity: "O(1)",
  arity: -2,
  flags: everybody,
  args: [Arg.integer("bits", { optional: true })],
  parse: (args) => {
    if (args.left > 1) return args.fail(WrongForm.of("ACL", args.argv[1]!))
    if (!args.more) return passwordBitsDefault
    const bits = args.int()
    return bits <= 0 || bits > passwordBitsMax ? args.fail(AclError.passwordBits) : bits
  },
  run: (bits) => {
    const digits = Math.ceil(bits / bitsPerDigit)
    return Either.right(
      Reply.bulk(
        randomBytes(Math.ceil(digits / 2))
          .toString("hex")
          .slice(0, digits),
      ),
    )
  },
})

const whoami = Command.make({
  name: "acl|whoami",
  summary: "Return the name of the user associated to the current connection",
  since: "6.0.0",
  group: "server",
  complexity: "O(1)",
  arity: 2,
  flags: everybody,
  parse: () => undefined,
  run: (_, { client }) => Either.right(Reply.bulk(client.user.name)),
})

const aclHelp = help(
  "acl",
  {
    summary: "Show helpful text about the different subcommands",
    since: "6.0.0",
    group: "server",
    complexity: "O(1)",
    flags: "loading stale",
  },
  [
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
  ],
)

/** A command that uses the disk. */
const onDisk = (name: string, summary: string, run: (client: Client) => Effect.Effect<void, AclError>) =>
  Command.suspending({
    name,
    summary,
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: administration,
    parse: () => undefined,
    run: (_, { client }) => Effect.as(run(client), Reply.ok),
  })

/** ACL with its subcommands. */
export const aclCommands = Effect.gen(function* () {
  const acl = yield* Acl
  const registry = yield* Registry
  let known: CommandTable | undefined
  /** Complete when the first command comes. */
  const table = () => (known ??= tableOf(registry))

  const list = Command.make({
    name: "acl|list",
    summary: "List the current ACL rules in ACL config file format",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: administration,
    parse: () => undefined,
    run: () => Either.right(Reply.bulks(acl.users().map((user) => `user ${user.name} ${user.describe(table())}`))),
  })

  const users = Command.make({
    name: "acl|users",
    summary: "List the username of all the configured ACL rules",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: administration,
    parse: () => undefined,
    run: () => Either.right(Reply.bulks(acl.users().map(({ name }) => name))),
  })

  const getuser = Command.make({
    name: "acl|getuser",
    summary: "Get the rules for a specific ACL user",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    history: [
      ["6.2.0", "Added Pub/Sub channel patterns."],
      [
        "7.0.0",
        "Added selectors and changed the format of key and channel patterns from a list to their rule representation.",
      ],
    ],
    arity: 3,
    flags: administration,
    args: [Arg.string("username")],
    parse: (args) => args.next(),
    run: (name) => {
      const user = acl.find(name)
      if (user === undefined) return Either.right(Reply.nil)
      const [own, ...others] = user.selectors
      return Either.right(
        Reply.record({
          flags: Reply.set(user.flags.map(Reply.bulk)),
          passwords: Reply.bulks(user.hashes),
          ...rulesOf(own!, table()),
          selectors: Reply.array(others.map((selector) => Reply.record(rulesOf(selector, table())))),
        }),
      )
    },
  })

  const setuser = Command.make({
    name: "acl|setuser",
    summary: "Modify or create the rules for a specific ACL user",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of rules provided.",
    history: [
      ["6.2.0", "Added Pub/Sub channel patterns."],
      ["7.0.0", "Added selectors and key based permissions."],
    ],
    arity: -3,
    flags: administration,
    args: [Arg.string("username"), Arg.string("rule", { optional: true, multiple: true })],
    parse: (args) => ({ name: args.next(), rules: args.rest() }),
    run: ({ name, rules }, { client }) => okAfter(acl.set(client, name, rules, table())),
  })

  const deluser = Command.make({
    name: "acl|deluser",
    summary: "Remove the specified ACL users and the associated rules",
    since: "6.0.0",
    group: "server",
    complexity: "O(1) amortized time considering the typical user.",
    arity: -3,
    flags: administration,
    args: [Arg.string("username", { multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.map(acl.remove(client, names), Reply.int),
  })

  const cat = Command.make({
    name: "acl|cat",
    summary: "List the ACL categories or the commands inside a category",
    since: "6.0.0",
    group: "server",
    complexity: "O(1) since the categories and commands are a fixed set.",
    arity: -2,
    flags: everybody,
    args: [Arg.string("categoryname", { optional: true })],
    parse: (args) =>
      args.left > 1 ? args.fail(WrongForm.of("ACL", args.argv[1]!)) : args.more ? args.next() : undefined,
    run: (name) => {
      if (name === undefined) return Either.right(Reply.bulks(categoryOrder))
      const category = name.toLowerCase()
      if (!categoryOrder.includes(category)) return Either.left(AclError.noCategory(name))
      const named = table()
        .commands.flatMap((command) => [command, ...command.subcommands.values()])
        .filter((command) => categoriesOf(command).includes(category))
      return Either.right(Reply.bulks(named.map((command) => command.name)))
    },
  })

  const log = Command.make({
    name: "acl|log",
    summary: "List latest events denied because of ACLs in place",
    since: "6.0.0",
    group: "server",
    complexity: "O(N) with N being the number of entries shown.",
    arity: -2,
    flags: administration,
    args: [Arg.oneOf("operation", [Arg.integer("count"), Arg.token("RESET")], { optional: true })],
    parse: (args) => {
      if (args.left > 1) args.fail(WrongForm.of("ACL", args.argv[1]!))
      if (!args.more) return countDefault
      return args.option("RESET") ? undefined : args.int()
    },
    run: (count, { now }) => {
      if (count !== undefined)
        return Either.right(Reply.array(acl.log.entries(Math.max(0, count)).map((entry) => entryReply(entry, now))))
      acl.log.clear()
      return Either.right(Reply.ok)
    },
  })

  const dryrun = Command.make({
    name: "acl|dryrun",
    summary: "Returns whether the user can execute the given command without executing the command.",
    since: "7.0.0",
    group: "server",
    complexity: "O(1).",
    arity: -4,
    flags: administration,
    args: [Arg.string("username"), Arg.string("command"), Arg.string("arg", { optional: true, multiple: true })],
    parse: (args) => {
      const user = acl.find(args.peek()!) ?? args.fail(AclError.noUser(args.next()))
      args.next()
      const argv = args.rest()
      const top = registry.find(argv[0]!)
      const entry =
        top === undefined || top.subcommands.size === 0 || argv.length < 2
          ? top
          : top.subcommands.get(argv[1]!.toLowerCase())
      if (entry === undefined) return args.fail(AclError.noCommand(argv[0]!))
      const { arity, command, name } = entry
      if (arity < 0 ? argv.length < -arity : argv.length !== arity) args.fail(WrongArity.of(name))
      return { user, command, argv }
    },
    run: ({ user, command, argv }) => {
      const denial = user.denial(command, argv)
      if (denial === undefined) return Either.right(Reply.ok)
      const { obstacle, object } = denial
      const what =
        obstacle === "command" ? `run the '${object}' command` : `access the '${upToNul(object)}' ${obstacle}`
      return Either.right(Reply.bulk(`This user has no permissions to ${what}`))
    },
  })

  return [
    Command.container({
      name: "acl",
      summary: "A container for Access List Control commands ",
      since: "6.0.0",
      group: "server",
      complexity: "Depends on subcommand.",
      arity: -2,
      flags: "",
      subcommands: [
        ...[list, getuser, cat, dryrun, setuser, whoami, deluser, log, aclHelp, genpass, users],
        onDisk("acl|load", "Reload the ACLs from the configured ACL file", (client) => acl.load(client, table())),
        onDisk("acl|save", "Save the current ACL rules in the configured ACL file", () => acl.save(table())),
      ],
    }),
  ]
})

/** Entries that ACL LOG tells of unless it is asked for more or fewer. */
const countDefault = 10
