/** When V8 is asked to give back its young generation: after data has gone, in a quiet second, and for no longer than it takes. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Clock } from "../src/clock/Clock.ts"
import * as SpareHeap from "../src/store/SpareHeap.ts"
import { Store } from "../src/store/Store.ts"

const mib = 2 ** 20

const make = () => {
  const state = { busy: 0, young: 32 * mib, asked: [] as Array<boolean>, looks: 0 }
  const heap: SpareHeap.Heap = {
    busyPart: () => {
      state.looks++
      return state.busy
    },
    youngBytes: () => state.young,
    optimizeForSize: (isOn) => state.asked.push(isOn),
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

describe("the spare part of the heap", () => {
  const { state, layer } = make()
  it.effect("is left alone while no data has gone", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      expect(state).toMatchObject({ asked: [], looks: 0 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("is asked for in the first quiet second, until it has been given", () => {
    const { state, layer } = make()
    return Effect.gen(function* () {
      state.busy = 0.5
      yield* untidy
      yield* TestClock.adjust("10 seconds")
      expect(state.asked).toEqual([])
      state.busy = 0.01
      yield* TestClock.adjust("1 seconds")
      expect(state.asked).toEqual([true])
      yield* TestClock.adjust("8 seconds")
      expect(state.asked).toEqual([true])
      state.young = mib
      yield* TestClock.adjust("1 seconds")
      expect(state.asked).toEqual([true, false])
      const { looks } = state
      yield* TestClock.adjust("1 hour")
      expect(state).toMatchObject({ asked: [true, false], looks })
    }).pipe(Effect.provide(layer))
  })

  it.effect("is not asked for any more once there is work, and again when that is done", () => {
    const { state, layer } = make()
    return Effect.gen(function* () {
      yield* untidy
      yield* TestClock.adjust("2 seconds")
      expect(state.asked).toEqual([true])
      state.busy = 1
      yield* TestClock.adjust("1 seconds")
      expect(state.asked).toEqual([true, false])
      yield* TestClock.adjust("10 seconds")
      expect(state.asked).toEqual([true, false])
      state.busy = 0
      yield* TestClock.adjust("1 seconds")
      expect(state.asked).toEqual([true, false, true])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is given up where V8 does not give it, or the server is never quiet", () => {
    const { state, layer } = make()
    return Effect.gen(function* () {
      yield* untidy
      yield* TestClock.adjust("1 hour")
      expect(state.asked).toEqual([true, false])
      state.busy = 1
      yield* untidy
      yield* TestClock.adjust("10 minutes")
      expect(state.asked).toEqual([true, false])
      const { looks } = state
      yield* TestClock.adjust("1 hour")
      expect(state.looks).toBe(looks)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is not asked for when the server ends meanwhile", () => {
    const { state, layer } = make()
    return Effect.gen(function* () {
      yield* untidy.pipe(Effect.zipRight(TestClock.adjust("2 seconds")), Effect.provide(layer))
      expect(state.asked).toEqual([true, false])
    })
  })

  it.effect("is not asked for when it is small", () => {
    const { state, layer } = make()
    return Effect.gen(function* () {
      state.young = 2 * mib
      yield* untidy
      yield* TestClock.adjust("1 hour")
      expect(state.asked).toEqual([])
    }).pipe(Effect.provide(layer))
  })
})
