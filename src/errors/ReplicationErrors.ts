/** The errors of replication: what a master refuses its replicas, and what a server refuses because it is one. */
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
  static readonly failingOver = new ReplicaRefused("REPLICAOF not allowed while failing over.")
  static readonly invalidPort = new ReplicaRefused("Invalid master port")
  static readonly staleCommand = new ReplicaRefused("Can not execute the command on a stale replica")
}

/** FAILOVER that cannot begin, or be ended. */
export class FailoverRefused extends CommandError("FailoverRefused", "ERR") {
  static readonly inProgress = new FailoverRefused("FAILOVER already in progress.")
  static readonly notInProgress = new FailoverRefused("No failover in progress.")
  static readonly ofReplica = new FailoverRefused("FAILOVER is not valid when server is a replica.")
  static readonly noReplicas = new FailoverRefused("FAILOVER requires connected replicas.")
  static readonly noReplica = new FailoverRefused("FAILOVER target HOST and PORT is not a replica.")
  static readonly notOnline = new FailoverRefused("FAILOVER target replica is not online.")
  static readonly timeout = new FailoverRefused("FAILOVER timeout must be greater than 0")
  static readonly forceAlone = new FailoverRefused(
    "FAILOVER with force option requires both a timeout and target HOST and IP.",
  )
}

/** A replica is asked to be the master in place of the one that asks, which is not its own, or it is no replica. */
export class TakeoverRefused extends CommandError("TakeoverRefused", "ERR") {
  static readonly ofMaster = new TakeoverRefused("PSYNC FAILOVER can't be sent to a master.")
  static readonly otherHistory = new TakeoverRefused("PSYNC FAILOVER replid must match my replid.")
}
