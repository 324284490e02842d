/**
 * How much the peer of a connection may leave unread: `client-output-buffer-limit` of its class.
 *
 * The idea to hold: a soft limit counts only after some time beyond it, and it may be that nothing is sent any more and nobody would ask
 * again; so whoever exceeds it is looked at when that time is over.
 */
import type { ClockService } from "../clock/Clock.ts"
import type { Client } from "../command/Client.ts"
import type { StatsService } from "../command/Stats.ts"
import type { ConfigService, OutputLimit } from "../config/Config.ts"

export interface OutputLimitServices {
  readonly clock: ClockService
  readonly config: ConfigService
  readonly stats: StatsService
  /** Calls `check` at `atMs`. */
  readonly later: (atMs: number, check: () => void) => void
}

/** What is done about the peer. */
export interface Peer {
  readonly isGone: () => boolean
  /** Ends the connection now. */
  readonly cutOff: () => void
}

export class OutputLimits {
  /** Since when more is queued than the soft limit, Unix ms. */
  private softSince: number | undefined = undefined
  /** Whether `later` is going to look at the soft limit. */
  private isWatched = false
  private readonly client: Client
  private readonly services: OutputLimitServices
  private readonly peer: Peer

  constructor(client: Client, services: OutputLimitServices, peer: Peer) {
    this.client = client
    this.services = services
    this.peer = peer
  }

  /** Whether the soft limit is exceeded, and may not be for long. */
  get isExceeded(): boolean {
    return this.softSince !== undefined
  }

  /** Whether the peer may leave unread as much as it likes. */
  get isUnlimited(): boolean {
    const { hardBytes, softBytes } = this.limit()
    return hardBytes === 0 && softBytes === 0
  }

  /** Cuts off a peer that leaves too much unread. Asked before output leaves as well as after, as redis-server does. */
  check(): void {
    const limit = this.limit()
    if (limit.hardBytes === 0 && limit.softBytes === 0) return
    if (this.peer.isGone()) return
    const queued = this.client.replica?.waitingBytes() ?? this.client.outbox.queuedBytes()
    if (limit.hardBytes > 0 && queued > limit.hardBytes) return this.peer.cutOff()
    if (limit.softBytes === 0 || queued <= limit.softBytes) {
      this.softSince = undefined
      return
    }
    const { clock, later } = this.services
    this.softSince ??= clock.now()
    const endsAtMs = this.softSince + Math.max(1, limit.softSeconds) * 1000
    if (clock.now() >= endsAtMs) return this.peer.cutOff()
    if (this.isWatched) return
    this.isWatched = true
    later(endsAtMs, () => {
      this.isWatched = false
      this.check()
    })
  }

  private limit(): OutputLimit {
    const limits = this.services.config.current.clientOutputBufferLimit
    if (this.client.replica !== undefined) return this.replicaLimit()
    return this.client.isSubscriber ? limits.pubsub : limits.normal
  }

  /** As in redis-server, what a replica may ask for after its link broke is never too much. */
  private replicaLimit(): OutputLimit {
    const { clientOutputBufferLimit, replBacklogSize } = this.services.config.current
    const { hardBytes, softBytes, softSeconds } = clientOutputBufferLimit.replica
    const atLeast = (bytes: number) => (bytes === 0 ? 0 : Math.max(bytes, replBacklogSize))
    return { hardBytes: atLeast(hardBytes), softBytes: atLeast(softBytes), softSeconds }
  }
}
