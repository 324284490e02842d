/**
 * Sockets without a network: pairs of byte pipes in memory. A test connects, writes request bytes and reads what the server
 * sent; delivery is synchronous, so when a write returns, the server's side has it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Connector } from "../replication/link/Connector.ts"
import { Socket, type SocketService } from "./Socket.ts"
import type { Transport, TransportEvents } from "./Transport.ts"
import * as Turn from "./Turn.ts"

/** The client's end of a pair. */
export interface MemoryPeer {
  /** Sends bytes to the server, one char each. */
  readonly write: (bytes: string) => void
  /** Half-closes: no more requests will come. */
  readonly end: () => void
  /** Drops the connection. */
  readonly destroy: () => void
  /** Called with all the server sends from now on, what has been sent already first. */
  readonly onData: (listener: (bytes: string) => void) => void
  readonly onClosed: (listener: () => void) => void
  /** While paused, what the server sends piles up in its queue, as with a peer that does not read. */
  readonly setPaused: (paused: boolean) => void
}

/** Opens connections to the server that listens in memory. */
export class MemoryConnector extends Context.Tag("tiny-redis/MemoryConnector")<
  MemoryConnector,
  { readonly connect: () => MemoryPeer }
>() {}

/** Has a replica find its master in the same program, wherever it is told to look: `master` is that server's `MemoryConnector`. */
export const layerConnectorTo = (master: MemoryConnector["Type"]): Layer.Layer<Connector> =>
  Layer.succeed(Connector, {
    connect: () =>
      Effect.sync(() => {
        const peer = master.connect()
        return {
          remoteAddress: "127.0.0.1:6379",
          localAddress: "127.0.0.1:0",
          fd: -1,
          start: ({ data, closed }) => {
            peer.onClosed(closed)
            peer.onData((bytes) => data(Buffer.from(bytes, "latin1")))
          },
          write: peer.write,
          // Delivery is synchronous.
          queuedBytes: () => 0,
          pause: () => peer.setPaused(true),
          resume: () => peer.setPaused(false),
          destroy: peer.destroy,
        }
      }),
  })

/** `Socket` and the `MemoryConnector` to reach it. */
export const layerMemory: Layer.Layer<Socket | MemoryConnector> = Layer.effectContext(
  Effect.sync(() => {
    /** Who came before anybody was accepted; gone when that is over. */
    const early: Array<Transport> = []
    let accept = (transport: Transport): void => void early.push(transport)
    let connections = 0
    const turn = Turn.make((run) => run())
    const socket: SocketService = {
      accept: (handler) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            accept = handler
            for (const transport of early.splice(0)) accept(transport)
          }),
          () => Effect.sync(() => (accept = (transport) => transport.destroy())),
        ),
      addresses: ["memory"],
      rebind: () => Effect.void,
      secure: () => Effect.void,
      port: 0,
      tlsPort: 0,
    }
    const connect = (): MemoryPeer => {
      const { transport, peer } = makePair(++connections, turn)
      accept(transport)
      return peer
    }
    return Context.make(Socket, socket).pipe(Context.add(MemoryConnector, { connect }))
  }),
)

const makePair = (number: number, turn: Turn.Turn): { readonly transport: Transport; readonly peer: MemoryPeer } => {
  let events: TransportEvents | undefined
  let arrived = () => {}
  let closed = false
  let ending = false
  let readPaused = false
  let peerPaused = false
  /** From client to server while the server does not read, and from server to client while the client does not. */
  const inbound: Array<string> = []
  const outbound: Array<string | Buffer> = []
  let inboundEnded = false
  let onData: ((bytes: string) => void) | undefined
  const onClosed: Array<() => void> = []

  const close = () => {
    if (closed) return
    closed = true
    events?.closed()
    for (const listener of onClosed) listener()
  }
  const deliverInbound = () => {
    while (events !== undefined && !readPaused && !closed && inbound.length > 0) {
      events.data(Buffer.from(inbound.shift()!, "latin1"))
      arrived()
    }
    if (inboundEnded && inbound.length === 0 && events !== undefined && !closed) {
      inboundEnded = false
      events.end()
    }
  }
  /** `waited`: it could not be taken when it was sent. What is taken at once is not told as drained, as of a system's socket. */
  const deliverOutbound = (waited = true) => {
    if (peerPaused || onData === undefined) return
    const had = waited && outbound.length > 0
    while (outbound.length > 0) {
      const piece = outbound.shift()!
      onData(typeof piece === "string" ? piece : piece.latin1Slice())
    }
    if (had) events?.drain()
    if (ending) close()
  }
  const send = (bytes: string | Buffer) => {
    if (closed) return
    outbound.push(bytes)
    deliverOutbound(false)
  }
  const transport: Transport = {
    remoteAddress: `127.0.0.1:${10000 + number}`,
    localAddress: "127.0.0.1:6379",
    fd: 8 + number,
    unixSocket: false,
    start: (handlers) => {
      events = handlers
      arrived = turn.join(handlers)
      deliverInbound()
      if (closed) handlers.closed()
    },
    write: send,
    writeBytes: send,
    writeAround: (head, body, tail) => {
      if (closed) return
      // Kept as they are, as a system's socket does.
      outbound.push(head, body, tail)
      deliverOutbound(false)
    },
    queuedBytes: () => outbound.reduce((sum, bytes) => sum + bytes.length, 0),
    pause: () => {
      readPaused = true
    },
    resume: () => {
      readPaused = false
      deliverInbound()
    },
    end: () => {
      ending = true
      deliverOutbound()
      if (outbound.length === 0) close()
    },
    destroy: close,
  }
  const peer: MemoryPeer = {
    write: (bytes) => {
      inbound.push(bytes)
      deliverInbound()
    },
    end: () => {
      inboundEnded = true
      deliverInbound()
    },
    destroy: close,
    onData: (listener) => {
      onData = listener
      deliverOutbound()
    },
    onClosed: (listener) => {
      if (closed) listener()
      else onClosed.push(listener)
    },
    setPaused: (paused) => {
      peerPaused = paused
      deliverOutbound()
    },
  }
  return { transport, peer }
}
