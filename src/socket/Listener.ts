/**
 * Accepts connections and supervises their fibers: each runs by itself, a defect in one is logged and ends only that one, and
 * all of them end with the scope, which waits for them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import { Clock } from "../clock/Clock.ts"
import * as Deadlines from "../clock/Deadlines.ts"
import { Codec } from "../codec/Codec.ts"
import { type Client, isLocal } from "../command/Client.ts"
import { Clients } from "../command/Clients.ts"
import { Stats } from "../command/Stats.ts"
import { Config } from "../config/Config.ts"
import { Dispatcher } from "../dispatch/Dispatcher.ts"
import { Persistence } from "../persistence/Persistence.ts"
import { Store } from "../store/Store.ts"
import * as ChunkScheduler from "./ChunkScheduler.ts"
import * as Connection from "./Connection.ts"
import * as Messages from "./Messages.ts"
import { Socket } from "./Socket.ts"
import type { Transport, TransportEvents } from "./Transport.ts"

/** Differs: after DENIED, redis-server explains at length; clients look at the first word. */
const protectedRefusal =
  "-DENIED this server has no password and protected-mode is on, so it serves only clients of its own machine. " +
  "Set requirepass, or set protected-mode to no if nobody else can reach it.\r\n"

/** Of a connection that is refused nothing is taken in. */
const unheard: TransportEvents = {
  data: () => {},
  room: () => undefined,
  lookAhead: () => {},
  serve: () => {},
  flush: () => {},
  end: () => {},
  closed: () => {},
  drain: () => {},
}

export class Listener extends Context.Tag("tiny-redis/Listener")<
  Listener,
  { readonly addresses: ReadonlyArray<string>; readonly port: number }
>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.gen(function* () {
      const socket = yield* Socket
      const codec = yield* Codec
      const scheduler = ChunkScheduler.make()
      const checks = Deadlines.make<() => void>({ clock: yield* Clock, sliceMax: 1000, onDue: (check) => check() })
      yield* Effect.forkScoped(checks.run)
      const services: Connection.ConnectionServices = {
        clients: yield* Clients,
        clock: yield* Clock,
        codec,
        encodePush: Messages.encodeOnce(codec.encode),
        joined: { 2: Messages.makeJoined(), 3: Messages.makeJoined() },
        config: yield* Config,
        dispatcher: yield* Dispatcher,
        persistence: yield* Persistence,
        scheduler,
        stats: yield* Stats,
        store: yield* Store,
        later: (atMs, check) => checks.add(atMs, check),
      }
      const { clients, clock, config, stats } = services
      stats.tcpPort = socket.port
      const runFork = yield* FiberSet.makeRuntime<never, void, never>()

      // CONFIG SET timeout: a client is looked at when its time could be over, and again later when it was not idle.
      const idle = Deadlines.make<Client>({
        clock,
        sliceMax: 1000,
        onDue: (client, now) => {
          const { timeout } = config.current
          if (timeout === 0 || clients.byId.get(client.id) !== client) return
          // Whose script has paused, or whose request is held back, is not idle.
          const waits = client.parked !== undefined || client.postponed || services.store.unfinished
          const exempt = waits || client.isSubscriber || client.monitor
          if (!exempt && now - client.lastActiveAtMs >= timeout * 1000) return client.outbox.close("now")
          idle.add((exempt ? now : client.lastActiveAtMs) + timeout * 1000, client)
        },
      })
      config.onChange(["timeout"], (current) => {
        const now = clock.now()
        const entries = [...clients.byId.values()].map((client) => [now + current.timeout * 1000, client] as const)
        idle.rebuild(current.timeout === 0 ? [] : entries)
      })
      yield* Effect.forkScoped(idle.run)

      const rebind = (reason: string, bind: ReadonlyArray<string>, port?: number) =>
        socket.rebind(bind, port).pipe(
          Effect.tap(() => Effect.sync(() => (stats.tcpPort = socket.port))),
          Effect.tapError((error) => Effect.logWarning(error.message)),
          Effect.mapError(() => reason),
        )
      config.onChange(["port"], ({ port, bind }) =>
        rebind("Unable to listen on this port. Check server logs.", bind, port),
      )
      config.onChange(["bind"], ({ bind, port }, before) =>
        // Where the port changed as well, both were followed above.
        port === before.port ? rebind("Failed to bind to specified addresses.", bind) : undefined,
      )

      const refusalOf = ({ remoteAddress: address, unixSocket }: Transport): string | undefined => {
        const { maxclients, protectedMode, requirepass } = config.current
        if (clients.byId.size >= maxclients) return "-ERR max number of clients reached\r\n"
        return protectedMode && requirepass === "" && !isLocal({ address, unixSocket }) ? protectedRefusal : undefined
      }
      yield* socket.accept((transport) => {
        stats.connectionsReceived++
        const refusal = refusalOf(transport)
        if (refusal !== undefined) {
          stats.connectionsRejected++
          transport.start(unheard)
          transport.write(refusal)
          return transport.end()
        }
        const connection = Connection.make(transport, services)
        if (config.current.timeout > 0) idle.add(clock.now() + config.current.timeout * 1000, connection.client)
        runFork(
          Effect.catchAllCause(connection.run, (cause) => Effect.logError("connection ended by a defect", cause)),
          { scheduler },
        )
      })
      return socket
    }),
  )
}
