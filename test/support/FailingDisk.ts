/**
 * A disk in memory that fails as disks do, behind the same FileSystem that the server uses: it tears writes, refuses syncs, renames and
 * opens, runs out of space, and forgets at a power cut what was not synced. All of it follows from one seed.
 *
 * The idea to hold: there are two worlds, what the running process sees and what is on the platters. A sync moves a file's bytes over, a
 * sync of a directory its entries. A kill keeps the first world; a power cut keeps the second, with some of what was under way: a prefix
 * of each file's newer bytes, and a prefix of the newer changes of each directory. A sync that fails loses the bytes it was to move: a
 * later one that succeeds does not bring them, as on Linux.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FileSystem from "../../src/persistence/disk/FileSystem.ts"

/** How often something goes wrong, each a chance in [0, 1]. */
export interface Faults {
  readonly write: number
  readonly sync: number
  readonly rename: number
  readonly open: number
  readonly truncate: number
  /** Bytes that all files together may take. */
  readonly space: number
}

export const noFaults: Faults = { write: 0, sync: 0, rename: 0, open: 0, truncate: 0, space: Infinity }

interface File {
  /** What the process sees. */
  bytes: Buffer
  /** What is on the platters. */
  durable: Buffer
  /** Up to here both are the same: where the file was cut since the last sync, at most. */
  common: number
  /** Parts of `bytes` that a failed sync has lost: never to become durable. */
  lost: Array<readonly [start: number, end: number]>
}

const newFile = (): File => ({ bytes: Buffer.alloc(0), durable: Buffer.alloc(0), common: 0, lost: [] })

type Change = { readonly path: string; readonly file: File | undefined }

/** A repeatable source of chance. */
export const chances = (seed: number) => {
  let state = (seed * 2654435761 + 12345) >>> 0
  /** In [0, 1). */
  return (): number => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0
    return ((state ^ (state >>> 13)) >>> 0) / 0x1_0000_0000
  }
}

const texts = {
  space: "ENOSPC: no space left on device",
  io: "EIO: i/o error",
  missing: "ENOENT: no such file or directory",
  exists: "EEXIST: file already exists",
} as const

/** A failure as the platform has it. To make one of its own class, with a schema and a stack, was a tenth of the time of all seeds. */
const failure = (kind: keyof typeof texts, method: string, path: string): Effect.Effect<never, FileSystem.FileError> =>
  Effect.fail({
    _tag: "SystemError",
    reason: kind === "missing" ? "NotFound" : kind === "exists" ? "AlreadyExists" : "Unknown",
    message: `${method} ${path}: ${texts[kind]}`,
    description: `${texts[kind]}, ${method}`,
  })

const directoryOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")))

export class FailingDisk {
  faults: Faults = noFaults
  /** Operations so far; the disk dies when this reaches `diesAt`. */
  operations = 0
  diesAt = Infinity
  /** What goes wrong is noted here, to be printed with a seed that fails. */
  readonly history: Array<string> = []
  private files = new Map<string, File>()
  private directories = new Set<string>(["/", "/tmp"])
  private durableFiles = new Map<string, File>()
  private pending: Array<Change> = []
  private readonly chance: () => number

  constructor(seed: number) {
    this.chance = chances(seed)
  }

  /** The files that the process sees. */
  get paths(): ReadonlyArray<string> {
    return [...this.files.keys()]
  }

  get isDead(): boolean {
    return this.operations >= this.diesAt
  }

  /** The disk as the next process finds it, whole again. */
  afterKill(): FailingDisk {
    return this.successor(this.files, (file) => file.bytes)
  }

  afterPowerCut(): FailingDisk {
    const entries = new Map(this.durableFiles)
    for (const directory of this.directories) {
      const changes = this.pending.filter(({ path }) => directoryOf(path) === directory)
      for (const { path, file } of changes.slice(0, Math.floor(this.chance() * (changes.length + 1)))) {
        if (file === undefined) entries.delete(path)
        else entries.set(path, file)
      }
    }
    return this.successor(entries, (file) => this.torn(file))
  }

  /** What is left of a file: the synced bytes, and some of the newer ones in front. */
  private torn({ bytes, durable, lost, common }: File): Buffer {
    // A cut that did not get there leaves the old end; the bytes behind the cut come in order.
    if (common < durable.length && this.chance() < 0.5) return durable
    const newer = bytes.subarray(common)
    const kept = this.chance() < 0.3 ? newer.length : Math.floor(this.chance() * (newer.length + 1))
    return withHoles(Buffer.concat([bytes.subarray(0, common), newer.subarray(0, kept)]), lost)
  }

  private successor(entries: Map<string, File>, bytesOf: (file: File) => Buffer): FailingDisk {
    const next = new FailingDisk(Math.floor(this.chance() * 0x7fffffff))
    next.directories = new Set(this.directories)
    for (const [path, file] of entries) {
      const bytes = Buffer.from(bytesOf(file))
      const copy: File = { bytes, durable: bytes, common: bytes.length, lost: [] }
      next.files.set(path, copy)
      next.durableFiles.set(path, copy)
    }
    return next
  }

  /** Fails by chance, and always once the disk is dead. */
  private fails(kind: keyof Omit<Faults, "space">, path: string): boolean {
    if (this.isDead) return true
    this.operations++
    if (this.isDead) {
      this.history.push(`${this.operations}: died at ${kind} ${path}`)
      return true
    }
    const failed = this.chance() < this.faults[kind]
    if (failed) this.history.push(`${this.operations}: ${kind} ${path} failed`)
    return failed
  }

  /** Bytes of all files together. */
  used(): number {
    let sum = 0
    for (const { bytes } of this.files.values()) sum += bytes.length
    return sum
  }

  private change(path: string, file: File | undefined): void {
    if (file === undefined) this.files.delete(path)
    else this.files.set(path, file)
    this.pending.push({ path, file })
  }

  /** An effect that takes a turn, so that other fibers come between two operations. */
  private act<A>(run: () => Effect.Effect<A, FileSystem.FileError>): Effect.Effect<A, FileSystem.FileError> {
    return Effect.zipRight(Effect.yieldNow(), Effect.suspend(run))
  }

  private writeNow(file: File, path: string, bytes: Uint8Array): number {
    const most = Math.min(bytes.length, Math.max(0, this.faults.space - this.used()))
    const size = this.fails("write", path) ? Math.floor(this.chance() * (most + 1)) : most
    file.bytes = Buffer.concat([file.bytes, bytes.subarray(0, size)])
    return size
  }

  private write(file: File, path: string, bytes: Uint8Array): Effect.Effect<void, FileSystem.FileError> {
    return this.act(() => {
      const room = this.faults.space - this.used()
      const failed = this.fails("write", path)
      const full = bytes.length > room
      // A write that fails has written any part of it, and so has one that the crash cuts off.
      const size = failed ? Math.floor(this.chance() * (bytes.length + 1)) : full ? Math.max(0, room) : bytes.length
      file.bytes = Buffer.concat([file.bytes, bytes.subarray(0, size)])
      return failed ? failure("io", "write", path) : full ? failure("space", "write", path) : Effect.void
    })
  }

  private sync(file: File, path: string): Effect.Effect<void, FileSystem.FileError> {
    return this.act(() => {
      if (this.fails("sync", path)) {
        if (!this.isDead) file.lost.push([file.durable.length, file.bytes.length])
        return failure("io", "fsync", path)
      }
      file.durable = withHoles(Buffer.from(file.bytes), file.lost)
      file.common = file.durable.length
      return Effect.void
    })
  }

  private syncDirectory(directory: string): Effect.Effect<void, FileSystem.FileError> {
    return this.act(() => {
      if (this.fails("sync", directory)) return failure("io", "fsync", directory)
      for (const { path, file } of this.pending.filter((change) => directoryOf(change.path) === directory)) {
        if (file === undefined) this.durableFiles.delete(path)
        else this.durableFiles.set(path, file)
      }
      this.pending = this.pending.filter((change) => directoryOf(change.path) !== directory)
      return Effect.void
    })
  }

  private open(path: string, flag: string): Effect.Effect<FileSystem.File, FileSystem.FileError> {
    return this.act(() => {
      if (this.fails("open", path)) return failure("io", "open", path)
      if (this.directories.has(path)) return Effect.succeed(this.handle(newFile(), path, true))
      let file = this.files.get(path)
      if (file !== undefined && flag.includes("x")) return failure("exists", "open", path)
      if (file === undefined) {
        if (flag.startsWith("r")) return failure("missing", "open", path)
        file = newFile()
        this.change(path, file)
      }
      return Effect.succeed(this.handle(file, path, false))
    })
  }

  private handle(file: File, path: string, isDirectory: boolean): FileSystem.File {
    let position = 0
    return {
      sync: Effect.suspend(() => (isDirectory ? this.syncDirectory(path) : this.sync(file, path))),
      read: (into) =>
        this.act(() => {
          const size = file.bytes.copy(into, 0, position)
          position += size
          return Effect.succeed(size)
        }),
      truncate: (length) =>
        this.act(() => {
          if (this.fails("truncate", path)) return failure("io", "ftruncate", path)
          file.bytes = file.bytes.subarray(0, length)
          file.common = Math.min(file.common, file.bytes.length)
          file.lost = file.lost.filter(([start]) => start < length)
          return Effect.void
        }),
      writeAll: (bytes) => this.write(file, path, bytes),
      writeNow: (bytes) => this.writeNow(file, path, bytes),
    }
  }

  /** The same disk as the service. */
  get service(): FileSystem.FileSystem {
    return {
      open: (path, { flag }) => this.open(path, flag),
      makeDirectory: (path) =>
        this.act(() => {
          if (this.isDead) return failure("io", "mkdir", path)
          // A directory is there for good at once: what is tested is what is in it.
          this.directories.add(path)
          return Effect.void
        }),
      rename: (from, to) =>
        this.act(() => {
          const file = this.files.get(from)
          if (this.fails("rename", from)) return failure("io", "rename", from)
          if (file === undefined) return failure("missing", "rename", from)
          this.change(to, file)
          this.change(from, undefined)
          return Effect.void
        }),
      remove: (path) =>
        this.act(() => {
          if (this.isDead) return failure("io", "unlink", path)
          if (!this.files.has(path)) return failure("missing", "unlink", path)
          this.change(path, undefined)
          return Effect.void
        }),
      readFile: (path) =>
        this.act(() => {
          const file = this.files.get(path)
          return file === undefined ? failure("missing", "open", path) : Effect.succeed(Uint8Array.from(file.bytes))
        }),
      readFileString: (path) =>
        this.act(() => {
          const file = this.files.get(path)
          return file === undefined ? failure("missing", "open", path) : Effect.succeed(file.bytes.toString())
        }),
      writeFileString: (path, text, options) =>
        this.act(() => {
          if (this.isDead) return failure("io", "open", path)
          if (this.files.has(path) && options?.flag === "wx") return failure("exists", "open", path)
          const bytes = Buffer.from(text)
          this.change(path, { bytes, durable: bytes, common: bytes.length, lost: [] })
          return Effect.void
        }),
      stat: (path) =>
        this.act(() => {
          const file = this.files.get(path)
          if (file === undefined) return failure("missing", "stat", path)
          return Effect.succeed({ size: file.bytes.length })
        }),
    }
  }

  get layer() {
    return Layer.succeed(FileSystem.FileSystem, this.service)
  }

  /** The files there are and what is in them. */
  contents(): ReadonlyMap<string, Buffer> {
    return new Map([...this.files].map(([path, file]) => [path, file.bytes]))
  }

  /** Makes a file, durable at once. */
  put(path: string, bytes: Buffer): void {
    this.directories.add(directoryOf(path))
    const file: File = { bytes, durable: bytes, common: bytes.length, lost: [] }
    this.files.set(path, file)
    this.durableFiles.set(path, file)
  }
}

/** What never reached the platters reads as zeros. */
const withHoles = (bytes: Buffer, lost: ReadonlyArray<readonly [number, number]>): Buffer => {
  for (const [start, end] of lost) bytes.fill(0, Math.min(start, bytes.length), Math.min(end, bytes.length))
  return bytes
}
