/**
 * What the server knows about one connection: who it is, which database and protocol it chose, its transaction, its
 * subscriptions. Plain mutable state, touched only by the connection's own commands and by others' synchronous ones
 * (CLIENT KILL, PUBLISH).
 *
 * The idea to hold: a client says nothing about sockets. What is sent to it outside of a reply goes to its `outbox`.
 */
import type { Reply } from "../codec/Reply.ts"
import type { Database } from "../store/Database.ts"
import { type Identity, unrestricted } from "./Identity.ts"

/** What a connection holds at the moment, in bytes, as CLIENT LIST shows it. */
export interface Buffers {
  /** Received and not given out as arguments; for the client whose request runs, with that request. */
  readonly input: number
  /** Room set aside for what is still to come of a long argument. */
  readonly inputFree: number
  /** Arguments so far of a request that is not complete. */
  readonly incomplete: number
  /** Encoded answers that have not been given to the socket. */
  readonly unsent: number
  /** The most that `unsent` has been in the last seconds. */
  readonly unsentPeak: number
  /** What the socket has not sent yet. */
  readonly queued: number
  /** Whether more requests are read. */
  readonly reading: boolean
}

/** Where replies and messages leave, in order. Implemented by the connection. */
export interface Outbox {
  /** Queues a message that is not an answer: pub/sub, invalidation, MONITOR. */
  readonly push: (message: Reply) => void
  /** Bytes queued and not yet taken by the socket. */
  readonly queuedBytes: () => number
  /** Looks at the limits of unread output: more is kept for this peer elsewhere. */
  readonly check: () => void
  /** Has `listener` called whenever the system has taken over what was queued. */
  readonly onDrained: (listener: () => void) => void
  /** Ends the connection: at once, or once what is queued has been sent. */
  readonly close: (how: "now" | "afterReplies") => void
}

/** A key under WATCH. */
export interface Watched {
  readonly client: Client
  readonly db: Database
  readonly key: string
  /** It was there, past its deadline: that such a key goes is no change. */
  expired: boolean
}

/** Commands queued by MULTI. */
export interface Transaction {
  readonly queue: Array<ReadonlyArray<string>>
  /** Bytes of the first `measured` commands of the queue; kept by `memoryOf`. */
  bytes: number
  measured: number
  /** A command was refused while queueing: EXEC aborts. */
  aborted: boolean
  /** The flags of all queued commands together: what EXEC needs to be allowed. */
  mask: number
  /** The flags that all queued commands have. */
  common: number
}

/**
 * CLIENT REPLY: `skipNext` was just asked for, `skip` leaves out the reply to the command now running. A replica gets no replies, and
 * whose request has one is no replica.
 */
export type ReplyMode = "on" | "off" | "skipNext" | "skip" | "replica"

/** A connection that follows this server's changes; what it is about is in `replication/`. */
export interface AttachedReplica {
  /** Bytes that it has yet to take, those kept for it elsewhere included. */
  readonly waitingBytes: () => number
}

/** What a parked client waits for; the way to end the wait is in `dispatch/Blocking.ts`. */
export interface Parked {
  readonly keys: ReadonlyArray<string>
  /** Whether it waits only for some time. */
  readonly timed: boolean
  /** How long its command had run before it began to wait. */
  micros: number
  /**
   * Ends the wait: as if its time had passed, with the UNBLOCKED error, because nobody is there to be answered, or because this server has
   * become a replica, which ends the connection too.
   */
  readonly unblock: (how: "timeout" | "error" | "closed" | "demoted") => void
}

export interface Tracking {
  readonly mode: "default" | "optin" | "optout" | "bcast"
  readonly noLoop: boolean
  /** Client id that gets the invalidations; 0: this client. */
  readonly redirect: number
  readonly prefixes: ReadonlyArray<string>
  /** CLIENT CACHING yes|no, for the next command only. */
  caching: boolean | undefined
  /** The redirect target has gone. */
  brokenRedirect: boolean
}

export interface ClientOptions {
  readonly id: number
  readonly address: string
  readonly localAddress: string
  readonly db: Database
  readonly outbox: Outbox
  readonly now: number
  readonly authenticated: boolean
  /** Absent: may do everything, as what the server does by itself. */
  readonly user?: Identity
  readonly fd?: number
  readonly unixSocket?: boolean
}

/** The request of a client of which none runs. */
export const noWords: ReadonlyArray<string> = []
const noBuffers: Buffers = {
  ...{ input: 0, inputFree: 0, incomplete: 0, unsent: 0, unsentPeak: 0, queued: 0 },
  reading: true,
}

/** What an idle connection takes: fiber, buffers, this client's state. Measured with 10,000 idle connections. */
export const connectionBytes = 18 * 1024
/** What a channel or a pattern takes in the tables of both sides, a key under WATCH, and a prefix: by and large, whatever their length. */
const subscriptionBytes = 150
const watchBytes = 200
const prefixBytes = 200

export const bytesOfWords = (words: ReadonlyArray<string>): number => words.reduce((sum, word) => sum + word.length, 0)

/** Bytes of what MULTI has queued. */
export const queuedRequestBytes = ({ transaction }: Client): number => {
  if (transaction === undefined) return 0
  const { queue } = transaction
  while (transaction.measured < queue.length) transaction.bytes += bytesOfWords(queue[transaction.measured++]!)
  return transaction.bytes
}

/**
 * Bytes that a client makes the server hold: requests not yet served or not complete, replies not yet sent, and what it asked for
 * beyond its requests. Asked after each batch of requests while there is a limit, so nothing in here takes longer the more there is.
 */
export const heldBytes = (client: Client): number => {
  const waiting = client.replica?.waitingBytes() ?? client.outbox.queuedBytes()
  let bytes = waiting + client.queryBufferBytes()
  if (client.transaction !== undefined) bytes += queuedRequestBytes(client)
  if (client.watched.length > 0) bytes += client.watched.length * watchBytes
  if (client.isSubscriber) bytes += (client.subscriptions + client.shardChannels.size) * subscriptionBytes
  if (client.tracking !== undefined) bytes += client.tracking.prefixes.length * prefixBytes
  return bytes
}

/** Bytes that a connection takes in all. */
export const memoryOf = (client: Client): number => connectionBytes + heldBytes(client)

/** Whether the other end of a connection is on this machine, by its address as `ClientOptions` has it. */
export const isLocal = (connection: { readonly address: string; readonly unixSocket: boolean }): boolean =>
  connection.unixSocket || /^(127\.|\[::1\]:|\[::ffff:127\.)/.test(connection.address)

export class Client {
  readonly id: number
  /** Where its last change ends in the log: see `Persistence.position`. */
  loggedTo = 0
  /** Where its last change ends in the stream for replicas, as `History.offset` counts. */
  replicatedTo = 0
  /** `ip:port`, or the path with `:0` for a Unix socket. */
  readonly address: string
  readonly localAddress: string
  readonly fd: number
  readonly unixSocket: boolean
  readonly outbox: Outbox
  readonly createdAtMs: number
  /** When it last sent or was sent something. */
  lastActiveAtMs: number
  /** The full name of the last command, as CLIENT LIST prints it. */
  lastCommand = "NULL"
  name = ""
  libName = ""
  libVersion = ""
  /** Whom it acts for: changed by `acl/Acl.ts` alone. */
  user: Identity
  authenticated: boolean
  /** What the connection speaks. */
  protocol: 2 | 3 = 2
  db: Database
  replyMode: ReplyMode = "on"
  /** What it holds, as far as that counts against a limit; kept by `socket/ClientMemory.ts`. */
  weighedBytes = 0
  noEvict = false
  noTouch = false
  monitor = false
  replica: AttachedReplica | undefined
  /** It is this server's master, whose changes are applied here. */
  isMaster = false
  transaction: Transaction | undefined
  /** Keys watched, and whether one of them has changed. Kept by `command/Watches.ts`. */
  readonly watched: Array<Watched> = []
  watchedChanged = false
  readonly channels = new Set<string>()
  readonly patterns = new Set<string>()
  readonly shardChannels = new Set<string>()
  /** Whether there is a name in any of these. Kept by `pubsub/PubSub.ts`, since it is asked for every request. */
  isSubscriber = false
  tracking: Tracking | undefined
  parked: Parked | undefined
  /** Its request is held back by CLIENT PAUSE. */
  postponed = false
  /** It has asked for the end of the server, and waits for that. */
  ending = false
  /** What is to be answered has happened and the answer has yet to leave: until then messages go to `afterReply`. */
  answerDue = false
  /** Messages to this client that its own command caused; they leave after the reply to it. */
  readonly afterReply: Array<Reply> = []
  /** While a script that it runs calls a command: the protocol in which the script wants that answered. */
  scriptProtocol: 2 | 3 | undefined
  /** Set when the connection is to end after the reply now being written. */
  closing = false
  /**
   * The request for which it waits. Noting every request that runs costs the collector's note about an old object that points to a new
   * one.
   */
  argv: ReadonlyArray<string> = noWords
  /** Bytes of requests received and not yet given out. */
  queryBufferBytes: () => number = () => 0
  buffers: (isRunning: boolean) => Buffers = () => noBuffers

  constructor(options: ClientOptions) {
    this.id = options.id
    this.address = options.address
    this.localAddress = options.localAddress
    this.fd = options.fd ?? -1
    this.unixSocket = options.unixSocket ?? false
    this.outbox = options.outbox
    this.createdAtMs = options.now
    this.lastActiveAtMs = options.now
    this.authenticated = options.authenticated
    this.user = options.user ?? unrestricted
    this.db = options.db
  }

  /** The protocol for which a command shapes its answer. */
  get replyProtocol(): 2 | 3 {
    return this.scriptProtocol ?? this.protocol
  }

  /** Channels and patterns: what decides RESP2's subscriber mode and the count in SUBSCRIBE's reply. */
  get subscriptions(): number {
    return this.channels.size + this.patterns.size
  }

  /** Whether it waits for something other than its own input. */
  get blocked(): boolean {
    return this.parked !== undefined || this.postponed || this.ending
  }

  /** The flag letters of CLIENT LIST. */
  get flags(): string {
    let flags = ""
    if (this.replica !== undefined) flags += "S"
    if (this.monitor) flags += "O"
    if (this.isMaster) flags += "M"
    if (this.isSubscriber) flags += "P"
    if (this.transaction !== undefined) flags += "x"
    if (this.blocked) flags += "b"
    if (this.tracking !== undefined) flags += "t"
    if (this.tracking?.brokenRedirect === true) flags += "R"
    if (this.tracking?.mode === "bcast") flags += "B"
    if (this.watchedChanged) flags += "d"
    if (this.closing) flags += "c"
    if (this.unixSocket) flags += "U"
    if (this.noEvict) flags += "e"
    if (this.noTouch) flags += "T"
    return flags === "" ? "N" : flags
  }
}
