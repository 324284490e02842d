/**
 * Writes the data of one instant into a file (see Slices.ts). A file that could not be finished is removed; it never had the name of the
 * real one.
 */
import * as Effect from "effect/Effect"
import type { DiskFailure } from "../../errors/PersistenceErrors.ts"
import type { Disk } from "../disk/Disk.ts"
import { type CaptureLost, type Format, give, type Giving, type Target } from "./Slices.ts"

export interface Writing<E> extends Pick<Giving<E>, "store" | "begin" | "micros" | "pace"> {
  readonly disk: Disk
  /** The temporary name; renaming is the caller's. */
  readonly path: string
  /** Called at the instant that is written. */
  readonly format: () => Format
  /** What has to be done before the first file is touched; the instant does not wait for it. */
  readonly prepare: Effect.Effect<void, E>
}

/** Bytes after which the file is synced, as redis-server does: syncing all of it at the end keeps the processor for 15 ms and more. */
const syncedBytes = 4 * 1024 * 1024

/** Writes and syncs; returns the file's size. */
export const write = <E>({
  disk,
  path,
  prepare,
  format,
  ...giving
}: Writing<E>): Effect.Effect<number, DiskFailure | CaptureLost | E> => {
  const open = Effect.map(Effect.zipRight(prepare, disk.append(path, true)), (file): Target<DiskFailure> => {
    let unsynced = 0
    return {
      write: (piece) =>
        Effect.suspend(() => {
          unsynced += piece.length
          if (unsynced < syncedBytes) return file.write(piece)
          unsynced = 0
          return Effect.zipRight(file.write(piece), file.sync)
        }),
      finish: file.sync,
      close: file.close,
    }
  })
  return Effect.onError(give<DiskFailure | E>({ ...giving, format, open }), () => disk.remove(path))
}
