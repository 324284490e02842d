/**
 * What survives the process. The dispatcher appends every change to one stream, in deterministic form; what becomes of it
 * (nothing, a list in memory, files) is the layer's business, and no file format shows here.
 *
 * The idea to hold: `append` is synchronous and only notes; `commit` is an effect that ends when what was noted is as safe
 * as the fsync policy promises. Connections hold replies back for it only when `mustCommit` says so.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CommandError } from "../errors/CommandError.ts"

/** One change: a request that, run in database `db`, repeats it. */
export interface Change {
  readonly db: number
  readonly argv: ReadonlyArray<string>
}

export interface PersistenceService {
  /** Whether changes are to be appended at all; when false the dispatcher keeps no requests. */
  readonly active: () => boolean
  /** Notes changes that belong together: after a crash all of them are there or none. */
  readonly append: (changes: ReadonlyArray<Change>) => void
  /** True when replies must wait for `commit`: there are changes not yet on disk and the policy is `always`. */
  readonly mustCommit: () => boolean
  /** Ends when all that was appended before is on disk; one sync serves all that wait. */
  readonly commit: Effect.Effect<void>
  /** The error that commands which write get at the moment, if any (MISCONF). */
  readonly refusal: () => CommandError | undefined
  /** True while data is being read at start: commands get LOADING. */
  readonly loading: () => boolean
  /** Lines of INFO's section persistence, without the heading. */
  readonly info: () => ReadonlyArray<readonly [name: string, value: string | number]>
  /** Unix seconds of the last snapshot that succeeded, or of the start. */
  readonly lastSave: () => number
}

export class Persistence extends Context.Tag("tiny-redis/Persistence")<Persistence, PersistenceService>() {
  /** Nothing survives. */
  static readonly layerNoop = Layer.succeed(this, {
    active: () => false,
    append: () => {},
    mustCommit: () => false,
    commit: Effect.void,
    refusal: () => undefined,
    loading: () => false,
    info: () => [],
    lastSave: () => 0,
  })

  /** Keeps the changes in `log`, for tests. */
  static readonly layerMemory = (log: Array<Change>) =>
    Layer.succeed(this, {
      active: () => true,
      append: (changes) => {
        for (const change of changes) log.push(change)
      },
      mustCommit: () => false,
      commit: Effect.void,
      refusal: () => undefined,
      loading: () => false,
      info: () => [],
      lastSave: () => 0,
    })
}
