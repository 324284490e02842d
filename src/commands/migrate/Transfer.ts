/**
 * One MIGRATE on its way: the conversation with the other server, and what becomes of the keys here.
 *
 * The idea to hold: from its first moment to its last it is a fiber of the server's, not of the client's, who may leave: what has been sent
 * comes to its end, and those that are held back meanwhile go on in every case.
 */
import * as Effect from "effect/Effect"
import type { ClockService } from "../../clock/Clock.ts"
import * as Reply from "../../codec/Reply.ts"
import type { ClientsService } from "../../command/Clients.ts"
import type { Ctx } from "../../command/Command.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { Unblocked } from "../../errors/DispatchErrors.ts"
import { TargetLost, TargetRefused } from "../../errors/MigrationErrors.ts"
import { EventClass } from "../../store/Events.ts"
import type { Target, TargetsService } from "./Targets.ts"

export interface TransferServices {
  readonly clients: ClientsService
  readonly clock: ClockService
  readonly targets: TargetsService
}

/** What was asked for. */
export interface Transfer {
  readonly host: string
  readonly port: number
  readonly database: number
  /** For each time that something is waited for. */
  readonly timeoutMs: number
  readonly keys: ReadonlyArray<string>
  readonly copy: boolean
  readonly replace: boolean
  /** None, a password, or a name and a password. */
  readonly credentials: ReadonlyArray<string>
}

/** One key, as it is sent. */
export interface Parcel {
  readonly key: string
  readonly payload: string
  /** Unix ms; absent for a key that stays. */
  readonly deadline: number | undefined
}

/** When to look again whether the script that has paused has ended. */
const unfinishedDelayMs = 5

export const transfer = (
  { clients, clock, targets }: TransferServices,
  request: Transfer,
  parcels: ReadonlyArray<Parcel>,
  ctx: Ctx,
): Effect.Effect<Reply.Reply, CommandError> => {
  const { copy, credentials, database, host, port, replace, timeoutMs } = request
  const { db, store } = ctx
  const wasReplica = store.isReplica
  /** The keys that have arrived. */
  const arrived: Array<string> = []
  /** Whether the other server has answered anything. */
  let isAnswered = false
  let refusal: TargetRefused | undefined

  const answerOf = (target: Target): Effect.Effect<boolean, TargetLost> =>
    Effect.flatMap(target.answer(timeoutMs), (line) => {
      isAnswered = true
      if (line.startsWith("+")) return Effect.succeed(true)
      if (!line.startsWith("-")) return Effect.fail(TargetLost.reading)
      refusal ??= TargetRefused.of(line.slice(1))
      return Effect.succeed(false)
    })
  const ask = (target: Target, ...argv: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      target.send(argv)
      return answerOf(target)
    })

  /** Whether keys can be sent: the other server lets us in, and has the database. */
  const prepare = (target: Target): Effect.Effect<boolean, TargetLost> =>
    Effect.gen(function* () {
      if (credentials.length > 0 && !(yield* ask(target, "AUTH", ...credentials))) return false
      if (target.database === database) return true
      if (!(yield* ask(target, "SELECT", String(database)))) return false
      target.database = database
      return true
    })

  const send = (target: Target, { deadline, key, payload }: Parcel) => {
    // One whose time has just come arrives all the same, and goes there.
    const ttl = deadline === undefined ? 0 : Math.max(1, deadline - clock.now())
    target.send(["RESTORE", key, String(ttl), payload, ...(replace ? ["REPLACE"] : [])])
  }

  const sendAll = (target: Target): Effect.Effect<void, TargetLost> =>
    Effect.flatMap(prepare(target), (isReady) => {
      if (!isReady) return Effect.void
      for (const parcel of parcels) send(target, parcel)
      return Effect.forEach(
        parcels,
        ({ key }) => Effect.map(answerOf(target), (isThere) => void (isThere && arrived.push(key))),
        { discard: true },
      )
    })

  /** One connection. That it was closed meanwhile by the other server may be noticed only now: then it is tried once more. */
  const attempt: Effect.Effect<void, TargetLost> = Effect.flatMap(targets.take(host, port, timeoutMs), (target) => {
    let isStale = false
    const close = Effect.sync(() => {
      isStale = target.isKept && !isAnswered && !target.isOpen
      target.close()
    })
    // Also where the server stops meanwhile.
    return Effect.matchEffect(
      Effect.onError(sendAll(target), () => close),
      {
        onSuccess: () => Effect.sync(() => targets.giveBack(host, port, target)),
        onFailure: (lost) => Effect.suspend(() => (isStale ? attempt : Effect.fail(lost))),
      },
    )
  })

  /** What has arrived goes here. */
  const remove = (): CommandError | undefined => {
    if (arrived.length === 0 || copy) return undefined
    // Its data is another server's now.
    if (store.isReplica && !wasReplica) return Unblocked.demoted
    ctx.unit(clock.now(), () => {
      const removed = arrived.filter((key) => {
        if (db.write(key) === undefined) return false
        db.remove(key)
        db.changed(key, EventClass.generic, "del")
        return true
      })
      if (removed.length > 0) ctx.propagateAs(["DEL", ...removed])
    })
    return undefined
  }

  /** Ends when no script has paused: one sees the data of one instant. */
  const whole: Effect.Effect<void> = Effect.suspend(() =>
    store.unfinished ? Effect.zipRight(Effect.sleep(unfinishedDelayMs), whole) : Effect.void,
  )

  const job = attempt.pipe(
    Effect.match({ onFailure: (lost): TargetLost | undefined => lost, onSuccess: () => undefined }),
    Effect.zipLeft(whole),
    Effect.flatMap((lost) => {
      const error = remove() ?? lost ?? refusal
      return error === undefined ? Effect.succeed(Reply.ok) : Effect.fail(error)
    }),
    Effect.ensuring(
      Effect.sync(() => {
        if (!copy) clients.unpause("migration")
      }),
    ),
  )
  if (!copy) clients.pauseUntil("migration", Infinity, "write")
  return targets.perform(job)
}
