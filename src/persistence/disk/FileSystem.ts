/**
 * What durability needs of a file system: a part of @effect/platform's FileSystem, under the same tag, so that every layer of that
 * service fits (a test's disk that fails is one), and a layer of this part over node:fs.
 *
 * Why not the platform's own layer: to import it, or only its tag, loads effect's Schema, and with it a library for property tests.
 * Started from separate files, that is 230 of 660 ms of CPU. Here the platform is known by its types alone.
 */
import * as fs from "node:fs"
import type * as Platform from "@effect/platform/FileSystem"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"

/** What a `PlatformError` says. */
export interface FileError {
  readonly _tag: "SystemError" | "BadArgument"
  readonly message: string
  /** `NotFound`, `AlreadyExists`, ...: absent for a bad argument. */
  readonly reason?: string
  /** The system's own words. */
  readonly description?: string | undefined
}

export interface File {
  readonly sync: Effect.Effect<void, FileError>
  readonly truncate: (size: number) => Effect.Effect<void, FileError>
  /** Fills `into` with the next bytes, as far as there are any; answers how many. */
  readonly read: (into: Uint8Array) => Effect.Effect<number | bigint, FileError>
  readonly writeAll: (bytes: Uint8Array) => Effect.Effect<void, FileError>
  /**
   * Writes before it returns; answers how many of the bytes. Why it could not write more is told to who writes the rest. A file system of
   * the platform's cannot.
   */
  readonly writeNow?: (bytes: Uint8Array) => number
}

export interface FileSystem {
  /** Open until the scope closes. */
  readonly open: (
    path: string,
    options: { readonly flag: "a" | "r" | "r+"; readonly mode: number },
  ) => Effect.Effect<File, FileError, Scope>
  readonly readFile: (path: string) => Effect.Effect<Uint8Array, FileError>
  readonly readFileString: (path: string) => Effect.Effect<string, FileError>
  readonly writeFileString: (
    path: string,
    text: string,
    options: { readonly flag: "wx"; readonly mode: number },
  ) => Effect.Effect<void, FileError>
  readonly stat: (path: string) => Effect.Effect<{ readonly size: number | bigint }, FileError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, FileError>
  readonly remove: (path: string) => Effect.Effect<void, FileError>
  readonly makeDirectory: (
    path: string,
    options: { readonly recursive: boolean; readonly mode: number },
  ) => Effect.Effect<void, FileError>
}

/** The platform's own tag: two tags of one name are one service. */
export const FileSystem = Context.GenericTag<Platform.FileSystem, FileSystem>("@effect/platform/FileSystem")

class SystemFailure extends Data.TaggedError("SystemError")<{
  readonly message: string
  readonly reason: string
  readonly description: string
}> {}

/** Those that somebody asks for, named as the platform names them. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "NotFound",
  EEXIST: "AlreadyExists",
  EACCES: "PermissionDenied",
}

/** One call of node:fs. */
const call = <A = void>(run: (done: (error: NodeJS.ErrnoException | null, value: A) => void) => void) =>
  Effect.async<A, FileError>((resume) =>
    run((error, value) =>
      resume(
        error === null
          ? Effect.succeed(value)
          : Effect.fail(
              new SystemFailure({
                message: error.message,
                reason: reasons[error.code ?? ""] ?? "Unknown",
                description: error.message,
              }),
            ),
      ),
    ),
  )
const callVoid = (run: (done: (error: NodeJS.ErrnoException | null) => void) => void) =>
  call<void>((done) => run((error) => done(error, undefined)))

/** Reads and writes go on where the last one ended, which the system keeps; what was opened with `a` is written at its end. */
const makeFile = (fd: number): File => {
  const turns = Effect.unsafeMakeSemaphore(1)
  const inTurn = turns.withPermits(1)
  const writeAll = (bytes: Uint8Array): Effect.Effect<void, FileError> =>
    Effect.flatMap(
      call<number>((done) => fs.write(fd, bytes, 0, bytes.length, null, done)),
      (written) =>
        written === 0
          ? Effect.fail(nothingWritten())
          : written < bytes.length
            ? writeAll(bytes.subarray(written))
            : Effect.void,
    )
  return {
    sync: callVoid((done) => fs.fsync(fd, done)),
    truncate: (size) => inTurn(callVoid((done) => fs.ftruncate(fd, size, done))),
    read: (into) => inTurn(call<number>((done) => fs.read(fd, into, 0, into.length, null, done))),
    writeAll: (bytes) => inTurn(writeAll(bytes)),
    writeNow: (bytes) => {
      try {
        return fs.writeSync(fd, bytes)
      } catch {
        return 0
      }
    },
  }
}

const nothingWritten = () => {
  const description = "write returned 0 bytes written"
  return new SystemFailure({ message: description, reason: "WriteZero", description })
}

const node: FileSystem = {
  open: (path, { flag, mode }) =>
    Effect.map(
      Effect.acquireRelease(
        call<number>((done) => fs.open(path, flag, mode, done)),
        (fd) => Effect.orDie(callVoid((done) => fs.close(fd, done))),
      ),
      makeFile,
    ),
  readFile: (path) => call<Buffer>((done) => fs.readFile(path, done)),
  readFileString: (path) => call<string>((done) => fs.readFile(path, "utf8", done)),
  writeFileString: (path, text, options) => callVoid((done) => fs.writeFile(path, text, options, done)),
  stat: (path) => call<fs.Stats>((done) => fs.stat(path, done)),
  rename: (from, to) => callVoid((done) => fs.rename(from, to, done)),
  remove: (path) => callVoid((done) => fs.rm(path, done)),
  makeDirectory: (path, options) => callVoid((done) => fs.mkdir(path, options, (error) => done(error))),
}

/** The disk of this machine. */
export const layerNode = Layer.succeed(FileSystem, node)
