/**
 * The ports of a server: opened at the start, moved by CONFIG SET, closed with the scope.
 *
 * The idea to hold: an endpoint is what one kind of connection comes in by, plain or under TLS; both listen on the same addresses, each on
 * a port of its own.
 */
import * as net from "node:net"
import * as fs from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { cannotListen, formatAddress, hostOf, parseAddress, SocketError } from "./Addresses.ts"
import * as NetTransport from "./NetTransport.ts"
import type { SocketService } from "./Socket.ts"
import type { TlsSettings } from "./TlsOptions.ts"
import * as TlsTransport from "./TlsTransport.ts"
import type { Transport } from "./Transport.ts"
import * as Turn from "./Turn.ts"

export interface ListenOptions {
  /** 0 picks a free one; absent: no TCP. */
  readonly port?: number | undefined
  /** Absent: no TLS. */
  readonly tls?: { readonly port: number; readonly settings: TlsSettings } | undefined
  /** Addresses to bind, none for no TCP. A leading `-` means: not an error when it is not available. */
  readonly bind: ReadonlyArray<string>
  readonly unixSocket?: string | undefined
  /** File mode of the Unix socket. */
  readonly unixSocketPermission?: number | undefined
  readonly backlog: number
  /** Seconds between keep-alive probes of a new connection; 0: none. */
  readonly keepAliveSeconds: () => number
}

/** Servers by address. */
type Servers = Map<string, net.Server>

/** What one kind of connection comes in by. */
interface Endpoint {
  readonly servers: Servers
  port: number
  readonly makeServer: () => net.Server
}

export const listenAll = (options: ListenOptions): Effect.Effect<SocketService, SocketError, Scope> =>
  Effect.gen(function* () {
    /** Connections that came before anybody took them, while the server is put together. */
    const early: Array<Transport> = []
    const keep = (transport: Transport): void => void early.push(transport)
    let onConnection = keep
    // Everything that can be read is read before this runs.
    const turn = Turn.make(setImmediate)
    const makeServer = (transportOf: (socket: net.Socket) => Transport) => () =>
      // A peer that has sent all its requests and half-closed still gets its answers.
      net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
        const seconds = options.keepAliveSeconds()
        if (seconds > 0) socket.setKeepAlive(true, seconds * 1000)
        onConnection(transportOf(socket))
      })
    const makePlain = makeServer((socket) => NetTransport.make(socket, options.unixSocket ?? "", turn))
    const secured = TlsTransport.make(turn)
    const plain: Endpoint = { servers: new Map(), port: options.port ?? 0, makeServer: makePlain }
    const tls: Endpoint = { servers: new Map(), port: options.tls?.port ?? 0, makeServer: makeServer(secured.accept) }
    const unix: Servers = new Map()
    // Connections are closed by their own fibers; here the addresses are given back, and whom no fiber has taken is let go.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closeAll(plain.servers)
        closeAll(tls.servers)
        closeAll(unix)
        for (const transport of early) transport.destroy()
      }),
    )

    const open = openOn(options.backlog)
    /** Moves an endpoint; after a failure it is where it was. */
    const move = (endpoint: Endpoint, bind: ReadonlyArray<string>, port: number): Effect.Effect<void, SocketError> =>
      Effect.suspend(() => {
        const { servers } = endpoint
        const wanted = new Set(port === 0 ? [] : bind.map((address) => formatAddress(parseAddress(address).host, port)))
        const before = [...servers.keys()]
        // Closed first, since an address may be part of a new one (127.0.0.1 of *).
        closeAll(servers, (address) => !wanted.has(address))
        return Effect.matchEffect(port === 0 ? Effect.succeed(0) : open(endpoint, bind, port), {
          onSuccess: (used) => Effect.sync(() => void (endpoint.port = used)),
          onFailure: (error) => {
            closeAll(servers, (address) => !before.includes(address))
            return Effect.zipRight(Effect.ignore(open(endpoint, before.map(hostOf), endpoint.port)), Effect.fail(error))
          },
        })
      })

    if (options.port !== undefined) plain.port = yield* open(plain, options.bind, options.port)
    if (options.tls !== undefined) {
      yield* secured.use(options.tls.settings)
      tls.port = yield* open(tls, options.bind, options.tls.port)
    }
    if (options.unixSocket !== undefined && options.unixSocket !== "") {
      const path = options.unixSocket
      // What a server that was killed left behind. Whatever cannot be removed is told by listening.
      yield* Effect.ignore(Effect.try(() => fs.unlinkSync(path)))
      const server = makePlain()
      // For a missing directory, libuv says "permission denied".
      if (!fs.existsSync(dirname(path))) {
        yield* new SocketError({ message: `Cannot listen on ${path}: no such directory` })
      }
      yield* listen(server, { path, backlog: options.backlog }, path)
      unix.set(path, server)
      if (options.unixSocketPermission) fs.chmodSync(path, options.unixSocketPermission)
    }
    // CONFIG SET may leave it so, which somebody who is connected can take back; a server that starts so is of no use to anybody.
    if (plain.servers.size + tls.servers.size + unix.size === 0) {
      yield* new SocketError({ message: "There is nowhere to listen: neither bind nor unixsocket names an address" })
    }
    const service: SocketService = {
      accept: (accept) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            onConnection = accept
            for (const transport of early.splice(0)) onConnection(transport)
          }),
          () => Effect.sync(() => (onConnection = keep)),
        ),
      get addresses() {
        const secure = [...tls.servers.keys()].map((address) => `${address} (TLS)`)
        return [...plain.servers.keys(), ...secure, ...unix.keys()]
      },
      get port() {
        return plain.servers.size === 0 ? 0 : plain.port
      },
      get tlsPort() {
        return tls.servers.size === 0 ? 0 : tls.port
      },
      rebind: (bind, ports = {}) =>
        Effect.suspend(() => {
          const { port } = plain
          const hosts = [...plain.servers.keys()].map(hostOf)
          return Effect.zipRight(
            move(plain, bind, ports.port ?? port),
            Effect.tapError(move(tls, bind, ports.tlsPort ?? tls.port), () => Effect.ignore(move(plain, hosts, port))),
          )
        }),
      secure: secured.use,
    }
    return service
  })

/** Listens where `endpoint` does not yet; gives the port, which the first address picks if 0 asks for a free one. */
const openOn = (backlog: number) => (endpoint: Endpoint, bind: ReadonlyArray<string>, first: number) =>
  Effect.reduce(bind, first, (port, address) => {
    const { servers } = endpoint
    const { host, optional } = parseAddress(address)
    if (servers.has(formatAddress(host, port))) return Effect.succeed(port)
    const server = endpoint.makeServer()
    const listening = listen(server, { host, port, backlog, ipv6Only: host.includes(":") }, `${host}:${port}`)
    const bound = Effect.map(listening, () => {
      const used = (server.address() as net.AddressInfo).port
      servers.set(formatAddress(host, used), server)
      return used
    })
    return optional ? Effect.orElseSucceed(bound, () => port) : bound
  })

const closeAll = (servers: Servers, which: (address: string) => boolean = () => true): void => {
  for (const [address, server] of servers) {
    if (!which(address)) continue
    server.close()
    servers.delete(address)
  }
}

const listen = (server: net.Server, options: net.ListenOptions, name: string) =>
  Effect.async<void, SocketError>((resume) => {
    server.once("error", (cause: NodeJS.ErrnoException) => resume(cannotListen(name, cause)))
    server.listen(options, () => resume(Effect.void))
    return Effect.sync(() => server.close())
  })
