/**
 * How much memory the data may take, and what happens beyond: `maxmemory` and its policies.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

export interface MemoryService {
  /** Evicts until the data fits `maxmemory`; false when the policy leaves nothing to evict. */
  readonly reclaim: () => boolean
}

export class Memory extends Context.Tag("tiny-redis/Memory")<Memory, MemoryService>() {
  /** No limit. */
  static readonly layerUnlimited = Layer.succeed(this, { reclaim: () => true })
}
