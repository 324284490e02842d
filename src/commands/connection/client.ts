/**
 * CLIENT: what is known of the connections, and what can be done to them from another one.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { upToNul } from "../../bytes/Bytes.ts"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import { type Client, memoryOf } from "../../command/Client.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import { SyntaxError, WrongForm } from "../../errors/CommandError.ts"
import { ClientError } from "../../errors/ConnectionErrors.ts"
import { clientName } from "./connection.ts"
import { trackingSubcommands } from "./tracking.ts"

/** The types CLIENT LIST and KILL know; this server has no replicas, so nothing is one. */
const typeOf = (client: Client): string => (client.subscriptions + client.shardChannels.size > 0 ? "pubsub" : "normal")

const clientType = (args: Args): string => {
  const word = args.next()
  const type = word.toLowerCase()
  if (type === "slave") return "replica"
  if (["normal", "pubsub", "replica", "master"].includes(type)) return type
  return args.fail(new ClientError(`Unknown client type '${upToNul(word)}'`))
}

const onOff = (args: Args): boolean =>
  args.option("ON") ? true : args.option("OFF") ? false : args.fail(SyntaxError.error)

interface Filter {
  id?: number
  type?: string
  address?: string
  localAddress?: string
  user?: string
}

const matches = (client: Client, filter: Filter): boolean =>
  (filter.id === undefined || client.id === filter.id) &&
  (filter.type === undefined || typeOf(client) === filter.type) &&
  (filter.address === undefined || client.address === filter.address) &&
  (filter.localAddress === undefined || client.localAddress === filter.localAddress) &&
  (filter.user === undefined || client.user === filter.user)

/**
 * One line of CLIENT LIST. Fields about buffers that Redis allocates and this server does not (qbuf-free, rbs, rbp, obl) are 0;
 * `oll` counts queued output as one piece.
 */
export const describe = (client: Client, now: number): string => {
  const { transaction } = client
  const queued = client.outbox.queuedBytes()
  const queryBytes = client.queryBufferBytes()
  const memory = memoryOf(client)
  const fields: ReadonlyArray<readonly [string, string | number]> = [
    ["id", client.id],
    ["addr", client.address],
    ["laddr", client.localAddress],
    ["fd", client.fd],
    ["name", client.name],
    ["age", Math.floor((now - client.createdAtMs) / 1000)],
    ["idle", Math.floor((now - client.lastCommandAtMs) / 1000)],
    ["flags", client.flags],
    ["db", client.db.index],
    ["sub", client.channels.size],
    ["psub", client.patterns.size],
    ["ssub", client.shardChannels.size],
    ["multi", transaction === undefined ? -1 : transaction.queue.length],
    ["qbuf", queryBytes],
    ["qbuf-free", 0],
    ["argv-mem", 0],
    ["multi-mem", memory.queued],
    ["rbs", 0],
    ["rbp", 0],
    ["obl", 0],
    ["oll", queued > 0 ? 1 : 0],
    ["omem", queued],
    ["tot-mem", memory.total],
    ["events", "r"],
    ["cmd", client.lastCommand],
    ["user", client.user],
    ["redir", client.tracking === undefined ? -1 : client.tracking.redirect],
    ["resp", client.protocol],
    ["lib-name", client.libName],
    ["lib-ver", client.libVersion],
  ]
  return fields.map(([name, value]) => `${name}=${value}`).join(" ")
}

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
  parse: clientName,
  run: (name, { client }) => {
    client.name = name
    return Either.right(Reply.ok)
  },
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
    if (mode === "on") {
      client.replyMode = "on"
      return Either.right(Reply.ok)
    }
    // Off stays off: SKIP is for clients that get replies.
    if (mode === "off") client.replyMode = "off"
    else if (client.replyMode === "on") client.replyMode = "skipNext"
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
  run: (_, { client, now }) => Either.right(Reply.verbatim("txt", `${describe(client, now)}\n`)),
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
    run: ({ type, ids }, { now }) => {
      const listed = ids === undefined ? [...clients.byId.values()] : ids.flatMap((id) => clients.byId.get(id) ?? [])
      const lines = listed
        .filter((client) => type === undefined || typeOf(client) === type)
        .map((client) => `${describe(client, now)}\n`)
      return Either.right(Reply.verbatim("txt", lines.join("")))
    },
  })

  const kill = Command.make({
    name: "client|kill",
    summary: "Kill the connection of a client",
    since: "2.4.0",
    group: "connection",
    complexity: "O(N) where N is the number of client connections",
    history: [
      ["2.8.12", "Added new filter format."],
      ["2.8.12", "`ID` option."],
      ["3.2.0", "Added `master` type in for `TYPE` option."],
      ["5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."],
      ["6.2.0", "`LADDR` option."],
    ],
    arity: -3,
    flags: "admin noscript loading stale",
    acl: "connection",
    args: [
      Arg.oneOf("filter", [
        Arg.string("ip:port", { deprecatedSince: "2.8.12" }),
        Arg.oneOf(
          "new-format",
          [
            Arg.integer("client-id", { token: "ID", optional: true, since: "2.8.12" }),
            Arg.oneOf(
              "normal_master_slave_pubsub",
              [
                Arg.token("NORMAL"),
                Arg.token("MASTER", { since: "3.2.0" }),
                Arg.token("SLAVE"),
                Arg.token("REPLICA", { since: "5.0.0" }),
                Arg.token("PUBSUB"),
              ],
              { token: "TYPE", optional: true, since: "2.8.12" },
            ),
            Arg.string("username", { token: "USER", optional: true }),
            Arg.string("ip:port", { token: "ADDR", optional: true }),
            Arg.string("ip:port", { token: "LADDR", optional: true, since: "6.2.0" }),
            Arg.string("yes/no", { token: "SKIPME", optional: true }),
          ],
          { multiple: true },
        ),
      ]),
    ],
    parse: (args) => {
      // The old form names an address and may end the caller itself; it is the one with a single argument.
      if (args.left === 1) return { filter: { address: args.next() }, skipMe: false, old: true }
      const filter: Filter = {}
      let skipMe = true
      while (args.more) {
        if (args.left < 2) args.fail(SyntaxError.error)
        if (args.option("ID"))
          filter.id = args.intIn(1, Number.MAX_SAFE_INTEGER, ClientError.idNotPositive, ClientError.idNotPositive)
        else if (args.option("TYPE")) filter.type = clientType(args)
        else if (args.option("ADDR")) filter.address = args.next()
        else if (args.option("LADDR")) filter.localAddress = args.next()
        else if (args.option("USER")) {
          filter.user = args.next()
          if (filter.user !== "default") args.fail(new ClientError(`No such user '${upToNul(filter.user)}'`))
        } else if (args.option("SKIPME")) {
          if (args.option("YES")) skipMe = true
          else if (args.option("NO")) skipMe = false
          else args.fail(SyntaxError.error)
        } else args.fail(SyntaxError.error)
      }
      return { filter, skipMe, old: false }
    },
    run: ({ filter, skipMe, old }, { client: self }) => {
      let killed = 0
      for (const client of [...clients.byId.values()]) {
        if (!matches(client, filter) || (skipMe && client === self)) continue
        // The caller still gets its answer.
        client.outbox.close(client === self ? "afterReplies" : "now")
        killed++
      }
      if (old) return killed > 0 ? Either.right(Reply.ok) : Either.left(ClientError.noSuchClient)
      return Either.right(Reply.int(killed))
    },
  })

  const unblock = Command.make({
    name: "client|unblock",
    summary: "Unblock a client blocked in a blocking command from a different connection",
    since: "5.0.0",
    group: "connection",
    complexity: "O(log N) where N is the number of client connections",
    arity: -3,
    flags: "admin noscript loading stale",
    acl: "connection",
    args: [
      Arg.integer("client-id"),
      Arg.oneOf("timeout_error", [Arg.token("TIMEOUT"), Arg.token("ERROR")], { optional: true }),
    ],
    parse: (args) => {
      if (args.left > 2) args.fail(WrongForm.of("CLIENT", args.argv[1]!))
      const id = args.int()
      if (!args.more || args.option("TIMEOUT")) return { id, how: "timeout" as const }
      return args.option("ERROR") ? { id, how: "error" as const } : args.fail(ClientError.unblockReason)
    },
    run: ({ id, how }) => {
      const parked = clients.byId.get(id)?.parked
      parked?.unblock(how)
      return Either.right(Reply.flag(parked !== undefined))
    },
  })

  const pause = Command.make({
    name: "client|pause",
    summary: "Stop processing commands from clients for some time",
    since: "2.9.50",
    group: "connection",
    complexity: "O(1)",
    history: [["6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option."]],
    arity: -3,
    flags: "admin noscript loading stale",
    acl: "connection",
    args: [
      Arg.integer("timeout"),
      Arg.oneOf("mode", [Arg.token("WRITE"), Arg.token("ALL")], { optional: true, since: "6.2.0" }),
    ],
    parse: (args) => {
      if (args.left > 2) args.fail(WrongForm.of("CLIENT", args.argv[1]!))
      const ms = args.int64(ClientError.pauseNotInteger)
      if (ms < 0) args.fail(ClientError.pauseNegative)
      if (!args.more || args.option("ALL")) return { ms, mode: "all" as const }
      return args.option("WRITE") ? { ms, mode: "write" as const } : args.fail(ClientError.pauseMode)
    },
    run: ({ ms, mode }, { now, store }) => {
      // In 64 bits, as Redis adds them: what is too far ahead lies in the past.
      clients.pauseUntil(Number(BigInt.asIntN(64, BigInt(now) + BigInt(ms))), mode)
      // What a replica that is being promoted would not see does not happen meanwhile.
      store.keepUntil(clients.pause(now)?.untilMs ?? 0)
      return Either.right(Reply.ok)
    },
  })

  const unpause = Command.make({
    name: "client|unpause",
    summary: "Resume processing of clients that were paused",
    since: "6.2.0",
    group: "connection",
    complexity: "O(N) Where N is the number of paused clients",
    arity: 2,
    flags: "admin noscript loading stale",
    acl: "connection",
    parse: () => undefined,
    run: (_, { store }) => {
      clients.unpause()
      store.keepUntil(0)
      return Either.right(Reply.ok)
    },
  })

  return [
    clientCommand([
      ...[id, getname, setname, reply, noEvict, noTouch, setinfo, info, getredir],
      ...[list, kill, unblock, pause, unpause, helpOfClient],
      ...tracking,
    ]),
  ]
})
