/** What access control refuses, to clients and to those who give them rights. The texts are those of redis-server 7.0.15. */
import { upToNul } from "../bytes/Bytes.ts"
import { CommandError } from "./CommandError.ts"

/** What stands in the way of a request: the command, one of its keys, or one of its channels. */
export type Obstacle = "command" | "key" | "channel"

const changedReasons: Readonly<Record<Obstacle, string>> = {
  command: "no permission to execute the command or subcommand",
  key: "no permission to touch the specified keys",
  channel: "no permission to access one of the channels used as arguments",
}

/** The user may not do this. */
export class NoPermission extends CommandError("NoPermission", "NOPERM") {
  private static readonly key = new NoPermission(
    "this user has no permissions to access one of the keys used as arguments",
  )
  private static readonly channel = new NoPermission(
    "this user has no permissions to access one of the channels used as arguments",
  )
  static of(obstacle: Obstacle, command: string): NoPermission {
    return obstacle === "command"
      ? new NoPermission(`this user has no permissions to run the '${command}' command`)
      : NoPermission[obstacle]
  }
  /** It might when the command was queued. */
  static changed(obstacle: Obstacle): NoPermission {
    return new NoPermission(
      `ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: ${changedReasons[obstacle]}`,
    )
  }
}

/** A script's call that its caller may not make. Redis gives these without saying which command. */
export class ScriptNoPermission extends CommandError("ScriptNoPermission", "ERR") {
  private static readonly command = new ScriptNoPermission(
    "The user executing the script can't run this command or subcommand",
  )
  private static readonly key = new ScriptNoPermission(
    "The user executing the script can't access at least one of the keys mentioned in the command arguments",
  )
  private static readonly channel = new ScriptNoPermission(
    "The user executing the script can't publish to the channel mentioned in the command",
  )
  static of(obstacle: Obstacle): ScriptNoPermission {
    return ScriptNoPermission[obstacle]
  }
}

/** A request about users, or about what they may do, that cannot be met. */
export class AclError extends CommandError("AclError", "ERR") {
  static readonly badName = new AclError("Usernames can't contain spaces or null characters")
  static readonly keepsDefault = new AclError("The 'default' user cannot be removed")
  static readonly onlyDefault = new AclError("This server has no users but 'default'")
  static readonly noFile = new AclError(
    "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
  )
  static readonly notSaved = new AclError(
    "There was an error trying to save the ACLs. Please check the server logs for more information",
  )
  static notLoaded(reasons: string): AclError {
    return new AclError(reasons)
  }
  static readonly passwordBits = new AclError(
    "ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
  )
  static readonly sortBy = new AclError("BY option of SORT denied due to insufficient ACL permissions.")
  static readonly sortGet = new AclError("GET option of SORT denied due to insufficient ACL permissions.")
  static rule(rule: string, reason: string): AclError {
    return new AclError(`Error in ACL SETUSER modifier '${upToNul(rule)}': ${reason}`)
  }
  static unmatched(rule: string): AclError {
    return new AclError(`Unmatched parenthesis in acl selector starting at '${upToNul(rule)}'.`)
  }
  static noUser(name: string): AclError {
    return new AclError(`User '${upToNul(name)}' not found`)
  }
  static noCommand(name: string): AclError {
    return new AclError(`Command '${upToNul(name)}' not found`)
  }
  static noCategory(name: string): AclError {
    return new AclError(`Unknown category '${upToNul(name)}'`)
  }
}
