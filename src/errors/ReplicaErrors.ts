/** What a server refuses because it is a replica. The texts are those recorded from redis-server 7.0.15. */
import { CommandError } from "./CommandError.ts"

/** Only the master changes a replica's data (`replica-read-only`). */
export class ReadOnlyReplica extends CommandError("ReadOnlyReplica", "READONLY") {
  static readonly error = new ReadOnlyReplica("You can't write against a read only replica.")
}

/** The link to the master is down, and what the data was then is not to be told (`replica-serve-stale-data`). */
export class MasterDown extends CommandError("MasterDown", "MASTERDOWN") {
  static readonly error = new MasterDown("Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
}

/** What cannot be asked of a replica, or to become one. */
export class ReplicaRefused extends CommandError("ReplicaRefused", "ERR") {
  static readonly invalidPort = new ReplicaRefused("Invalid master port")
  static readonly staleCommand = new ReplicaRefused("Can not execute the command on a stale replica")
}
