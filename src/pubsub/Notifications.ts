/**
 * Keyspace notifications: the store's events, published to channels as `notify-keyspace-events` says. A layer of its own:
 * without it nothing is published.
 *
 * The idea to hold: a client of RESP3 may listen to what it does itself. Whether that reaches it before or after the answer differs from
 * command to command, as in redis-server.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Observers } from "../command/Observers.ts"
import { Config } from "../config/Config.ts"
import { EventClass, listen } from "../store/Events.ts"
import { Store } from "../store/Store.ts"
import { PubSub } from "./PubSub.ts"

/**
 * Commands that are answered before what they did is announced.
 *
 * Differs: redis-server announces some (ZPOPMIN, XREADGROUP, XCLAIM, EXEC) in the middle of their answer, which clients read as part of
 * it. Here that comes before the answer, as for all other commands, SET with GET among them.
 */
const answeredFirst = new Set(
  (
    "getset getdel getex bitfield expire expireat pexpire pexpireat rpush rpushx lpush lpushx lpop rpop lset lmpop blpop brpop blmpop " +
    "sunionstore sinterstore sdiffstore hset hsetnx hmset hincrby hincrbyfloat zadd zincrby zrangestore zunionstore zinterstore zdiffstore " +
    "geoadd xadd xgroup|create xgroup|setid xgroup|destroy xsetid"
  ).split(" "),
)
/** Where these delete a key, that is announced before the answer. */
const deletesFirst = new Set("expire expireat pexpire pexpireat sunionstore sinterstore sdiffstore".split(" "))
/** Their element arrives before the answer, and leaves after it. */
const moves = new Set(["lmove", "blmove", "rpoplpush", "brpoplpush"])
const departures = new Set(["lpop", "rpop", "del"])

/** What is found out on the way to what the command does. */
const beforehand = EventClass.keyMiss | EventClass.expired | EventClass.evicted

const comesAfterAnswer = (command: string, eventClass: number, event: string): boolean => {
  if ((eventClass & beforehand) !== 0) return false
  if (eventClass === EventClass.newKey) return command === "getset"
  if (event === "del" && deletesFirst.has(command)) return false
  return answeredFirst.has(command) || (moves.has(command) && departures.has(event))
}

export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const config = yield* Config
    const observers = yield* Observers
    const pubsub = yield* PubSub
    const store = yield* Store
    const unlisten = listen(store.events.notified, (db, eventClass, event, key) => {
      const wanted = config.current.notifyKeyspaceEvents
      if ((wanted & eventClass) === 0) return
      const { running } = observers
      if (running?.isSubscriber === true && comesAfterAnswer(running.lastCommand, eventClass, event)) {
        running.answerDue = true
      }
      if (wanted & EventClass.keyspace) pubsub.publish(`__keyspace@${db.index}__:${key}`, event)
      if (wanted & EventClass.keyevent) pubsub.publish(`__keyevent@${db.index}__:${event}`, key)
    })
    yield* Effect.addFinalizer(() => Effect.sync(unlisten))
  }),
)
