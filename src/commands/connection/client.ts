/**
 * CLIENT: what is known of the connections, and what one says of itself. What it does to others is in others.ts, client-side
 * caching in tracking.ts.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import { describe } from "../../command/ClientLine.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { ClientError } from "../../errors/ConnectionErrors.ts"
import { nameClient } from "./connection.ts"
import { clientType, subcommandsForOthers, typeOf } from "./others.ts"
import { trackingSubcommands } from "./tracking.ts"

const onOff = (args: Args): boolean =>
  args.option("ON") ? true : args.option("OFF") ? false : args.fail(SyntaxError.error)

const id = Command.make({
  name: "client|id",
  summary: "Returns the client ID for the current connection",
  since: "5.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: 2,
  flags: "noscript loading stale",
  acl: "connection",
  parse: () => undefined,
  run: (_, { client }) => Either.right(Reply.int(client.id)),
})

const getname = Command.make({
  name: "client|getname",
  summary: "Get the current connection name",
  since: "2.6.9",
  group: "connection",
  complexity: "O(1)",
  arity: 2,
  flags: "noscript loading stale",
  acl: "connection",
  parse: () => undefined,
  run: (_, { client }) => Either.right(client.name === "" ? Reply.nil : Reply.bulk(client.name)),
})

const setname = Command.make({
  name: "client|setname",
  summary: "Set the current connection name",
  since: "2.6.9",
  group: "connection",
  complexity: "O(1)",
  arity: 3,
  flags: "noscript loading stale",
  acl: "connection",
  args: [Arg.string("connection-name")],
  parse: (args) => args.owned(),
  run: (name, { client }) => Either.map(nameClient(client, name), () => Reply.ok),
})

const reply = Command.make({
  name: "client|reply",
  summary: "Instruct the server whether to reply to commands",
  since: "3.2.0",
  group: "connection",
  complexity: "O(1)",
  arity: 3,
  flags: "noscript loading stale",
  acl: "connection",
  args: [Arg.oneOf("on_off_skip", [Arg.token("ON"), Arg.token("OFF"), Arg.token("SKIP")])],
  parse: (args) =>
    args.option("ON")
      ? ("on" as const)
      : args.option("OFF")
        ? ("off" as const)
        : args.option("SKIP")
          ? ("skip" as const)
          : args.fail(SyntaxError.error),
  run: (mode, { client }) => {
    // The answer ends it.
    if (client.replica !== undefined) return Either.right(Reply.ok)
    if (mode === "on") {
      client.replyMode = "on"
      return Either.right(Reply.ok)
    }
    // Off stays off: SKIP is for clients that get replies.
    // Differs: in a transaction redis-server leaves out what EXEC answers from here on, and so breaks its array; here it is all of it.
    if (mode === "off") client.replyMode = "off"
    else if (client.replyMode !== "off") client.replyMode = "skipNext"
    return Either.right(Reply.none)
  },
})

const noEvict = Command.make({
  name: "client|no-evict",
  summary: "Set client eviction mode for the current connection",
  since: "7.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: 3,
  flags: "admin noscript loading stale",
  acl: "connection",
  args: [Arg.oneOf("enabled", [Arg.token("ON"), Arg.token("OFF")])],
  parse: onOff,
  run: (on, { client }) => {
    client.noEvict = on
    return Either.right(Reply.ok)
  },
})

const info = Command.make({
  name: "client|info",
  summary: "Returns information about the current client connection.",
  since: "6.2.0",
  group: "connection",
  complexity: "O(1)",
  arity: 2,
  flags: "noscript loading stale",
  acl: "connection",
  tips: ["nondeterministic_output"],
  parse: () => undefined,
  run: (_, ctx) => Either.right(Reply.verbatim("txt", `${describe(ctx.client, ctx)}\n`)),
})

const getredir = Command.make({
  name: "client|getredir",
  summary: "Get tracking notifications redirection client ID if any",
  since: "6.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: 2,
  flags: "noscript loading stale",
  acl: "connection",
  parse: () => undefined,
  run: (_, { client }) => Either.right(Reply.int(client.tracking === undefined ? -1 : client.tracking.redirect)),
})

/** Since Redis 7.2: written from its documentation. */
const setinfo = Command.make({
  name: "client|setinfo",
  summary: "Sets information specific to the client or connection.",
  since: "7.2.0",
  group: "connection",
  complexity: "O(1)",
  arity: 4,
  flags: "noscript loading stale",
  acl: "connection",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: [Arg.oneOf("attr", [Arg.string("libname", { token: "LIB-NAME" }), Arg.string("libver", { token: "LIB-VER" })])],
  parse: (args) => {
    const word = args.next().toLowerCase()
    if (word !== "lib-name" && word !== "lib-ver") args.fail(new ClientError(`Unrecognized option '${word}'`))
    const text = args.owned()
    if (/[^!-~]/.test(text))
      args.fail(new ClientError(`${word} cannot contain spaces, newlines or special characters.`))
    return { word, text }
  },
  run: ({ word, text }, { client }) => {
    if (word === "lib-name") client.libName = text
    else client.libVersion = text
    return Either.right(Reply.ok)
  },
})

/** Since Redis 7.2: written from its documentation. */
const noTouch = Command.make({
  name: "client|no-touch",
  summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
  since: "7.2.0",
  group: "connection",
  complexity: "O(1)",
  arity: 3,
  flags: "noscript loading stale",
  acl: "connection",
  args: [Arg.oneOf("enabled", [Arg.token("ON"), Arg.token("OFF")])],
  parse: onOff,
  run: (on, { client }) => {
    client.noTouch = on
    return Either.right(Reply.ok)
  },
})

const helpOfClient = help(
  "client",
  {
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "connection",
    complexity: "O(1)",
    flags: "loading stale",
    acl: "connection",
  },
  [
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
  ],
)

const clientCommand = (subcommands: ReadonlyArray<Command.Command>) =>
  Command.container({
    name: "client",
    summary: "A container for client connection commands",
    since: "2.4.0",
    group: "connection",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands,
  })

/** CLIENT with all its subcommands. */
export const clientCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const others = yield* subcommandsForOthers
  const tracking = yield* trackingSubcommands
  const list = Command.make({
    name: "client|list",
    summary: "Get the list of client connections",
    since: "2.4.0",
    group: "connection",
    complexity: "O(N) where N is the number of client connections",
    history: [
      ["2.8.12", "Added unique client `id` field."],
      ["5.0.0", "Added optional `TYPE` filter."],
      ["6.0.0", "Added `user` field."],
      ["6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."],
      ["7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."],
      ["7.0.3", "Added `ssub` field."],
    ],
    arity: -2,
    flags: "admin noscript loading stale",
    acl: "connection",
    tips: ["nondeterministic_output"],
    args: [
      Arg.oneOf(
        "normal_master_replica_pubsub",
        [Arg.token("NORMAL"), Arg.token("MASTER"), Arg.token("REPLICA"), Arg.token("PUBSUB")],
        { token: "TYPE", optional: true, since: "5.0.0" },
      ),
      Arg.block("id", [Arg.integer("client-id", { multiple: true })], { token: "ID", optional: true, since: "6.2.0" }),
    ],
    parse: (args) => {
      let type: string | undefined
      let ids: ReadonlyArray<number> | undefined
      if (args.left === 2 && args.option("TYPE")) type = clientType(args)
      else if (args.left > 1 && args.option("ID")) {
        ids = args.rest().map((word) => parseSafeInteger(word) ?? args.fail(ClientError.badId))
      } else if (args.more) args.fail(SyntaxError.error)
      return { type, ids }
    },
    run: ({ type, ids }, ctx) => {
      const listed = ids === undefined ? [...clients.byId.values()] : ids.flatMap((id) => clients.byId.get(id) ?? [])
      const lines = listed
        .filter((client) => type === undefined || typeOf(client) === type)
        .map((client) => `${describe(client, ctx)}\n`)
      return Either.right(Reply.verbatim("txt", lines.join("")))
    },
  })

  return [
    clientCommand([
      ...[id, getname, setname, reply, noEvict, noTouch, setinfo, info, getredir],
      ...[list, helpOfClient],
      ...others,
      ...tracking,
    ]),
  ]
})
