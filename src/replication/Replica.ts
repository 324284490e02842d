/**
 * A replica that is attached to this server: how far its synchronization has come, and what it has said.
 *
 * The idea to hold: from the instant of its snapshot on a replica gets every byte of the stream. As long as the snapshot is on its way
 * they are kept for it, and follow then. Who takes a snapshot that ends with a mark reads on to the mark in pieces that may be longer
 * than that, so the stream waits until it has acknowledged the snapshot.
 */
import { Pieces } from "../bytes/Pieces.ts"
import * as Reply from "../codec/Reply.ts"
import type { AttachedReplica, Client } from "../command/Client.ts"

/** What a connection has told of itself with REPLCONF before it asks to be a replica. */
export class Handshake {
  /** Where the replica listens; 0 and "": it did not say. */
  port = 0
  address = ""
  /** Takes a snapshot that ends with a mark, instead of one whose length comes first. */
  takesMark = false
  /** Knows that a history can change its name. */
  knowsRenaming = false
  /** Wants no more than the snapshot. */
  snapshotOnly = false
  /** Wants only these parts in it. */
  parts: ReadonlyArray<"functions"> | undefined = undefined
}

/** waiting: for a snapshot to begin; sending: it goes out; online: the stream goes out. */
export type Stage = "waiting" | "sending" | "online"

export class Replica implements AttachedReplica {
  readonly client: Client
  readonly handshake: Handshake
  /** Whether it asked with PSYNC: then it is told its offset, and acknowledges. */
  readonly acknowledges: boolean
  stage: Stage = "waiting"
  /** Since when it waits, Unix ms. */
  readonly sinceMs: number
  /** How far it has taken the stream, as far as it has said. */
  ackedOffset = 0
  /** How far it has it on its disk. */
  syncedOffset = 0
  /** When it last said so. */
  ackedAtMs: number
  /** When it last took something of the snapshot. */
  progressAtMs: number
  /** Its snapshot has been made, and goes out. */
  isMade = false
  isGone = false
  /** The stream goes out only once it has acknowledged the snapshot. */
  private startsOnAck = false
  /** What follows its snapshot, which is on the way. */
  private readonly kept = new Pieces()

  constructor(client: Client, handshake: Handshake, acknowledges: boolean, now: number) {
    this.client = client
    this.handshake = handshake
    this.acknowledges = acknowledges
    this.sinceMs = this.ackedAtMs = this.progressAtMs = now
  }

  /** Bytes kept because its snapshot is on the way. */
  get keptBytes(): number {
    return this.kept.length
  }

  /** What waits for it, the snapshot apart, which goes out at its own pace. */
  waitingBytes(): number {
    return this.stage === "sending" ? this.keptBytes : this.keptBytes + this.client.outbox.queuedBytes()
  }

  send(text: string): void {
    this.client.outbox.push(Reply.raw(text))
  }

  /** The next piece of the stream; `message` is made of `text`, once for all replicas. */
  follow(text: string, message: Reply.Reply): void {
    if (this.stage === "online" && !this.startsOnAck) return this.client.outbox.push(message)
    if (this.stage === "waiting" || this.handshake.snapshotOnly) return
    this.kept.add(text)
    this.client.outbox.check()
  }

  /** The instant of its snapshot. */
  begin(id: string, offset: number, now: number): void {
    this.stage = "sending"
    this.progressAtMs = now
    if (this.acknowledges) this.send(`+FULLRESYNC ${id} ${offset}\r\n`)
  }

  /** All of the snapshot is on its way; `hasMark`: a mark says where it ends. */
  finish(now: number, hasMark: boolean): void {
    // That was all it wanted.
    if (this.handshake.snapshotOnly) return this.client.outbox.close("afterReplies")
    this.ackedAtMs = now
    this.stage = "online"
    this.startsOnAck = hasMark
    if (!this.startsOnAck) this.release()
  }

  /** Goes on from where it was. */
  resume(text: string, now: number): void {
    this.stage = "online"
    this.ackedAtMs = now
    if (text !== "") this.send(text)
  }

  acknowledge(offset: number, synced: number, now: number): void {
    this.ackedAtMs = now
    if (offset > this.ackedOffset) this.ackedOffset = offset
    if (synced > this.syncedOffset) this.syncedOffset = synced
    if (this.stage !== "online" || !this.startsOnAck) return
    this.startsOnAck = false
    this.release()
  }

  private release(): void {
    for (let piece = this.kept.take(Infinity); piece !== ""; piece = this.kept.take(Infinity)) this.send(piece)
  }

  /** Whole seconds since it last said something. */
  lagSeconds(now: number): number {
    return Math.floor((now - this.ackedAtMs) / 1000)
  }

  /** Where it says that clients find it, or where its connection comes from. */
  get host(): string {
    const { client, handshake } = this
    return handshake.address || client.address.slice(0, client.address.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1")
  }

  /** The value of its line in INFO. */
  describe(now: number): string {
    const { handshake, host, isMade, stage } = this
    // As redis-server calls them: one that is sent while it is made has no name of its own.
    const state = stage === "online" ? "online" : isMade ? "send_bulk" : "wait_bgsave"
    const offset = `offset=${this.ackedOffset},lag=${stage === "online" ? this.lagSeconds(now) : 0}`
    return `ip=${host},port=${handshake.port},state=${state},${offset}`
  }
}
