/**
 * Keyspace notifications: the store's events, published to channels as `notify-keyspace-events` says. A layer of its own:
 * without it nothing is published.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Config } from "../config/Config.ts"
import { EventClass, listen } from "../store/Events.ts"
import { Store } from "../store/Store.ts"
import { PubSub } from "./PubSub.ts"

export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const config = yield* Config
    const pubsub = yield* PubSub
    const store = yield* Store
    const unlisten = listen(store.events.notified, (db, eventClass, event, key) => {
      const wanted = config.current.notifyKeyspaceEvents
      if ((wanted & eventClass) === 0) return
      if (wanted & EventClass.keyspace) pubsub.publish(`__keyspace@${db.index}__:${key}`, event)
      if (wanted & EventClass.keyevent) pubsub.publish(`__keyevent@${db.index}__:${event}`, key)
    })
    yield* Effect.addFinalizer(() => Effect.sync(unlisten))
  }),
)
