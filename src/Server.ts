/**
 * The composition: which layer stands on which, and in which order a server starts and stops.
 *
 * Start: settings are read and checked, then the ports are bound, then data is loaded, then connections are served. Stop, in
 * the reverse order of the layers: accepting ends, connections answer what they have begun and close, the log is synced.
 * Nothing is decided here that a service could decide; swapping a layer means writing this file's few lines again.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Chance } from "./clock/Chance.ts"
import { Clock } from "./clock/Clock.ts"
import { Codec } from "./codec/Codec.ts"
import { Clients } from "./command/Clients.ts"
import { Memory } from "./store/Memory.ts"
import { Observers } from "./command/Observers.ts"
import { Registry } from "./command/Registry.ts"
import { Shutdown } from "./command/Shutdown.ts"
import { Stats } from "./command/Stats.ts"
import { Watches } from "./command/Watches.ts"
import { families } from "./commands/index.ts"
import { Config, type Values } from "./config/Config.ts"
import { Dispatcher } from "./dispatch/Dispatcher.ts"
import * as Replay from "./dispatch/Replay.ts"
import * as Files from "./persistence/Files.ts"
import { Persistence } from "./persistence/Persistence.ts"
import * as Notifications from "./pubsub/Notifications.ts"
import { PubSub } from "./pubsub/PubSub.ts"
import * as LuaEngine from "./scripting/LuaEngine.ts"
import { Tracking } from "./pubsub/Tracking.ts"
import { Listener } from "./socket/Listener.ts"
import { layerMemory as layerSocketMemory } from "./socket/MemorySocket.ts"
import { Socket } from "./socket/Socket.ts"
import * as Expiry from "./store/Expiry.ts"
import { Store } from "./store/Store.ts"

/** The databases, as many as configured. */
const store = Layer.unwrapEffect(Effect.map(Config, ({ current }) => Store.layerMemory({ databases: current.databases })))

/** What holds no data and needs nothing but time: counters, clients, watches, observers. */
const bookkeeping = Layer.mergeAll(Stats.layer, Clients.layer, Observers.layer, Shutdown.layer)

/** TCP and Unix sockets as configured. */
const socket = Layer.unwrapEffect(
  Effect.map(Config, ({ current }) =>
    Socket.layerNet({
      port: current.port,
      bind: current.bind,
      unixSocket: current.unixsocket,
      unixSocketPermission: current.unixsocketperm,
      backlog: current.tcpBacklog,
      keepAliveSeconds: () => current.tcpKeepalive,
    }),
  ),
)

/** Everything between the sockets and the disk. Needs `Config`, `Socket` and what `persistence` needs. */
const coreWith = <E, R>(persistence: Layer.Layer<Persistence, E, R>) => Replay.layer.pipe(
  Layer.provideMerge(Listener.layer),
  Layer.provideMerge(Layer.mergeAll(Expiry.layer, Notifications.layer)),
  Layer.provideMerge(Dispatcher.layer),
  Layer.provideMerge(Registry.layer(families)),
  Layer.provideMerge(Layer.mergeAll(Watches.layer, PubSub.layer, Tracking.layer, LuaEngine.layer)),
  Layer.provideMerge(Layer.mergeAll(Memory.layer, Codec.layerResp)),
  Layer.provideMerge(persistence),
  Layer.provideMerge(store),
  Layer.provideMerge(bookkeeping),
  Layer.provideMerge(Layer.mergeAll(Clock.layer, Chance.layer)),
)

/** A server on real sockets. Needs `Config`; fails when an address cannot be bound or data cannot be loaded. */
export const layerFromConfig = coreWith(Files.layer()).pipe(Layer.provideMerge(socket), Layer.provide(NodeFileSystem.layer))

/** A server with these settings; the others have their defaults. */
export const layer = (options: Partial<Values> = {}) => layerFromConfig.pipe(Layer.provideMerge(Config.layer(options)))

/** A server whose settings come from the variables `TINY_REDIS_*`. */
export const layerConfig = layerFromConfig.pipe(Layer.provideMerge(Config.layerConfig))

/** A server in memory: no network, no disk. Connect through `MemoryConnector`; under `TestClock` no time passes by itself. */
export const layerTest = <E = never, R = never>(
  options: Partial<Values> = {},
  persistence: Layer.Layer<Persistence, E, R> = Persistence.layerNoop,
) =>
  coreWith(persistence).pipe(
    Layer.provideMerge(layerSocketMemory),
    Layer.provideMerge(Config.layer(options)),
  )

/** Runs a server until SHUTDOWN asks it to stop or it is interrupted, then takes it down in order. */
export const launch = <E, R>(server: Layer.Layer<Shutdown, E, R>): Effect.Effect<void, E, R> =>
  Effect.scoped(
    Effect.flatMap(Layer.build(server), (context) => Effect.flatMap(Shutdown, ({ requested }) => requested).pipe(Effect.provide(context))),
  )
