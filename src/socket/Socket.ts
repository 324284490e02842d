/**
 * Listening, as a service: TCP and Unix sockets, or pairs in memory. The layer holds the ports: it fails with a `SocketError`
 * that names the address when one cannot be bound, and closes them with its scope.
 *
 * Why `node:net` and not the platform's socket server: its `run` forks an effect per chunk, a throw in it ends the process,
 * and nothing pushes back (measured in CPU per accept: 260 us against 48; per idle connection 18.6 KiB against 0.9).
 */
import * as net from "node:net"
import * as fs from "node:fs"
import { dirname } from "node:path"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import type { Transport } from "./Transport.ts"
import * as Turn from "./Turn.ts"

/** An address that cannot be listened on, in words for the operator. */
export class SocketError extends Data.TaggedError("SocketError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface SocketService {
  /** Hands each new connection to `accept` until the scope ends. Called once. */
  readonly accept: (accept: (transport: Transport) => void) => Effect.Effect<void, never, Scope>
  /** Where the server listens, for the start-up line: `127.0.0.1:6379`, a path, or `memory`. */
  readonly addresses: ReadonlyArray<string>
  /** The TCP port in use (also when 0 asked for a free one); 0 without TCP. */
  readonly port: number
  /**
   * Listens on these addresses instead, without touching connections; no address or port 0 ends listening on TCP, and an
   * absent port is the one of before. After a failure the server listens where it did.
   */
  readonly rebind: (bind: ReadonlyArray<string>, port?: number) => Effect.Effect<void, SocketError>
}

export interface ListenOptions {
  /** 0 picks a free one; absent: no TCP. */
  readonly port?: number | undefined
  /** Addresses to bind, none for no TCP. A leading `-` means: not an error when it is not available. */
  readonly bind: ReadonlyArray<string>
  readonly unixSocket?: string | undefined
  /** File mode of the Unix socket. */
  readonly unixSocketPermission?: number | undefined
  readonly backlog: number
  /** Seconds between keep-alive probes of a new connection; 0: none. */
  readonly keepAliveSeconds: () => number
}

export class Socket extends Context.Tag("tiny-redis/Socket")<Socket, SocketService>() {
  /** TCP on each of `bind`, and a Unix socket when one is named. */
  static readonly layerNet = (options: ListenOptions) => Layer.scoped(this, listenAll(options))
}

/** Servers by address. */
type Servers = Map<string, net.Server>

const listenAll = (options: ListenOptions) =>
  Effect.gen(function* () {
    /** Connections that came before anybody took them, while the server is put together. */
    const early: Array<net.Socket> = []
    const keep = (socket: net.Socket): void => void early.push(socket)
    let onConnection = keep
    const tcp: Servers = new Map()
    const unix: Servers = new Map()
    let port = options.port ?? 0
    // Everything that can be read is read before this runs.
    const turn = Turn.make(setImmediate)
    const makeServer = () =>
      // A peer that has sent all its requests and half-closed still gets its answers.
      net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
        const seconds = options.keepAliveSeconds()
        if (seconds > 0) socket.setKeepAlive(true, seconds * 1000)
        onConnection(socket)
      })
    // Connections are closed by their own fibers; here the addresses are given back, and whom no fiber has taken is let go.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closeAll(tcp)
        closeAll(unix)
        for (const socket of early) socket.destroy()
      }),
    )

    /** Listens where `tcp` does not yet; gives the port, which the first address picks if 0 asks for a free one. */
    const openTcp = (bind: ReadonlyArray<string>, first: number) =>
      Effect.reduce(bind, first, (port, address) => {
        const { host, optional } = parseAddress(address)
        if (tcp.has(formatAddress(host, port))) return Effect.succeed(port)
        const server = makeServer()
        const listening = listen(
          server,
          { host, port, backlog: options.backlog, ipv6Only: host.includes(":") },
          `${host}:${port}`,
        )
        const bound = Effect.map(listening, () => {
          const used = (server.address() as net.AddressInfo).port
          tcp.set(formatAddress(host, used), server)
          return used
        })
        return optional ? Effect.orElseSucceed(bound, () => port) : bound
      })

    const rebind = (nextBind: ReadonlyArray<string>, given?: number): Effect.Effect<void, SocketError> =>
      Effect.suspend(() => {
        const nextPort = given ?? port
        const wanted = new Set(
          nextPort === 0 ? [] : nextBind.map((address) => formatAddress(parseAddress(address).host, nextPort)),
        )
        const before = [...tcp.keys()]
        const beforePort = port
        // Closed first, since an address may be part of a new one (127.0.0.1 of *).
        closeAll(tcp, (address) => !wanted.has(address))
        return Effect.matchEffect(nextPort === 0 ? Effect.succeed(0) : openTcp(nextBind, nextPort), {
          onSuccess: (used) => Effect.sync(() => void (port = used)),
          onFailure: (error) => {
            closeAll(tcp, (address) => !before.includes(address))
            const hosts = before.map((address) => address.slice(0, address.lastIndexOf(":")).replace(/[[\]]/g, ""))
            return Effect.zipRight(Effect.ignore(openTcp(hosts, beforePort)), Effect.fail(error))
          },
        })
      })

    if (options.port !== undefined) port = yield* openTcp(options.bind, options.port)
    if (options.unixSocket !== undefined && options.unixSocket !== "") {
      const path = options.unixSocket
      // What a server that was killed left behind. Whatever cannot be removed is told by listening.
      yield* Effect.ignore(Effect.try(() => fs.unlinkSync(path)))
      const server = makeServer()
      // For a missing directory, libuv says "permission denied".
      if (!fs.existsSync(dirname(path))) yield* cannotListen(path, "no such directory")
      yield* listen(server, { path, backlog: options.backlog }, path)
      unix.set(path, server)
      if (options.unixSocketPermission) fs.chmodSync(path, options.unixSocketPermission)
    }
    const service: SocketService = {
      accept: (accept) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            onConnection = (socket) => accept(transportOf(socket, options.unixSocket ?? "", turn))
            for (const socket of early.splice(0)) onConnection(socket)
          }),
          () => Effect.sync(() => (onConnection = keep)),
        ),
      get addresses() {
        return [...tcp.keys(), ...unix.keys()]
      },
      get port() {
        return tcp.size === 0 ? 0 : port
      },
      rebind,
    }
    return service
  })

const parseAddress = (address: string): { readonly host: string; readonly optional: boolean } => {
  const optional = address.startsWith("-")
  const name = optional ? address.slice(1) : address
  return { host: name === "*" ? "0.0.0.0" : name === "::*" ? "::" : name, optional }
}

const closeAll = (servers: Servers, which: (address: string) => boolean = () => true): void => {
  for (const [address, server] of servers) {
    if (!which(address)) continue
    server.close()
    servers.delete(address)
  }
}

const listen = (server: net.Server, options: net.ListenOptions, name: string) =>
  Effect.async<void, SocketError>((resume) => {
    server.once("error", (cause: NodeJS.ErrnoException) => resume(cannotListen(name, reasonOf(cause), cause)))
    server.listen(options, () => resume(Effect.void))
    return Effect.sync(() => server.close())
  })

const cannotListen = (name: string, reason: string, cause?: unknown) =>
  Effect.fail(new SocketError({ message: `Cannot listen on ${name}: ${reason}`, cause }))

const reasonOf = (cause: NodeJS.ErrnoException): string => {
  if (cause.code === "EADDRINUSE") return "the address is already in use"
  if (cause.code === "EACCES") return "permission denied"
  if (cause.code === "EADDRNOTAVAIL") return "this machine has no such address"
  if (cause.code === "ENOENT") return "no such directory"
  return cause.message
}

const formatAddress = (host: string | undefined, port: number | undefined): string =>
  host !== undefined && host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

const transportOf = (accepted: net.Socket, unixPath: string, turn: Turn.Turn): Transport => {
  const unixSocket = accepted.remoteAddress === undefined
  let socket = accepted
  return {
    remoteAddress: unixSocket ? `${unixPath}:0` : formatAddress(accepted.remoteAddress, accepted.remotePort),
    localAddress: unixSocket ? `${unixPath}:0` : formatAddress(accepted.localAddress, accepted.localPort),
    fd: fdOf(accepted),
    unixSocket,
    start: (events) => {
      const arrived = turn.join(events)
      socket = readingIntoPlace(accepted, events.room, (chunk, isFull) => {
        events.data(chunk)
        arrived()
        // Part of something large: once the decoder has seen where it begins, the rest is collected instead of joined.
        if (isFull) turn.run()
      })
      socket.on("end", events.end)
      socket.on("drain", events.drain)
      // A reset by the peer is an ordinary end; "close" follows.
      socket.on("error", () => {})
      socket.once("close", events.closed)
      socket.resume()
    },
    write: (bytes) => {
      socket.write(bytes, "latin1")
    },
    writeBytes: (bytes) => {
      socket.write(bytes)
    },
    writeAround: (head, body, tail) => {
      socket.cork()
      socket.write(head, "latin1")
      socket.write(body)
      socket.write(tail, "latin1")
      socket.uncork()
    },
    queuedBytes: () => socket.writableLength,
    pause: () => {
      socket.pause()
    },
    resume: () => {
      socket.resume()
    },
    end: () => {
      socket.end(() => socket.destroy())
    },
    destroy: () => {
      socket.destroy()
    },
  }
}

/**
 * What all connections read into, one after the other: a chunk is turned into requests before the next one is read. With 256 KiB a SET of
 * 64 KiB costs 6 % less CPU than with 64 KiB.
 */
const receiveBuffer: Buffer = Buffer.allocUnsafeSlow(256 * 1024)

/** For Node, anything but bytes; its type does not know. */
const unchanged = undefined as unknown as Uint8Array<ArrayBuffer>

/**
 * The same connection, reading into `receiveBuffer` or where `room` says. By itself Node sets aside 64 KiB for every chunk and passes it
 * through a stream: an echo costs 0.82 us a command at pipeline 16 so, and 0.62 this way, of CPU.
 *
 * Node has `onread` for this, and offers it to sockets that connect only; one that was accepted has to be made again around its
 * handle, which is in an undocumented place. Where it is not there, the socket stays as it is and delivers its chunks as events.
 */
const readingIntoPlace = (
  accepted: net.Socket,
  room: () => Buffer | undefined,
  data: (chunk: Buffer, isFull: boolean) => void,
): net.Socket => {
  const handle = handleOf(accepted)
  if (accepted.destroyed || handle === undefined || !("useUserBuffer" in handle)) {
    return accepted.on("data", (chunk) => data(chunk, false))
  }
  let place: Buffer | undefined
  const onread: net.OnReadOpts = {
    // Asked before the first read and after each; to give another place than before costs a call into Node.
    buffer: () => {
      const next = room() ?? receiveBuffer
      if (next === place) return unchanged
      place = next
      return next as Uint8Array<ArrayBuffer>
    },
    callback: (length) => {
      const chunk = place!.subarray(0, length)
      data(chunk, length === receiveBuffer.length)
      return true
    },
  }
  // Without its handle the accepted socket ends quietly, and its server no longer counts it.
  Reflect.set(accepted, "_handle", null)
  accepted.destroy()
  const options = { handle, onread, allowHalfOpen: true } satisfies SocketOptions
  return new net.Socket(options)
}

interface SocketOptions extends net.SocketConstructorOpts {
  readonly handle: object
  /** Documented, and missing from the type. */
  readonly onread: net.OnReadOpts
}

const handleOf = (socket: net.Socket): object | undefined => {
  const handle: unknown = Reflect.get(socket, "_handle")
  return typeof handle === "object" && handle !== null ? handle : undefined
}

/** The number CLIENT LIST shows; Node keeps it in an undocumented place, and -1 is what there is without it. */
const fdOf = (socket: net.Socket): number => {
  const handle = handleOf(socket)
  const fd: unknown = handle === undefined ? undefined : Reflect.get(handle, "fd")
  return typeof fd === "number" ? fd : -1
}
