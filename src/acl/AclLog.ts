/**
 * What was refused lately, newest first, for ACL LOG: the same thing within a minute is one entry that counts.
 */
import { flat } from "../bytes/Bytes.ts"
import type { Obstacle } from "../errors/AclErrors.ts"

export interface Refused {
  readonly reason: Obstacle | "auth"
  readonly context: "toplevel" | "multi" | "lua"
  /** The command, key or channel; for `auth` the command that was to authenticate. */
  readonly object: string
  readonly username: string
}

export interface LogEntry extends Refused {
  count: number
  atMs: number
  /** The client as CLIENT INFO shows it. */
  client: string
}

/** How long, and among how many of the last, the same refusal is counted instead of being listed again. */
const groupedMs = 60_000
const groupedEntries = 10

export class AclLog {
  private readonly list: Array<LogEntry> = []

  add(refused: Refused, client: string, now: number, lengthMax: number): void {
    const at = this.list
      .slice(0, groupedEntries)
      .findIndex(
        (entry) =>
          entry.reason === refused.reason &&
          entry.context === refused.context &&
          now - entry.atMs <= groupedMs &&
          entry.object === refused.object &&
          entry.username === refused.username,
      )
    if (at >= 0) {
      const [entry] = this.list.splice(at, 1)
      entry!.count++
      entry!.atMs = now
      entry!.client = client
      this.list.unshift(entry!)
      return
    }
    const { reason, context, object, username } = refused
    this.list.unshift({ reason, context, object: flat(object), username: flat(username), count: 1, atMs: now, client })
    if (this.list.length > lengthMax) this.list.length = lengthMax
  }

  entries(count: number): ReadonlyArray<LogEntry> {
    return this.list.slice(0, count)
  }

  clear(): void {
    this.list.length = 0
  }
}
