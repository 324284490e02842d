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
import { Chance, type ChanceService } from "../clock/Chance.ts"
import type { Change } from "../persistence/Persistence.ts"
import { History } from "./History.ts"

/** Lines of INFO. */
export type Lines = ReadonlyArray<readonly [name: string, value: string | number]>

/** The words of ROLE for the state of a replica's link. */
export type LinkState = "connect" | "connecting" | "sync" | "connected"

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
  /** Becomes a replica, or a master again (absent). */
  readonly become: (role: ReplicaRole | undefined) => void
  /** Called once, when commands can be run. */
  readonly start: (attachment: Attachment) => void
  /** Whether changes made here are to be appended. */
  readonly active: () => boolean
  /** Adds changes that belong together to the stream. */
  readonly append: (changes: ReadonlyArray<Change>) => void
  /** Lines of INFO's section replication, without the heading. */
  readonly info: () => Lines
}

const make = (chance: ChanceService): ReplicationService => {
  const history = new History(chance)
  let role: Role = master

  const info = (): Lines => {
    const { backlog } = history
    return [
      ["role", role._tag === "Master" ? "master" : "slave"],
      ...(role._tag === "Master" ? [] : role.info()),
      ["connected_slaves", 0],
      ["master_failover_state", "no-failover"],
      ["master_replid", history.id],
      ["master_replid2", history.secondId],
      ["master_repl_offset", history.offset],
      ["second_repl_offset", history.secondOffset],
      ["repl_backlog_active", backlog === undefined ? 0 : 1],
      ["repl_backlog_size", backlog === undefined ? 0 : backlog.size],
      ["repl_backlog_first_byte_offset", backlog === undefined ? 0 : backlog.firstOffset],
      ["repl_backlog_histlen", backlog === undefined ? 0 : backlog.length],
    ]
  }

  return {
    history,
    get role() {
      return role
    },
    become: (next) => {
      role = next ?? master
    },
    start: () => {},
    active: () => history.backlog !== undefined && role === master,
    append: (changes) => history.append(changes),
    info,
  }
}

export class Replication extends Context.Tag("tiny-redis/Replication")<Replication, ReplicationService>() {
  static readonly layer = Layer.effect(this, Effect.map(Chance, make))

  /** A master that nobody can follow. */
  static readonly layerNoop = Layer.effect(
    this,
    Effect.map(Chance, (chance): ReplicationService => ({ ...make(chance), active: () => false })),
  )
}
