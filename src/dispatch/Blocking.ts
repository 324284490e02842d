/**
 * Parked commands: which client waits for which key, in order of arrival, and until when.
 *
 * The idea to hold: nothing is served in the middle of a command. The store says that a key is ready, it is noted here, and
 * when the outermost command (or EXEC, or script) has ended, `serve` lets the waiting clients try, first come first served
 * per key. A try runs like a command of its own, and its client's fiber is resumed with the answer.
 * The invariant: whoever ends a wait (a try, its timeout, CLIENT UNBLOCK, the end of the connection) takes it out of all
 * queues in the same synchronous step, so it ends once.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ClockService } from "../clock/Clock.ts"
import * as Deadlines from "../clock/Deadlines.ts"
import type { Reply } from "../codec/Reply.ts"
import type { Answer } from "../command/Answers.ts"
import type { Client } from "../command/Client.ts"
import type { Waiting } from "../command/Command.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { Unblocked } from "../errors/DispatchErrors.ts"
import type { Database } from "../store/Database.ts"
import type { StoreService } from "../store/Store.ts"

/** Runs a try as a unit of its own: instant, propagation, counting. */
export type RunUnit = (
  client: Client,
  run: () => Either.Either<Reply | undefined, CommandError>,
) => Either.Either<Reply | undefined, CommandError>

export interface Blocking {
  /**
   * Parks the client at once; the effect ends with the answer. Interrupting it (the connection ended) leaves the queues, as
   * does `client.parked.unblock` where the effect is never run.
   */
  readonly wait: (client: Client, waiting: Waiting) => Effect.Effect<Reply, CommandError>
  /** Whether a key that somebody waits for became ready since the last `serve`. */
  readonly isReady: () => boolean
  readonly serve: (runUnit: RunUnit) => void
  /** Ends waits whose time has passed; runs for ever. */
  readonly run: Effect.Effect<never>
  readonly count: () => number
}

interface Waiter {
  readonly client: Client
  readonly db: Database
  readonly waiting: Waiting
  /** Unix ms; Infinity when it waits for ever. */
  readonly untilMs: number
  readonly end: (answer: Answer) => void
  ended: boolean
}

/** Queues of deadlines shorter than this are not worth building anew. */
const rebuildSizeMin = 1000

export interface Listeners {
  /** Told of a client whose wait CLIENT UNBLOCK ends, as if its time had passed or with an error. */
  readonly onUnblocked: (client: Client, how: "timeout" | "error") => void
  /** Told that a key has gone, or become another value, whose waiters may want to know: inside of a command, or outside of any. */
  readonly onGone: () => void
}

export const make = (store: StoreService, clock: ClockService, { onUnblocked, onGone }: Listeners): Blocking => {
  // Sets keep arrival order and let a waiter leave in O(1).
  const queues = new Map<Database, Map<string, Set<Waiter>>>()
  let ready: Array<{ readonly db: Database; readonly key: string }> = []
  let count = 0
  /** How many of them also wait for their key to go. */
  let countReplaced = 0

  const deadlines = Deadlines.make<Waiter>({
    clock,
    sliceMax: 1000,
    onDue: (waiter) => {
      if (!waiter.ended) waiter.end(Either.right(waiter.waiting.onTimeout))
    },
  })

  let rebuildSize = rebuildSizeMin
  /** Who was served leaves an entry behind; when the queue has doubled it is built anew without those. */
  const schedule = (waiter: Waiter) => {
    deadlines.add(waiter.untilMs, waiter)
    if (deadlines.size() <= rebuildSize) return
    const waiters = new Set<Waiter>()
    for (const byKey of queues.values())
      for (const queue of byKey.values()) for (const other of queue) waiters.add(other)
    const timed = [...waiters].filter(({ untilMs }) => untilMs < Infinity)
    deadlines.rebuild(timed.map((other) => [other.untilMs, other] as const))
    rebuildSize = Math.max(rebuildSizeMin, 2 * timed.length)
  }

  store.events.ready.push((db, key) => {
    if (count > 0 && queues.get(db)?.has(key) === true) ready.push({ db, key })
  })
  store.events.replaced.push(() => {
    // After SWAPDB any awaited key may be there, after FLUSHALL any may be gone.
    for (const [db, byKey] of queues) for (const key of byKey.keys()) ready.push({ db, key })
  })
  const modified = (db: Database, key: string) => {
    if (countReplaced === 0) return
    const queue = queues.get(db)?.get(key)
    if (queue === undefined) return
    for (const { waiting } of queue) {
      if (waiting.replaced?.(key) !== true) continue
      ready.push({ db, key })
      return onGone()
    }
  }
  /** From the first on who waits for a key to go: each change of any key costs a listener 3 ns. */
  let hearsOfChanges = false

  const enqueue = (waiter: Waiter) => {
    count++
    if (waiter.waiting.replaced !== undefined) {
      countReplaced++
      if (!hearsOfChanges) store.events.modified.push(modified)
      hearsOfChanges = true
    }
    let byKey = queues.get(waiter.db)
    if (byKey === undefined) queues.set(waiter.db, (byKey = new Map()))
    for (const key of waiter.waiting.keys) {
      const queue = byKey.get(key)
      if (queue === undefined) byKey.set(key, new Set([waiter]))
      else queue.add(waiter)
    }
  }

  const leave = (waiter: Waiter) => {
    waiter.ended = true
    waiter.client.parked = undefined
    count--
    if (waiter.waiting.replaced !== undefined) countReplaced--
    const byKey = queues.get(waiter.db)!
    for (const key of waiter.waiting.keys) {
      const queue = byKey.get(key)
      queue?.delete(waiter)
      if (queue?.size === 0) byKey.delete(key)
    }
    if (byKey.size === 0) queues.delete(waiter.db)
  }

  const wait = (client: Client, waiting: Waiting) => {
    // The client queues up now and not when its fiber comes to the effect: a key that is fed in between would be missed.
    let resume: ((answer: Answer) => void) | undefined
    let ended: Answer | undefined
    const waiter: Waiter = {
      client,
      db: client.db,
      waiting,
      untilMs: waiting.timeoutMs > 0 ? clock.now() + waiting.timeoutMs : Infinity,
      ended: false,
      end: (answer) => {
        leave(waiter)
        client.answerDue = true
        ended = answer
        resume?.(answer)
      },
    }
    enqueue(waiter)
    if (waiter.untilMs < Infinity) schedule(waiter)
    client.parked = {
      keys: waiting.keys,
      timed: waiter.untilMs < Infinity,
      micros: 0,
      unblock: (how) => {
        if (how === "timeout" || how === "error") onUnblocked(client, how)
        if (how === "demoted") client.closing = true
        waiter.end(
          how === "error"
            ? Either.left(Unblocked.error)
            : how === "demoted"
              ? Either.left(Unblocked.demoted)
              : Either.right(waiting.onTimeout),
        )
      },
    }
    return Effect.async<Reply, CommandError>((done) => {
      if (ended !== undefined) return done(ended)
      resume = done
      return Effect.sync(() => {
        if (!waiter.ended) leave(waiter)
      })
    })
  }

  const serve = (runUnit: RunUnit) => {
    // A try may make other keys ready (BLMOVE): those are served after all that were ready before.
    while (ready.length > 0) {
      const round = ready
      ready = []
      for (const { db, key } of round) {
        const queue = queues.get(db)?.get(key)
        if (queue === undefined) continue
        for (const waiter of queue) {
          // Where nothing is left only they are asked whom that concerns: a push that thousands wait for serves the first.
          if (waiter.waiting.replaced === undefined && !db.has(key)) {
            if (countReplaced === 0) break
            continue
          }
          const answer = runUnit(waiter.client, () => waiter.waiting.attempt(key))
          if (Either.isLeft(answer)) waiter.end(Either.left(answer.left))
          else if (answer.right !== undefined) waiter.end(Either.right(answer.right))
        }
      }
    }
  }

  return { wait, isReady: () => ready.length > 0, serve, run: deadlines.run, count: () => count }
}
