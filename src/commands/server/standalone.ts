/** READONLY, READWRITE and ASKING: what clients of clusters ask every server, answered by one that is in none. */
import * as Either from "effect/Either"
import * as Command from "../../command/Command.ts"
import { NotAllowed } from "../../errors/DispatchErrors.ts"

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

export const standaloneCommands = [
  ofCluster("asking", "Sent by cluster clients after an -ASK redirect", "fast"),
  ofCluster("readonly", "Enables read queries for a connection to a cluster replica node", "loading stale fast"),
  ofCluster("readwrite", "Disables read queries for a connection to a cluster replica node", "loading stale fast"),
]
