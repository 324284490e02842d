/**
 * The composition: which layer stands on which, and in which order a server starts and stops.
 *
 * Start: settings are read and checked, then the ports are bound, then data is loaded, then connections are served. Stop, in
 * the reverse order of the layers: accepting ends, connections answer what they have begun and close, the log is synced.
 * Nothing is decided here that a service could decide; swapping a layer means writing this file's few lines again.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Acl } from "./acl/Acl.ts"
import * as AclStartup from "./acl/Startup.ts"
import { Chance } from "./clock/Chance.ts"
import { Clock } from "./clock/Clock.ts"
import { Codec } from "./codec/Codec.ts"
import { Clients } from "./command/Clients.ts"
import type { Command } from "./command/Command.ts"
import { Observers } from "./command/Observers.ts"
import { Registry } from "./command/Registry.ts"
import { Shutdown } from "./command/Shutdown.ts"
import { Stats } from "./command/Stats.ts"
import { Watches } from "./command/Watches.ts"
import { Targets } from "./commands/migrate/Targets.ts"
import { families } from "./commands/index.ts"
import { Config, type Values } from "./config/Config.ts"
import { Dispatcher } from "./dispatch/Dispatcher.ts"
import * as Renaming from "./dispatch/Renaming.ts"
import * as Replay from "./dispatch/Replay.ts"
import * as Files from "./persistence/Files.ts"
import * as FileSystem from "./persistence/disk/FileSystem.ts"
import { Persistence } from "./persistence/Persistence.ts"
import { Failover } from "./replication/Failover.ts"
import { Following } from "./replication/Following.ts"
import { Connector } from "./replication/link/Connector.ts"
import * as Farewell from "./replication/Farewell.ts"
import { Replication } from "./replication/Replication.ts"
import * as Notifications from "./pubsub/Notifications.ts"
import { PubSub } from "./pubsub/PubSub.ts"
import type { ScriptEngine } from "./scripting/ScriptEngine.ts"
import { Tracking } from "./pubsub/Tracking.ts"
import * as Connecting from "./socket/Connecting.ts"
import { Listener } from "./socket/Listener.ts"
import { layerMemory as layerSocketMemory } from "./socket/MemorySocket.ts"
import { Socket } from "./socket/Socket.ts"
import { makeBytes } from "./store/bytes/ByteKeyspace.ts"
import * as Expiry from "./store/Expiry.ts"
import { makeMap } from "./store/Keyspace.ts"
import { Memory } from "./store/Memory.ts"
import { Store } from "./store/Store.ts"
import * as Tidying from "./store/Tidying.ts"

/** The databases, as many and of the kind as configured. */
const store = Layer.unwrapEffect(
  Effect.map(Config, ({ current }) =>
    Store.layerMemory({ databases: current.databases, keyspace: current.keyspace === "map" ? makeMap : makeBytes }),
  ),
)

/** What holds no data and needs nothing but time: counters, clients, watches, observers. */
const bookkeeping = Layer.mergeAll(Stats.layer, Clients.layer, Observers.layer, Shutdown.layer)

/** TCP, in plain and under TLS, and Unix sockets as configured. */
const socket = Layer.unwrapEffect(
  Effect.map(Config, ({ current }) =>
    Socket.layerNet({
      // Beside a port for TLS, 0 means that there is to be nothing else.
      port: current.port === 0 && current.tlsPort > 0 ? undefined : current.port,
      tls: current.tlsPort === 0 ? undefined : { port: current.tlsPort, settings: current },
      bind: current.bind,
      unixSocket: current.unixsocket,
      unixSocketPermission: current.unixsocketperm,
      backlog: current.tcpBacklog,
      keepAliveSeconds: () => current.tcpKeepalive,
    }),
  ),
)

/**
 * Layers in place of the usual ones, and commands beside them. What persistence needs and the server does not have (`R`) stays to
 * be provided.
 */
export interface Parts<E = never, R = never> {
  readonly socket?: Layer.Layer<Socket, E, Config>
  readonly codec?: Layer.Layer<Codec, E, Config>
  readonly store?: Layer.Layer<Store, E, Config | Clock>
  readonly clock?: Layer.Layer<Clock, E>
  readonly persistence?: Layer.Layer<Persistence, E, R | Config | Clock | Chance | Store>
  /** `Replication.layerNoop` leaves replicas out. */
  readonly replication?: Layer.Layer<Replication, E, R | Config | Clock | Chance | Clients | Store>
  /** How a replica comes to its master. */
  readonly connector?: Layer.Layer<Connector, E, R | Config>
  /** `Acl.layerAllowAll` leaves users and passwords out. */
  readonly acl?: Layer.Layer<Acl, E, R | Config | Clock | Clients>
  /** `ScriptEngine.layerNoop` leaves scripting out. */
  readonly scripts?: Layer.Layer<ScriptEngine, E, R | Config | Clock>
  readonly commands?: ReadonlyArray<Command>
}

/** Loaded when a server is built that has it, so that a program without scripts neither loads nor carries it. */
const lua = Layer.unwrapEffect(
  Effect.map(
    Effect.promise(() => import("./scripting/LuaEngine.ts")),
    (engine) => engine.layer,
  ),
)

/** A server as it usually is. */
const usual: Parts = {}

/** The layer given, or else the usual one. */
const or = <A, E, R, E2, R2>(
  given: Layer.Layer<A, E, R> | undefined,
  otherwise: Layer.Layer<A, E2, R2>,
): Layer.Layer<A, E | E2, R | R2> => given ?? otherwise

/** Everything between the sockets and the disk. Needs `Config`, `Socket` and what the parts need. */
const core = <E, R, E2, R2>(parts: Parts<E, R>, persistence: Layer.Layer<Persistence, E2, R2>) =>
  Replay.layer.pipe(
    Layer.provideMerge(Listener.layer),
    Layer.provideMerge(
      Layer.mergeAll(Expiry.layer, Notifications.layer, Tidying.layer, AclStartup.layer, Renaming.layer),
    ),
    Layer.provideMerge(Dispatcher.layer),
    Layer.provideMerge(Registry.layer([...families, parts.commands ?? []])),
    Layer.provideMerge(Layer.mergeAll(Watches.layer, PubSub.layer, Tracking.layer, or(parts.scripts, lua))),
    Layer.provideMerge(Layer.mergeAll(Memory.layer, or(parts.codec, Codec.layerResp), or(parts.acl, Acl.layer))),
    Layer.provideMerge(Layer.mergeAll(Failover.layer, Targets.layer)),
    Layer.provideMerge(Following.layer),
    Layer.provideMerge(Layer.mergeAll(or(parts.replication, Replication.layer), or(parts.connector, Connecting.layer))),
    Layer.provideMerge(persistence),
    Layer.provideMerge(or(parts.store, store)),
    Layer.provideMerge(bookkeeping),
    Layer.provideMerge(Layer.mergeAll(or(parts.clock, Clock.layer), Chance.layer)),
  )

/** A server on real sockets. Needs `Config`; fails when an address cannot be bound or data cannot be loaded. */
export const layerFromConfig = Farewell.layer.pipe(
  Layer.provideMerge(core(usual, Files.layer())),
  Layer.provideMerge(socket),
  Layer.provide(FileSystem.layerNode),
)

/** A server with these settings, the others having their defaults. */
export const layer = <E = never, R = never>(options: Partial<Values> = {}, parts: Parts<E, R> = {}) =>
  core(parts, or(parts.persistence, Files.layer())).pipe(
    Layer.provideMerge(or(parts.socket, socket)),
    Layer.provide(FileSystem.layerNode),
    Layer.provideMerge(Config.layer(options)),
  )

/** A server whose settings come from the variables `TINY_REDIS_*`. */
export const layerConfig = layerFromConfig.pipe(Layer.provideMerge(Config.layerConfig))

/** A server in memory: no network, no disk. Connect through `MemoryConnector`; under `TestClock` no time passes by itself. */
export const layerTest = <E = never, R = never>(
  options: Partial<Values> = {},
  parts: Omit<Parts<E, R>, "socket"> = {},
) =>
  core(
    { ...parts, connector: or(parts.connector, Connector.layerNoop) },
    or(parts.persistence, Persistence.layerNoop),
  ).pipe(Layer.provideMerge(layerSocketMemory), Layer.provideMerge(Config.layer(options)))

/** Runs a server until SHUTDOWN asks it to stop or it is interrupted, then takes it down in order. */
export const launch = <E, R>(server: Layer.Layer<Shutdown, E, R>): Effect.Effect<void, E, R> =>
  Effect.scoped(
    Effect.flatMap(Layer.build(server), (context) =>
      Effect.flatMap(Shutdown, ({ requested }) => requested).pipe(Effect.provide(context)),
    ),
  )
