/**
 * A connection over TCP or a Unix socket as a `Transport`.
 *
 * The idea to hold: reading is the dearest part of a short command, so what comes is read into memory that is there, all connections' into
 * the same, and only noted; writing is left to Node's socket, which queues what the system does not take.
 */
import * as net from "node:net"
import { formatAddress } from "./Addresses.ts"
import type { Transport, TransportEvents } from "./Transport.ts"
import type * as Turn from "./Turn.ts"

/** `unixPath` is the path of the socket where `accepted` has no address. */
export const make = (accepted: net.Socket, unixPath: string, turn: Turn.Turn): Transport => {
  const unixSocket = accepted.remoteAddress === undefined
  let socket = accepted
  return {
    remoteAddress: unixSocket ? `${unixPath}:0` : formatAddress(accepted.remoteAddress, accepted.remotePort),
    localAddress: unixSocket ? `${unixPath}:0` : formatAddress(accepted.localAddress, accepted.localPort),
    fd: fdOf(accepted),
    unixSocket,
    start: (events) => {
      const arrived = turn.join(events)
      socket = readingIntoPlace(accepted, {
        room: events.room,
        data: (chunk) => {
          events.data(chunk)
          arrived()
          // Part of something large: once the decoder has seen where it begins, the rest is collected instead of joined.
          if (chunk.length === receiveBuffer.length) turn.run()
        },
        filled: (length) => {
          events.filled(length)
          arrived()
        },
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
const readingIntoPlace = (accepted: net.Socket, { room, data, filled }: Reading): net.Socket => {
  const handle = handleOf(accepted)
  if (accepted.destroyed || handle === undefined || !("useUserBuffer" in handle)) {
    return accepted.on("data", data)
  }
  const onread = readingOptions({ room, data, filled })
  // Without its handle the accepted socket ends quietly, and its server no longer counts it.
  Reflect.set(accepted, "_handle", null)
  accepted.destroy()
  const options = { handle, onread, allowHalfOpen: true } satisfies SocketOptions
  return new net.Socket(options)
}

/** What is told of received bytes. */
export type Reading = Pick<TransportEvents, "room" | "data" | "filled">

/** Where a socket of Node's is to read, and what then. */
export const readingOptions = ({ room, data, filled }: Reading) => {
  let place: Buffer | undefined
  return {
    // Asked before the first read and after each; to give another place than before costs a call into Node.
    buffer: (): Uint8Array<ArrayBuffer> => {
      const next = room() ?? receiveBuffer
      if (next === place) return unchanged
      place = next
      return next as Uint8Array<ArrayBuffer>
    },
    callback: (length: number): boolean => {
      if (place === receiveBuffer) data(receiveBuffer.subarray(0, length))
      else filled(length)
      return true
    },
  } satisfies net.OnReadOpts
}

interface SocketOptions extends net.SocketConstructorOpts {
  readonly handle: object
  /** Documented, and missing from the type. */
  readonly onread: net.OnReadOpts
}

/** What of Node's inside is below a socket. */
export const handleOf = (socket: net.Socket): object | undefined => {
  const handle: unknown = Reflect.get(socket, "_handle")
  return typeof handle === "object" && handle !== null ? handle : undefined
}

/** The number CLIENT LIST shows; Node keeps it in an undocumented place, and -1 is what there is without it. */
export const fdOf = (socket: net.Socket): number => {
  const handle = handleOf(socket)
  const fd: unknown = handle === undefined ? undefined : Reflect.get(handle, "fd")
  return typeof fd === "number" ? fd : -1
}
