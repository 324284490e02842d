/** What MIGRATE answers when keys could not be brought to the other server. */
import { CommandError } from "./CommandError.ts"

/** The other server cannot be reached, or has not answered in time. */
export class TargetLost extends CommandError("TargetLost", "IOERR") {
  static readonly connecting = new TargetLost("error or timeout connecting to the client")
  static readonly writing = new TargetLost("error or timeout writing to target instance")
  static readonly reading = new TargetLost("error or timeout reading to target instance")
}

/** The other server has answered with an error. */
export class TargetRefused extends CommandError("TargetRefused", "ERR") {
  static of(answer: string): TargetRefused {
    return new TargetRefused(`Target instance replied with error: ${answer}`)
  }
}

/** What cannot be asked for. */
export class MigrationRefused extends CommandError("MigrationRefused", "ERR") {
  static readonly keyBesideKeys = new MigrationRefused(
    "When using MIGRATE KEYS option, the key argument must be set to the empty string",
  )
  static readonly nested = new MigrationRefused("MIGRATE cannot wait inside of a transaction or a script")
}
