/**
 * Who watches commands go by: MONITOR before and after they run, SLOWLOG and LATENCY when it is known how long. Arrays of functions, so that
 * nobody watching costs a length check.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { Client } from "./Client.ts"
import type { Entry } from "./Registry.ts"

export interface ObserversService {
  /** A command is about to run. Called for the commands inside of EXEC and scripts too. */
  readonly before: Array<(client: Client, entry: Entry, argv: ReadonlyArray<string>) => void>
  /** The client whose command is running. */
  running: Client | undefined
  /** The keys that the script which calls it declared; absent: no script does. */
  scriptKeys: ReadonlyArray<string> | undefined
  /** A unit has ended: a command that was not called by another one, with all that it called. */
  readonly afterUnit: Array<() => void>
  /** A command has run, or begins to wait. */
  readonly after: Array<(client: Client, entry: Entry, argv: ReadonlyArray<string>) => void>
  /**
   * It is known how long a command took. One that waited for keys (`served`) is measured without the wait when that has ended, except by
   * its time; what takes its time otherwise (SAVE, DEBUG SLEEP), with it. Not called for what took less than both slowlog-log-slower-than and
   * latency-monitor-threshold name.
   */
  readonly measured: Array<
    (client: Client, entry: Entry, argv: ReadonlyArray<string>, micros: number, how: "ran" | "served") => void
  >
}

export class Observers extends Context.Tag("tiny-redis/Observers")<Observers, ObserversService>() {
  static readonly layer = Layer.sync(this, (): ObserversService => ({
    running: undefined,
    scriptKeys: undefined,
    before: [],
    after: [],
    measured: [],
    afterUnit: [],
  }))
}
