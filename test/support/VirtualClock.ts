/**
 * Virtual time for tests that need it cheap: `TestClock.adjust` waits some real milliseconds until fibers have settled, which thousands of
 * simulated crashes cannot pay. Here the test says itself when other fibers get a turn.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

export interface VirtualClock extends Clock.Clock {
  /** Moves time on, waking who sleeps in the order of their times; after each the other fibers get some turns. */
  readonly advance: (ms: number) => Effect.Effect<void>
}

/** Turns that fibers get to act on a time before it moves on. */
const turns = 40

export const make = (startMs = 1_700_000_000_000): VirtualClock => {
  let now = startMs
  let sleepers: Array<Sleeper> = []
  // Effect's scheduler gives a turn in each microtask; to take turns as a fiber would cost ten times as much.
  const settle = Effect.async<void>((resume) => {
    let left = turns
    const wait = () => {
      if (left-- > 0) queueMicrotask(wait)
      else resume(Effect.void)
    }
    wait()
  })
  const advance = (ms: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const end = now + ms
      const step: Effect.Effect<void> = Effect.suspend(() => {
        const next = Math.min(...sleepers.map(({ atMs }) => atMs))
        if (next > end) {
          now = end
          return Effect.void
        }
        now = Math.max(now, next)
        const due = sleepers.filter(({ atMs }) => atMs <= now)
        sleepers = sleepers.filter(({ atMs }) => atMs > now)
        for (const { wake } of due) wake()
        return Effect.zipRight(settle, step)
      })
      return step
    })
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { atMs: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.push(sleeper)
        return Effect.sync(() => {
          sleepers = sleepers.filter((other) => other !== sleeper)
        })
      }),
    advance,
  }
}
