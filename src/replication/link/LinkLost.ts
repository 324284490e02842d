/** The link to a master has ended, or could not be made. The message is for the operator, and follows the master's address. */
import * as Data from "effect/Data"

export class LinkLost extends Data.TaggedError("LinkLost")<{
  readonly message: string
  /** The stream cannot be trusted: only all of the data makes this server a replica again. */
  readonly needsFull?: boolean
}> {}
