/**
 * Has V8 give back the memory of its heap that a burst of work has left unused, once the server has nothing to do.
 *
 * Why: filling a keyspace and deleting most of it grows V8's young generation to its maximum, 32 MiB under `npm start`, and there it stays.
 * V8 shrinks it in a full collection before which little was allocated for some seconds: but an idle process collects nothing, and if its
 * heap has not grown otherwise, never. So that is done for it. It stops the server for a millisecond for each MiB of the heap, 13 ms where
 * there is nothing but the program; so where there is much more it is not done.
 *
 * The idea to hold: it sleeps until a keyspace has had something to tidy up, and then for a minute looks every second for a quiet time. V8's
 * heap is the whole process's, so this is a layer of the program and not of an embedded server.
 */
import { performance } from "node:perf_hooks"
import { getHeapSpaceStatistics } from "node:v8"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Outside from "./bytes/Outside.ts"
import { listen } from "./Events.ts"
import { Store } from "./Store.ts"

/** What is asked of V8 and of the process, so that a test can answer. */
export interface Heap {
  /** The part of the time since the last call that the event loop had something to do, 0 to 1. */
  readonly busyPart: () => number
  /** Bytes that the young generation takes, used or not, and those in use of it and of the whole heap. */
  readonly bytes: () => { readonly young: number; readonly youngUsed: number; readonly used: number }
  readonly collectYoung: () => void
  readonly collectAll: () => void
}

const lookEvery = Duration.seconds(1)
/** So many seconds a quiet time is waited for, and so long it has to be: V8 looks at what was allocated in the last five. */
const looksMax = 60
const quietSeconds = 6
/** A second is quiet when the event loop worked for less than this part of it. */
const quietPart = 0.05
/** V8 shrinks nothing where a million bytes a second are allocated. */
const quietBytes = quietSeconds * 800_000
/** Of a smaller young generation nothing is worth a collection: it is what a server begins with. */
const youngMin = 9 * 1024 * 1024
/** A larger heap takes longer to collect than is worth it. */
const usedMax = 24 * 1024 * 1024

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

      /** False when something came in between. */
      const shrink = Effect.gen(function* () {
        if (heap.bytes().young <= youngMin) return true
        // What is allocated from now on shows how quiet it is, and what remains how long a collection takes.
        heap.collectYoung()
        if (heap.bytes().used > usedMax) return true
        for (let second = 0; second < quietSeconds; second++) if (!(yield* isQuiet)) return false
        if (heap.bytes().youngUsed > quietBytes) return false
        heap.collectAll()
        return true
      })
      const watch = Effect.gen(function* () {
        yield* untilUntidy
        isUntidy = false
        heap.busyPart()
        for (let look = 0; look < looksMax; look++) if ((yield* isQuiet) && (yield* shrink)) return
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
    bytes: () => {
      const spaces = getHeapSpaceStatistics()
      const young = spaces.find(({ space_name }) => space_name === "new_space")
      return {
        young: young?.space_size ?? 0,
        youngUsed: young?.space_used_size ?? 0,
        used: spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0),
      }
    },
    collectYoung: Outside.collectYoung,
    collectAll: Outside.collectOnce,
  }
}

/** With node's own heap. */
export const layer: Layer.Layer<never, never, Store> = Layer.suspend(() => layerOf(node()))
