/**
 * Gives the data of one instant to whoever takes it, in slices, while commands go on. What the bytes are is the format's business
 * (`Format`), what the instant is the capture's, and where they go the target's: a file, or replicas.
 *
 * The idea to hold: a slice ends when half a millisecond has passed, whatever it was spent on, and between two slices the event loop
 * turns. Where there is hurry, a slice takes as long as the turn before it did, so that half of the time is its own. A target that cannot take more waits in its `write`, and the walk with it.
 */
import * as Effect from "effect/Effect"
import { pause } from "../../clock/EventLoop.ts"
import type { StoreService } from "../../store/Store.ts"
import type { Pace } from "../Pace.ts"
import { Capture, type Sink } from "./Capture.ts"

/** Turns keys into bytes. */
export interface Format {
  /** Bytes that wait to be taken. */
  readonly size: number
  readonly key: Sink
  /** The bytes so far, which stay until the next call. */
  readonly take: () => Buffer
  /** The last bytes. */
  readonly end: () => Buffer
}

/** Takes the bytes. */
export interface Target<E> {
  /** Takes some, which are its own only until the effect ends. */
  readonly write: (piece: Buffer) => Effect.Effect<void, E>
  /** All are written. */
  readonly finish: Effect.Effect<void, E>
  /** Called at the end in any case. */
  readonly close: Effect.Effect<void>
}

/** All keys of a database went at once: there is no such instant any more. */
export class CaptureLost {
  readonly _tag = "CaptureLost"
}

export interface Giving<E> {
  readonly store: StoreService
  /** Called at the very instant that is given out. */
  readonly begin: (capture: Capture) => void
  readonly format: () => Format
  /** Where the bytes go; the instant does not wait for it. */
  readonly open: Effect.Effect<Target<E>, E>
  readonly pace: Pace
  /** Reads the clock that ends slices, in microseconds. */
  readonly micros: () => number
  /** How long a slice may take at most where turns of the event loop are long; 500 unless given. */
  readonly sliceMicrosMax?: number
}

const sliceMicros = 500
/** Keys, or pieces of a large one, after which a slice of the usual length ends also if the clock stands still. */
const stepsASlice = 500
/** Steps with small keys, and bytes, between two looks at the clock. */
const stepsALook = 8
const bytesALook = 4096
/** Bytes that are written at once. */
const pieceBytes = 256 * 1024

/** Gives out keys for a slice of time, or until there is enough to write or to rest for. False when all have been. */
const slice = (capture: Capture, format: Format, pace: Pace, micros: () => number, length: number): boolean => {
  const end = micros() + length
  const stepsMax = stepsASlice * (length / sliceMicros)
  let looked = format.size
  let { taken } = capture
  for (let steps = 1; ; steps++) {
    const more = capture.next()
    const { size } = format
    pace.count(capture.taken - taken)
    if (!more) return false
    ;({ taken } = capture)
    if (steps >= stepsMax || size >= pieceBytes || pace.isDue) return true
    if (steps % stepsALook !== 0 && size - looked < bytesALook && !capture.isInPieces) continue
    looked = size
    if (micros() >= end) return true
  }
}

/**
 * Writes; gives the number of bytes. The instant is the one at which this effect begins to run, or the end of a script that has
 * paused: half of its changes are no state to keep.
 */
export const give = <E>(giving: Giving<E>): Effect.Effect<number, CaptureLost | E> =>
  Effect.suspend(() => (giving.store.unfinished ? Effect.delay(give(giving), "10 millis") : giveNow(giving)))

const giveNow = <E>({
  store,
  begin,
  format: make,
  open,
  pace,
  micros,
  sliceMicrosMax = sliceMicros,
}: Giving<E>): Effect.Effect<number, CaptureLost | E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const format = make()
      const capture = new Capture(store, (...key) => format.key(...key))
      begin(capture)
      return { capture, format }
    }),
    ({ capture, format }) =>
      Effect.acquireUseRelease(
        open,
        (target) =>
          Effect.gen(function* () {
            let size = 0
            let length = sliceMicros
            for (;;) {
              if (capture.isLost) return yield* Effect.fail(new CaptureLost())
              if (!slice(capture, format, pace, micros, length)) break
              const isSlow = pace.isDue
              if (format.size >= pieceBytes || (isSlow && format.size > 0)) {
                const piece = format.take()
                size += piece.length
                yield* target.write(piece)
              }
              if (isSlow) yield* pace.rest
              const endedAt = micros()
              yield* pause
              length = Math.min(Math.max(sliceMicros, micros() - endedAt), sliceMicrosMax)
            }
            yield* pace.rest
            capture.end()
            const piece = format.end()
            yield* target.write(piece)
            yield* target.finish
            return size + piece.length
          }),
        (target) => target.close,
      ),
    ({ capture }) => Effect.sync(() => capture.end()),
  )
