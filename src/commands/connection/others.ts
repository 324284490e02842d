/**
 * What one connection does to others: CLIENT KILL, UNBLOCK, PAUSE and UNPAUSE, and the types by which KILL and LIST choose.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Acl } from "../../acl/Acl.ts"
import { upToNul } from "../../bytes/Bytes.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import type { Client } from "../../command/Client.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { Registry } from "../../command/Registry.ts"
import { SyntaxError, WrongForm } from "../../errors/CommandError.ts"
import { ClientError } from "../../errors/ConnectionErrors.ts"

/** The types CLIENT LIST and KILL know. */
export const typeOf = (client: Client): string => {
  if (client.isMaster) return "master"
  if (client.replica !== undefined) return "replica"
  return client.isSubscriber ? "pubsub" : "normal"
}

/** The next word as such a type. */
export const clientType = (args: Args): string => {
  const word = args.next()
  const type = word.toLowerCase()
  if (type === "slave") return "replica"
  if (["normal", "pubsub", "replica", "master"].includes(type)) return type
  return args.fail(new ClientError(`Unknown client type '${upToNul(word)}'`))
}

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
  (filter.user === undefined || client.user.name === filter.user)

/** CLIENT KILL, UNBLOCK, PAUSE and UNPAUSE. */
export const subcommandsForOthers = Effect.gen(function* () {
  const acl = yield* Acl
  const clients = yield* Clients
  const registry = yield* Registry

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
          if (filter.user !== acl.defaultUser.name && acl.find(filter.user) === undefined)
            args.fail(new ClientError(`No such user '${upToNul(filter.user)}'`))
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
        killed++
        // The caller still gets its answer.
        if (client === self) client.outbox.close("afterReplies")
        else {
          client.outbox.close("now")
          // The end of the connection comes later, and what is sent behind this must not find it any more.
          clients.remove(client)
        }
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
      if (parked === undefined) return Either.right(Reply.flag(false))
      parked.unblock(how)
      // redis-server counts the error that the other client gets as one of this command's as well.
      if (how === "error") registry.findOwn("client|unblock")!.failed++
      return Either.right(Reply.flag(true))
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
      clients.pauseUntil("command", Number(BigInt.asIntN(64, BigInt(now) + BigInt(ms))), mode)
      // What a replica that is being promoted would not see does not happen meanwhile.
      store.keepUntil(clients.keptUntil(now))
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
    run: (_, { now, store }) => {
      clients.unpause("command")
      store.keepUntil(clients.keptUntil(now))
      return Either.right(Reply.ok)
    },
  })

  return [kill, unblock, pause, unpause]
})
