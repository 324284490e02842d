#!/usr/bin/env node
/**
 * The command `tiny-redis`: settings from the command line, a server from the settings, until a signal or SHUTDOWN. What
 * `dist/bin/main.js` runs is this file and all it imports in one: Node takes as long to load 440 modules as a whole start may.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Start from "./cli/Start.ts"
import { Shutdown } from "./command/Shutdown.ts"
import { Config } from "./config/Config.ts"
import * as Logging from "./config/Logging.ts"
import * as Sources from "./config/Sources.ts"
import { Persistence } from "./persistence/Persistence.ts"
import * as Process from "./Process.ts"
import * as Server from "./Server.ts"
import * as Signals from "./Signals.ts"
import { Listener } from "./socket/Listener.ts"
import * as SpareHeap from "./store/SpareHeap.ts"

/**
 * What the log says when the server serves: what of the settings was passed over, and where it listens. Being the last layer, it is
 * the first to know that the server is to stop, and why.
 */
const greeting = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { warnings } = yield* Config
    const { addresses } = yield* Listener
    const persistence = yield* Persistence
    const stop = yield* Shutdown
    yield* Effect.addFinalizer((exit) =>
      Effect.logInfo(`Stopping, as ${Exit.isInterrupted(exit) ? "a signal" : stop.askedBy} said`),
    )
    yield* Effect.forEach(warnings, (warning) => Effect.logWarning(warning))
    // Unless SHUTDOWN came before the data was there.
    yield* persistence.loading()
      ? Effect.void
      : Effect.logInfo(`Ready to accept connections on ${addresses.join(", ")}`)
  }),
)

/** The last line of the log: below all of the server, it ends when everything is saved and closed. What stops a start says so itself. */
const farewell = Layer.scopedDiscard(
  Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit) || Exit.isInterrupted(exit) ? Effect.logInfo("Stopped") : Effect.void,
  ),
)

const serve = (sources: Sources.Sources) =>
  Layer.mergeAll(greeting, SpareHeap.layer, Process.layer).pipe(
    Layer.provideMerge(Signals.layer),
    Layer.provideMerge(Server.layerFromConfig),
    Layer.provide(farewell),
    Layer.provide(Logging.layer),
    Layer.provide(Sources.layer(sources)),
    Server.launch,
  )

Start.run(process.argv.slice(2), serve).pipe(
  NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true }),
)
