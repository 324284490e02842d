/**
 * The append-only directory on the disk: its manifest and the files that it names.
 *
 * The invariant: the manifest on the disk always names files that are there and together are the whole log. Files are made before the
 * manifest names them, and removed after it has ceased to.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { DamagedFile, type DiskFailure } from "../../errors/PersistenceErrors.ts"
import { besideOf, type Disk } from "../disk/Disk.ts"
import * as Manifest from "./Manifest.ts"

export class LogDirectory {
  readonly path: string
  readonly name: string
  manifest: Manifest.Manifest = Manifest.empty
  private readonly parent: string
  private readonly disk: Disk

  /** `parent` is the setting `dir`, `directory` is `appenddirname`, `name` is `appendfilename`. */
  constructor(disk: Disk, parent: string, directory: string, name: string) {
    this.disk = disk
    this.parent = parent
    this.path = `${parent}/${directory}`
    this.name = name
  }

  pathOf(file: Manifest.LogFile): string {
    return `${this.path}/${file.name}`
  }

  private get manifestPath(): string {
    return `${this.path}/${Manifest.manifestName(this.name)}`
  }

  /** Reads the manifest. False if there is no log. */
  readonly open: Effect.Effect<boolean, DiskFailure | DamagedFile> = Effect.suspend(() =>
    Effect.gen(this, function* () {
      const path = this.manifestPath
      const bytes = yield* this.disk.readAll(path)
      if (bytes === undefined) return yield* this.adopt
      const parsed = Manifest.parse(bytes.latin1Slice())
      if (Either.isLeft(parsed)) return yield* new DamagedFile({ path, ...parsed.left })
      this.manifest = parsed.right
      // A crash may have come between the two steps of `adopt`.
      const { base } = this.manifest
      if (base?.name === this.name && (yield* this.disk.size(this.pathOf(base))) === undefined) yield* this.adopt
      return true
    }),
  )

  /** A log from before Redis 7 is one file beside the directory. It becomes the base: first by name, then by place. */
  private readonly adopt: Effect.Effect<boolean, DiskFailure> = Effect.suspend(() =>
    Effect.gen(this, function* () {
      const single = `${this.parent}/${this.name}`
      const size = yield* this.disk.size(single)
      if (size === undefined) return false
      const base = { name: this.name, seq: 1 }
      yield* this.make
      yield* this.persist({ ...Manifest.empty, base })
      yield* this.disk.move(single, this.pathOf(base))
      return true
    }),
  )

  /** Where a base is written before it has its name. */
  get temporaryPath(): string {
    return `${this.path}/temp-rewriteaof-tiny-redis.aof`
  }

  /** Removes what a server that was killed may have left unfinished. */
  get clean(): Effect.Effect<void> {
    return Effect.zipRight(this.disk.remove(this.temporaryPath), this.disk.remove(besideOf(this.manifestPath)))
  }

  /** Makes the directory last. */
  get make(): Effect.Effect<void, DiskFailure> {
    return Effect.zipRight(this.disk.makeDirectory(this.path), this.disk.syncDirectory(this.parent))
  }

  /** From now on the log is what `manifest` says. */
  persist(manifest: Manifest.Manifest): Effect.Effect<void, DiskFailure> {
    return Effect.map(this.disk.replace(this.manifestPath, Buffer.from(Manifest.print(manifest), "latin1")), () => {
      this.manifest = manifest
    })
  }

  /** Removes files that have become history, and then their names. */
  get forget(): Effect.Effect<void, DiskFailure> {
    return Effect.suspend(() => {
      const { history } = this.manifest
      if (history.length === 0) return Effect.void
      return Effect.zipRight(
        Effect.forEach(history, (file) => this.disk.remove(this.pathOf(file)), { discard: true }),
        this.persist({ ...this.manifest, history: [] }),
      )
    })
  }

  /** Lets go of files that have become history, but leaves them where they are. */
  get release(): Effect.Effect<void, DiskFailure> {
    return Effect.suspend(() => {
      const kept = this.manifest.history.map((file) => this.pathOf(file)).join(", ")
      return Effect.zipRight(
        Effect.logWarning(`the log was restored to a past second; what it was before is still in ${kept}`),
        this.persist({ ...this.manifest, history: [] }),
      )
    })
  }

  /** Bytes of the base and of the incremental files. */
  get sizes(): Effect.Effect<{ readonly base: number; readonly incremental: number }, DiskFailure> {
    return Effect.gen(this, function* () {
      const { base, incremental } = this.manifest
      const sizeOf = (file: Manifest.LogFile) => Effect.map(this.disk.size(this.pathOf(file)), (size) => size ?? 0)
      let sum = 0
      for (const file of incremental) sum += yield* sizeOf(file)
      return { base: base === undefined ? 0 : yield* sizeOf(base), incremental: sum }
    })
  }
}
