/**
 * Writes the data of one instant into a file, in slices, while commands go on. What the bytes are is the format's business (`Format`),
 * what the instant is the capture's.
 *
 * The idea to hold: a slice ends when half a millisecond has passed, whatever it was spent on, and between two slices the event loop
 * turns. A file that could not be finished is removed; it never had the name of the real one.
 */
import * as Effect from "effect/Effect"
import { pause } from "../../clock/EventLoop.ts"
import type { DiskFailure } from "../../errors/PersistenceErrors.ts"
import type { StoreService } from "../../store/Store.ts"
import type { Disk } from "../disk/Disk.ts"
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

/** All keys of a database went at once: there is no such instant any more. */
export class CaptureLost {
  readonly _tag = "CaptureLost"
}

export interface Writing<E> {
  readonly disk: Disk
  readonly store: StoreService
  /** The temporary name; renaming is the caller's. */
  readonly path: string
  /** Called at the very instant that the file will hold. */
  readonly begin: (capture: Capture) => void
  readonly format: Format
  /** What has to be done before the first file is touched; the instant does not wait for it. */
  readonly prepare: Effect.Effect<void, E>
  /** Reads the clock that ends slices, in microseconds. */
  readonly micros: () => number
}

const sliceMicros = 500
/** Keys, or pieces of a large one, after which a slice ends also if the clock stands still. */
const stepsASlice = 500
/** Steps with small keys, and bytes, between two looks at the clock. */
const stepsALook = 8
const bytesALook = 4096
/** Bytes after which the file is synced, as redis-server does: syncing all of it at the end keeps the processor for 15 ms and more. */
const syncedBytes = 4 * 1024 * 1024
/** Bytes that are written at once. */
const pieceBytes = 256 * 1024

/** Gives out keys for a slice of time, or until there is enough to write. False when all have been. */
const slice = (capture: Capture, format: Format, micros: () => number): boolean => {
  const end = micros() + sliceMicros
  let looked = format.size
  for (let steps = 1; capture.next(); steps++) {
    const { size } = format
    if (steps === stepsASlice || size >= pieceBytes) return true
    if (steps % stepsALook !== 0 && size - looked < bytesALook && !capture.isInPieces) continue
    looked = size
    if (micros() >= end) return true
  }
  return false
}

/**
 * Writes and syncs; returns the file's size. The instant is the one at which this effect begins to run, or the end of a script
 * that has paused: half of its changes are no state to keep.
 */
export const write = <E>(writing: Writing<E>): Effect.Effect<number, DiskFailure | CaptureLost | E> =>
  Effect.suspend(() => (writing.store.unfinished ? Effect.delay(write(writing), "10 millis") : writeNow(writing)))

const writeNow = <E>({
  disk,
  store,
  path,
  begin,
  format,
  prepare,
  micros,
}: Writing<E>): Effect.Effect<number, DiskFailure | CaptureLost | E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const capture = new Capture(store, (...key) => format.key(...key))
      begin(capture)
      return capture
    }),
    (capture) =>
      Effect.acquireUseRelease(
        Effect.zipRight(prepare, disk.append(path, true)),
        (file) =>
          Effect.gen(function* () {
            let size = 0
            let synced = 0
            for (;;) {
              if (capture.isLost) return yield* Effect.fail(new CaptureLost())
              if (!slice(capture, format, micros)) break
              if (format.size >= pieceBytes) {
                const piece = format.take()
                size += piece.length
                yield* file.write(piece)
                if (size - synced >= syncedBytes) {
                  synced = size
                  yield* file.sync
                }
              }
              yield* pause
            }
            capture.end()
            const piece = format.end()
            yield* file.write(piece)
            yield* file.sync
            return size + piece.length
          }),
        (file) => file.close,
      ),
    (capture) => Effect.sync(() => capture.end()),
  ).pipe(Effect.onError(() => disk.remove(path)))
