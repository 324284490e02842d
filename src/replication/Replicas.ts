/**
 * The replicas that are attached to this server: who they are, who may go on from where it was, what they have acknowledged, and who
 * has to be given up. Snapshots for those that need one are FullSync.ts.
 *
 * The idea to hold: a replica is a connection that gets no answers any more. Whatever ends the connection ends the replica.
 */
import * as Effect from "effect/Effect"
import type { ClockService } from "../clock/Clock.ts"
import * as Reply from "../codec/Reply.ts"
import type { Client } from "../command/Client.ts"
import type { ClientsService } from "../command/Clients.ts"
import type { ConfigService } from "../config/Config.ts"
import { request } from "../persistence/log/LogText.ts"
import type { History } from "./History.ts"
import { Handshake, Replica } from "./Replica.ts"

const ping = request(["PING"])
const getAck = request(["REPLCONF", "GETACK", "*"])

/** What a replica has done with the stream: taken it, or brought it to its disk. */
export type Done = "taken" | "synced"

interface Waiter {
  readonly isMet: () => boolean
  readonly wake: () => void
}

export interface ReplicasServices {
  readonly clients: ClientsService
  readonly clock: ClockService
  readonly config: ConfigService
  readonly history: History
  /** Whether this server is a master: only then it adds to the stream by itself. */
  readonly isMaster: () => boolean
}

export class Replicas {
  readonly all: Array<Replica> = []
  /** For INFO: snapshots asked for, links that went on, and links that could not. */
  counts = { full: 0, partial: 0, refused: 0, bytes: 0 }
  /** Set when the server is to stop and waits for them no longer. */
  mayBeLeft = false
  /** Unix ms at which the server stops even if they lack something, while it waits for them. */
  leftAtMs: number | undefined = undefined
  /** Set while a replica is to take over where the stream ends: nothing is added to it then that no command has asked for. */
  isStill = false
  /** Opened when a replica begins to wait for a snapshot. */
  readonly wanted = Effect.unsafeMakeLatch(false)
  /** Opened when one has taken what was sent, or left. */
  readonly moved = Effect.unsafeMakeLatch(false)
  /** Open while there is something to look at each second. */
  private readonly awake = Effect.unsafeMakeLatch(false)
  private readonly handshakes = new WeakMap<Client, Handshake>()
  private waiters: Array<Waiter> = []
  private pingedAtMs: number
  private emptySinceMs: number
  private readonly services: ReplicasServices

  constructor(services: ReplicasServices) {
    this.services = services
    const { clients, clock, config, history } = services
    this.pingedAtMs = this.emptySinceMs = clock.now()
    history.followers.push((text) => this.follow(text))
    // Those who follow have to ask again, under the name it has now.
    history.renamed.push(() => this.drop())
    clients.onForget.push((client) => this.detach(client))
    const syncSettings = ["repl-diskless-sync", "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas"] as const
    config.onChange(syncSettings, () => void this.wanted.unsafeOpen())
    config.onChange(["repl-backlog-size"], ({ replBacklogSize }) => history.backlog?.resize(replBacklogSize))
  }

  /** What a connection that may become a replica has told. */
  handshake(client: Client): Handshake {
    let found = this.handshakes.get(client)
    if (found === undefined) this.handshakes.set(client, (found = new Handshake()))
    return found
  }

  of(client: Client): Replica | undefined {
    return client.replica === undefined ? undefined : this.all.find((replica) => replica.client === client)
  }

  /** Whether a snapshot is on its way to some. */
  get isSending(): boolean {
    return this.all.some(({ stage }) => stage === "sending")
  }

  /** Goes on with the stream behind `offset` if all of that is there and `id` is this history; else a snapshot is needed. */
  attach(client: Client, asked: { readonly id: string; readonly offset: number } | undefined): void {
    const { clock, config, history, isMaster } = this.services
    const now = clock.now()
    const replica = new Replica(client, this.handshake(client), asked !== undefined, now)
    const partial = asked !== undefined && history.continues(asked.id, asked.offset)
    if (asked !== undefined && asked.id !== "?" && !partial) this.counts.refused++
    client.replica = replica
    client.replyMode = "replica"
    client.outbox.onDrained(() => {
      replica.progressAtMs = clock.now()
      this.moved.unsafeOpen()
    })
    if (this.all.length === 0) {
      this.pingedAtMs = now
      // Nobody can know a history that was not kept.
      if (history.backlog === undefined && isMaster()) history.begin()
      history.keep(config.current.replBacklogSize)
    }
    this.all.push(replica)
    this.awake.unsafeOpen()
    if (partial) {
      this.counts.partial++
      replica.send(`+CONTINUE${replica.handshake.knowsRenaming ? ` ${history.id}` : ""}\r\n`)
      replica.resume(history.backlog!.from(asked.offset), now)
    } else {
      this.counts.full++
      this.wanted.unsafeOpen()
    }
  }

  private detach(client: Client): void {
    const index = client.replica === undefined ? -1 : this.all.findIndex((replica) => replica.client === client)
    if (index < 0) return
    this.all[index]!.isGone = true
    this.all.splice(index, 1)
    if (this.all.length === 0) this.emptySinceMs = this.services.clock.now()
    this.moved.unsafeOpen()
    this.wakeWaiters()
  }

  /** This server begins with data that replicas may have, too: what changes from here on is kept for them. */
  expected(): void {
    this.services.history.keep(this.services.config.current.replBacklogSize)
    this.promoted()
  }

  /** This server has become a master: its old master's other replicas get all of `repl-backlog-ttl` to come to it. */
  promoted(): void {
    this.emptySinceMs = this.services.clock.now()
    this.awake.unsafeOpen()
  }

  /** Ends the connections of all replicas. */
  drop(): void {
    for (const { client } of [...this.all]) client.outbox.close("now")
  }

  /**
   * Differs: under `appendfsync always` redis-server has its changes on disk before replicas see them. Here they may see what a crash
   * takes back from this server, and no client has been told of; the server begins a new history then, so they ask for all of it.
   */
  private follow(text: string): void {
    const { all } = this
    if (all.length === 0) return
    const message = Reply.raw(text)
    this.counts.bytes += text.length * all.length
    for (let i = 0; i < all.length; i++) all[i]!.follow(text, message)
  }

  /** CONFIG RESETSTAT. */
  resetCounts(): void {
    this.counts = { full: 0, partial: 0, refused: 0, bytes: 0 }
  }

  // ----- acknowledgements

  acknowledge(client: Client, offset: number, synced: number): void {
    this.of(client)?.acknowledge(offset, synced, this.services.clock.now())
    this.wakeWaiters()
  }

  private wakeWaiters(): void {
    if (this.waiters.length === 0) return
    const { waiters } = this
    this.waiters = waiters.filter(({ isMet }) => !isMet())
    for (const waiter of waiters) if (!this.waiters.includes(waiter)) waiter.wake()
  }

  /** How many replicas are known to have the stream up to `offset`. */
  ackedBy(offset: number, done: Done = "taken"): number {
    let count = 0
    for (const { stage, ackedOffset, syncedOffset } of this.all) {
      if (stage === "online" && (done === "taken" ? ackedOffset : syncedOffset) >= offset) count++
    }
    return count
  }

  /** Ends when so many replicas have said that they have the stream up to `offset`; asks them to. */
  whenAcked(offset: number, replicas: number, done: Done = "taken"): Effect.Effect<void> {
    return this.when(() => this.ackedBy(offset, done) >= replicas)
  }

  /** Ends when no replica lacks anything of the stream as it is now. */
  get caughtUp(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { offset } = this.services.history
      return this.when(() =>
        this.all.every((replica) => replica.handshake.snapshotOnly || replica.ackedOffset >= offset),
      )
    })
  }

  private when(isMet: () => boolean): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.sync(() => {
        const isAsked = this.all.length > 0 && this.services.isMaster() && !this.isStill
        if (isAsked && !isMet()) this.services.history.feed(getAck)
      }),
      this.until(isMet),
    )
  }

  /** Ends when something about acknowledgements is so; nobody is asked, who takes the stream tells each second. */
  until(isMet: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (isMet()) return resume(Effect.void)
      const waiter: Waiter = { isMet, wake: () => resume(Effect.void) }
      this.waiters.push(waiter)
      return Effect.sync(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter)
      })
    })
  }

  /** Replicas that count for `min-replicas-to-write`. */
  good(): number {
    const now = this.services.clock.now()
    const { minReplicasMaxLag } = this.services.config.current
    return this.all.filter((replica) => replica.stage === "online" && replica.lagSeconds(now) <= minReplicasMaxLag)
      .length
  }

  // ----- time

  /** Looks after replicas and backlog, for ever: each second, as long as there is one of them. */
  readonly run: Effect.Effect<never> = Effect.sync(() => {
    this.tick()
    const { history } = this.services
    if (this.all.length === 0 && history.backlog === undefined) this.awake.unsafeClose()
  }).pipe(Effect.delay("1 second"), this.awake.whenOpen, Effect.forever)

  private tick(): void {
    const { clock, config, history, isMaster } = this.services
    const { replBacklogTtl, replPingReplicaPeriod } = config.current
    const now = clock.now()
    if (this.all.length === 0) {
      if (!isMaster() || replBacklogTtl === 0 || now - this.emptySinceMs <= replBacklogTtl * 1000) return
      // What changes from here on is not kept, so nobody may take what comes after it for a continuation.
      history.backlog = undefined
      return history.begin()
    }
    for (const replica of [...this.all]) this.look(replica, now)
    if (!isMaster() || this.isStill || now - this.pingedAtMs < replPingReplicaPeriod * 1000) return
    this.pingedAtMs = now
    history.feed(ping)
  }

  private look(replica: Replica, now: number): void {
    const timeoutMs = this.services.config.current.replTimeout * 1000
    // A sign of life; replicas pass over it.
    if (replica.stage === "waiting") return replica.send("\n")
    const { client, ackedAtMs, progressAtMs, stage } = replica
    const isLate =
      stage === "sending"
        ? client.outbox.queuedBytes() > 0 && now - progressAtMs > timeoutMs
        : replica.acknowledges && now - ackedAtMs > timeoutMs
    if (isLate) client.outbox.close("now")
  }
}
