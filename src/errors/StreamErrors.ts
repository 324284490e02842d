/** The errors of the stream commands beyond the common ones, worded as redis-server 7.0.15 words them. */
import { upToNul } from "../bytes/Bytes.ts"
import { CommandError } from "./CommandError.ts"

/** A stream id is misspelled, not allowed where it stands, or has no neighbour to exclude it by. */
export class InvalidStreamId extends CommandError("InvalidStreamId", "ERR") {
  static readonly error = new InvalidStreamId("Invalid stream ID specified as stream command argument")
  static readonly start = new InvalidStreamId("invalid start ID for the interval")
  static readonly end = new InvalidStreamId("invalid end ID for the interval")
  static readonly newOnly = new InvalidStreamId(
    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
  )
  static readonly lastOnly = new InvalidStreamId(
    "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
  )
}

/** An entry cannot be added under the id it was given. */
export class CannotAppend extends CommandError("CannotAppend", "ERR") {
  static readonly zero = new CannotAppend("The ID specified in XADD must be greater than 0-0")
  static readonly notGreater = new CannotAppend(
    "The ID specified in XADD is equal or smaller than the target stream top item",
  )
  static readonly exhausted = new CannotAppend(
    "The stream has exhausted the last possible ID, unable to add more items",
  )
  static readonly tooLarge = new CannotAppend("Elements are too large to be stored")
}

/** The trimming options of XADD and XTRIM contradict each other. */
export class InvalidTrim extends CommandError("InvalidTrim", "ERR") {
  static readonly maxLength = new InvalidTrim("The MAXLEN argument must be >= 0.")
  static readonly limit = new InvalidTrim("The LIMIT argument must be >= 0.")
  static readonly twoStrategies = new InvalidTrim(
    "syntax error, MAXLEN and MINID options at the same time are not compatible",
  )
  static readonly noStrategy = new InvalidTrim("syntax error, XTRIM must be called with a trimming strategy")
  static readonly limitAlone = new InvalidTrim(
    "syntax error, LIMIT cannot be used without specifying a trimming strategy",
  )
  static readonly limitExact = new InvalidTrim("syntax error, LIMIT cannot be used without the special ~ option")
}

/** XSETID would contradict what the stream holds. */
export class CannotSetId extends CommandError("CannotSetId", "ERR") {
  static readonly entriesAddedNegative = new CannotSetId("entries_added must be positive")
  static readonly belowDeleted = new CannotSetId(
    "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
  )
  static readonly belowTop = new CannotSetId("The ID specified in XSETID is smaller than the target stream top item")
  static readonly belowLength = new CannotSetId(
    "The entries_added specified in XSETID is smaller than the target stream length",
  )
}

/** A consumer group, or the stream it would belong to, is not there. */
export class NoGroup extends CommandError("NoGroup", "NOGROUP") {
  /** The group a client was blocked on. */
  static readonly gone = new NoGroup("the consumer group this client was blocked on no longer exists")
  static of(key: string, group: string): NoGroup {
    return new NoGroup(`No such key '${upToNul(key)}' or consumer group '${upToNul(group)}'`)
  }
  static reading(key: string, group: string): NoGroup {
    return new NoGroup(
      `No such key '${upToNul(key)}' or consumer group '${upToNul(group)}' in XREADGROUP with GROUP option`,
    )
  }
  static named(key: string, group: string): NoGroup {
    return new NoGroup(`No such consumer group '${upToNul(group)}' for key name '${upToNul(key)}'`)
  }
}

/** The stream that a client was blocked on with XREADGROUP was removed or replaced. */
export class StreamGone extends CommandError("StreamGone", "UNBLOCKED") {
  static readonly error = new StreamGone("the stream key no longer exists")
}

/** XGROUP CREATE of a group that is there. */
export class BusyGroup extends CommandError("BusyGroup", "BUSYGROUP") {
  static readonly error = new BusyGroup("Consumer Group name already exists")
}

/** An argument of a command about consumer groups is refused. */
export class InvalidGroupArgument extends CommandError("InvalidGroupArgument", "ERR") {
  static readonly keyRequired = new InvalidGroupArgument(
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
  )
  static readonly entriesRead = new InvalidGroupArgument("value for ENTRIESREAD must be positive or -1")
  static readonly groupMissing = new InvalidGroupArgument("Missing GROUP option for XREADGROUP")
  static readonly groupInXread = new InvalidGroupArgument(
    "The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
  )
  static readonly noackInXread = new InvalidGroupArgument(
    "The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
  )
  static readonly unbalanced = new InvalidGroupArgument(
    "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
  )
  static readonly timeout = new InvalidGroupArgument("timeout is not an integer or out of range")
  static readonly timeoutNegative = new InvalidGroupArgument("timeout is negative")
  static readonly countTooHigh = new InvalidGroupArgument(
    "Insufficient memory, failed allocating transient memory, COUNT too high.",
  )
  static readonly count = new InvalidGroupArgument("COUNT must be > 0")
  static readonly idle = new InvalidGroupArgument("Invalid IDLE option argument for XCLAIM")
  static readonly time = new InvalidGroupArgument("Invalid TIME option argument for XCLAIM")
  static readonly retryCount = new InvalidGroupArgument("Invalid RETRYCOUNT option argument for XCLAIM")
  static minIdle(command: "XCLAIM" | "XAUTOCLAIM"): InvalidGroupArgument {
    return new InvalidGroupArgument(`Invalid min-idle-time argument for ${command}`)
  }
  static option(word: string): InvalidGroupArgument {
    return new InvalidGroupArgument(`Unrecognized XCLAIM option '${upToNul(word)}'`)
  }
}
