/**
 * The one source of chance: RANDOMKEY, SPOP, eviction samples, LFU's counter. Synchronous like the clock, and seeded from
 * Effect's `Random` when the layer is built, so a test that fixes the seed sees the same choices again.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { PCGRandom } from "effect/Utils"

export interface ChanceService {
  /** Evenly distributed in [0, 1). */
  readonly next: () => number
  /** A whole number evenly distributed in [0, bound). */
  readonly below: (bound: number) => number
}

const make = (seed: number): ChanceService => {
  const random = new PCGRandom(seed)
  const next = () => random.number()
  return { next, below: (bound) => Math.floor(next() * bound) }
}

export class Chance extends Context.Tag("tiny-redis/Chance")<Chance, ChanceService>() {
  static readonly layer = Layer.effect(this, Effect.map(Random.nextIntBetween(0, 2 ** 31), make))
}
