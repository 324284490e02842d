/**
 * WATCH: which client watches which key. A change to a watched key marks its clients, and their EXEC answers nil.
 *
 * The idea to hold: the store's events do the work; while nobody watches anything, a change costs one size check.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import type { Database } from "../store/Database.ts"
import { Store } from "../store/Store.ts"
import type { Client, Watched } from "./Client.ts"
import { Clients } from "./Clients.ts"

export interface WatchesService {
  readonly watch: (client: Client, key: string) => void
  /** Forgets what the client watches, and that it changed. */
  readonly unwatch: (client: Client) => void
  /** How many keys are watched, by anybody. */
  readonly count: () => number
  /** True when EXEC must not run: a watched key changed, or has expired since. */
  readonly isBroken: (client: Client) => boolean
}

export class Watches extends Context.Tag("tiny-redis/Watches")<Watches, WatchesService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const store = yield* Store
      const clients = yield* Clients
      const watchers = new Map<Database, Map<string, Set<Watched>>>()

      const touch = (db: Database, key: string) => {
        if (watchers.size === 0) return
        const watching = watchers.get(db)?.get(key)
        if (watching === undefined) return
        const gone = db.keyspace.peek(key) === undefined
        for (const watched of watching) {
          if (watched.expired && gone) watched.expired = false
          else watched.client.watchedChanged = true
        }
      }
      /** `db` is emptied, or gets the keys of `other`. */
      const replace = (db: Database, other: Database | undefined) => {
        watchers.get(db)?.forEach((watching, key) => {
          const is = db.keyspace.peek(key) !== undefined
          const comes = other !== undefined && other.keyspace.peek(key) !== undefined
          // A key absent before and after does not change.
          if (!is && !comes) return
          const comesExpired = comes && other.isExpired(key)
          for (const watched of watching) {
            if (watched.expired && !comes) watched.expired = false
            else if (!is && comesExpired) watched.expired = true
            else if (!(watched.expired && comesExpired)) watched.client.watchedChanged = true
          }
        })
      }
      /** From the first key on that somebody watches: each change of any key costs a listener 3 ns. */
      let hearsOfChanges = false
      store.events.replacing.push(replace)

      const unwatch = (client: Client) => {
        for (const watched of client.watched) {
          const { db, key } = watched
          const byKey = watchers.get(db)
          const watching = byKey?.get(key)
          watching?.delete(watched)
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
          const owned = flat(key)
          let byKey = watchers.get(db)
          if (byKey === undefined) watchers.set(db, (byKey = new Map()))
          let watching = byKey.get(key)
          if (watching === undefined) byKey.set(owned, (watching = new Set()))
          if (!hearsOfChanges) store.events.modified.push(touch)
          hearsOfChanges = true
          const watched = { client, db, key: owned, expired: db.isExpired(key) }
          watching.add(watched)
          client.watched.push(watched)
        },
        unwatch,
        count: () => {
          let count = 0
          for (const byKey of watchers.values()) count += byKey.size
          return count
        },
        isBroken: (client) =>
          client.watchedChanged || client.watched.some(({ db, key, expired }) => !expired && db.isExpired(key)),
      }
    }),
  )
}
