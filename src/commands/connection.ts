/** The connection itself: who the client is, which protocol and database it uses. */
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import * as Command from "../command/Command.ts"
import { WrongArity } from "../errors/CommandError.ts"

const ping = Command.make({
  name: "ping",
  summary: "Ping the server",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: -1,
  flags: "fast",
  acl: "connection",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: [Arg.string("message", { optional: true })],
  parse: (args) => (args.left > 1 ? args.fail(WrongArity.of("ping")) : args.peek()),
  run: (message, { client }) => {
    if (client.protocol === 2 && client.subscriptions + client.shardChannels.size > 0) {
      return Either.right(Reply.bulks(["pong", message ?? ""]))
    }
    return Either.right(message === undefined ? Reply.pong : Reply.bulk(message))
  },
})

export const connectionCommands = [ping]
