/**
 * The few operations on files that durability is made of, over a FileSystem, so that a test can make the disk fail:
 * append, sync, cut, and replace as a whole.
 *
 * The idea to hold: a file is replaced by writing beside it, syncing, renaming, and syncing the directory; after a crash there is the
 * old one or the new one. New files are readable by their owner alone.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DiskFailure } from "../../errors/PersistenceErrors.ts"
import type { FileError, FileSystem } from "./FileSystem.ts"

const fileMode = 0o600
const directoryMode = 0o700

/** An open file. Whoever opened it closes it. */
export interface OpenFile {
  readonly path: string
  /** Appends all of `bytes`, or fails with any part of them written. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, DiskFailure>
  /** Appends what can be appended at once, while nothing else is being written; answers how many of the bytes. */
  readonly writeNow: (bytes: Uint8Array) => number
  readonly sync: Effect.Effect<void, DiskFailure>
  readonly truncate: (size: number) => Effect.Effect<void, DiskFailure>
  readonly close: Effect.Effect<void>
}

/** The system's words for what went wrong: "No space left on device". */
export const reasonOf = (error: FileError): string => {
  const text = error._tag === "SystemError" ? (error.description ?? error.reason ?? error.message) : error.message
  // Node says `ENOSPC: no space left on device, write '/path'`.
  const words = /^[A-Z0-9]+: ([^,]+)/.exec(text)?.[1] ?? text
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const failure = (operation: string, path: string) => (error: FileError) =>
  new DiskFailure({ operation, path, reason: reasonOf(error) })

const isMissing = (error: FileError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

/** How many bytes a reader takes at once: a slice of work of a few milliseconds. */
const chunkSize = 256 * 1024

export interface Disk {
  /** Opens for appending; `fresh` cuts off what was there. */
  readonly append: (path: string, fresh: boolean) => Effect.Effect<OpenFile, DiskFailure>
  /**
   * Calls `use` with every chunk of the file in order, the bytes of which are valid during the call; `last` is with the final one, which
   * may be empty. None is longer than `chunkBytesMax`.
   */
  readonly read: <E>(
    path: string,
    use: (chunk: Buffer, last: boolean) => Effect.Effect<void, E>,
    chunkBytesMax?: number,
  ) => Effect.Effect<void, E | DiskFailure>
  /** The whole file, absent if there is none. */
  readonly readAll: (path: string) => Effect.Effect<Buffer | undefined, DiskFailure>
  /** Bytes of the file, absent if there is none. */
  readonly size: (path: string) => Effect.Effect<number | undefined, DiskFailure>
  /** The file holds `bytes`, or what it held before, whatever happens. */
  readonly replace: (path: string, bytes: Uint8Array) => Effect.Effect<void, DiskFailure>
  /** Renames and makes the new name last; both in the same directory. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, DiskFailure>
  /** Renames into another directory of the same parent, and makes both ends last. */
  readonly move: (from: string, to: string) => Effect.Effect<void, DiskFailure>
  /** Cuts a file to `size` and makes that last. */
  readonly cut: (path: string, size: number) => Effect.Effect<void, DiskFailure>
  /** Removes a file; failing to is no failure. */
  readonly remove: (path: string) => Effect.Effect<void>
  readonly makeDirectory: (path: string) => Effect.Effect<void, DiskFailure>
  /** Makes entries of the directory last. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, DiskFailure>
}

/** Where `replace` writes what is to stand at `path`. */
export const besideOf = (path: string): string => `${path}.tmp`

const directoryOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")))

export const make = (fs: FileSystem): Disk => {
  const open = (path: string, flag: "a" | "r" | "r+", operation: string) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const close = Scope.close(scope, Exit.void)
      const file = yield* fs.open(path, { flag, mode: fileMode }).pipe(
        Scope.extend(scope),
        Effect.mapError(failure(operation, path)),
        Effect.tapErrorCause(() => close),
      )
      return { file, close }
    })

  const append: Disk["append"] = (path, fresh) =>
    Effect.gen(function* () {
      // "a" writes at the end whatever a truncation has done to the position; what was there is cut off first.
      const { file, close } = yield* open(path, "a", "open")
      if (fresh) {
        yield* file.truncate(0).pipe(
          Effect.mapError(failure("truncate", path)),
          Effect.tapErrorCause(() => close),
        )
      }
      return {
        path,
        // Writing nothing would count as a write that could not write anything.
        write: (bytes) =>
          bytes.length === 0 ? Effect.void : Effect.mapError(file.writeAll(bytes), failure("write to", path)),
        writeNow: (bytes) => file.writeNow?.(bytes) ?? 0,
        sync: Effect.mapError(file.sync, failure("sync", path)),
        truncate: (size) => Effect.mapError(file.truncate(size), failure("truncate", path)),
        close,
      }
    })

  const syncDirectory: Disk["syncDirectory"] = (path) =>
    Effect.acquireUseRelease(
      open(path, "r", "open"),
      ({ file }) => Effect.mapError(file.sync, failure("sync", path)),
      ({ close }) => close,
    )

  const read: Disk["read"] = (path, use, chunkBytesMax = chunkSize) =>
    Effect.acquireUseRelease(
      open(path, "r", "open"),
      ({ file }) =>
        Effect.gen(function* () {
          // One byte more than there is: what comes short of it is the end.
          const size = Number((yield* Effect.mapError(fs.stat(path), failure("read", path))).size)
          const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, chunkBytesMax, size + 1))
          for (;;) {
            const length = Number(yield* Effect.mapError(file.read(buffer), failure("read", path)))
            if (length === 0) break
            yield* use(buffer.subarray(0, length), false)
          }
          yield* use(Buffer.alloc(0), true)
        }),
      ({ close }) => close,
    )

  const rename: Disk["rename"] = (from, to) =>
    Effect.zipRight(Effect.mapError(fs.rename(from, to), failure("rename", from)), syncDirectory(directoryOf(to)))

  const remove: Disk["remove"] = (path) => Effect.ignore(fs.remove(path))

  return {
    append,
    read,
    readAll: (path) =>
      fs.readFile(path).pipe(
        Effect.map((bytes): Buffer | undefined => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
        Effect.catchIf(isMissing, () => Effect.succeed(undefined)),
        Effect.mapError(failure("read", path)),
      ),
    size: (path) =>
      fs.stat(path).pipe(
        Effect.map((info): number | undefined => Number(info.size)),
        Effect.catchIf(isMissing, () => Effect.succeed(undefined)),
        Effect.mapError(failure("read", path)),
      ),
    replace: (path, bytes) => {
      const beside = besideOf(path)
      return Effect.acquireUseRelease(
        append(beside, true),
        (file) => Effect.zipRight(file.write(bytes), file.sync),
        (file) => file.close,
      ).pipe(
        Effect.zipRight(rename(beside, path)),
        Effect.tapError(() => remove(beside)),
      )
    },
    rename,
    move: (from, to) => Effect.zipRight(rename(from, to), syncDirectory(directoryOf(from))),
    cut: (path, size) =>
      Effect.acquireUseRelease(
        open(path, "r+", "open"),
        ({ file }) =>
          Effect.zipRight(
            Effect.mapError(file.truncate(size), failure("truncate", path)),
            Effect.mapError(file.sync, failure("sync", path)),
          ),
        ({ close }) => close,
      ),
    remove,
    makeDirectory: (path) =>
      fs.makeDirectory(path, { recursive: true, mode: directoryMode }).pipe(Effect.mapError(failure("create", path))),
    syncDirectory,
  }
}
