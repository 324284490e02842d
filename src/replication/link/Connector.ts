/**
 * Connections that this server opens: to its master, and to where MIGRATE brings keys. Over TCP or TLS the layer is in
 * `socket/Connecting.ts`; here is only what is needed of one, so that a test can be the other end.
 *
 * The idea to hold: events arrive by callback and are only noted; what has to be done is the link's fiber's business.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Why there is no connection, in words for the operator. */
export class ConnectFailed extends Data.TaggedError("ConnectFailed")<{
  readonly reason: string
  /** There is somebody at this address, and nobody listens. */
  readonly isRefused?: boolean
}> {
  override get message(): string {
    return this.reason
  }
}

export interface ConnectionEvents {
  /** Received bytes; they stay as they are. */
  readonly data: (chunk: Buffer) => void
  /** Nothing can be sent or received any more. Called exactly once, also after `destroy`. */
  readonly closed: () => void
}

export interface Connection {
  /** `ip:port` of both ends. */
  readonly remoteAddress: string
  readonly localAddress: string
  readonly fd: number
  /** Begins to deliver events; called once. */
  readonly start: (events: ConnectionEvents) => void
  /** Queues bytes, one char each. */
  readonly write: (bytes: string) => void
  /** Bytes queued and not yet taken over by the system. */
  readonly queuedBytes: () => number
  /** Stops and goes on delivering data. */
  readonly pause: () => void
  readonly resume: () => void
  readonly destroy: () => void
}

export interface ConnectorService {
  /** Ends with a connection on which everything can be said (hands have been shaken); interrupted, there is none. */
  readonly connect: (host: string, port: number) => Effect.Effect<Connection, ConnectFailed>
}

export class Connector extends Context.Tag("tiny-redis/Connector")<Connector, ConnectorService>() {
  /** A server that connects to nobody. */
  static readonly layerNoop = Layer.succeed(this, {
    connect: () => Effect.fail(new ConnectFailed({ reason: "this server has no network" })),
  })
}
