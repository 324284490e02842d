/** What scripting refuses. The texts are those recorded from redis-server 7.0.15. */
import { CommandError } from "./CommandError.ts"

/** The source of a script or library does not compile, or says something about itself that is not so. */
export class ScriptInvalid extends CommandError("ScriptInvalid", "ERR") {
  static compiling(message: string): ScriptInvalid {
    return new ScriptInvalid(`Error compiling script (new function): ${message}`)
  }
  static compilingLibrary(message: string): ScriptInvalid {
    return new ScriptInvalid(`Error compiling function: ${message}`)
  }
  static registering(message: string): ScriptInvalid {
    return new ScriptInvalid(`Error registering functions: ${message}`)
  }
}

/** No script is known by the SHA1. */
export class NoScript extends CommandError("NoScript", "NOSCRIPT") {
  static readonly error = new NoScript("No matching script. Please use EVAL.")
}

/** There is nothing to kill. */
export class NotBusy extends CommandError("NotBusy", "NOTBUSY") {
  static readonly error = new NotBusy("No scripts in execution right now.")
}

/** A script that has written cannot be stopped in the middle. */
export class Unkillable extends CommandError("Unkillable", "UNKILLABLE") {
  static readonly error = new Unkillable(
    "Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
  )
}

/** A script runs longer than `busy-reply-threshold`. */
export class Busy extends CommandError("Busy", "BUSY") {
  static readonly script = new Busy("Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
  static readonly function = new Busy(
    "Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
  )
}

/** What a script, a function or a library of them may not do, or asks for in the wrong way. */
export class ScriptRefused extends CommandError("ScriptRefused", "ERR") {
  static readonly unavailable = new ScriptRefused("This server has no scripting")
  static readonly keysNegative = new ScriptRefused("Number of keys can't be negative")
  static readonly keysTooMany = new ScriptRefused("Number of keys can't be greater than number of args")
  static readonly keysNotNumber = new ScriptRefused("Bad number of keys provided")
  static readonly writeFlag = new ScriptRefused("Can not execute a script with write flag using *_ro command.")
  static readonly functionMissing = new ScriptRefused("Function not found")
  static readonly libraryMissing = new ScriptRefused("Library not found")
  // Redis gives these without saying which command; scripts read them.
  static readonly unknownCommand = new ScriptRefused("Unknown Redis command called from script")
  static readonly wrongArity = new ScriptRefused("Wrong number of args calling Redis command from script")
  static readonly notFromScript = new ScriptRefused("This Redis command is not allowed from script")
  static readonly writeInReadOnly = new ScriptRefused("Write commands are not allowed from read-only scripts.")
}
