/**
 * PSYNC, SYNC and REPLCONF: what a replica says to its master, and ROLE, what a server says of itself.
 *
 * The idea to hold: who sends PSYNC or SYNC gets no reply from then on, but what `replication/` sends it: a snapshot, and the stream.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Client } from "../../command/Client.ts"
import * as Command from "../../command/Command.ts"
import { type CommandError, InvalidArgument, NotInteger, SyntaxError } from "../../errors/CommandError.ts"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import { TakeoverRefused } from "../../errors/ReplicationErrors.ts"
import { Following } from "../../replication/Following.ts"
import { Replication } from "../../replication/Replication.ts"

const addressCharsMax = 255

/** ROLE, PSYNC, SYNC and REPLCONF. */
export const replicationCommands = Effect.map(Effect.all([Replication, Following]), ([replication, following]) => {
  const { replicas } = replication

  const role = Command.make({
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
        const attached = replicas.all
          .filter(({ stage }) => stage === "online")
          .map(({ host, handshake, ackedOffset }) => Reply.bulks([host, String(handshake.port), String(ackedOffset)]))
        return Either.right(Reply.array([Reply.bulk("master"), Reply.int(history.offset), Reply.array(attached)]))
      }
      const { host, port, link } = own
      const offset = Reply.int(link === "connected" ? history.offset : -1)
      return Either.right(
        Reply.array([Reply.bulk("slave"), Reply.bulk(host), Reply.int(port), Reply.bulk(link), offset]),
      )
    },
  })

  const attached = (error: CommandError | undefined) =>
    error === undefined ? Either.right(Reply.none) : Either.left(error)

  const integer = (text: string): Either.Either<number, CommandError> => {
    const value = parseSafeInteger(text)
    return value === undefined ? Either.left(NotInteger.error) : Either.right(value)
  }

  const psync = Command.make({
    name: "psync",
    summary: "Internal command used for replication",
    since: "2.8.0",
    group: "server",
    arity: -3,
    flags: "admin noscript no_async_loading no_multi",
    args: [Arg.string("replicationid"), Arg.integer("offset")],
    parse: (args) => ({ id: args.owned(), from: args.next(), takesOver: args.option("FAILOVER") }),
    run: ({ id, from, takesOver }, { client }) => {
      if (takesOver) {
        if (replication.role._tag === "Master") return Either.left(TakeoverRefused.ofMaster)
        if (id.toLowerCase() !== replication.history.id) return Either.left(TakeoverRefused.otherHistory)
      }
      return Either.flatMap(integer(from), (offset) => {
        if (takesOver) following.unfollow()
        return attached(replication.attach(client, { id, offset }))
      })
    },
  })

  const sync = Command.make({
    name: "sync",
    summary: "Internal command used for replication",
    since: "1.0.0",
    group: "server",
    arity: 1,
    flags: "admin noscript no_async_loading no_multi",
    parse: () => undefined,
    run: (_, { client }) => attached(replication.attach(client, undefined)),
  })

  /** One option of REPLCONF, and what is behind it. Gives whether it is answered. */
  const configure = (client: Client, words: ReadonlyArray<string>): Either.Either<boolean, CommandError> => {
    const [option, value, next, further] = words as readonly [string, string, string?, string?]
    const handshake = replicas.handshake(client)
    switch (option.toLowerCase()) {
      case "listening-port":
        return Either.map(integer(value), (port) => {
          handshake.port = port
          return true
        })
      case "ip-address":
        if (value.length > addressCharsMax) {
          const reason = `REPLCONF ip-address provided by replica instance is too long: ${value.length} bytes`
          return Either.left(new InvalidArgument(reason))
        }
        handshake.address = value
        return Either.right(true)
      case "capa":
        // What else it is capable of may mean something to others.
        if (value.toLowerCase() === "eof") handshake.takesMark = true
        else if (value.toLowerCase() === "psync2") handshake.knowsRenaming = true
        return Either.right(true)
      case "rdb-only":
        return Either.map(integer(value), (wanted) => {
          handshake.snapshotOnly = wanted === 1
          return true
        })
      case "rdb-filter-only": {
        const parts = value.split(" ").filter((word) => word !== "")
        const unknown = parts.find((part) => part !== "functions")
        if (unknown !== undefined) {
          return Either.left(new InvalidArgument(`Unsupported rdb-filter-only option: ${unknown}`))
        }
        handshake.parts = parts.length > 0 ? ["functions"] : []
        return Either.right(true)
      }
      case "ack":
        // Since Redis 7.2 also what it has on its disk.
        replicas.acknowledge(
          client,
          parseSafeInteger(value) ?? 0,
          next?.toLowerCase() === "fack" ? (parseSafeInteger(further!) ?? 0) : 0,
        )
        return Either.right(false)
      // Only a replica answers it, and its master's stream does not come by here.
      case "getack":
        return Either.right(false)
      default:
        return Either.left(new InvalidArgument(`Unrecognized REPLCONF option: ${option}`))
    }
  }

  const replconf = Command.make({
    name: "replconf",
    summary: "An internal command for configuring the replication stream",
    since: "3.0.0",
    group: "server",
    complexity: "O(1)",
    docFlags: "syscmd",
    arity: -1,
    flags: "admin noscript loading stale allow_busy",
    parse: (args) => args.rest(),
    run: (words, { client }) => {
      if (words.length % 2 === 1) return Either.left(SyntaxError.error)
      for (let i = 0; i < words.length; i += 2) {
        const answered = configure(client, words.slice(i, i + 4))
        if (Either.isLeft(answered)) return Either.left(answered.left)
        if (!answered.right) return Either.right(Reply.none)
      }
      return Either.right(Reply.ok)
    },
  })

  return [role, psync, sync, replconf]
})
