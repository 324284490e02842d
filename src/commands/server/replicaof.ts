/** REPLICAOF and its older name: becoming a replica, or a master again. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { ReplicaRefused } from "../../errors/ReplicationErrors.ts"
import { Following } from "../../replication/Following.ts"
import { Replication } from "../../replication/Replication.ts"

const alreadyConnected = Reply.simple("OK Already connected to specified master")
const portMax = 65535

export const replicaofCommands = Effect.map(Effect.all([Following, Replication]), ([following, replication]) => {
  const make = (name: string, meta: Partial<Command.Meta> & Pick<Command.Meta, "since">) =>
    Command.make({
      name,
      summary: "Make the server a replica of another instance, or promote it as master.",
      group: "server",
      complexity: "O(1)",
      arity: 3,
      flags: "admin noscript stale no_async_loading",
      ...meta,
      args: [
        Arg.oneOf("args", [
          Arg.block("host-port", [Arg.string("host"), Arg.integer("port")]),
          Arg.block("no-one", [Arg.token("NO"), Arg.token("ONE")]),
        ]),
      ],
      parse: (args) => {
        if (replication.failover !== "no-failover") args.fail(ReplicaRefused.failingOver)
        const host = args.owned()
        if (host.toLowerCase() === "no" && args.option("ONE")) return undefined
        const port = args.int(ReplicaRefused.invalidPort)
        if (port < 0 || port > portMax) args.fail(ReplicaRefused.invalidPort)
        return { host, port }
      },
      run: (master) => {
        if (master === undefined) following.unfollow()
        else if (!following.follow(master.host, master.port)) return Either.right(alreadyConnected)
        return Either.right(Reply.ok)
      },
    })
  return [
    make("replicaof", { since: "5.0.0" }),
    make("slaveof", {
      since: "1.0.0",
      docFlags: "deprecated",
      deprecatedSince: "5.0.0",
      replacedBy: "`REPLICAOF`",
    }),
  ]
})
