/** The errors a request can meet before its command runs: unknown, not allowed now, not allowed to this client. */
import { upToNul } from "../bytes/Bytes.ts"
import { CommandError } from "./CommandError.ts"

/** No such command or subcommand. */
export class UnknownCommand extends CommandError("UnknownCommand", "ERR") {
  /** Redis shows the name and as many arguments as fit 128 bytes. */
  static of(argv: ReadonlyArray<string>): UnknownCommand {
    let shown = ""
    for (let i = 1; i < argv.length && shown.length < shownMax; i++) {
      shown += `'${upToNul(argv[i]!).slice(0, shownMax - shown.length)}' `
    }
    const name = upToNul(argv[0]!).slice(0, shownMax)
    return new UnknownCommand(`unknown command '${name}', with args beginning with: ${shown}`)
  }
  static ofSubcommand(container: string, subcommand: string): UnknownCommand {
    return new UnknownCommand(
      `unknown subcommand '${upToNul(subcommand).slice(0, shownMax)}'. Try ${container.toUpperCase()} HELP.`,
    )
  }
}

const shownMax = 128

/** The client must authenticate first. */
export class NoAuth extends CommandError("NoAuth", "NOAUTH") {
  static readonly error = new NoAuth("Authentication required.")
}

/** The command may not be called where it was called: in MULTI, from a script. */
export class NotAllowed extends CommandError("NotAllowed", "ERR") {
  static readonly inMulti = new NotAllowed("Command not allowed inside a transaction")
  /** A client that sent MONITOR is served like a replica. */
  static readonly toMonitor = new NotAllowed("Replica can't interact with the keyspace")
  static readonly withoutCluster = new NotAllowed("This instance has cluster support disabled")
  static of(name: string): NotAllowed {
    return new NotAllowed(
      `Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    )
  }
}

/** Data is still being read from disk. */
export class Loading extends CommandError("Loading", "LOADING") {
  static readonly error = new Loading("Redis is loading the dataset in memory")
}

/** `maxmemory` is reached and nothing more can be evicted. */
export class OutOfMemory extends CommandError("OutOfMemory", "OOM") {
  static readonly error = new OutOfMemory("command not allowed when used memory > 'maxmemory'.")
}

/** EXEC was refused, or found that a command was while queueing. */
export class ExecAbort extends CommandError("ExecAbort", "EXECABORT") {
  static readonly error = new ExecAbort("Transaction discarded because of previous errors.")
  /** EXEC itself was refused. */
  static of(reason: CommandError): ExecAbort {
    const code = reason.code === "ERR" ? "" : `${reason.code} `
    return new ExecAbort(`Transaction discarded because of: ${code}${reason.message}`)
  }
}

/** A bug: its cause is in the log. */
export class InternalError extends CommandError("InternalError", "ERR") {
  static readonly error = new InternalError("internal error")
}

/** CLIENT UNBLOCK ... ERROR, or the awaited key changed its type. */
export class Unblocked extends CommandError("Unblocked", "UNBLOCKED") {
  static readonly error = new Unblocked("client unblocked via CLIENT UNBLOCK")
  static readonly demoted = new Unblocked(
    "force unblock from blocking operation, instance state changed (master -> replica?)",
  )
}
