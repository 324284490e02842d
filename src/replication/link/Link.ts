/**
 * A link to one master: the handshake, all of the data or what is missing of it, and then the stream of changes until the connection ends.
 *
 * The idea to hold: `session` is one connection from beginning to end, and fails with the reason why it ended. Received bytes are worked
 * off piece by piece, each in one synchronous slice, with a turn of the event loop between, so that clients are answered meanwhile.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClockService } from "../../clock/Clock.ts"
import { pause } from "../../clock/EventLoop.ts"
import type { ClientsService } from "../../command/Clients.ts"
import type { StatsService } from "../../command/Stats.ts"
import type { Values } from "../../config/Config.ts"
import { request } from "../../persistence/log/LogText.ts"
import type { PersistenceService } from "../../persistence/Persistence.ts"
import { Damaged } from "../../persistence/rdb/Format.ts"
import type { StoreService } from "../../store/Store.ts"
import type { Applier } from "./Applier.ts"
import type { Connection, ConnectorService } from "./Connector.ts"
import { Intake } from "./Intake.ts"
import type { History } from "../History.ts"
import { Inbox } from "./Inbox.ts"
import { LinkLost } from "./LinkLost.ts"
import type { Lines, LinkState, ReplicaRole } from "../Replication.ts"
import { Stream } from "./Stream.ts"

export interface LinkServices {
  readonly applier: Applier
  readonly clients: ClientsService
  readonly clock: ClockService
  readonly connector: ConnectorService
  readonly current: Values
  readonly history: History
  readonly persistence: PersistenceService
  readonly stats: StatsService
  /** Disconnects this server's own replicas. */
  readonly dropReplicas: () => void
  readonly store: StoreService
}

/** Acknowledgements and signs of life go out, and silence is noticed, so often. */
const beatMs = 1000
/** When to look again whether the script that has paused has ended. */
const unfinishedDelayMs = 5

const lost = (message: string, needsFull = false) => Effect.fail(new LinkLost({ message, needsFull }))

/** Answers to PING of servers that know us not yet. */
const isAlive = (answer: string): boolean => /^(\+|-NOAUTH|-NOPERM|-ERR operation not permitted)/.test(answer)

export class Link implements ReplicaRole {
  readonly _tag = "Replica"
  readonly host: string
  readonly port: number
  link: LinkState = "connect"
  /** Whether the last session had come to the stream. */
  wasUp = false
  /** What is in memory is not a master's data: it did not come to its end. */
  isPartial = false
  /** Only all of a master's data makes it right: what the stream changed cannot be trusted, or whose data it is is not known. */
  needsFull = false
  private readonly services: LinkServices
  /** Whether this is the server's link. */
  private readonly isCurrent: () => boolean
  /** To be told whether the other server takes over, from when it does until it has answered. */
  private told: ((accepts: boolean) => void) | undefined
  private connection: Connection | undefined
  private inbox: Inbox | undefined
  private full: Intake | undefined
  private stream: Stream | undefined
  /** Bytes of the stream that have been taken and wait for the end of a pause, or of a script. */
  private heldBytes = 0
  /** The snapshot is being read, and the master not listened to. */
  private isLoading = false
  private downSinceMs = 0
  /** What a sync of the log has covered, and where log and stream were when the next one was waited for. */
  private syncedOffset = 0
  private noted = { position: 0, offset: 0 }

  /** `told`: see `FollowingService.handOver`. */
  constructor(
    services: LinkServices,
    host: string,
    port: number,
    isCurrent: () => boolean,
    told?: (accepts: boolean) => void,
  ) {
    this.services = services
    this.host = host
    this.port = port
    this.isCurrent = isCurrent
    this.told = told
  }

  get address(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`
  }

  /** Lets go of the connection, and of half of a snapshot, at once. */
  end(): void {
    this.connection?.destroy()
    this.connection = undefined
    this.settle()
  }

  /** One connection, to its end. */
  readonly session: Effect.Effect<never, LinkLost> = Effect.suspend(() => {
    this.wasUp = false
    this.link = "connecting"
    return Effect.scoped(Effect.raceFirst(this.talk, this.watch)).pipe(
      Effect.tapError(({ needsFull }) => Effect.sync(() => (this.needsFull ||= needsFull === true))),
      // Nobody knows how far a bug has come.
      Effect.tapDefect(() => Effect.sync(() => (this.needsFull = true))),
      Effect.ensuring(Effect.sync(() => this.settle())),
    )
  })

  /** Puts everything back to where no connection is. */
  private settle(): void {
    const { applier, clock, history } = this.services
    if (this.link === "connected") {
      this.downSinceMs = clock.now()
      applier.disconnected()
    }
    this.link = "connect"
    this.inbox = undefined
    this.stream = undefined
    const { full } = this
    this.full = undefined
    if (full?.abort() !== true) return
    this.isPartial = true
    history.begin()
  }

  private readonly talk: Effect.Effect<never, LinkLost, Scope.Scope> = Effect.suspend(() => {
    const { clock, connector } = this.services
    return Effect.acquireRelease(connector.connect(this.host, this.port), (connection) =>
      Effect.sync(() => connection.destroy()),
    ).pipe(
      Effect.mapError(({ reason }) => new LinkLost({ message: reason })),
      Effect.flatMap((connection) => {
        if (!this.isCurrent()) return Effect.never
        this.connection = connection
        this.link = "handshake"
        const inbox = new Inbox(connection, clock.now)
        this.inbox = inbox
        return Effect.zipRight(this.greet(connection, inbox), this.sync(connection, inbox))
      }),
    )
  })

  private greet(connection: Connection, inbox: Inbox): Effect.Effect<void, LinkLost> {
    const { current, stats } = this.services
    const ask = (...argv: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        connection.write(request(argv))
        return inbox.line
      })
    return Effect.gen(function* () {
      const pong = yield* ask("PING")
      if (!isAlive(pong)) return yield* lost(`it answers PING with ${JSON.stringify(pong)}`)
      if (current.masterauth !== "") {
        const user = current.masteruser === "" ? [] : [current.masteruser]
        const answer = yield* ask("AUTH", ...user, current.masterauth)
        if (answer.startsWith("-")) return yield* lost(`masterauth is refused: ${answer.slice(1)}`)
      }
      // A master that does not know one of these does without.
      const port = current.replicaAnnouncePort || stats.tcpPort
      yield* ask("REPLCONF", "listening-port", String(port))
      if (current.replicaAnnounceIp !== "") yield* ask("REPLCONF", "ip-address", current.replicaAnnounceIp)
      yield* ask("REPLCONF", "capa", "eof", "capa", "psync2")
    })
  }

  private sync(connection: Connection, inbox: Inbox): Effect.Effect<never, LinkLost> {
    const { history } = this.services
    return Effect.suspend(() => {
      const from = this.needsFull ? ["?", "-1"] : [history.id, String(history.offset + 1)]
      connection.write(request(["PSYNC", ...from, ...(this.told === undefined ? [] : ["FAILOVER"])]))
      return Effect.flatMap(inbox.line, (answer) => {
        const [word, id, offset] = answer.split(" ")
        if (!this.isCurrent()) return Effect.never
        this.hasAnswered(word)
        if (word === "+CONTINUE") return this.goOn(connection, inbox, id)
        if (word !== "+FULLRESYNC") return lost(`it answers PSYNC with ${JSON.stringify(answer)}`)
        if (id?.length !== 40 || !/^\d{1,15}$/.test(offset ?? ""))
          return lost(`it answers PSYNC with ${JSON.stringify(answer)}`)
        return this.receive(connection, inbox, id, Number(offset))
      })
    })
  }

  private hasAnswered(word: string | undefined): void {
    const accepts = word === "+CONTINUE" || word === "+FULLRESYNC"
    // What passes is asked again.
    if (this.told === undefined || word === "-LOADING" || word === "-NOMASTERLINK") return
    const { told } = this
    this.told = undefined
    told(accepts)
  }

  private goOn(connection: Connection, inbox: Inbox, id: string | undefined): Effect.Effect<never, LinkLost> {
    const { history } = this.services
    return Effect.suspend(() => {
      if (!this.isCurrent()) return Effect.never
      if (id !== undefined && id !== history.id) {
        if (!/^[0-9a-f]{40}$/i.test(id)) return lost(`it goes on with the history ${JSON.stringify(id)}`)
        history.continueAs(id)
      }
      return Effect.zipRight(
        Effect.logInfo(`master ${this.address}: goes on at offset ${history.offset + 1}`),
        this.follow(connection, inbox, undefined),
      )
    })
  }

  private receive(connection: Connection, inbox: Inbox, id: string, offset: number): Effect.Effect<never, LinkLost> {
    const { applier, clock, current, history, persistence, store } = this.services
    this.link = "sync"
    const full = new Intake({
      ...{ applier, clock, current, persistence, store },
      isSameHistory: id.toLowerCase() === history.id,
      leaving: this.services.dropReplicas,
    })
    this.full = full
    const finish = (rest: Buffer): Effect.Effect<never, LinkLost> =>
      Effect.suspend(() => {
        if (!this.isCurrent()) return Effect.never
        if (!applier.select(full.streamDb)) return lost(`its stream begins in database ${full.streamDb}`)
        return Effect.flatMap(
          this.slice("its snapshot", () => {
            full.takeOver()
            history.adopt(id, offset)
            history.selected = full.streamDb
            this.full = undefined
            this.isPartial = this.needsFull = false
            full.finish()
          }),
          () =>
            Effect.zipRight(
              Effect.logInfo(
                `master ${this.address}: all of its data has come, ${full.keys} keys in ${full.payload.readBytes} bytes`,
              ),
              this.follow(connection, inbox, rest),
            ),
        )
      })
    return Effect.logInfo(`master ${this.address}: sends all of its data`).pipe(
      Effect.zipRight(Effect.scoped(this.takeAll(full, inbox))),
      Effect.flatMap(finish),
    )
  }

  /** Takes the snapshot to its end; gives what came behind it. */
  private takeAll(full: Intake, inbox: Inbox): Effect.Effect<Buffer, LinkLost, Scope.Scope> {
    const { stats } = this.services
    const slice = <A>(read: () => A): Effect.Effect<A, LinkLost> =>
      Effect.flatMap(this.whole, () => {
        if (!this.isCurrent()) return Effect.never
        return Effect.zipLeft(
          this.slice("its snapshot", read),
          Effect.zipRight(
            Effect.suspend(() => this.tell(full.warnings)),
            full.pace.rest,
          ),
        )
      })
    const notStored = Effect.mapError(({ message }: { readonly message: string }) => new LinkLost({ message }))
    const next: Effect.Effect<Buffer, LinkLost, Scope.Scope> = Effect.flatMap(inbox.take, (chunk) => {
      stats.replicationInputBytes += chunk.length
      return Effect.flatMap(
        slice(() => full.feed(chunk)),
        (behind) =>
          Effect.zipRight(
            notStored(full.store),
            behind === undefined ? Effect.zipRight(pause, next) : Effect.succeed(behind),
          ),
      )
    })
    const load = Effect.suspend(() => {
      this.isLoading = true
      return full
        .load((read) => Effect.zipLeft(slice(read), pause))
        .pipe(
          Effect.mapError((error) => (error instanceof LinkLost ? error : new LinkLost({ message: error.message }))),
          Effect.zipRight(Effect.suspend(() => this.tell(full.warnings))),
          Effect.ensuring(
            Effect.sync(() => {
              this.isLoading = false
              inbox.lastAtMs = this.services.clock.now()
            }),
          ),
        )
    })
    return Effect.zipLeft(next, load)
  }

  /** Takes the stream, for ever. */
  private follow(connection: Connection, inbox: Inbox, first: Buffer | undefined): Effect.Effect<never, LinkLost> {
    const { applier, current, history, persistence, stats } = this.services
    const stream = new Stream(applier, history)
    this.stream = stream
    history.keep(current.replBacklogSize)
    this.syncedOffset = 0
    this.noted = { position: persistence.position(), offset: history.offset }
    this.link = "connected"
    this.wasUp = true
    applier.connected(connection, () => connection.destroy())
    this.heldBytes = 0
    const run = (chunk: Buffer): Effect.Effect<void, LinkLost> => {
      this.heldBytes = chunk.length
      return Effect.flatMap(Effect.zipRight(this.unpaused, this.whole), () => {
        this.heldBytes = 0
        if (!this.isCurrent()) return Effect.never
        return Effect.zipRight(
          Effect.ensuring(
            this.slice("its stream", () => stream.feed(chunk)),
            Effect.sync(() => {
              if (!stream.wantsAck) return
              stream.wantsAck = false
              this.acknowledge()
            }),
          ),
          this.tell(stream.warnings),
        )
      })
    }
    const next: Effect.Effect<never, LinkLost> = Effect.flatMap(inbox.take, (chunk) => {
      stats.replicationInputBytes += chunk.length
      return Effect.zipRight(run(chunk), inbox.hasMore ? Effect.zipRight(pause, next) : next)
    })
    const begin = first === undefined || first.length === 0 ? Effect.void : run(first)
    this.acknowledge()
    return Effect.zipRight(begin, next)
  }

  /** Ends when no script has paused: one sees the data of one instant. */
  private readonly whole: Effect.Effect<void> = Effect.suspend(() =>
    this.services.store.unfinished ? Effect.zipRight(Effect.sleep(unfinishedDelayMs), this.whole) : Effect.void,
  )

  /** Ends when no CLIENT PAUSE keeps the data as it is. */
  private readonly unpaused: Effect.Effect<void> = Effect.suspend(() => {
    const { clients, clock } = this.services
    return clients.pause(clock.now()) === undefined ? Effect.void : Effect.zipRight(clients.unpaused, this.unpaused)
  })

  /** Runs a slice of reading; damage is a reason to want everything anew. */
  private slice<A>(what: string, read: () => A): Effect.Effect<A, LinkLost> {
    return Effect.suspend(() => {
      try {
        return Effect.succeed(read())
      } catch (cause) {
        if (!(cause instanceof Damaged)) throw cause
        return lost(`${what} is damaged at byte ${cause.offset}: ${cause.message}`, true)
      }
    })
  }

  private tell(warnings: Array<string>): Effect.Effect<void> {
    if (warnings.length === 0) return Effect.void
    return Effect.forEach(warnings.splice(0), (text) => Effect.logWarning(`master ${this.address}: ${text}`), {
      discard: true,
    })
  }

  /** Tells how far this server has come, and how far its log has on the disk, if it has one. */
  private acknowledge(): void {
    const { history, persistence } = this.services
    const ack = ["REPLCONF", "ACK", String(history.offset)]
    // After all of the data has come, the log begins anew.
    if (persistence.active() && persistence.hasBase()) {
      if (persistence.isSynced(this.noted.position)) {
        this.syncedOffset = this.noted.offset
        this.noted = { position: persistence.position(), offset: history.offset }
        if (persistence.isSynced(this.noted.position)) this.syncedOffset = history.offset
      }
      if (this.syncedOffset > 0) ack.push("FACK", String(this.syncedOffset))
    }
    this.connection?.write(request(ack))
  }

  /** Says each second that we are there, and notices when the master is not. */
  private readonly watch: Effect.Effect<never, LinkLost> = Effect.suspend(() => {
    const { clock, current } = this.services
    const beganAtMs = clock.now()
    const beat: Effect.Effect<never, LinkLost> = Effect.flatMap(Effect.sleep(beatMs), () => {
      const silentMs = this.isLoading ? 0 : clock.now() - (this.inbox?.lastAtMs ?? beganAtMs)
      if (silentMs > current.replTimeout * 1000) return lost(`no sign of life for ${current.replTimeout} seconds`)
      if (this.link === "connected") this.acknowledge()
      else if (this.full !== undefined) this.connection?.write("\n")
      return beat
    })
    return beat
  })

  /** See `ReplicaRole`. */
  info(): Lines {
    const { clock, current, history } = this.services
    const { full, link } = this
    const seconds = (sinceMs: number): number => Math.max(0, Math.floor((clock.now() - sinceMs) / 1000))
    const isUp = link === "connected"
    const unread = (this.stream?.waitingBytes ?? 0) + this.heldBytes + (isUp ? (this.inbox?.waitingBytes ?? 0) : 0)
    return [
      ["master_host", this.host],
      ["master_port", this.port],
      ["master_link_status", isUp ? "up" : "down"],
      ["master_last_io_seconds_ago", isUp ? seconds(this.inbox!.lastAtMs) : -1],
      ["master_sync_in_progress", link === "sync" ? 1 : 0],
      ["slave_read_repl_offset", history.offset + unread],
      ["slave_repl_offset", history.offset],
      ...(full === undefined ? [] : syncInfo(full, seconds(this.inbox!.lastAtMs))),
      ...(isUp
        ? []
        : ([["master_link_down_since_seconds", this.downSinceMs === 0 ? -1 : seconds(this.downSinceMs)]] as const)),
      ["slave_priority", current.replicaPriority],
      ["slave_read_only", current.replicaReadOnly ? 1 : 0],
      ["replica_announced", 1],
    ]
  }
}

const syncInfo = ({ payload: { totalBytes, readBytes } }: Intake, secondsAgo: number): Lines => [
  ["master_sync_total_bytes", totalBytes],
  ["master_sync_read_bytes", readBytes],
  ["master_sync_left_bytes", totalBytes - readBytes],
  ["master_sync_perc", totalBytes === 0 ? "0.00" : ((readBytes / totalBytes) * 100).toFixed(2)],
  ["master_sync_last_io_seconds_ago", secondsAgo],
]
