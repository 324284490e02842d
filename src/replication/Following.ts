/**
 * Being a replica: whom of, since when, and the fiber that holds the link to the master.
 *
 * The idea to hold: what a command decides (REPLICAOF) is so when it answers, and the fiber follows: each link is an object of its own, and
 * one that is no longer the server's role changes nothing any more. A link that ends is made again, each second, for ever; what the data is,
 * the history says, so the master is asked to go on from there.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Clock } from "../clock/Clock.ts"
import { Clients } from "../command/Clients.ts"
import { Stats } from "../command/Stats.ts"
import { Config } from "../config/Config.ts"
import { noProgress } from "../persistence/Loading.ts"
import { Persistence } from "../persistence/Persistence.ts"
import { Store } from "../store/Store.ts"
import type { Applier } from "./link/Applier.ts"
import { Connector } from "./link/Connector.ts"
import { Link } from "./link/Link.ts"
import { LinkLost } from "./link/LinkLost.ts"
import { Replication } from "./Replication.ts"

export interface FollowingService {
  /** Becomes a replica of the server that listens there; false if it is one already. */
  readonly follow: (host: string, port: number) => boolean
  /** Becomes a replica of one of its own replicas, which learns by that that it is the master now; `told` is whether it agrees. */
  readonly handOver: (host: string, port: number, told: (accepts: boolean) => void) => void
  /** Becomes a master, with the data as it is. */
  readonly unfollow: () => void
  /**
   * Called once, when commands can be run and data has been loaded: the setting `replicaof` begins to count. `streamDb`: the data is a
   * known state of the master's history, and its stream goes on in that database.
   */
  readonly start: (applier: Applier, streamDb: number | undefined) => void
}

export class Following extends Context.Tag("tiny-redis/Following")<Following, FollowingService>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.suspend(() => make),
  )
}

/** Between attempts; a link that held for so long is made again at once. */
const retryMs = 1000

const make = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const config = yield* Config
  const connector = yield* Connector
  const persistence = yield* Persistence
  const replication = yield* Replication
  const stats = yield* Stats
  const store = yield* Store
  const { current } = config
  const { history } = replication
  let applier: Applier | undefined
  let link: Link | undefined
  /** Opened when there is another link, or none. */
  const changed = Effect.unsafeMakeLatch(false)
  // Data that is loaded at the start is a copy, too.
  store.isReplica = current.replicaof !== undefined

  const leave = (): Link | undefined => {
    const left = link
    link = undefined
    left?.end()
    changed.unsafeOpen()
    return left
  }

  const join = (host: string, port: number, told?: (accepts: boolean) => void) => {
    const left = leave()
    const services = {
      clients,
      clock,
      connector,
      current,
      history,
      persistence,
      stats,
      store,
      applier: applier!,
      dropReplicas: () => replication.replicas.drop(),
    }
    const made = new Link(services, host, port, () => link === made, told)
    made.isPartial = left?.isPartial ?? false
    made.needsFull = left?.needsFull ?? false
    link = made
    store.isReplica = true
    replication.become(made)
  }

  const follow: FollowingService["follow"] = (host, port) => {
    if (link !== undefined && link.host === host && link.port === port) return false
    const wasMaster = link === undefined
    config.note("replicaof", { host, port })
    store.isReplica = true
    // `start` joins.
    if (applier === undefined) return true
    join(host, port)
    if (wasMaster) applier.demoted()
    return true
  }

  const handOver: FollowingService["handOver"] = (host, port, told) => {
    config.note("replicaof", { host, port })
    join(host, port, told)
    applier!.demoted()
  }

  const unfollow: FollowingService["unfollow"] = () => {
    const left = leave()
    if (left === undefined) return
    config.note("replicaof", undefined)
    store.isReplica = false
    history.branch()
    replication.become(undefined)
    // What has been past its deadline all along goes now.
    store.databases[0]!.announceReplaced()
    // Nothing was kept after a snapshot that did not come to its end.
    if (left.isPartial) persistence.replace(noProgress(0), "in place")(true)
  }

  /** One link after the other, as long as this one is the role. */
  const hold = (held: Link): Effect.Effect<void> => {
    let told = ""
    const attempt: Effect.Effect<void> = Effect.suspend(() => {
      const beganAtMs = clock.now()
      return held.session.pipe(
        Effect.catchAllDefect((defect) =>
          Effect.zipRight(
            Effect.logError(`master ${held.address}: the link ended by a defect`, Cause.die(defect)),
            Effect.fail(new LinkLost({ message: "the link ended by a defect" })),
          ),
        ),
        Effect.catchAll(({ message }) => {
          // An attempt each second that fails for the same reason is told once.
          const isNews = message !== told || held.wasUp
          told = message
          return isNews ? Effect.logWarning(`master ${held.address}: ${message}`) : Effect.void
        }),
        Effect.zipRight(
          Effect.suspend(() =>
            held.wasUp && clock.now() - beganAtMs >= retryMs ? Effect.void : Effect.sleep(retryMs),
          ),
        ),
      )
    })
    return Effect.forever(attempt)
  }

  const run = Effect.suspend(() => {
    changed.unsafeClose()
    return link === undefined ? changed.await : Effect.raceFirst(hold(link), changed.await)
  }).pipe(Effect.forever)

  yield* Effect.forkScoped(run)
  yield* Effect.addFinalizer(() => Effect.sync(() => link?.end()))

  return {
    follow,
    handOver,
    unfollow,
    start: (given, streamDb) => {
      applier = given
      const { replicaof } = current
      if (replicaof === undefined) return
      join(replicaof.host, replicaof.port)
      // Nobody knows a history that begins here.
      if (streamDb === undefined || !given.select(streamDb)) link!.needsFull = true
      else history.selected = streamDb
    },
  } satisfies FollowingService
})
