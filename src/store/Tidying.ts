/**
 * Gives memory back in quiet moments: what a mass deletion left half done, a fiber finishes; it takes apart large collections that
 * have gone, and moves what is left in pages among many free ones. Changes do most of this work bit by bit, so under load there is little
 * left, and a test may leave this layer out.
 *
 * The idea to hold: it sleeps until a keyspace says that there is something to do, and works in slices between which the event loop turns.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { pause } from "../clock/EventLoop.ts"
import * as Pages from "./bytes/Pages.ts"
import { listen } from "./Events.ts"
import { Store } from "./Store.ts"

/** Commands get this long to do the work in passing. */
const delay = Duration.millis(100)
/** Calls of `tidy` in a slice: each moves some 16 records, so a slice takes about 0.2 ms. */
const stepsASlice = 50

export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const store = yield* Store
    let isUntidy = false
    let wake: (() => void) | undefined
    const onUntidy = () => {
      isUntidy = true
      wake?.()
    }
    const unlisten = [listen(store.events.untidy, onUntidy), Pages.listen(onUntidy)]
    yield* Effect.addFinalizer(() => Effect.sync(() => unlisten.forEach((each) => each())))

    const untilUntidy = Effect.async<void>((resume) => {
      if (isUntidy) return resume(Effect.void)
      wake = () => {
        wake = undefined
        resume(Effect.void)
      }
    })
    /** False when all is tidy. */
    const slice = Effect.sync(() => {
      let left = stepsASlice
      for (const { keyspace } of store.databases) {
        while (left > 0 && keyspace.tidy()) left--
      }
      // One step in a slice: it may take as long as all others. Pages move last: until then more of them may go.
      if (store.dropped.step() || (left > 0 && Pages.tidy())) left = 0
      return left === 0
    })
    const tidy = Effect.gen(function* () {
      yield* untilUntidy
      yield* Effect.sleep(delay)
      isUntidy = false
      while (yield* slice) yield* pause
    })
    yield* Effect.forkScoped(Effect.forever(tidy))
  }),
)
