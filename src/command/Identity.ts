/**
 * Whom a connection acts for, as far as commands and gates need to know it. How a user comes to its rights is in acl/.
 *
 * The idea to hold: nearly every connection belongs to a user that may do everything, and that is one property, read before
 * anything else is asked.
 */
import type { Obstacle } from "../errors/AclErrors.ts"
import type { Command } from "./Command.ts"

/** Why a user may not run a request. */
export interface Denial {
  readonly obstacle: Obstacle
  /** The command's full name, the key, or the channel. */
  readonly object: string
}

export interface Identity {
  readonly name: string
  /** It may run every command on every key and every channel. */
  readonly isUnrestricted: boolean
  /** `sanitize-dump-payload clients` does not mean its payloads. */
  readonly skipsSanitizing: boolean
  /** What stands in the way of a request, if anything does. */
  readonly denial: (command: Command, argv: ReadonlyArray<string>) => Denial | undefined
  /** Whether it may run the request and read any key at all beside those the request names. */
  readonly readsAnyKey: (command: Command, argv: ReadonlyArray<string>) => boolean
}

/** Nothing is refused to it. */
export const unrestricted: Identity = {
  name: "default",
  isUnrestricted: true,
  skipsSanitizing: false,
  denial: () => undefined,
  readsAnyKey: () => true,
}
