/**
 * Channels, patterns and shard channels: who listens to what, and the delivery of messages to outboxes.
 *
 * The idea to hold: a message is made once and pushed to each subscriber's outbox, which keeps its order with replies. A
 * subscriber that does not read is the outbox's business (client-output-buffer-limit pubsub), not the publisher's.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import { compileGlob, type Matcher } from "../bytes/Glob.ts"
import * as Reply from "../codec/Reply.ts"
import type { Client } from "../command/Client.ts"
import { Clients } from "../command/Clients.ts"

/** The three kinds of subscription; each has its own names and its own words in messages. */
export type Kind = "channel" | "pattern" | "shard"

export interface PubSubService {
  /** Delivers a message; returns how many subscriptions it reached. */
  readonly publish: (channel: string, message: string) => number
  readonly publishShard: (channel: string, message: string) => number
  readonly subscribe: (client: Client, kind: Kind, name: string) => void
  readonly unsubscribe: (client: Client, kind: Kind, name: string) => void
  /** Names with subscribers, of channels or shard channels. */
  readonly active: (kind: "channel" | "shard") => Iterable<string>
  readonly subscribers: (kind: "channel" | "shard", name: string) => number
  /** How many different patterns are subscribed to. */
  readonly patternCount: () => number
}

/** The names of one kind that `client` is subscribed to. */
export const namesOf = (client: Client, kind: Kind): Set<string> =>
  kind === "channel" ? client.channels : kind === "pattern" ? client.patterns : client.shardChannels

export class PubSub extends Context.Tag("tiny-redis/PubSub")<PubSub, PubSubService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.map(Clients, ({ onForget }) => {
      const { pubsub, forget } = make()
      onForget.push(forget)
      return pubsub
    }),
  )
}

const make = (): { readonly pubsub: PubSubService; readonly forget: (client: Client) => void } => {
  const channels = new Map<string, Set<Client>>()
  const shardChannels = new Map<string, Set<Client>>()
  const patterns = new Map<string, { readonly matches: Matcher; readonly clients: Set<Client> }>()

  const clientsOf = (kind: Kind, name: string): Set<Client> | undefined =>
    kind === "pattern" ? patterns.get(name)?.clients : (kind === "channel" ? channels : shardChannels).get(name)

  const subscribe = (client: Client, kind: Kind, name: string) => {
    const owned = flat(name)
    namesOf(client, kind).add(owned)
    client.isSubscriber = true
    const existing = clientsOf(kind, name)
    if (existing !== undefined) existing.add(client)
    else if (kind === "pattern") patterns.set(owned, { matches: compileGlob(owned), clients: new Set([client]) })
    else (kind === "channel" ? channels : shardChannels).set(owned, new Set([client]))
  }

  const unsubscribe = (client: Client, kind: Kind, name: string) => {
    namesOf(client, kind).delete(name)
    client.isSubscriber = client.subscriptions + client.shardChannels.size > 0
    const clients = clientsOf(kind, name)
    clients?.delete(client)
    if (clients?.size !== 0) return
    if (kind === "pattern") patterns.delete(name)
    else (kind === "channel" ? channels : shardChannels).delete(name)
  }

  const deliver = (clients: Set<Client> | undefined, words: ReadonlyArray<string>): number => {
    if (clients === undefined) return 0
    const message = Reply.push(words.map(Reply.bulk))
    for (const client of clients) client.outbox.push(message)
    return clients.size
  }

  const pubsub: PubSubService = {
    publish: (channel, text) => {
      let reached = deliver(channels.get(channel), ["message", channel, text])
      for (const [pattern, { matches, clients }] of patterns) {
        if (matches(channel)) reached += deliver(clients, ["pmessage", pattern, channel, text])
      }
      return reached
    },
    publishShard: (channel, text) => deliver(shardChannels.get(channel), ["smessage", channel, text]),
    subscribe,
    unsubscribe,
    active: (kind) => (kind === "channel" ? channels : shardChannels).keys(),
    subscribers: (kind, name) => clientsOf(kind, name)?.size ?? 0,
    patternCount: () => patterns.size,
  }
  const forget = (client: Client) => {
    for (const kind of ["channel", "pattern", "shard"] as const) {
      for (const name of namesOf(client, kind)) unsubscribe(client, kind, name)
    }
  }
  return { pubsub, forget }
}
