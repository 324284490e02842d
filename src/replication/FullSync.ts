/**
 * Snapshots for replicas that cannot go on from where they were. Those that wait at the same time get the same one.
 *
 * The idea to hold: the bytes go from the walk over the data straight into the connections, as fast as the slowest of them takes
 * them. Its length is not known before, so a mark of 40 random digits says where it ends. Who does not know of marks gets a snapshot
 * that was made in memory before, and so does everybody where `repl-diskless-sync` is off.
 *
 * Where all keys of a database go at once while a snapshot is on its way, as FLUSHALL has it, its replicas are disconnected, and ask
 * again, as redis-server's are.
 *
 * Differs: redis-server makes the one that is made before in a file.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ChanceService } from "../clock/Chance.ts"
import type { ClockService } from "../clock/Clock.ts"
import * as Reply from "../codec/Reply.ts"
import type { ConfigService } from "../config/Config.ts"
import { Pace } from "../persistence/Pace.ts"
import { type Format, give, type Target } from "../persistence/snapshot/Slices.ts"
import * as SnapshotFormat from "../persistence/snapshot/SnapshotFormat.ts"
import type { StoreService } from "../store/Store.ts"
import { type History, randomId } from "./History.ts"
import type { Replica } from "./Replica.ts"
import type { Replicas } from "./Replicas.ts"
import { factsOf } from "./SnapshotFacts.ts"

export interface FullSyncServices {
  readonly chance: ChanceService
  readonly clock: ClockService
  readonly config: ConfigService
  readonly functionLibraries: () => ReadonlyArray<string>
  readonly history: History
  readonly isMaster: () => boolean
  readonly replicas: Replicas
  readonly store: StoreService
}

/** Bytes that may wait for a replica before the walk does. */
const queuedBytesMax = 1024 * 1024

/** While it goes on, everything that changes is kept for the replica: under full load it must not take for ever. */
const sliceMicrosMax = 5000

/** None of those for whom the snapshot was made is there any more. */
class Abandoned {
  readonly _tag = "Abandoned"
}

/** Sends snapshots to whoever waits for one, for ever. */
export const make = (services: FullSyncServices): Effect.Effect<never> => {
  const { chance, clock, config, functionLibraries, history, isMaster, replicas, store } = services

  /** Whether the replica's snapshot is to end in a mark. */
  const isMarked = ({ handshake }: Replica): boolean => handshake.takesMark && config.current.replDisklessSync

  const waiting = () => replicas.all.filter(({ stage }) => stage === "waiting")

  /** Ends when each of `group` that is still there has taken most of what it was sent. */
  const settled = (group: ReadonlyArray<Replica>): Effect.Effect<void, Abandoned> =>
    Effect.suspend(() => {
      const there = group.filter(({ isGone }) => !isGone)
      if (there.length === 0) return Effect.fail(new Abandoned())
      if (there.every(({ client }) => client.outbox.queuedBytes() <= queuedBytesMax)) return Effect.void
      replicas.moved.unsafeClose()
      return Effect.zipRight(replicas.moved.await, settled(group))
    })

  const push = (group: ReadonlyArray<Replica>, text: string): void => {
    const message = Reply.raw(text)
    for (const { client, isGone } of group) if (!isGone) client.outbox.push(message)
  }
  const send = (group: ReadonlyArray<Replica>, text: string): Effect.Effect<void, Abandoned> =>
    Effect.suspend(() => {
      push(group, text)
      return settled(group)
    })

  const finish = (group: ReadonlyArray<Replica>, hasMark: boolean) =>
    Effect.sync(() => {
      for (const replica of group) if (!replica.isGone) replica.finish(clock.now(), hasMark)
    })

  /** Bytes go out as they come. */
  const marked = (group: ReadonlyArray<Replica>): Effect.Effect<Target<Abandoned>, Abandoned> => {
    const mark = randomId(chance)
    return Effect.as(send(group, `$EOF:${mark}\r\n`), {
      write: (piece) => send(group, piece.latin1Slice()),
      finish: Effect.zipRight(
        Effect.sync(() => push(group, mark)),
        finish(group, true),
      ),
      close: Effect.void,
    })
  }

  /** Bytes are collected until their number is known. */
  const measured = (group: ReadonlyArray<Replica>): Effect.Effect<Target<Abandoned>> =>
    Effect.sync(() => {
      const pieces: Array<Buffer> = []
      return {
        write: (piece) =>
          Effect.suspend(() => {
            pieces.push(Buffer.from(piece))
            return group.every(({ isGone }) => isGone) ? Effect.fail(new Abandoned()) : Effect.void
          }),
        finish: Effect.suspend(() => {
          const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
          for (const replica of group) replica.isMade = true
          return send(group, `$${length}\r\n`).pipe(
            Effect.zipRight(Effect.forEach(pieces, (piece) => send(group, piece.latin1Slice()), { discard: true })),
            Effect.zipRight(finish(group, false)),
          )
        }),
        close: Effect.void,
      }
    })

  const format = (parts: ReadonlyArray<"functions"> | undefined): Format => {
    const facts = factsOf(history, isMaster())
    const writer = SnapshotFormat.make({
      ...{ clock, facts, isBase: false, current: config.current, usedMemory: () => process.memoryUsage.rss() },
      functionLibraries: parts === undefined || parts.includes("functions") ? functionLibraries : () => [],
    })
    if (parts === undefined) return writer
    return { size: 0, key: () => undefined, take: () => writer.take(), end: () => writer.end() }
  }

  const snapshot = (group: ReadonlyArray<Replica>): Effect.Effect<void> => {
    const { parts } = group[0]!.handshake
    const names = group.map(({ client }) => client.address).join(", ")
    return give<Abandoned>({
      store,
      pace: new Pace(() => config.current.rdbKeySaveDelay),
      micros: clock.nowMicros,
      sliceMicrosMax,
      format: () => format(parts),
      open: isMarked(group[0]!) ? marked(group) : measured(group),
      begin: () => {
        // A replica's stream is its master's, and goes on in the database that has selected.
        if (isMaster()) history.selected = -1
        for (const replica of group) if (!replica.isGone) replica.begin(history.id, history.offset, clock.now())
      },
    }).pipe(
      Effect.flatMap((size) => Effect.logInfo(`sent a snapshot of ${size} bytes to the replicas at ${names}`)),
      Effect.catchTag("Abandoned", () =>
        Effect.logInfo(`the replicas at ${names} left before their snapshot was sent`),
      ),
      Effect.catchTag("CaptureLost", () =>
        Effect.logWarning(
          `all keys of a database went while it was sent to the replicas at ${names}: they have to ask again`,
        ),
      ),
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.logError("a snapshot for replicas failed", cause),
      ),
      Effect.ensuring(
        Effect.sync(() => {
          // Who wanted no more than the snapshot has it, and its connection is closing.
          for (const { client, isGone, stage } of group) {
            if (!isGone && !client.closing && stage !== "online") client.outbox.close("now")
          }
        }),
      ),
    )
  }

  /** Those that can share a snapshot with the first one. */
  const groupOf = (all: ReadonlyArray<Replica>): ReadonlyArray<Replica> => {
    const alike = (replica: Replica) => `${isMarked(replica)} ${replica.handshake.parts?.join() ?? "all"}`
    return all.filter((replica) => alike(replica) === alike(all[0]!))
  }

  const next: Effect.Effect<void> = Effect.suspend(() => {
    replicas.wanted.unsafeClose()
    const all = waiting()
    if (all.length === 0) return Effect.void
    const { replDisklessSyncDelay: delay, replDisklessSyncMaxReplicas: max } = config.current
    const isDue = all.find((replica) => !isMarked(replica) || clock.now() >= replica.sinceMs + delay * 1000)
    const isFull = max > 0 && all.length >= max
    const first = isDue ?? (isFull ? all[0]! : undefined)
    if (first === undefined) {
      const dueAtMs = Math.min(...all.map(({ sinceMs }) => sinceMs)) + delay * 1000
      return Effect.zipRight(Effect.raceFirst(clock.sleepUntil(dueAtMs), replicas.wanted.await), next)
    }
    return Effect.zipRight(snapshot(groupOf([first, ...all.filter((replica) => replica !== first)])), next)
  })

  return Effect.forever(Effect.zipRight(replicas.wanted.await, next))
}
