/**
 * Loads the data at the start: persistence reads the files, and what a log says is run here, as a client that nobody sees.
 *
 * The idea to hold: this layer is built when everything else is there, so a server whose layers are built has its data, or has failed to
 * start, or was asked to stop meanwhile. Clients that come before wait for their answers, and get LOADING where that would be long.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Clock } from "../clock/Clock.ts"
import type * as Reply from "../codec/Reply.ts"
import { Client } from "../command/Client.ts"
import { Shutdown } from "../command/Shutdown.ts"
import { Stats } from "../command/Stats.ts"
import { Persistence, type Replay as PersistenceReplay } from "../persistence/Persistence.ts"
import { Following } from "../replication/Following.ts"
import * as SnapshotFacts from "../replication/SnapshotFacts.ts"
import { Replication } from "../replication/Replication.ts"
import { Store } from "../store/Store.ts"
import { Dispatcher } from "./Dispatcher.ts"
import { makeApplier, noOutbox } from "./Master.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const clock = yield* Clock
    const dispatcher = yield* Dispatcher
    const following = yield* Following
    const persistence = yield* Persistence
    const replication = yield* Replication
    const { requested } = yield* Shutdown
    const stats = yield* Stats
    const store = yield* Store
    const client = new Client({
      id: 0,
      address: "",
      localAddress: "",
      db: store.databases[0]!,
      outbox: noOutbox,
      now: clock.now(),
      authenticated: true,
    })
    const run = (argv: ReadonlyArray<string>) => dispatcher.replay(client, argv)
    const reasonOf = (reply: Reply.Reply): string | undefined =>
      reply._tag === "Failure" ? `${reply.code} ${reply.message}` : undefined

    const functionLibraries = () => librariesOf(run(["FUNCTION", "LIST", "WITHCODE"]))
    replication.start({ functionLibraries })
    const replay: PersistenceReplay = {
      // Redis loads a log although some of its commands fail, and says so; it only stops at unknown ones.
      command: (argv) => {
        const reason = reasonOf(run(argv))
        if (reason === undefined) return undefined
        const isFatal = reason.startsWith("ERR unknown command")
        if (!isFatal) stats.unexpectedErrorReplies++
        return { reason, isFatal }
      },
      functionLibrary: (source, replace) =>
        reasonOf(run(["FUNCTION", "LOAD", ...(replace ? ["REPLACE"] : []), source])),
    }
    const applier = yield* makeApplier(replay, functionLibraries)
    let streamDb: number | undefined
    const stream = SnapshotFacts.make({
      history: replication.history,
      isMaster: () => !store.isReplica,
      restored: (found) => {
        streamDb = found
        if (!store.isReplica) replication.replicas.expected()
      },
    })
    const loaded = Effect.map(persistence.start({ replay, functionLibraries, stream }), () =>
      following.start(applier, streamDb),
    )
    yield* Effect.raceFirst(loaded, requested)
  }),
)

/** The sources in a reply of FUNCTION LIST WITHCODE: a map of names to values for each library. */
const librariesOf = (reply: Reply.Reply): ReadonlyArray<string> => {
  if (reply._tag !== "Array") return []
  return reply.values.flatMap((library) => {
    if (library._tag !== "Map") return []
    const name = library.entries.findIndex((entry) => entry._tag === "Bulk" && entry.value === "library_code")
    const code = library.entries[name + 1]
    return name >= 0 && code?._tag === "Bulk" ? [code.value] : []
  })
}
