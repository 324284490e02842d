/** MODULE: there are none, and none can be loaded. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import { InvalidArgument } from "../../errors/CommandError.ts"

const notAllowed = new InvalidArgument(
  'MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
)
const none = Reply.array([])

const list = Command.make({
  name: "module|list",
  summary: "List all modules loaded by the server",
  since: "4.0.0",
  group: "server",
  complexity: "O(N) where N is the number of loaded modules.",
  arity: 2,
  flags: "admin noscript",
  tips: ["nondeterministic_output_order"],
  parse: () => undefined,
  run: () => Either.right(none),
})

const refused = (meta: Pick<Command.Meta, "name" | "summary" | "since" | "arity" | "args">): Command.Command =>
  Command.make({
    ...meta,
    group: "server",
    complexity: "O(1)",
    flags: "admin noscript no_async_loading",
    parse: () => undefined,
    run: () => Either.left(notAllowed),
  })

const load = refused({
  name: "module|load",
  summary: "Load a module",
  since: "4.0.0",
  arity: -3,
  args: [Arg.string("path"), Arg.string("arg", { optional: true, multiple: true })],
})

const loadex = refused({
  name: "module|loadex",
  summary: "Load a module with extended parameters",
  since: "7.0.0",
  arity: -3,
  args: [
    Arg.string("path"),
    Arg.block("configs", [Arg.string("name"), Arg.string("value")], {
      token: "CONFIG",
      optional: true,
      multiple: true,
      multipleToken: true,
    }),
    Arg.block("args", [Arg.string("arg")], { token: "ARGS", optional: true, multiple: true }),
  ],
})

const unload = refused({
  name: "module|unload",
  summary: "Unload a module",
  since: "4.0.0",
  arity: 3,
  args: [Arg.string("name")],
})

const moduleHelp = help(
  "module",
  {
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "server",
    complexity: "O(1)",
    flags: "loading stale",
  },
  [
    "LIST",
    "    Return a list of loaded modules.",
    "LOAD <path> [<arg> ...]",
    "    Load a module library from <path>, passing to it any optional arguments.",
    "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
    "    Load a module library from <path>, while passing it module configurations and optional arguments.",
    "UNLOAD <name>",
    "    Unload a module.",
  ],
)

export const moduleCommands = [
  Command.container({
    name: "module",
    summary: "A container for module commands",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [list, load, loadex, unload, moduleHelp],
  }),
]
