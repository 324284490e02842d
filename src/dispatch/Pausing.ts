/**
 * CLIENT PAUSE as the dispatcher sees it: which requests are held back, and until when.
 *
 * The idea to hold: a request that is held back is not queued here. It waits as a command that blocks does, and is dispatched anew when the
 * pause is over, so that it passes the gates as they are by then.
 */
import * as Effect from "effect/Effect"
import * as Reply from "../codec/Reply.ts"
import type { Client } from "../command/Client.ts"
import type { ClientsService } from "../command/Clients.ts"
import { Flag } from "../command/Command.ts"
import { Entry } from "../command/Registry.ts"
import type { CommandError } from "../errors/CommandError.ts"
import type { Suspended } from "./Dispatcher.ts"

export interface Pausing {
  /** The wait of a request that comes at `now` (Unix ms); absent if it may run. */
  readonly wait: (client: Client, entry: Entry, argv: ReadonlyArray<string>, now: number) => Suspended | undefined
}

export const make = (
  clients: ClientsService,
  resolve: (argv: ReadonlyArray<string>) => Entry | CommandError,
): Pausing => {
  /** Transactions are held back whole, if one of their commands may write. */
  const mayWrite = ({ transaction }: Client, entry: Entry, argv: ReadonlyArray<string>): boolean => {
    if (transaction === undefined || entry.name !== "exec") return mayWriteAlone(entry, argv)
    return transaction.queue.some((each) => {
      const queued = resolve(each)
      return queued instanceof Entry && mayWriteAlone(queued, each)
    })
  }

  const held = (client: Client) =>
    Effect.suspend(() => {
      client.postponed = true
      return Effect.ensuring(
        clients.unpaused,
        Effect.sync(() => (client.postponed = false)),
      )
    })

  return {
    wait: (client, entry, argv, now) => {
      const pause = clients.pause(now)
      // A replica goes on telling how far it is.
      if (pause === undefined || client.replica !== undefined) return undefined
      if (pause.mode !== "all" && !mayWrite(client, entry, argv)) return undefined
      return { _tag: "Suspended", waits: true, again: true, effect: Effect.as(held(client), Reply.none) }
    },
  }
}

const mayWriteAlone = ({ command, mask }: Entry, argv: ReadonlyArray<string>): boolean =>
  command.mayWrite?.(argv) ?? (mask & (Flag.write | Flag.may_replicate)) !== 0
