/**
 * Publish and subscribe. A subscription is answered by a push message for each name, in the order of the request.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { globMatch } from "../bytes/Glob.ts"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import type { Client } from "../command/Client.ts"
import * as Command from "../command/Command.ts"
import { help } from "../command/Help.ts"
import * as Key from "../command/Key.ts"
import { WrongForm } from "../errors/CommandError.ts"
import { type Kind, namesOf, PubSub } from "../pubsub/PubSub.ts"

const prefixes = { channel: "", pattern: "p", shard: "s" } as const

/** What a message about a subscription counts: shard channels apart from the others. */
const countOf = (client: Client, kind: Kind): number =>
  kind === "shard" ? client.shardChannels.size : client.subscriptions

/** PUBLISH, SUBSCRIBE and their kin. */
export const pubsubCommands = Effect.map(PubSub, (pubsub) => {
  const subscribeAll = (client: Client, kind: Kind, names: ReadonlyArray<string>): Reply.Reply =>
    Reply.sequence(
      names.map((name) => {
        pubsub.subscribe(client, kind, name)
        return Reply.push([
          Reply.bulk(`${prefixes[kind]}subscribe`),
          Reply.bulk(name),
          Reply.int(countOf(client, kind)),
        ])
      }),
    )

  const unsubscribeAll = (client: Client, kind: Kind, names: ReadonlyArray<string>): Reply.Reply => {
    const word = Reply.bulk(`${prefixes[kind]}unsubscribe`)
    const given = names.length > 0 ? names : [...namesOf(client, kind)]
    if (given.length === 0) return Reply.push([word, Reply.nil, Reply.int(countOf(client, kind))])
    return Reply.sequence(
      given.map((name) => {
        pubsub.unsubscribe(client, kind, name)
        return Reply.push([word, Reply.bulk(name), Reply.int(countOf(client, kind))])
      }),
    )
  }

  const activeChannels = (kind: "channel" | "shard", pattern: string | undefined): Reply.Reply =>
    Reply.bulks([...pubsub.active(kind)].filter((name) => pattern === undefined || globMatch(pattern, name)))

  const subscribe = Command.make({
    name: "subscribe",
    summary: "Listen for messages published to the given channels",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    arity: -2,
    flags: "pubsub noscript loading stale",
    channels: "all",
    args: [Arg.string("channel", { multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.right(subscribeAll(client, "channel", names)),
  })

  const unsubscribe = Command.make({
    name: "unsubscribe",
    summary: "Stop listening for messages posted to the given channels",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of clients already subscribed to a channel.",
    arity: -1,
    flags: "pubsub noscript loading stale",
    args: [Arg.string("channel", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.right(unsubscribeAll(client, "channel", names)),
  })

  const psubscribe = Command.make({
    name: "psubscribe",
    summary: "Listen for messages published to channels matching the given patterns",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
    arity: -2,
    flags: "pubsub noscript loading stale",
    channels: "patterns",
    args: [Arg.block("pattern", [Arg.pattern("pattern")], { multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.right(subscribeAll(client, "pattern", names)),
  })

  const punsubscribe = Command.make({
    name: "punsubscribe",
    summary: "Stop listening for messages posted to channels matching the given patterns",
    since: "2.0.0",
    group: "pubsub",
    complexity:
      "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).",
    arity: -1,
    flags: "pubsub noscript loading stale",
    args: [Arg.pattern("pattern", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.right(unsubscribeAll(client, "pattern", names)),
  })

  const ssubscribe = Command.make({
    name: "ssubscribe",
    summary: "Listen for messages published to the given shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    arity: -2,
    flags: "pubsub noscript loading stale",
    keys: [Key.range(1, "not_key", { last: -1 })],
    channels: "all",
    args: [Arg.string("shardchannel", { multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.right(subscribeAll(client, "shard", names)),
  })

  const sunsubscribe = Command.make({
    name: "sunsubscribe",
    summary: "Stop listening for messages posted to the given shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
    arity: -1,
    flags: "pubsub noscript loading stale",
    keys: [Key.range(1, "not_key", { last: -1 })],
    args: [Arg.string("shardchannel", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names, { client }) => Either.right(unsubscribeAll(client, "shard", names)),
  })

  const publish = Command.make({
    name: "publish",
    summary: "Post a message to a channel",
    since: "2.0.0",
    group: "pubsub",
    complexity:
      "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
    arity: 3,
    flags: "pubsub loading stale fast",
    channels: "one",
    args: [Arg.string("channel"), Arg.string("message")],
    parse: (args) => ({ channel: args.next(), message: args.next() }),
    run: ({ channel, message }, ctx) => {
      ctx.tellReplicas(ctx.argv)
      return Either.right(Reply.int(pubsub.publish(channel, message)))
    },
  })

  const spublish = Command.make({
    name: "spublish",
    summary: "Post a message to a shard channel",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    arity: 3,
    flags: "pubsub loading stale fast",
    keys: [Key.at(1, "not_key")],
    channels: "one",
    args: [Arg.string("shardchannel"), Arg.string("message")],
    parse: (args) => ({ channel: args.next(), message: args.next() }),
    run: ({ channel, message }, ctx) => {
      ctx.tellReplicas(ctx.argv)
      return Either.right(Reply.int(pubsub.publishShard(channel, message)))
    },
  })

  const pubsubChannels = Command.make({
    name: "pubsub|channels",
    summary: "List active channels",
    since: "2.8.0",
    group: "pubsub",
    complexity:
      "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
    arity: -2,
    flags: "pubsub loading stale",
    args: [Arg.pattern("pattern", { optional: true })],
    parse: (args) =>
      args.left > 1 ? args.fail(WrongForm.of("PUBSUB", args.argv[1]!)) : args.more ? args.next() : undefined,
    run: (pattern) => Either.right(activeChannels("channel", pattern)),
  })

  const pubsubShardchannels = Command.make({
    name: "pubsub|shardchannels",
    summary: "List active shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity:
      "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
    arity: -2,
    flags: "pubsub loading stale",
    args: [Arg.pattern("pattern", { optional: true })],
    parse: (args) =>
      args.left > 1 ? args.fail(WrongForm.of("PUBSUB", args.argv[1]!)) : args.more ? args.next() : undefined,
    run: (pattern) => Either.right(activeChannels("shard", pattern)),
  })

  const pubsubNumsub = Command.make({
    name: "pubsub|numsub",
    summary: "Get the count of subscribers for channels",
    since: "2.8.0",
    group: "pubsub",
    complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
    arity: -2,
    flags: "pubsub loading stale",
    args: [Arg.string("channel", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names) =>
      Either.right(
        Reply.array(names.flatMap((name) => [Reply.bulk(name), Reply.int(pubsub.subscribers("channel", name))])),
      ),
  })

  const pubsubShardnumsub = Command.make({
    name: "pubsub|shardnumsub",
    summary: "Get the count of subscribers for shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
    arity: -2,
    flags: "pubsub loading stale",
    args: [Arg.string("shardchannel", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names) =>
      Either.right(
        Reply.array(names.flatMap((name) => [Reply.bulk(name), Reply.int(pubsub.subscribers("shard", name))])),
      ),
  })

  const pubsubNumpat = Command.make({
    name: "pubsub|numpat",
    summary: "Get the count of unique patterns pattern subscriptions",
    since: "2.8.0",
    group: "pubsub",
    complexity: "O(1)",
    arity: 2,
    flags: "pubsub loading stale",
    parse: () => undefined,
    run: () => Either.right(Reply.int(pubsub.patternCount())),
  })

  const pubsubHelp = help(
    "pubsub",
    {
      summary: "Show helpful text about the different subcommands",
      since: "6.2.0",
      group: "pubsub",
      complexity: "O(1)",
      flags: "loading stale",
    },
    [
      "CHANNELS [<pattern>]",
      "    Return the currently active channels matching a <pattern> (default: '*').",
      "NUMPAT",
      "    Return number of subscriptions to patterns.",
      "NUMSUB [<channel> ...]",
      "    Return the number of subscribers for the specified channels, excluding",
      "    pattern subscriptions(default: no channels).",
      "SHARDCHANNELS [<pattern>]",
      "    Return the currently active shard level channels matching a <pattern> (default: '*').",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    Return the number of subscribers for the specified shard level channel(s)",
    ],
  )

  const container = Command.container({
    name: "pubsub",
    summary: "A container for Pub/Sub commands",
    since: "2.8.0",
    group: "pubsub",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [pubsubChannels, pubsubNumpat, pubsubNumsub, pubsubShardchannels, pubsubShardnumsub, pubsubHelp],
  })

  return [subscribe, unsubscribe, psubscribe, punsubscribe, ssubscribe, sunsubscribe, publish, spublish, container]
})
