/**
 * FAILOVER: a master and one of its replicas exchange their roles, and nothing is lost.
 *
 * The idea to hold: first writes are held back, and nothing is added to the stream any more, so the replica has an end to come to. Where it
 * stands then, or when its time is over and it is forced to, this server follows it, and asks to go on from there as its replica: by that
 * the other one learns that it is the master. What was held back is then answered by a replica.
 * The invariant: who holds back writes lets them go on, however it ends.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Clock } from "../clock/Clock.ts"
import { Clients } from "../command/Clients.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { FailoverRefused } from "../errors/ReplicationErrors.ts"
import { Store } from "../store/Store.ts"
import { Following } from "./Following.ts"
import type { Replica } from "./Replica.ts"
import { Replication } from "./Replication.ts"

/** Where a replica listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What was asked for. */
export interface Handover {
  /** Absent: whoever is first to have everything. */
  readonly to: Address | undefined
  /** How long to wait for it; absent: for ever. */
  readonly timeoutMs: number | undefined
  /** Then it becomes the master all the same, with what it has. */
  readonly force: boolean
}

export interface FailoverService {
  /** Begins; what was refused has not begun. */
  readonly begin: (handover: Handover) => CommandError | undefined
  /** Stays the master, or becomes it again. False where there is nothing to end. */
  readonly abort: () => boolean
}

export class Failover extends Context.Tag("tiny-redis/Failover")<Failover, FailoverService>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.suspend(() => make),
  )
}

const addressOf = ({ handshake, host }: Replica): Address => ({ host, port: handshake.port })
const nameOf = ({ host, port }: Address): string => `${host}:${port}`
const isAt = (replica: Replica, { host, port }: Address): boolean =>
  replica.host === host && replica.handshake.port === port

const make = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const following = yield* Following
  const replication = yield* Replication
  const scope = yield* Effect.scope
  const store = yield* Store
  const runFork = Runtime.runFork(yield* Effect.runtime<never>())
  const { history, replicas } = replication
  /** Who waits until a replica has everything. */
  let waiting: Fiber.RuntimeFiber<void> | undefined
  /** The one that is under way, and how the operator is told of it. */
  let current: Handover | undefined
  let name = ""

  const tell = (text: string) => void runFork(Effect.logInfo(`failover to ${name}: ${text}`))

  const hold = () => {
    replicas.isStill = true
    clients.pauseUntil("failover", Infinity, "write")
    store.keepUntil(clients.keptUntil(clock.now()))
  }
  const end = (how: string) => {
    tell(how)
    current = undefined
    replication.failover = "no-failover"
    replicas.isStill = false
    clients.unpause("failover")
    store.keepUntil(clients.keptUntil(clock.now()))
  }

  /** A replica that has everything, of those that are meant. */
  const ready = (to: Address | undefined): Replica | undefined =>
    replicas.all.find(
      (replica) =>
        replica.stage === "online" && replica.ackedOffset >= history.offset && (to === undefined || isAt(replica, to)),
    )

  /** Follows the replica, and has it become the master. */
  const handOver = (to: Address) => {
    // Whoever waits for one waits no longer.
    current = undefined
    replication.failover = "failover-in-progress"
    name = nameOf(to)
    following.handOver(to.host, to.port, (accepts) => {
      if (accepts) return end("it is the master now")
      following.unfollow()
      end("it refuses to be the master")
    })
  }

  const expired = ({ force, to }: Handover) => {
    if (!force || to === undefined) return end("no replica has come to have everything in time")
    tell("it has not come to have everything in time, and is forced to go on with what it has")
    handOver(to)
  }

  const run = (handover: Handover): Effect.Effect<void> => {
    const { timeoutMs, to } = handover
    const act = (isLate: boolean) =>
      Effect.suspend(() => {
        if (current !== handover) return Effect.void
        const found = ready(to)
        if (found !== undefined) handOver(addressOf(found))
        else if (isLate) expired(handover)
        // The one that had everything has just left.
        else return wait
        return Effect.void
      })
    const wait: Effect.Effect<void> = Effect.suspend(() =>
      Effect.zipRight(
        replicas.until(() => ready(to) !== undefined),
        act(false),
      ),
    )
    if (timeoutMs === undefined) return wait
    return Effect.raceFirst(wait, Effect.zipRight(Effect.sleep(timeoutMs), act(true)))
  }

  const refusal = ({ force, timeoutMs, to }: Handover): FailoverRefused | undefined => {
    if (replication.failover !== "no-failover") return FailoverRefused.inProgress
    if (replication.role._tag === "Replica") return FailoverRefused.ofReplica
    if (replicas.all.length === 0) return FailoverRefused.noReplicas
    if (force && (timeoutMs === undefined || to === undefined)) return FailoverRefused.forceAlone
    if (to === undefined) return undefined
    const replica = replicas.all.find((one) => isAt(one, to))
    if (replica === undefined) return FailoverRefused.noReplica
    return replica.stage === "online" ? undefined : FailoverRefused.notOnline
  }

  return {
    begin: (handover) => {
      const refused = refusal(handover)
      if (refused !== undefined) return refused
      replication.failover = "waiting-for-sync"
      current = handover
      const { to } = handover
      name = to === undefined ? "any replica" : nameOf(to)
      hold()
      // The command has ended by then.
      waiting = runFork(Effect.zipRight(Effect.yieldNow(), run(handover)), { scope })
      return undefined
    },
    abort: () => {
      if (replication.failover === "no-failover") return false
      if (waiting !== undefined) runFork(Fiber.interrupt(waiting))
      if (replication.failover === "failover-in-progress") following.unfollow()
      end("ended by a command")
      return true
    },
  } satisfies FailoverService
})
