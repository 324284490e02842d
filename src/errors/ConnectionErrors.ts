/** The errors of the connection family: authentication, protocol version, client filters. */
import { CommandError } from "./CommandError.ts"

/** AUTH or HELLO AUTH with a pair that is not right. */
export class WrongPassword extends CommandError("WrongPassword", "WRONGPASS") {
  static readonly error = new WrongPassword("invalid username-password pair or user is disabled.")
}

/** HELLO with a protocol version that is not 2 or 3. */
export class NoProtocol extends CommandError("NoProtocol", "NOPROTO") {
  static readonly error = new NoProtocol("unsupported protocol version")
}

/** HELLO before authentication, without AUTH inside it. */
export class HelloNoAuth extends CommandError("HelloNoAuth", "NOAUTH") {
  static readonly error = new HelloNoAuth(
    "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
  )
}

/** A request about clients that cannot be met. */
export class ClientError extends CommandError("ClientError", "ERR") {
  static readonly noPassword = new ClientError(
    "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
  )
  static readonly badName = new ClientError("Client names cannot contain spaces, newlines or special characters.")
  static readonly noSuchClient = new ClientError("No such client")
  static readonly badId = new ClientError("Invalid client ID")
  static readonly idNotPositive = new ClientError("client-id should be greater than 0")
  static readonly unblockReason = new ClientError("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
  static readonly pauseMode = new ClientError("CLIENT PAUSE mode must be WRITE or ALL")
  static readonly pauseNotInteger = new ClientError("timeout is not an integer or out of range")
  static readonly pauseNegative = new ClientError("timeout is negative")
  static readonly protocolNotInteger = new ClientError("Protocol version is not an integer or out of range")
  static readonly noSuchDatabase = new ClientError("DB index is out of range")
}

/** Differs: redis-server sends replies of any length, and here one has to fit into one string. */
export class ReplyTooLong extends CommandError("ReplyTooLong", "ERR") {
  static readonly error = new ReplyTooLong("the reply is too long to be sent")
}
