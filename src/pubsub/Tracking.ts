/**
 * Client-side caching: who may have cached which key, and the invalidation messages when it changes.
 *
 * The idea to hold: in the default mode a table remembers who read a key, and an entry is used up by one message; in BCAST mode
 * nothing is remembered but prefixes, and the keys that changed in a turn of the event loop are sent together when it has ended.
 * A client's own changes reach it after its reply.
 * The invariant: while nobody tracks, neither reads nor changes cost anything; the hooks are taken while somebody does, or the table
 * still has what somebody read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import * as Reply from "../codec/Reply.ts"
import type { Client, Tracking as ClientTracking } from "../command/Client.ts"
import { Clients } from "../command/Clients.ts"
import { Flag } from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import { Observers } from "../command/Observers.ts"
import type { Entry } from "../command/Registry.ts"
import { Config } from "../config/Config.ts"
import { listen } from "../store/Events.ts"
import { Store } from "../store/Store.ts"

export interface TrackingService {
  /** Begins or changes tracking for a client. */
  readonly enable: (client: Client, tracking: ClientTracking) => void
  readonly disable: (client: Client) => void
  /** Keys in the table, who-read-what pairs, and prefixes, for INFO. */
  readonly counts: () => { readonly keys: number; readonly items: number; readonly prefixes: number }
}

/** The channel on which a redirected RESP2 client hears of invalidations. */
const channel = "__redis__:invalidate"

/** The keys that a request reads. A script that reads has read what it declared, when it reads; see `remember`. */
const keysOf = (command: Entry["command"], argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (command.mask & Flag.noscript) return []
  const found = command.keysOf === undefined ? Key.find(command.keys ?? [], argv) : command.keysOf(argv)
  return (found ?? []).map(({ position }) => argv[position]!)
}

/** A prefix of BCAST mode. */
interface Prefix {
  readonly listeners: Set<Client>
  /** Keys changed in this turn, each with the client that changed it last. */
  readonly changed: Map<string, Client | undefined>
}

export class Tracking extends Context.Tag("tiny-redis/Tracking")<Tracking, TrackingService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const clients = yield* Clients
  const config = yield* Config
  const observers = yield* Observers
  const store = yield* Store

  const tracking = new Set<Client>()
  /** Key to ids of clients that read it; ids of ended clients are passed over. Keys of all databases share it, as in Redis. */
  const table = new Map<string, Set<number>>()
  const prefixes = new Map<string, Prefix>()

  const send = (client: Client, keys: Reply.Reply) => {
    const settings = client.tracking
    if (settings === undefined) return
    let receiver = client
    if (settings.redirect !== 0) {
      const target = clients.byId.get(settings.redirect)
      if (target === undefined) {
        settings.brokenRedirect = true
        if (client.protocol === 3) {
          client.outbox.push(Reply.push([Reply.bulk("tracking-redir-broken"), Reply.int(settings.redirect)]))
        }
        return
      }
      receiver = target
    }
    const message =
      receiver.protocol === 3
        ? Reply.push([Reply.bulk("invalidate"), keys])
        : settings.redirect !== 0 && receiver.subscriptions > 0
          ? Reply.push([Reply.bulk("message"), Reply.bulk(channel), keys])
          : undefined
    if (message === undefined) return
    if (receiver === observers.running) receiver.afterReply.push(message)
    else receiver.outbox.push(message)
  }

  const invalidate = (key: string, by: Client | undefined) => {
    const ids = table.get(key)
    if (ids === undefined) return
    table.delete(key)
    for (const id of ids) {
      const client = clients.byId.get(id)
      if (client?.tracking === undefined || client.tracking.mode === "bcast") continue
      if (client === by && client.tracking.noLoop) continue
      send(client, Reply.bulks([key]))
    }
  }

  const remember = (client: Client, { command }: Entry, argv: ReadonlyArray<string>) => {
    const settings = client.tracking
    if (settings === undefined || settings.mode === "bcast" || !(command.mask & Flag.readonly)) return
    if (settings.mode === "optin" && settings.caching !== true) return
    if (settings.mode === "optout" && settings.caching === false) return
    for (const key of observers.scriptKeys ?? keysOf(command, argv)) {
      const ids = table.get(key)
      if (ids === undefined) table.set(flat(key), new Set([client.id]))
      else ids.add(client.id)
    }
    forgetOldest()
  }

  /** The oldest go: a map gives its keys in the order in which they came. */
  const forgetOldest = () => {
    const max = config.current.trackingTableMaxKeys
    if (max === 0) return
    for (const key of table.keys())
      if (table.size > max) invalidate(key, undefined)
      else break
  }
  config.onChange(["tracking-table-max-keys"], forgetOldest)

  /** CLIENT CACHING counts for the next command, or transaction, that is not another CLIENT. */
  const forgetCaching = (client: Client, { command }: Entry) => {
    if (client.tracking === undefined || client.transaction !== undefined || command.name.startsWith("client|")) return
    client.tracking.caching = undefined
  }

  const broadcast = () => {
    for (const [, { changed, listeners }] of [...prefixes].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (changed.size === 0) continue
      const keys = [...changed.keys()].sort()
      const all = Reply.bulks(keys)
      for (const client of listeners) {
        if (client.tracking?.noLoop !== true) {
          send(client, all)
          continue
        }
        const others = keys.filter((key) => changed.get(key) !== client)
        if (others.length > 0) send(client, Reply.bulks(others))
      }
      changed.clear()
    }
  }

  /** A turn serves many requests in one go; microtasks come when it has ended. */
  let broadcastScheduled = false
  const noteChange = (key: string) => {
    for (const [prefix, { changed }] of prefixes) if (key.startsWith(prefix)) changed.set(key, observers.running)
    if (broadcastScheduled) return
    broadcastScheduled = true
    queueMicrotask(() => {
      broadcastScheduled = false
      broadcast()
    })
  }

  /** FLUSHALL empties several databases; it is told once. */
  let flushTold = false
  const flushed = () => {
    table.clear()
    if (flushTold) return
    flushTold = true
    for (const client of tracking) send(client, Reply.nil)
  }

  let stopListening: (() => void) | undefined
  const listenWhileNeeded = () => {
    if (tracking.size === 0 && table.size === 0) {
      stopListening?.()
      stopListening = undefined
    } else if (stopListening === undefined) {
      const ends = [
        listen(store.events.modified, (_, key, isNews) => {
          if (!isNews) return
          if (prefixes.size > 0) noteChange(key)
          invalidate(key, observers.running)
        }),
        // SWAPDB tells nobody, as in Redis.
        listen(store.events.replacing, (_db, _other, isExchange) => {
          if (!isExchange) flushed()
        }),
        listen(observers.after, (client, entry, argv) => {
          remember(client, entry, argv)
          forgetCaching(client, entry)
        }),
        listen(observers.afterUnit, () => {
          flushTold = false
          if (tracking.size === 0) listenWhileNeeded()
        }),
      ]
      stopListening = () => ends.forEach((end) => end())
    }
  }

  const disable = (client: Client) => {
    if (client.tracking === undefined) return
    for (const prefix of client.tracking.prefixes) {
      const listeners = prefixes.get(prefix)?.listeners
      listeners?.delete(client)
      if (listeners?.size === 0) prefixes.delete(prefix)
    }
    client.tracking = undefined
    tracking.delete(client)
    listenWhileNeeded()
  }
  clients.onForget.push(disable)

  return {
    enable: (client, settings) => {
      client.tracking = settings
      tracking.add(client)
      for (const prefix of settings.prefixes) {
        const known = prefixes.get(prefix)
        if (known === undefined) prefixes.set(prefix, { listeners: new Set([client]), changed: new Map() })
        else known.listeners.add(client)
      }
      listenWhileNeeded()
    },
    disable,
    counts: () => {
      let items = 0
      for (const ids of table.values()) items += ids.size
      return { keys: table.size, items, prefixes: prefixes.size }
    },
  } satisfies TrackingService
})
