/**
 * Accepts connections and supervises their fibers: each runs by itself, a defect in one is logged and ends only that one, and
 * all of them end with the scope, which waits for them.
 */
import { Acl } from "../acl/Acl.ts"
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
import { ClientMemory } from "./ClientMemory.ts"
import * as ChunkScheduler from "./ChunkScheduler.ts"
import * as Connection from "./Connection.ts"
import * as Messages from "./Messages.ts"
import type { SocketError } from "./Addresses.ts"
import { type Ports, Socket, type SocketService } from "./Socket.ts"
import { tlsSettingNames } from "./TlsOptions.ts"
import type { Transport, TransportEvents } from "./Transport.ts"

/** Differs: after DENIED, redis-server explains at length; clients look at the first word. */
const protectedRefusal =
  "-DENIED this server has no password and protected-mode is on, so it serves only clients of its own machine. " +
  "Set requirepass, or set protected-mode to no if nobody else can reach it.\r\n"

/** Differs: redis-server waits for the end of a handshake as long as `timeout` says, by default for ever. */
const handshakeMsMax = 60_000

interface Handshake {
  /** Ends the connection; nothing when hands have been shaken, or cannot be. */
  giveUp: (() => void) | undefined
}

/** Made out here, so that what waits for its time holds no connection that has long ended. */
const givingUp = (handshake: Handshake) => () => handshake.giveUp?.()

/** Of a connection that is refused nothing is taken in. */
const unheard: TransportEvents = {
  data: () => {},
  filled: () => {},
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
  Pick<SocketService, "addresses" | "port" | "tlsPort">
>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.gen(function* () {
      const socket = yield* Socket
      const codec = yield* Codec
      const scheduler = ChunkScheduler.make()
      const checks = Deadlines.make<() => void>({ clock: yield* Clock, sliceMax: 1000, onDue: (check) => check() })
      yield* Effect.forkScoped(checks.run)
      const [clients, config, stats, store] = yield* Effect.all([Clients, Config, Stats, Store])
      const clientMemory = new ClientMemory({ clients, config, stats, store })
      config.onChange(["maxmemory", "maxmemory-clients"], () => clientMemory.follow())
      const services: Connection.ConnectionServices = {
        acl: yield* Acl,
        clientMemory,
        clients,
        clock: yield* Clock,
        codec,
        encodePush: Messages.encodeOnce(codec.encode),
        joined: { 2: Messages.makeJoined(), 3: Messages.makeJoined() },
        config,
        dispatcher: yield* Dispatcher,
        persistence: yield* Persistence,
        scheduler,
        stats,
        store,
        later: (atMs, check) => checks.add(atMs, check),
      }
      const { acl, clock } = services
      const notePort = Effect.sync(() => (stats.tcpPort = socket.port === 0 ? socket.tlsPort : socket.port))
      yield* notePort
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
          const exempt =
            waits || client.isSubscriber || client.monitor || client.replica !== undefined || client.isMaster
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

      const orRefuse = (reason: string) => (action: Effect.Effect<void, SocketError>) =>
        action.pipe(
          Effect.tapError((error) => Effect.logWarning(error.message)),
          Effect.mapError(() => reason),
        )
      const rebind = (reason: string, bind: ReadonlyArray<string>, ports?: Ports) =>
        orRefuse(reason)(Effect.zipLeft(socket.rebind(bind, ports), notePort))
      const cannotListen = "Unable to listen on this port. Check server logs."
      // Files are read again whenever one is named, also for a port that is only now opened.
      config.onChange([...tlsSettingNames, "tls-port"], (current) =>
        current.tlsPort === 0
          ? undefined
          : orRefuse("Unable to update TLS configuration. Check server logs.")(socket.secure(current)),
      )
      config.onChange(["port"], ({ port, bind }) => rebind(cannotListen, bind, { port }))
      config.onChange(["tls-port"], ({ tlsPort, bind }) => rebind(cannotListen, bind, { tlsPort }))
      config.onChange(["bind"], ({ bind, port, tlsPort }, before) =>
        // Where a port changed as well, both were followed above.
        port === before.port && tlsPort === before.tlsPort
          ? rebind("Failed to bind to specified addresses.", bind)
          : undefined,
      )

      const isFull = () => clients.byId.size >= config.current.maxclients
      const isProtected = ({ remoteAddress: address, unixSocket }: Transport) => {
        return config.current.protectedMode && acl.isOpen() && !isLocal({ address, unixSocket })
      }
      const refuse = (transport: Transport, refusal: string) => {
        stats.connectionsRejected++
        transport.start(unheard)
        transport.write(refusal)
        transport.end()
      }
      const serve = (transport: Transport): Connection.Connection => {
        const connection = Connection.make(transport, services)
        if (config.current.timeout > 0) idle.add(clock.now() + config.current.timeout * 1000, connection.client)
        runFork(
          Effect.catchAllCause(connection.run, (cause) => Effect.logError("connection ended by a defect", cause)),
          { scheduler },
        )
        return connection
      }

      /** While hands are shaken a client counts as one. */
      const serveSecured = (transport: Transport) => {
        const handshake: Handshake = { giveUp: undefined }
        const settle = (failure: string | undefined) => {
          if (handshake.giveUp === undefined) return
          handshake.giveUp = undefined
          if (failure === undefined) {
            if (!isProtected(transport)) return
            stats.connectionsRejected++
            transport.write(protectedRefusal)
            return client.outbox.close("afterReplies")
          }
          const { remoteAddress, localAddress } = transport
          runFork(Effect.logWarning(`A TLS handshake failed: ${failure} (addr=${remoteAddress} laddr=${localAddress})`))
        }
        handshake.giveUp = () => {
          settle("it took too long")
          transport.destroy()
        }
        transport.onSecured!(settle)
        const { client } = serve(transport)
        checks.add(clock.now() + handshakeMsMax, givingUp(handshake))
      }

      const accept = socket.accept((transport) => {
        stats.connectionsReceived++
        if (transport.onSecured !== undefined) {
          if (!isFull()) return serveSecured(transport)
          // It cannot be told.
          stats.connectionsRejected++
          transport.start(unheard)
          return transport.destroy()
        }
        if (isFull()) return refuse(transport, "-ERR max number of clients reached\r\n")
        if (isProtected(transport)) return refuse(transport, protectedRefusal)
        serve(transport)
      })
      yield* Effect.forkScoped(Effect.zipRight(services.persistence.answerable, accept))
      return socket
    }),
  )
}
