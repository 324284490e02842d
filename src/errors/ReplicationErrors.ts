/** The errors of replication. */
import { CommandError } from "./CommandError.ts"

/** A replica that has lost its master cannot have replicas of its own. */
export class NoMasterLink extends CommandError("NoMasterLink", "NOMASTERLINK") {
  static readonly error = new NoMasterLink("Can't SYNC while not connected with my master")
}

/** `min-replicas-to-write`. */
export class NoReplicas extends CommandError("NoReplicas", "NOREPLICAS") {
  static readonly error = new NoReplicas("Not enough good replicas to write.")
}

/** What is sent before would be taken for a part of the answer. */
export class PendingOutput extends CommandError("PendingOutput", "ERR") {
  static readonly error = new PendingOutput("SYNC and PSYNC are invalid with pending output")
}

/** A server that was put together without it. */
export class NoReplication extends CommandError("NoReplication", "ERR") {
  static readonly error = new NoReplication("this server has no replication")
}

/** WAIT, asked of a replica. */
export class WaitOnReplica extends CommandError("WaitOnReplica", "ERR") {
  static readonly error = new WaitOnReplica(
    "WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.",
  )
}
