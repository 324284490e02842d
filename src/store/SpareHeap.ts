/**
 * Lets V8 give back the memory of its heap that a burst of work has left unused, once the server has nothing to do.
 *
 * Why: filling a keyspace and deleting most of it grows V8's young generation to its maximum, 32 MiB under `npm start`, and there it stays. V8
 * does shrink it, in steps with short pauses, but looks for a time to do so every eight seconds and takes a process that allocates nothing at
 * all for a busy one; only after a minute or two without a collection it does so all the same. While it is told to optimize for size it does
 * so at the next look. Measured after two million keys: 29 MiB go back, in a collection of 13 ms that would have come later.
 *
 * The idea to hold: it sleeps until a keyspace has had something to tidy up, and then for a minute looks every second for a quiet one. V8's
 * flags are the whole process's, so this is a layer of the program and not of an embedded server.
 */
import { performance } from "node:perf_hooks"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { listen } from "./Events.ts"
import { Store } from "./Store.ts"

/** What is asked of V8 and of the process, so that a test can answer. */
export interface Heap {
  /** The part of the time since the last call that the event loop had something to do, 0 to 1. */
  readonly busyPart: () => number
  /** Bytes that the young generation takes, used or not. */
  readonly youngBytes: () => number
  /** Whether memory goes before speed. */
  readonly optimizeForSize: (isOn: boolean) => void
}

const lookEvery = Duration.seconds(1)
/** Seconds in which a quiet one is waited for, and after which V8 has had two occasions to collect. */
const looksMax = 60
const collectingMax = 20
/** A quiet second is one in which the event loop worked for less than this part of it. */
const quietPart = 0.05
/** Of so few bytes, nothing is worth a collection: what a server begins with. */
const youngMin = 4 * 1024 * 1024

export const layerOf = (heap: Heap): Layer.Layer<never, never, Store> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const { events } = yield* Store
      let isUntidy = false
      let wake: (() => void) | undefined
      const unlisten = listen(events.untidy, () => {
        isUntidy = true
        wake?.()
      })
      yield* Effect.addFinalizer(() => Effect.sync(unlisten))

      const untilUntidy = Effect.async<void>((resume) => {
        if (isUntidy) return resume(Effect.void)
        wake = () => {
          wake = undefined
          resume(Effect.void)
        }
      })
      /** A second later: whether it was a quiet one. */
      const isQuiet = Effect.map(Effect.sleep(lookEvery), () => heap.busyPart() < quietPart)
      const isLarge = () => heap.youngBytes() > youngMin

      /** False when something came in between. */
      const collect = Effect.acquireUseRelease(
        Effect.sync(() => heap.optimizeForSize(true)),
        () =>
          Effect.gen(function* () {
            for (let second = 0; second < collectingMax && isLarge(); second++) if (!(yield* isQuiet)) return false
            return true
          }),
        () => Effect.sync(() => heap.optimizeForSize(false)),
      )
      const watch = Effect.gen(function* () {
        yield* untilUntidy
        isUntidy = false
        heap.busyPart()
        for (let look = 0; look < looksMax; look++) {
          if ((yield* isQuiet) && (!isLarge() || (yield* collect))) return
        }
      })
      yield* Effect.forkScoped(Effect.forever(watch))
    }),
  )

const node = (): Heap => {
  let last = performance.eventLoopUtilization()
  return {
    busyPart: () => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      return utilization
    },
    youngBytes: () =>
      getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.physical_space_size ?? 0,
    optimizeForSize: (isOn) => setFlagsFromString(isOn ? "--optimize-for-size" : "--no-optimize-for-size"),
  }
}

/** With node's own heap; nothing when the whole process is to optimize for size anyway. */
export const layer: Layer.Layer<never, never, Store> = Layer.suspend(() =>
  /--optimize[-_]for[-_]size/.test([...process.execArgv, process.env["NODE_OPTIONS"]].join(" "))
    ? Layer.empty
    : layerOf(node()),
)
