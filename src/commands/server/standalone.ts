/**
 * ROLE, READONLY, READWRITE and ASKING: what clients of replicas and of clusters ask every server.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Command from "../../command/Command.ts"
import { NotAllowed } from "../../errors/DispatchErrors.ts"
import { Replication } from "../../replication/Replication.ts"

/** ROLE. */
const role = Effect.map(Replication, (replication) =>
  Command.make({
    name: "role",
    summary: "Return the role of the instance in the context of replication",
    since: "2.8.12",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: "noscript loading stale fast",
    acl: "admin dangerous",
    parse: () => undefined,
    run: () => {
      const { history, role: own } = replication
      if (own._tag === "Master") {
        return Either.right(Reply.array([Reply.bulk("master"), Reply.int(history.offset), Reply.array([])]))
      }
      const { host, port, link } = own
      const offset = Reply.int(link === "connected" ? history.offset : -1)
      return Either.right(
        Reply.array([Reply.bulk("slave"), Reply.bulk(host), Reply.int(port), Reply.bulk(link), offset]),
      )
    },
  }),
)

const ofCluster = (name: string, summary: string, flags: string): Command.Command =>
  Command.make({
    name,
    summary,
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 1,
    flags,
    acl: "connection",
    parse: () => undefined,
    run: () => Either.left(NotAllowed.withoutCluster),
  })

export const standaloneCommands = Effect.map(role, (one) => [
  one,
  ofCluster("asking", "Sent by cluster clients after an -ASK redirect", "fast"),
  ofCluster("readonly", "Enables read queries for a connection to a cluster replica node", "loading stale fast"),
  ofCluster("readwrite", "Disables read queries for a connection to a cluster replica node", "loading stale fast"),
])
