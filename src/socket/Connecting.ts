/**
 * Connections that this server opens, over TCP or, as `tls-replication` says, TLS.
 *
 * The idea to hold: a master is known by who signed its certificate and not by its name, as in redis-server: replicas are told addresses.
 */
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { Config, type Values } from "../config/Config.ts"
import { type Connection, ConnectFailed, Connector } from "../replication/link/Connector.ts"
import { formatAddress } from "./Addresses.ts"
import { fdOf } from "./NetTransport.ts"
import * as TlsOptions from "./TlsOptions.ts"

const connectionOf = (socket: net.Socket): Connection => ({
  remoteAddress: formatAddress(socket.remoteAddress, socket.remotePort),
  localAddress: formatAddress(socket.localAddress, socket.localPort),
  fd: fdOf(socket),
  start: ({ data, closed }) => {
    // Chunks are the socket's no more once they have been delivered.
    socket.on("data", data)
    // Who says no more has left.
    socket.on("end", () => socket.destroy())
    if (socket.destroyed) closed()
    else socket.once("close", closed)
  },
  write: (bytes) => {
    if (!socket.destroyed) socket.write(bytes, "latin1")
  },
  queuedBytes: () => socket.writableLength,
  pause: () => {
    socket.pause()
  },
  resume: () => {
    socket.resume()
  },
  destroy: () => {
    socket.destroy()
  },
})

const open = (
  host: string,
  port: number,
  localAddress: string | undefined,
  values: Values,
): Either.Either<net.Socket, ConnectFailed> => {
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: values.replTimeout * 1000 }
  const address = { host, port, localAddress, noDelay: true, ...keepAlive }
  if (!values.tlsReplication) return Either.right(net.connect(address))
  return Either.mapBoth(TlsOptions.readClient(values), {
    onLeft: ({ message }) => new ConnectFailed({ reason: message }),
    onRight: (options) =>
      tls.connect({ ...options, socket: net.connect(address), checkServerIdentity: () => undefined }),
  })
}

/** What is no address is passed over: CONFIG SET takes any text, as redis-server's does. */
const sourceOf = ({ bindSourceAddr }: Values): string | undefined =>
  net.isIP(bindSourceAddr) === 0 ? undefined : bindSourceAddr

const isRefusal = (cause: NodeJS.ErrnoException): boolean => cause.code === "ECONNREFUSED"

/** The system's word for it, without the address that the operator is told anyway. */
const reasonOf = (cause: NodeJS.ErrnoException): string => {
  const { code, message } = cause
  if (isRefusal(cause)) return "the connection is refused"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "its name is not known"
  return message === "" ? String(code) : message
}

const connect = (
  host: string,
  port: number,
  localAddress: string | undefined,
  current: Values,
): Effect.Effect<Connection, ConnectFailed> =>
  Effect.async<Connection, ConnectFailed>((resume) => {
    let opened: Either.Either<net.Socket, ConnectFailed>
    try {
      opened = open(host, port, localAddress, current)
    } catch (cause) {
      // A port that no connection has.
      opened = Either.left(new ConnectFailed({ reason: cause instanceof Error ? cause.message : String(cause) }))
    }
    if (Either.isLeft(opened)) return resume(Effect.fail(opened.left))
    const socket = opened.right
    let isOpen = false
    socket.once(current.tlsReplication ? "secureConnect" : "connect", () => {
      isOpen = true
      resume(Effect.succeed(connectionOf(socket)))
    })
    // An error of an open connection is an ordinary end; "close" follows.
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      if (isOpen) return
      // An address that is not, or no longer, this machine's is better left out than nothing reached.
      if (cause.syscall === "bind" && localAddress !== undefined) resume(connect(host, port, undefined, current))
      else resume(Effect.fail(new ConnectFailed({ reason: reasonOf(cause), isRefused: isRefusal(cause) })))
    })
    socket.once("close", () => {
      if (!isOpen) resume(Effect.fail(new ConnectFailed({ reason: "the connection ended before it began" })))
    })
    return Effect.sync(() => void socket.destroy())
  })

/** Over the network. */
export const layer = Layer.effect(
  Connector,
  Effect.map(Config, ({ current }) => ({
    connect: (host, port) => Effect.suspend(() => connect(host, port, sourceOf(current), current)),
  })),
)
