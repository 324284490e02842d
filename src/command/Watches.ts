/**
 * WATCH: which client watches which key. A change to a watched key marks its clients, and their EXEC answers nil.
 *
 * The idea to hold: the store's events do the work; while nobody watches anything, a change costs one size check.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Database } from "../store/Database.ts"
import { Store } from "../store/Store.ts"
import type { Client } from "./Client.ts"
import { Clients } from "./Clients.ts"

export interface WatchesService {
  readonly watch: (client: Client, key: string) => void
  /** Forgets what the client watches, and that it changed. */
  readonly unwatch: (client: Client) => void
  /** True when EXEC must not run: a watched key changed, or has expired since. */
  readonly isBroken: (client: Client) => boolean
}

export class Watches extends Context.Tag("tiny-redis/Watches")<Watches, WatchesService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const store = yield* Store
      const clients = yield* Clients
      const watchers = new Map<Database, Map<string, Set<Client>>>()

      const touch = (db: Database, key: string) => {
        if (watchers.size === 0) return
        watchers.get(db)?.get(key)?.forEach((client) => (client.watchedChanged = true))
      }
      store.events.modified.push(touch)
      store.events.replacing.push((db, other) => {
        // Only keys that exist on one side change: a watched key absent before and after does not.
        watchers.get(db)?.forEach((watching, key) => {
          if (db.keyspace.peek(key) !== undefined || other?.keyspace.peek(key) !== undefined) {
            watching.forEach((client) => (client.watchedChanged = true))
          }
        })
      })

      const unwatch = (client: Client) => {
        for (const { db, key } of client.watched) {
          const byKey = watchers.get(db)
          const watching = byKey?.get(key)
          watching?.delete(client)
          if (watching?.size === 0) byKey!.delete(key)
          if (byKey?.size === 0) watchers.delete(db)
        }
        client.watched.length = 0
        client.watchedChanged = false
      }
      clients.onForget.push(unwatch)

      return {
        watch: (client, key) => {
          const { db } = client
          if (client.watched.some((watched) => watched.db === db && watched.key === key)) return
          let byKey = watchers.get(db)
          if (byKey === undefined) watchers.set(db, (byKey = new Map()))
          let watching = byKey.get(key)
          if (watching === undefined) byKey.set(key, (watching = new Set()))
          watching.add(client)
          client.watched.push({ db, key, wasExpired: db.isExpired(key) })
        },
        unwatch,
        isBroken: (client) =>
          client.watchedChanged || client.watched.some(({ db, key, wasExpired }) => !wasExpired && db.isExpired(key)),
      }
    }),
  )
}
