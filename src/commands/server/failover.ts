/** FAILOVER: this server and one of its replicas exchange their roles. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { FailoverRefused } from "../../errors/ReplicationErrors.ts"
import { type Address, Failover, type Handover } from "../../replication/Failover.ts"

const parse = (args: Args): Handover | "abort" => {
  if (args.left === 1 && args.option("ABORT")) return "abort"
  let to: Address | undefined
  let timeoutMs: number | undefined
  let force = false
  while (args.more) {
    if (timeoutMs === undefined && args.optionWith("TIMEOUT", 1)) {
      timeoutMs = args.int()
      if (timeoutMs <= 0) args.fail(FailoverRefused.timeout)
    } else if (to === undefined && args.optionWith("TO", 2)) to = { host: args.owned(), port: args.int() }
    else if (!force && args.option("FORCE")) force = true
    else args.fail(SyntaxError.error)
  }
  return { to, timeoutMs, force }
}

export const failoverCommands = Effect.map(Failover, (failover) => [
  Command.make({
    name: "failover",
    summary: "Start a coordinated failover between this server and one of its replicas.",
    since: "6.2.0",
    group: "server",
    complexity: "O(1)",
    arity: -1,
    flags: "admin noscript stale",
    args: [
      Arg.block("target", [Arg.string("host"), Arg.integer("port"), Arg.token("FORCE", { optional: true })], {
        token: "TO",
        optional: true,
      }),
      Arg.token("ABORT", { optional: true }),
      Arg.integer("milliseconds", { token: "TIMEOUT", optional: true }),
    ],
    parse,
    run: (request) => {
      if (request === "abort") {
        return failover.abort() ? Either.right(Reply.ok) : Either.left(FailoverRefused.notInProgress)
      }
      const refused = failover.begin(request)
      return refused === undefined ? Either.right(Reply.ok) : Either.left(refused)
    },
  }),
])
