/**
 * This server's master as the dispatcher sees it: a client that may do everything and gets no answers, shown among the others while the
 * link is up. What it says comes from the link (replication/link/), a unit at a time.
 */
import * as Effect from "effect/Effect"
import { Clock } from "../clock/Clock.ts"
import { Client, type ClientOptions } from "../command/Client.ts"
import { Clients } from "../command/Clients.ts"
import type { Replay } from "../persistence/Persistence.ts"
import type { Applier } from "../replication/link/Applier.ts"
import { Store } from "../store/Store.ts"
import { Dispatcher } from "./Dispatcher.ts"

/** For who is sent nothing. */
export const noOutbox: ClientOptions["outbox"] = {
  push: () => {},
  queuedBytes: () => 0,
  check: () => {},
  onDrained: () => {},
  close: () => {},
}

export const makeApplier = (
  replay: Replay,
  functionLibraries: Applier["functionLibraries"],
): Effect.Effect<Applier, never, Clock | Clients | Dispatcher | Store> =>
  Effect.gen(function* () {
    const clients = yield* Clients
    const clock = yield* Clock
    const dispatcher = yield* Dispatcher
    const store = yield* Store
    const make = (options: Pick<ClientOptions, "id" | "address" | "localAddress" | "db" | "outbox" | "fd">) => {
      const made = new Client({ ...options, now: clock.now(), authenticated: true })
      made.isMaster = true
      return made
    }
    let client = make({ id: 0, address: "", localAddress: "", db: store.databases[0]!, outbox: noOutbox, fd: -1 })
    return {
      replay,
      functionLibraries,
      tick: dispatcher.tick,
      tock: dispatcher.tock,
      apply: (commands) => dispatcher.apply(client, commands),
      database: () => client.db.index,
      select: (index) => {
        const db = store.database(index)
        if (db !== undefined) client.db = db
        return db !== undefined
      },
      connected: ({ fd, localAddress, remoteAddress: address }, end) => {
        const outbox = { ...noOutbox, close: end }
        client = make({ id: clients.nextId(), address, localAddress, fd, outbox, db: client.db })
        clients.add(client)
      },
      disconnected: () => clients.remove(client),
      demoted: dispatcher.dropBlocked,
    } satisfies Applier
  })
