/**
 * Where a master's snapshot is kept until all of it has come: a file, or memory where there are none.
 *
 * The idea to hold: it is nobody's data before `keep`, and who opened the scope lets go of it, whatever happens.
 * Differs: redis-server makes it its own snapshot before it is read, also where it writes none otherwise (`rdb-del-sync-files`).
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DiskFailure } from "../errors/PersistenceErrors.ts"
import type { Disk } from "./disk/Disk.ts"

export interface Spool {
  readonly write: (chunk: Buffer) => Effect.Effect<void, DiskFailure>
  /** Calls `use` with what has been written, piece by piece; `last` is with the final one, which may be empty. */
  readonly read: <E>(
    use: (chunk: Buffer, last: boolean) => Effect.Effect<void, E>,
  ) => Effect.Effect<void, E | DiskFailure>
  /** It is this server's snapshot from now on, where it has one. */
  readonly keep: Effect.Effect<void, DiskFailure>
}

/** Bytes after which the file is synced: all of it at the end would keep the disk busy for long. */
const syncedBytes = 8 * 1024 * 1024

/** A file at `path`, read in pieces of `chunkBytesMax`; `target` is what it becomes in the end, absent where it just goes. */
export const inFile = (
  disk: Disk,
  path: string,
  target: string | undefined,
  chunkBytesMax: number,
): Effect.Effect<Spool, DiskFailure, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(disk.append(path, true), ({ close }) => Effect.zipRight(close, disk.remove(path))),
    (file) => {
      let unsynced = 0
      return {
        write: (chunk) =>
          Effect.suspend(() => {
            unsynced += chunk.length
            if (unsynced < syncedBytes || target === undefined) return file.write(chunk)
            unsynced = 0
            return Effect.zipRight(file.write(chunk), file.sync)
          }),
        read: (use) => disk.read(path, use, chunkBytesMax),
        keep: target === undefined ? Effect.void : Effect.zipRight(file.sync, disk.rename(path, target)),
      }
    },
  )

export const inMemory: Effect.Effect<Spool> = Effect.sync(() => {
  const chunks: Array<Buffer> = []
  return {
    write: (chunk) => Effect.sync(() => void chunks.push(chunk)),
    read: (use) =>
      Effect.suspend(() => {
        const next = (): Effect.Effect<void, Effect.Effect.Error<ReturnType<typeof use>>> => {
          const chunk = chunks.shift()
          if (chunk === undefined) return use(Buffer.alloc(0), true)
          return Effect.flatMap(use(chunk, false), next)
        }
        return next()
      }),
    keep: Effect.void,
  }
})
