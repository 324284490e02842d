/** What a link needs of the layers above: who runs the master's requests, and shows the master among the clients. */
import type { Replay } from "../../persistence/Persistence.ts"
import type { Connection } from "./Connector.ts"

export interface Applier {
  /** How a snapshot's function libraries come where they belong, and go. */
  readonly replay: Replay
  /** The sources of the function libraries that are there. */
  readonly functionLibraries: () => ReadonlyArray<string>
  /** To be called before requests that have come together, and after them. */
  readonly tick: () => void
  readonly tock: () => void
  /** Runs requests of the master as one unit, whatever gates there are; gives the reasons of those that failed. */
  readonly apply: (commands: ReadonlyArray<ReadonlyArray<string>>) => ReadonlyArray<string>
  /** The database in which the next of them runs. */
  readonly database: () => number
  /** Has the next one run there; false where there is no such database. */
  readonly select: (database: number) => boolean
  /** The link is up: the master is a client from now on. `end` breaks the connection. */
  readonly connected: (connection: Connection, end: () => void) => void
  readonly disconnected: () => void
  /** This server has become a replica: who waits for a change by others has lost them. */
  readonly demoted: () => void
}
