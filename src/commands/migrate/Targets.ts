/**
 * Connections to the servers that MIGRATE brings keys to, kept for some seconds: many keys come one after the other.
 *
 * The idea to hold: a connection belongs to one MIGRATE at a time. It is taken out, and given back when every request sent on it has been
 * answered; otherwise it is closed, since what comes next would be taken for the answer to something else.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Clock, type ClockService } from "../../clock/Clock.ts"
import { TargetLost } from "../../errors/MigrationErrors.ts"
import { request } from "../../persistence/log/LogText.ts"
import { type Connection, Connector } from "../../replication/link/Connector.ts"
import { Inbox } from "../../replication/link/Inbox.ts"

/** Unused for so long, a connection is closed. */
const keptMs = 10_000
const keptMax = 64

/** The other end of one connection. */
export class Target {
  /** The database that its last request selected; -1: not known. */
  database = -1
  /** Whether it has been used before. */
  isKept = false
  usedAtMs = 0
  private readonly connection: Connection
  private readonly inbox: Inbox

  constructor(connection: Connection, { now }: ClockService) {
    this.connection = connection
    this.inbox = new Inbox(connection, now)
  }

  get isOpen(): boolean {
    return !this.inbox.isClosed
  }

  /** Whether it is open, and nothing has come that nobody had asked for. */
  get isQuiet(): boolean {
    return this.isOpen && !this.inbox.hasMore
  }

  send(argv: ReadonlyArray<string>): void {
    this.connection.write(request(argv))
  }

  /** The next answer, a line. For `timeoutMs` nothing may come, and nothing of what was sent go. */
  answer(timeoutMs: number): Effect.Effect<string, TargetLost> {
    const { connection } = this
    const watch = (queued: number): Effect.Effect<never, TargetLost> =>
      Effect.flatMap(Effect.sleep(timeoutMs), () => {
        const left = connection.queuedBytes()
        if (left < queued) return watch(left)
        return Effect.fail(left > 0 ? TargetLost.writing : TargetLost.reading)
      })
    const line = Effect.mapError(this.inbox.line, () => TargetLost.reading)
    return Effect.raceFirst(
      line,
      Effect.suspend(() => watch(connection.queuedBytes())),
    )
  }

  close(): void {
    this.connection.destroy()
  }
}

export interface TargetsService {
  /** A connection to this server: one that is there, or a new one. It is the caller's until `giveBack` or `Target.close`. */
  readonly take: (host: string, port: number, timeoutMs: number) => Effect.Effect<Target, TargetLost>
  readonly giveBack: (host: string, port: number, target: Target) => void
  /** How many are kept. */
  readonly count: () => number
  /** Runs `job` from now on, to its end: also when who waits for it is interrupted. Ends with it. */
  readonly perform: <A, E>(job: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

export class Targets extends Context.Tag("tiny-redis/Targets")<Targets, TargetsService>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const clock = yield* Clock
  const connector = yield* Connector
  const scope = yield* Effect.scope
  const runFork = Runtime.runFork(yield* Effect.runtime<never>())
  /** By address, the one used last at the end. */
  const kept = new Map<string, Target>()
  /** Open while there is one. */
  const awake = Effect.unsafeMakeLatch(false)

  const drop = (name: string, target: Target) => {
    kept.delete(name)
    target.close()
  }
  const sweep = Effect.sync(() => {
    const now = clock.now()
    for (const [name, target] of kept) if (now - target.usedAtMs > keptMs || !target.isQuiet) drop(name, target)
    if (kept.size === 0) awake.unsafeClose()
  })
  yield* Effect.forkScoped(sweep.pipe(Effect.delay("1 second"), awake.whenOpen, Effect.forever))
  yield* Effect.addFinalizer(() => Effect.sync(() => kept.forEach((target) => target.close())))

  const nameOf = (host: string, port: number): string => `${host}:${port}`

  const open = (host: string, port: number, timeoutMs: number): Effect.Effect<Target, TargetLost> =>
    Effect.raceFirst(
      Effect.mapBoth(connector.connect(host, port), {
        // redis-server learns of it when it begins to write.
        onFailure: ({ isRefused }) => (isRefused === true ? TargetLost.writing : TargetLost.connecting),
        onSuccess: (connection) => new Target(connection, clock),
      }),
      Effect.zipRight(Effect.sleep(timeoutMs), Effect.fail(TargetLost.connecting)),
    )

  return {
    take: (host, port, timeoutMs) =>
      Effect.suspend(() => {
        const name = nameOf(host, port)
        const target = kept.get(name)
        if (target === undefined) return open(host, port, timeoutMs)
        kept.delete(name)
        if (target.isQuiet) return Effect.succeed(target)
        target.close()
        return open(host, port, timeoutMs)
      }),
    giveBack: (host, port, target) => {
      const name = nameOf(host, port)
      // Two at once had one each.
      const other = kept.get(name)
      if (other !== undefined) drop(name, other)
      target.isKept = true
      target.usedAtMs = clock.now()
      kept.set(name, target)
      if (kept.size > keptMax) {
        const [oldest] = kept
        drop(...oldest!)
      }
      awake.unsafeOpen()
    },
    count: () => kept.size,
    perform: (job) => Fiber.join(runFork(job, { scope })),
  } satisfies TargetsService
})
