/**
 * Writes the data of one instant into a file, in slices, while commands go on. What the bytes are is the format's business (`Format`),
 * what the instant is the capture's.
 *
 * The idea to hold: a slice is a number of keys, small enough to take well below a millisecond of small values, and between two slices
 * the event loop turns. A file that could not be finished is removed; it never had the name of the real one.
 */
import * as Effect from "effect/Effect"
import type { DiskFailure } from "../../errors/PersistenceErrors.ts"
import type { StoreService } from "../../store/Store.ts"
import type { Disk } from "../disk/Disk.ts"
import { Capture, type Sink } from "./Capture.ts"

/** Turns keys into bytes. */
export interface Format {
  /** Bytes that wait to be taken. */
  readonly size: number
  readonly key: Sink
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
}

/** About 0.3 ms of small keys. */
const keysASlice = 200
/** Bytes that are written at once. */
const pieceBytes = 256 * 1024

/** Lets the event loop turn once: automatic yields of fibers are microtasks, which starve sockets and timers. */
export const pause: Effect.Effect<void> = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** Writes and syncs; returns the file's size. The instant is the one at which this effect begins to run. */
export const write = <E>({
  disk,
  store,
  path,
  begin,
  format,
  prepare,
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
            for (;;) {
              if (capture.isLost) return yield* Effect.fail(new CaptureLost())
              if (!capture.next(keysASlice)) break
              if (format.size >= pieceBytes) {
                const piece = format.take()
                size += piece.length
                yield* file.write(piece)
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
