/**
 * A connection under TLS as a `Transport`: the same as over TCP, once hands have been shaken.
 *
 * The idea to hold: a server of `node:tls` that listens nowhere is given the connections which came in by our own ports. It shakes hands with
 * the settings it was made with, and another takes its place when they change; whoever it has begun with it goes on with. What it
 * gives back is known by its two addresses, which no other open connection has.
 */
import type * as net from "node:net"
import * as tls from "node:tls"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { SocketError } from "./Addresses.ts"
import { formatAddress } from "./Addresses.ts"
import { fdOf, handleOf, type Reading, readingOptions } from "./NetTransport.ts"
import * as TlsOptions from "./TlsOptions.ts"
import * as TlsSessions from "./TlsSessions.ts"
import type { Transport } from "./Transport.ts"
import type * as Turn from "./Turn.ts"

export interface Secured {
  /** A connection that was accepted; hands are shaken when it starts. */
  readonly accept: (accepted: net.Socket) => Transport
  /** Settings for connections that come from now on. */
  readonly use: (settings: TlsOptions.TlsSettings) => Effect.Effect<void, SocketError>
}

/** One with whom hands are being shaken. */
interface Shaking {
  readonly succeed: (socket: tls.TLSSocket) => void
  readonly fail: (reason: string) => void
}

/** A record of TLS holds no more; a full one is part of something longer. */
const recordBytesMax = 16 * 1024

export const make = (turn: Turn.Turn): Secured => {
  const shaking = new Map<string, Shaking>()
  let server: tls.Server | undefined

  const makeServer = (options: tls.TlsOptions, settings: TlsOptions.TlsSettings): tls.Server => {
    const made = tls.createServer(options, (socket) => {
      const peer = shaking.get(nameOf(socket))
      if (peer === undefined) return void socket.destroy()
      // Node leaves it to us where a certificate is not demanded. One that is shown must be good all the same.
      const isRefused = options.requestCert && !socket.authorized && socket.getPeerX509Certificate() !== undefined
      if (!isRefused) return peer.succeed(socket)
      peer.fail(`${socket.authorizationError}`)
      socket.destroy()
    })
    made.on("tlsClientError", (error, socket) => shaking.get(nameOf(socket))?.fail(TlsOptions.reasonOf(error)))
    if (settings.tlsSessionCaching) TlsSessions.keep(made, settings.tlsSessionCacheSize)
    return made
  }

  const accept = (accepted: net.Socket): Transport => {
    const name = nameOf(accepted)
    let socket: tls.TLSSocket | undefined
    let onSecured: ((failure: string | undefined) => void) | undefined
    const settle = (failure: string | undefined) => {
      if (shaking.get(name) === peer) shaking.delete(name)
      onSecured?.(failure)
      onSecured = undefined
    }
    let start = (_: tls.TLSSocket): void => {}
    const peer: Shaking = {
      succeed: (secured) => {
        secured.allowHalfOpen = true
        socket = secured
        start(secured)
        settle(undefined)
      },
      fail: settle,
    }
    return {
      remoteAddress: formatAddress(accepted.remoteAddress, accepted.remotePort),
      localAddress: formatAddress(accepted.localAddress, accepted.localPort),
      fd: fdOf(accepted),
      unixSocket: false,
      onSecured: (secured) => {
        onSecured = secured
      },
      start: (events) => {
        const arrived = turn.join(events)
        start = (secured) => {
          readIntoPlace(secured, {
            room: events.room,
            data: (chunk) => {
              events.data(chunk)
              arrived()
              // Once the decoder has seen where something large begins, the rest is collected instead of joined.
              if (chunk.length === recordBytesMax) turn.run()
            },
            filled: (length) => {
              events.filled(length)
              arrived()
            },
          })
          secured.on("end", events.end)
          secured.on("drain", events.drain)
          secured.on("error", () => {})
          secured.resume()
        }
        // Both end together, whichever of them was ended.
        accepted.once("close", () => {
          settle("the connection ended")
          events.closed()
        })
        // A reset by the peer is an ordinary end; "close" follows.
        accepted.on("error", () => {})
        if (accepted.destroyed) return
        // Who says no more before hands have been shaken has left.
        accepted.allowHalfOpen = false
        shaking.set(name, peer)
        server?.emit("connection", accepted)
      },
      write: (bytes) => {
        socket?.write(bytes, "latin1")
      },
      writeBytes: (bytes) => {
        socket?.write(bytes)
      },
      writeAround: (head, body, tail) => {
        if (socket === undefined) return
        socket.cork()
        socket.write(head, "latin1")
        socket.write(body)
        socket.write(tail, "latin1")
        socket.uncork()
      },
      queuedBytes: () => socket?.writableLength ?? 0,
      pause: () => {
        socket?.pause()
      },
      resume: () => {
        socket?.resume()
      },
      end: () => {
        if (socket === undefined) return void accepted.destroy()
        const secured = socket
        secured.end(() => secured.destroy())
      },
      destroy: () => {
        ;(socket ?? accepted).destroy()
      },
    }
  }

  return {
    accept,
    use: (settings) =>
      Either.map(TlsOptions.read(settings), (options) => {
        server = makeServer(options, settings)
      }),
  }
}

const nameOf = (socket: net.Socket): string =>
  `${formatAddress(socket.remoteAddress, socket.remotePort)} ${formatAddress(socket.localAddress, socket.localPort)}`

/**
 * Reads where TCP is read to, instead of setting memory aside for every record, which the collector has to find again: a SET of 64
 * KiB takes 215 us of CPU so, and 305 with events, a short command the same. Node has `onread` for this, and offers it to sockets that
 * connect only; what it sets in them is under symbols of its own. Where these are not as expected, chunks come as events.
 */
const readIntoPlace = (socket: tls.TLSSocket, reading: Reading): void => {
  const symbols = Object.getOwnPropertySymbols(socket)
  const places = ["kBuffer", "kBufferCb", "kBufferGen"].map((name) =>
    symbols.find(({ description }) => description === name),
  )
  const handle = handleOf(socket)
  const useUserBuffer: unknown = handle && Reflect.get(handle, "useUserBuffer")
  const isKnown = places.every((place) => place !== undefined && Reflect.get(socket, place) === null)
  if (!isKnown || typeof useUserBuffer !== "function") return void socket.on("data", reading.data)
  const { buffer, callback } = readingOptions(reading)
  const first = buffer()
  const values = [first, callback, buffer]
  for (const [i, place] of places.entries()) Reflect.set(socket, place!, values[i])
  Reflect.apply(useUserBuffer, handle, [first])
}
