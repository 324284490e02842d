/**
 * What a client sent that is no request: it is answered, then the connection closes, because where the next request would
 * begin is not known.
 */
import { CommandError } from "./CommandError.ts"

/** The text after `-ERR `, always starting with "Protocol error: ". */
export class ProtocolError extends CommandError("ProtocolError", "ERR") {
  static of(what: string): ProtocolError {
    return new ProtocolError(`Protocol error: ${what}`)
  }
}
