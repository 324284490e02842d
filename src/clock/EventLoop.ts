/** The turns of the event loop, for work that goes in slices. */
import * as Effect from "effect/Effect"

/**
 * Lets the event loop turn once, so that all that has arrived is handled: automatic yields of fibers are microtasks, which starve
 * sockets and timers.
 */
export const pause: Effect.Effect<void> = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})
