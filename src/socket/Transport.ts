/**
 * A byte pipe to one peer, as little of it as a connection needs: `net.Socket` and the in-memory pair both fit behind it.
 *
 * The idea to hold: events arrive by callback, one at a time; what has to wait is left to the connection's fiber. `data` only takes
 * in; `lookAhead`, `serve` and `flush` follow in the same turn of the event loop (see Turn.ts).
 */
import type { Member } from "./Turn.ts"

export interface TransportEvents extends Member {
  /** Received bytes; the buffer belongs to the transport again once the call returns. */
  readonly data: (chunk: Buffer) => void
  /** So many bytes have been received where `room` said. */
  readonly filled: (length: number) => void
  /** Where what comes next is best received, if not anywhere. */
  readonly room: () => Buffer | undefined
  /** The peer will send no more; it may still read. */
  readonly end: () => void
  /** Nothing can be sent or received any more. Called exactly once. */
  readonly closed: () => void
  /** What was queued has been taken over by the system. */
  readonly drain: () => void
}

export interface Transport {
  /** `ip:port`, `[ip6]:port` as Redis prints it, or the path of a Unix socket with `:0`. */
  readonly remoteAddress: string
  readonly localAddress: string
  readonly fd: number
  readonly unixSocket: boolean
  /**
   * Where hands have to be shaken before anything can be said (TLS): tells once, when that is done or has failed for a reason. Nothing is
   * delivered before, and nothing may be written; `end` closes at once. To be asked before `start`.
   */
  readonly onSecured?: (secured: (failure: string | undefined) => void) => void
  /** Begins to deliver events; called once. */
  readonly start: (events: TransportEvents) => void
  /** Queues bytes, one char each. */
  readonly write: (bytes: string) => void
  /** Queues bytes. As long as `queuedBytes` says that some are left they must not change. */
  readonly writeBytes: (bytes: Buffer) => void
  /** Queues `head`, `body` and `tail`. What is left of `body` when it returns is what `queuedBytes` says; it must not change then. */
  readonly writeAround: (head: string, body: Buffer, tail: string) => void
  /** Bytes queued and not yet taken over by the system. */
  readonly queuedBytes: () => number
  /** Stops and goes on delivering data: back pressure. */
  readonly pause: () => void
  readonly resume: () => void
  /** Sends what is queued, then closes. */
  readonly end: () => void
  /** Closes now; what is queued is lost. */
  readonly destroy: () => void
}
