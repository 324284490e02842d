/** When V8's young generation is made to shrink: after data has gone, in a quiet time, and where that takes no long pause. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Clock } from "../src/clock/Clock.ts"
import * as SpareHeap from "../src/store/SpareHeap.ts"
import { Store } from "../src/store/Store.ts"

const mib = 2 ** 20

/** A heap that shrinks when all of it is collected, as V8's does. */
const make = () => {
  const state = { busy: 0, young: 32 * mib, youngUsed: 0, old: 12 * mib, collected: [] as Array<string>, looks: 0 }
  const heap: SpareHeap.Heap = {
    busyPart: () => {
      state.looks++
      return state.busy
    },
    bytes: () => ({ young: state.young, youngUsed: state.youngUsed, used: state.old + state.youngUsed }),
    collectYoung: () => {
      state.collected.push("young")
      state.youngUsed = 0
    },
    collectAll: () => {
      state.collected.push("all")
      state.young = mib
    },
  }
  const layer = SpareHeap.layerOf(heap).pipe(
    Layer.provideMerge(Store.layerMemory({ databases: 1 })),
    Layer.provide(Clock.layer),
  )
  return { state, layer }
}

/** As a keyspace does it. */
const untidy = Effect.map(Store, ({ events }) => {
  for (const tell of events.untidy) tell()
})

type State = ReturnType<typeof make>["state"]

const withHeap = (test: (state: State) => Effect.Effect<void, never, Store>) => {
  const { state, layer } = make()
  return test(state).pipe(Effect.provide(layer))
}

describe("the spare part of the heap", () => {
  it.effect("is left alone while no data has gone", () =>
    withHeap((state) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 hour")
        expect(state).toMatchObject({ collected: [], looks: 0 })
      }),
    ),
  )

  it.effect("goes in a quiet time after data has gone, once", () =>
    withHeap((state) =>
      Effect.gen(function* () {
        state.busy = 0.5
        state.youngUsed = 20 * mib
        yield* untidy
        yield* TestClock.adjust("10 seconds")
        expect(state.collected).toEqual([])
        state.busy = 0.01
        yield* TestClock.adjust("1 seconds")
        expect(state.collected).toEqual(["young"])
        yield* TestClock.adjust("5 seconds")
        expect(state.collected).toEqual(["young"])
        yield* TestClock.adjust("1 seconds")
        expect(state.collected).toEqual(["young", "all"])
        const { looks } = state
        yield* TestClock.adjust("1 hour")
        expect(state).toMatchObject({ collected: ["young", "all"], looks })
        state.young = 32 * mib
        yield* untidy
        yield* TestClock.adjust("8 seconds")
        expect(state.collected).toEqual(["young", "all", "young", "all"])
      }),
    ),
  )

  it.effect("waits until there is nothing to do for some seconds, and little is allocated", () =>
    withHeap((state) =>
      Effect.gen(function* () {
        yield* untidy
        yield* TestClock.adjust("4 seconds")
        state.busy = 1
        yield* TestClock.adjust("10 seconds")
        expect(state.collected).toEqual(["young"])
        state.busy = 0
        yield* TestClock.adjust("1 seconds")
        expect(state.collected).toEqual(["young", "young"])
        state.youngUsed = 8 * mib
        yield* TestClock.adjust("6 seconds")
        expect(state.collected).toEqual(["young", "young"])
        yield* TestClock.adjust("7 seconds")
        expect(state.collected).toEqual(["young", "young", "young", "all"])
      }),
    ),
  )

  it.effect("is given up where the server is busy for a minute", () =>
    withHeap((state) =>
      Effect.gen(function* () {
        state.busy = 0.2
        yield* untidy
        yield* TestClock.adjust("1 minute")
        const { looks } = state
        state.busy = 0
        yield* TestClock.adjust("1 hour")
        expect(state).toMatchObject({ collected: [], looks })
      }),
    ),
  )

  it.effect("is left alone when it is small", () =>
    withHeap((state) =>
      Effect.gen(function* () {
        state.young = 8 * mib
        yield* untidy
        yield* TestClock.adjust("1 hour")
        expect(state.collected).toEqual([])
      }),
    ),
  )

  it.effect("is left alone when the heap is so large that a collection takes long", () =>
    withHeap((state) =>
      Effect.gen(function* () {
        state.old = 100 * mib
        yield* untidy
        yield* TestClock.adjust("1 hour")
        expect(state.collected).toEqual(["young"])
      }),
    ),
  )
})
