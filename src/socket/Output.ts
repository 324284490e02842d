/**
 * The output of one connection: answers, and messages pushed to it, as bytes that leave together.
 *
 * The idea to hold: nothing is written where it is made. The answers of a batch are collected and `flush`ed by whoever served it;
 * messages that come while nothing is served leave at the end of the turn of the event loop.
 * The invariant: replies and messages leave in the order in which they were made.
 */
import { constants } from "node:buffer"
import * as Effect from "effect/Effect"
import type { CodecService } from "../codec/Codec.ts"
import * as Reply from "../codec/Reply.ts"
import * as ReplyArena from "../codec/ReplyArena.ts"
import type { Buffers, Client, Outbox } from "../command/Client.ts"
import type { ClientsService } from "../command/Clients.ts"
import { ReplyTooLong } from "../errors/ConnectionErrors.ts"
import type { ProtocolError } from "../errors/ProtocolError.ts"
import type { PersistenceService } from "../persistence/Persistence.ts"
import type { StoreService } from "../store/Store.ts"
import * as Messages from "./Messages.ts"
import type { ClientMemory } from "./ClientMemory.ts"
import { Outgoing } from "./Outgoing.ts"
import { OutputLimits, type OutputLimitServices } from "./OutputLimits.ts"
import type { Transport } from "./Transport.ts"

export interface OutputServices extends OutputLimitServices {
  readonly clientMemory: ClientMemory
  readonly clients: ClientsService
  readonly codec: CodecService
  /** As `codec.encode`; a message that goes to many is encoded once a protocol version. */
  readonly encodePush: CodecService["encode"]
  /** By protocol version, where messages of a turn begin to be joined. */
  readonly joined: { readonly 2: Messages.Joined; readonly 3: Messages.Joined }
  readonly persistence: PersistenceService
  readonly store: StoreService
}

/** Where the connection is in its life. */
export interface Life {
  /** Set while the fiber runs or will run by itself, and flushes at the end. */
  busy: boolean
  closed: boolean
  /** Set while an answer is being worked for that the client gets even if its connection is to end (ACL LOAD of a user that goes). */
  owes: boolean
}

/** Queued output beyond this pauses reading: no more requests are served until the peer has read some, or has stalled. */
const outputHighWater = 1024 * 1024
/** Replies of a batch beyond this are written before the batch goes on, to bound memory. */
const batchBytesMax = 256 * 1024

/** Messages are counted against the limits of unread output when they leave, or when more than this has come together. */
const uncheckedBytesMax = 64 * 1024

/** The longest string of V8, less room for what may stand in front of a reply. */
const stringLengthMax = constants.MAX_STRING_LENGTH - 2 * batchBytesMax

export interface Output {
  readonly client: Client
  /** Adds the answer to a request, or sends it at once if it is long. */
  readonly answer: (reply: Reply.Reply) => void
  /** Adds what tells a peer that broke the protocol so. */
  readonly refuse: (error: ProtocolError) => void
  /** Asked after each answer of a batch: sends what has become too much to keep. Gives whether the batch has to wait for the disk or the peer. */
  readonly mustWait: () => boolean
  /** Whether so much is queued that the peer has to read first. */
  readonly isBehind: () => boolean
  /** Doubles how much may be queued before the peer has to read, until it has read all. */
  readonly allowMore: () => void
  /** Weighs what the client holds, and looks at the limits of what all do. */
  readonly checkAll: () => void
  /** Sends the answers of a batch that need not wait for the disk. */
  readonly sendNow: () => void
  /** Sends the answers of a batch when they may be known. */
  readonly send: Effect.Effect<void>
  /** Queues all there is. */
  readonly flush: () => void
  /** The system has taken over what was queued. */
  readonly drained: () => void
  readonly buffers: () => Pick<Buffers, "unsent" | "unsentPeak" | "queued">
}

export const make = (
  transport: Transport,
  services: OutputServices,
  life: Life,
  makeClient: (outbox: Outbox) => Client,
): Output => {
  const { clientMemory, clients, codec, encodePush, persistence, stats, store } = services

  /** Encoded and not yet given to the transport, and how many replies that is. */
  const out = new Outgoing(codec)
  let unsent = 0
  /** The messages in `out` that came while there were answers in it, or may be. */
  let messages = ""
  /** What `out` consists of, as long as it is messages only: then both are equally long. */
  let joined = services.joined[2]
  /** The longest that `out` became, since when (Unix ms). */
  const peak = { bytes: 0, sinceMs: 0 }

  const onDrained: Array<() => void> = []
  const outbox: Outbox = {
    push: (message) => {
      if (life.closed) return
      if (client.answerDue) return void client.afterReply.push(message)
      const bytes = encoded(message, encodePush)
      if (out.length + bytes.length > stringLengthMax) makeRoom()
      if (out.length === 0) joined = services.joined[client.protocol]
      if (joined.text.length === out.length) {
        // Nothing but messages since the last flush.
        joined = Messages.join(joined, bytes)
        out.set(joined.text)
      } else out.add(bytes)
      if (life.busy) messages += bytes
      else scheduleFlush()
      if (out.length < uncheckedBytesMax) return
      checkAll()
      limits.check()
    },
    check: () => limits.check(),
    onDrained: (listener) => void onDrained.push(listener),
    queuedBytes: () => out.length + transport.queuedBytes(),
    close: (how) => {
      client.closing = true
      if (how === "now") transport.destroy()
      else if (!life.busy) scheduleFlush()
    },
  }
  const client = makeClient(outbox)

  const flush = () => {
    if (out.length === 0) return
    if (life.closed) return void out.take()
    countOut(out.length)
    // Bytes that have to wait keep all of the arena from being used again.
    if (transport.queuedBytes() > 0) out.settle()
    const bytes = out.take()
    if (typeof bytes !== "string") {
      transport.writeBytes(bytes)
      if (transport.queuedBytes() > 0) ReplyArena.keep()
    } else transport.write(bytes)
    // What the system has taken at once is not told as drained.
    if (client.replica !== undefined && transport.queuedBytes() === 0) tellDrained()
  }

  const tellDrained = () => {
    for (let i = 0; i < onDrained.length; i++) onDrained[i]!()
  }

  /** So many bytes, with all of `out` among them, leave now: a process that is killed afterwards has kept what they tell. */
  const countOut = (length: number) => {
    persistence.writeNow()
    if (store.now - peak.sinceMs >= clients.outputPeakPeriodMs) Object.assign(peak, { bytes: 0, sinceMs: store.now })
    if (length > peak.bytes) peak.bytes = length
    client.lastActiveAtMs = store.now
    stats.netOutputBytes += length
    stats.writes++
    unsent = 0
    messages = ""
    if (joined.text !== "") forgetJoined()
  }

  /** What has been joined need not be kept: with the first one that sends it the turn is over. */
  const forgetJoined = () => {
    joined = services.joined[client.protocol]
    joined.added = ""
    joined.next = undefined
  }

  /** Long answers of which part is queued, so that their bytes have to stay. */
  const lent: Array<Reply.LongBulk> = []

  /**
   * Writes a long answer as the bytes it consists of, at once: a later command may change them. Where it may not leave yet, or counts
   * against a limit, it is left to be encoded. A GET of 64 KiB costs 26 us so, and 39 as a string.
   */
  const sendAsBytes = (reply: Reply.LongBulk): boolean => {
    if (life.closed || !limits.isUnlimited || persistence.mustCommit()) return false
    const { bytes } = reply
    const { head, tail } = codec.frame(bytes.length, client.protocol)
    countOut(out.length + head.length + bytes.length + tail.length)
    out.add(head)
    transport.writeAround(out.takeText(), bytes, tail)
    lent.push(reply)
    giveBack()
    return true
  }

  const giveBack = () => {
    if (lent.length === 0 || transport.queuedBytes() > 0) return
    for (let i = 0; i < lent.length; i++) lent[i]!.giveBack()
    lent.length = 0
  }

  /** Pushed messages of one turn leave in one write. */
  let flushScheduled = false
  const scheduleFlush = () => {
    if (flushScheduled) return
    flushScheduled = true
    queueMicrotask(() => {
      flushScheduled = false
      if (life.busy) return
      limits.check()
      flush()
      checkAll()
      if (client.closing && !life.owes) transport.end()
    })
  }

  /** Ends the clients that hold most where all hold too much: it may be this one. */
  const checkAll = () => {
    if (!clientMemory.isLimited) return
    clientMemory.weigh(client)
    clientMemory.reclaim()
  }

  const cutOff = () => {
    stats.outputLimitDisconnections++
    out.take()
    client.closing = true
    transport.destroy()
  }

  const limits = new OutputLimits(client, services, { cutOff, isGone: () => life.closed })

  /**
   * Differs: redis-server sends replies of any length, and here one has to fit into a string. MGET of values that together are longer
   * than 512 MiB is answered with an error.
   */
  const encoded = (reply: Reply.Reply, encode: CodecService["encode"]): string => {
    try {
      const bytes = encode(reply, client.protocol)
      if (bytes.length <= stringLengthMax) return bytes
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    return codec.encode(tooLong(), client.protocol)
  }

  const append = (reply: Reply.Reply) => {
    if (out.addShort(reply, client.protocol)) return
    const bytes = encoded(reply, codec.encode)
    if (out.length + bytes.length > stringLengthMax) makeRoom()
    out.add(bytes)
  }

  const tooLong = (): Reply.Reply => {
    stats.countError(ReplyTooLong.error.code)
    return Reply.failure(ReplyTooLong.error)
  }

  /** Where nobody may know yet what was done, since it is not on disk, half a GiB of messages is too much to keep. */
  const makeRoom = () => {
    if (life.busy && persistence.mustCommit()) cutOff()
    else flush()
  }

  const answer = (reply: Reply.Reply) => {
    const mode = client.replyMode
    // What tells of a subscription is a message, and CLIENT REPLY is about answers.
    if (mode === "replica") {
      if (!Reply.isNone(reply)) return cutOffReplica()
    } else if (mode === "on" || Reply.isPushed(reply)) {
      if (!(reply instanceof Reply.LongBulk) || !sendAsBytes(reply)) {
        append(reply)
        unsent++
      }
    }
    if (mode === "skipNext") client.replyMode = "skip"
    else if (mode === "skip") client.replyMode = "on"
    client.answerDue = false
    if (client.afterReply.length > 0) for (const message of client.afterReply.splice(0)) outbox.push(message)
  }

  /** As in redis-server, a replica is not answered: one that asks for something is none. */
  const cutOffReplica = () => {
    client.closing = true
    transport.destroy()
  }

  const refuse = (error: ProtocolError) => {
    out.add(codec.encode(Reply.failure(error), client.protocol))
    stats.countError(error.code)
  }

  let highWater = outputHighWater
  // What a replica says has to be heard however much is on its way to it.
  const isBehind = () => client.replica === undefined && transport.queuedBytes() > highWater
  const allowMore = () => {
    highWater = 2 * transport.queuedBytes()
  }

  const mustWait = (): boolean => {
    if (out.length > batchBytesMax) {
      if (persistence.mustCommit()) return true
      limits.check()
      flush()
    } else if (lent.length === 0) return false
    checkAll()
    return isBehind()
  }

  const sendNow = () => {
    limits.check()
    flush()
    checkAll()
    if (limits.isExceeded) limits.check()
  }

  /**
   * Replies to changes leave once the changes are on disk, where the policy says so. If they cannot be brought there, none of the
   * batch is acknowledged: each of its requests is answered with the reason. Messages are for who listens, and come all the same.
   */
  const send = Effect.suspend(() => {
    limits.check()
    if (!persistence.mustCommit()) {
      flush()
      checkAll()
      return Effect.void
    }
    // The arena is used again meanwhile.
    out.settle()
    // A server that stops interrupts its connections, but what waits for the disk is neither lost nor told too early.
    return Effect.uninterruptible(
      Effect.match(persistence.commit, {
        onSuccess: flush,
        onFailure: (error) => {
          out.set(codec.encode(Reply.failure(error), client.protocol).repeat(unsent) + messages)
          stats.countError(error.code)
          flush()
        },
      }),
    )
  })

  const drained = () => {
    highWater = outputHighWater
    if (clientMemory.isLimited) clientMemory.weigh(client)
    giveBack()
    tellDrained()
  }

  const buffers = () => ({
    unsent: out.length,
    unsentPeak: Math.max(out.length, store.now - peak.sinceMs < clients.outputPeakPeriodMs ? peak.bytes : 0),
    queued: transport.queuedBytes(),
  })

  return { client, answer, refuse, mustWait, isBehind, allowMore, checkAll, sendNow, send, flush, drained, buffers }
}
