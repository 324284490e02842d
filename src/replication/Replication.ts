/**
 * Replication: whether this server is a master or a replica, and the history that both share.
 *
 * The idea to hold: the dispatcher gives the changes of each unit to `append`, as it gives them to persistence. A master without
 * replicas is not `active`, and keeps nothing of them. A replica takes its master's stream as it is (`history.feed`), so what its own
 * dispatcher changes is not appended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Chance } from "../clock/Chance.ts"
import { Clock } from "../clock/Clock.ts"
import { type Client, memoryOf } from "../command/Client.ts"
import { Clients } from "../command/Clients.ts"
import { Config } from "../config/Config.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { NoMasterLink, NoReplicas, NoReplication, PendingOutput } from "../errors/ReplicationErrors.ts"
import type { Change } from "../persistence/Persistence.ts"
import { Store } from "../store/Store.ts"
import * as FullSync from "./FullSync.ts"
import { History } from "./History.ts"
import { Replicas } from "./Replicas.ts"

/** Lines of INFO. */
export type Lines = ReadonlyArray<readonly [name: string, value: string | number]>

/** The words of ROLE for the state of a replica's link. */
export type LinkState = "connect" | "connecting" | "handshake" | "sync" | "connected"

/** Whether a replica is about to take over, as INFO says it. */
export type FailoverState = "no-failover" | "waiting-for-sync" | "failover-in-progress"

/** What is known of the master, kept by who holds the link to it. */
export interface ReplicaRole {
  readonly _tag: "Replica"
  readonly host: string
  readonly port: number
  readonly link: LinkState
  /** The lines of INFO's section replication that only a replica has. */
  readonly info: () => Lines
}

export type Role = { readonly _tag: "Master" } | ReplicaRole

const master: Role = { _tag: "Master" }

/** What replication needs of the layers above it, once they are there. */
export interface Attachment {
  /** The sources of the function libraries, which snapshots hold. */
  readonly functionLibraries: () => ReadonlyArray<string>
}

export interface ReplicationService {
  readonly history: History
  readonly role: Role
  /** Kept by `Failover.ts`. */
  failover: FailoverState
  readonly replicas: Replicas
  /** Becomes a replica, or a master again (absent). */
  readonly become: (role: ReplicaRole | undefined) => void
  /** Called once, when commands can be run. */
  readonly start: (attachment: Attachment) => void
  /** Whether changes made here are to be appended. */
  readonly active: () => boolean
  /** Adds changes that belong together to the stream. */
  readonly append: (changes: ReadonlyArray<Change>) => void
  /** PSYNC, or SYNC (`asked` absent): the connection becomes a replica, from the byte at `offset` on if that is possible. */
  readonly attach: (
    client: Client,
    asked: { readonly id: string; readonly offset: number } | undefined,
  ) => CommandError | undefined
  /** The error that commands which write get at the moment, if any: too few replicas. */
  readonly refusal: () => CommandError | undefined
  /** Lines of INFO's section replication, without the heading. */
  readonly info: () => Lines
  /** Bytes that the backlog takes, that wait for replicas (snapshots apart), and that their connections take in all. */
  readonly memory: () => { readonly backlog: number; readonly waiting: number; readonly clients: number }
}

const make = (isOffered: boolean) =>
  Effect.gen(function* () {
    const chance = yield* Chance
    const clients = yield* Clients
    const clock = yield* Clock
    const config = yield* Config
    const store = yield* Store
    const scope = yield* Effect.scope
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const { current } = config
    const history = new History(chance)
    let role: Role = master
    const isMaster = () => role === master
    const replicas = new Replicas({ clients, clock, config, history, isMaster })
    yield* Effect.forkScoped(replicas.run)

    const start = ({ functionLibraries }: Attachment) => {
      runFork(FullSync.make({ chance, clock, config, functionLibraries, history, isMaster, replicas, store }), {
        scope,
      })
    }

    const attach: ReplicationService["attach"] = (client, asked) => {
      // A replica that asks again gets no second answer, nor does who listens to commands (MONITOR).
      if (client.replica !== undefined || client.monitor) return undefined
      if (!isOffered) return NoReplication.error
      if (role._tag === "Replica" && role.link !== "connected") return NoMasterLink.error
      if (client.outbox.queuedBytes() > 0) return PendingOutput.error
      replicas.attach(client, asked)
      return undefined
    }

    const refusal = () => {
      const { minReplicasToWrite: wanted, minReplicasMaxLag: lag } = current
      if (wanted === 0 || lag === 0 || role !== master) return undefined
      return replicas.good() < wanted ? NoReplicas.error : undefined
    }

    const info = (): Lines => {
      const { backlog } = history
      const now = clock.now()
      const { minReplicasToWrite: wanted, minReplicasMaxLag: lag } = current
      return [
        ["role", role._tag === "Master" ? "master" : "slave"],
        ...(role._tag === "Master" ? [] : role.info()),
        ["connected_slaves", replicas.all.length],
        ...(wanted > 0 && lag > 0 ? [["min_slaves_good_slaves", replicas.good()] as const] : []),
        ...replicas.all.map((replica, i) => [`slave${i}`, replica.describe(now)] as const),
        ["master_failover_state", service.failover],
        ["master_replid", history.id],
        ["master_replid2", history.secondId],
        ["master_repl_offset", history.offset],
        ["second_repl_offset", history.secondOffset],
        ["repl_backlog_active", backlog === undefined ? 0 : 1],
        ["repl_backlog_size", backlog === undefined ? current.replBacklogSize : backlog.size],
        ["repl_backlog_first_byte_offset", backlog === undefined ? 0 : backlog.firstOffset],
        ["repl_backlog_histlen", backlog === undefined ? 0 : backlog.length],
      ]
    }

    const service: ReplicationService & { role: Role } = {
      history,
      // Not a getter: an object written down with one has its properties in a table, and every write command asks for `active`.
      role,
      failover: "no-failover",
      replicas,
      become: (next) => {
        service.role = role = next ?? master
        if (next === undefined) replicas.promoted()
      },
      start,
      active: () => history.backlog !== undefined && role === master,
      append: (changes) => history.append(changes),
      attach,
      refusal,
      info,
      memory: () => ({
        backlog: history.backlog?.size ?? 0,
        waiting: replicas.all.reduce((sum, replica) => sum + replica.waitingBytes(), 0),
        clients: replicas.all.reduce((sum, { client }) => sum + memoryOf(client), 0),
      }),
    }
    return service
  })

export class Replication extends Context.Tag("tiny-redis/Replication")<Replication, ReplicationService>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.suspend(() => make(true)),
  )

  /** A master that nobody can follow. */
  static readonly layerNoop = Layer.scoped(
    this,
    Effect.suspend(() => make(false)),
  )
}
