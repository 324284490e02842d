/**
 * One connection: a supervised fiber that decodes what is received, dispatches the requests in order, and writes the replies
 * of a whole batch at once.
 *
 * The idea to hold: a batch of requests is one synchronous `serve`. The fiber waits in four places only: for input, for a parked
 * command, for the disk (`appendfsync always`), and for a peer that does not read. While it waits for input, the turn of the event
 * loop that brings some serves it on the fiber's behalf, so that an effect is paid for only where there is more to wait for; all
 * events only note and wake.
 * The invariant: replies and pushed messages leave in the order in which they were made.
 */
import { constants } from "node:buffer"
import * as Effect from "effect/Effect"
import type { CodecService } from "../codec/Codec.ts"
import * as Reply from "../codec/Reply.ts"
import * as ReplyArena from "../codec/ReplyArena.ts"
import { Client, noWords, type Outbox } from "../command/Client.ts"
import type { DispatcherService, Suspended } from "../dispatch/Dispatcher.ts"
import { ReplyTooLong } from "../errors/ConnectionErrors.ts"
import type { PersistenceService } from "../persistence/Persistence.ts"
import type { StoreService } from "../store/Store.ts"
import type { ChunkScheduler } from "./ChunkScheduler.ts"
import { Outgoing } from "./Outgoing.ts"
import { OutputLimits, type OutputLimitServices } from "./OutputLimits.ts"
import type { Transport } from "./Transport.ts"

export interface ConnectionServices extends OutputLimitServices {
  readonly codec: CodecService
  /** As `codec.encode`; a message that goes to many is encoded once a protocol version. */
  readonly encodePush: CodecService["encode"]
  /** By protocol version, where messages of a turn begin to be joined. */
  readonly joined: { readonly 2: Joined; readonly 3: Joined }
  readonly dispatcher: DispatcherService
  readonly persistence: PersistenceService
  readonly scheduler: ChunkScheduler
  readonly store: StoreService
}

/** Queued output beyond this pauses reading: no more requests are served until the peer has read some. */
const outputHighWater = 1024 * 1024
/** Received bytes kept while the fiber waits for something else; beyond, reading pauses. */
const inboxHighWater = 1024 * 1024
/** Replies of a batch beyond this are written before the batch goes on, to bound memory. */
const batchBytesMax = 256 * 1024

/** Messages are counted against the limits of unread output when they leave, or when more than this has come together. */
const uncheckedBytesMax = 64 * 1024

/** The longest string of V8, less room for what may stand in front of a reply. */
const stringLengthMax = constants.MAX_STRING_LENGTH - 2 * batchBytesMax

/** Why `drain` stopped. */
type Stop = "input" | "output" | "closed" | Suspended

/** Remembers the message encoded last, for each version. */
export const encodeOnce = (encode: CodecService["encode"]): CodecService["encode"] => {
  const last = {
    2: { message: undefined as Reply.Reply | undefined, bytes: "" },
    3: { message: undefined as Reply.Reply | undefined, bytes: "" },
  }
  return (message, protocol) => {
    const memory = last[protocol]
    if (memory.message !== message) {
      memory.bytes = encode(message, protocol)
      memory.message = message
    }
    return memory.bytes
  }
}

/**
 * What was sent to many at once, from the first message of a turn on: each subscriber of a channel holds the same bytes, and joining
 * them once for all costs 1,000 subscribers a third of what joining them for each does.
 */
export interface Joined {
  readonly text: string
  /** The message that was joined to this last, encoded, and the result. */
  added: string
  next: Joined | undefined
}

/** Where nothing has been joined; one for each protocol version, and never both for one connection. */
export const makeJoined = (): Joined => ({ text: "", added: "", next: undefined })

export interface Connection {
  readonly client: Client
  /** The life of the connection; ends when it is closed. Interrupted, it sends what is queued and closes. */
  readonly run: Effect.Effect<void>
}

export const make = (transport: Transport, services: ConnectionServices): Connection => {
  const { clients, clock, codec, config, dispatcher, encodePush, persistence, scheduler, stats, store } = services
  const decoder = codec.makeDecoder()

  /** Encoded and not yet given to the transport, and how many replies that is. */
  const out = new Outgoing(codec)
  let unsent = 0
  /** The messages in `out` that came while there were answers in it, or may be. */
  let messages = ""
  /** What `out` consists of, as long as it is messages only: then both are equally long. */
  let joined = services.joined[2]
  /** The longest that `out` became, since when (Unix ms). */
  const peak = { bytes: 0, sinceMs: 0 }
  /** Set while the fiber runs or will run by itself, and flushes at the end. */
  let busy = true
  let closed = false
  let inputEnded = false
  let readPaused = false
  let inboxBytes = 0
  /** Resumes the fiber where it waits for anything but input; nothing when it does not. */
  let wake: (() => void) | undefined
  /** Resumes the fiber where it waits for input, to go on with `next`; nothing when it does not. */
  let wakeWith: ((next: Effect.Effect<void>) => void) | undefined

  const outbox: Outbox = {
    push: (message) => {
      if (closed) return
      if (client.answerDue) return void client.afterReply.push(message)
      const bytes = encoded(message, encodePush)
      if (out.length + bytes.length > stringLengthMax) makeRoom()
      if (out.length === 0) joined = services.joined[client.protocol]
      if (joined.text.length === out.length) {
        // Nothing but messages since the last flush.
        if (joined.added !== bytes || joined.next === undefined) {
          joined.added = bytes
          joined.next = { text: joined.text + bytes, added: "", next: undefined }
        }
        joined = joined.next
        out.set(joined.text)
      } else out.add(bytes)
      if (busy) messages += bytes
      else scheduleFlush()
      if (out.length < uncheckedBytesMax) return
      limits.checkAll()
      limits.check()
    },
    queuedBytes: () => out.length + transport.queuedBytes(),
    close: (how) => {
      client.closing = true
      if (how === "now") transport.destroy()
      else if (!busy) scheduleFlush()
    },
  }

  const client = new Client({
    id: clients.nextId(),
    address: transport.remoteAddress,
    localAddress: transport.localAddress,
    fd: transport.fd,
    unixSocket: transport.unixSocket,
    db: store.database(0)!,
    outbox,
    now: clock.now(),
    authenticated: config.current.requirepass === "",
  })
  client.queryBufferBytes = () => decoder.bufferedBytes
  client.buffers = (isRunning) => ({
    input: isRunning ? decoder.heldBytes : decoder.bufferedBytes,
    inputFree: decoder.freeBytes,
    incomplete: decoder.argumentBytes,
    unsent: out.length,
    unsentPeak: Math.max(out.length, store.now - peak.sinceMs < clients.outputPeakPeriodMs ? peak.bytes : 0),
    queued: transport.queuedBytes(),
    reading: !readPaused,
  })

  const flush = () => {
    if (out.length === 0) return
    if (closed) return void out.take()
    countOut(out.length)
    // Bytes that have to wait keep all of the arena from being used again.
    if (transport.queuedBytes() > 0) out.settle()
    const bytes = out.take()
    if (typeof bytes === "string") return transport.write(bytes)
    transport.writeBytes(bytes)
    if (transport.queuedBytes() > 0) ReplyArena.keep()
  }

  /** So many bytes, with all of `out` among them, leave now. */
  const countOut = (length: number) => {
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
    if (closed || !limits.isUnlimited || persistence.mustCommit()) return false
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
      if (busy) return
      limits.checkAll()
      limits.check()
      flush()
      if (client.closing) transport.end()
    })
  }

  const cutOff = () => {
    stats.outputLimitDisconnections++
    out.take()
    client.closing = true
    transport.destroy()
  }

  const limits = new OutputLimits(client, services, { cutOff, isGone: () => closed })

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
    if (busy && persistence.mustCommit()) cutOff()
    else flush()
  }

  const answer = (reply: Reply.Reply) => {
    const mode = client.replyMode
    // What tells of a subscription is a message, and CLIENT REPLY is about answers.
    if (mode === "on" || Reply.isPushed(reply)) {
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

  const allowLengths = () => {
    decoder.authenticated = client.authenticated
    decoder.bulkLengthMax = config.current.protoMaxBulkLen
  }

  /** Serves requests until there is none, the client is to close, output piles up, or a command parks. */
  const drain = (): Stop => {
    dispatcher.tick()
    client.lastActiveAtMs = store.now
    for (;;) {
      if (closed) return "closed"
      if (client.closing) return "closed"
      allowLengths()
      const argv = decoder.next()
      if (argv === undefined) break
      const reply = dispatcher.dispatch(client, argv)
      if (reply._tag === "Suspended") {
        client.argv = argv
        return reply
      }
      answer(reply)
      if (out.length > batchBytesMax) {
        if (persistence.mustCommit()) return "output"
        limits.check()
        flush()
        limits.checkAll()
        if (transport.queuedBytes() > outputHighWater) return "output"
      } else if (lent.length > 0) {
        limits.checkAll()
        if (transport.queuedBytes() > outputHighWater) return "output"
      }
    }
    inboxBytes = 0
    if (decoder.failure !== undefined) {
      out.add(codec.encode(Reply.failure(decoder.failure), client.protocol))
      stats.countError(decoder.failure.code)
      client.closing = true
      return "closed"
    }
    if (decoder.bufferedBytes > config.current.clientQueryBufferLimit) {
      stats.queryLimitDisconnections++
      return "closed"
    }
    return inputEnded ? "closed" : "input"
  }

  const pauseReading = () => {
    if (readPaused) return
    readPaused = true
    transport.pause()
  }
  const resumeReading = () => {
    if (!readPaused) return
    readPaused = false
    transport.resume()
  }

  /** Ends when `wake` is called. What it waits for is looked at again afterwards. */
  const awoken = Effect.async<void>((resume) => {
    wake = () => {
      wake = undefined
      resume(Effect.void)
    }
  })

  let inputNoted = false
  /** Goes on with `step` when there is input, or with what `serveNow` found to do. */
  const waitForInput: Effect.Effect<void> = Effect.suspend(() => {
    // May bring data at once.
    resumeReading()
    if (inputNoted || inputEnded || closed) return step
    busy = false
    return Effect.async<void>((resume) => {
      wakeWith = resume
    })
  })

  const waitForPeer: Effect.Effect<void> = Effect.suspend(() => {
    if (closed || transport.queuedBytes() <= outputHighWater) return Effect.void
    pauseReading()
    busy = false
    return Effect.zipRight(awoken, waitForPeer)
  })

  /** Ends when the connection does; for a command that waits, half-closing is the end: what it waits for has no taker then. */
  const waitForEnd = (waits: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (closed || client.closing || (waits && inputEnded)) return Effect.void
      busy = false
      return Effect.zipRight(awoken, waitForEnd(waits))
    })

  const park = (suspended: Suspended): Effect.Effect<void> =>
    Effect.raceFirst(
      Effect.map(suspended.effect, (reply): Reply.Reply | undefined => reply),
      Effect.as(waitForEnd(suspended.waits), undefined),
    ).pipe(
      Effect.flatMap((reply) => {
        busy = true
        wake = undefined
        const { argv } = client
        client.argv = noWords
        // It was not idle while it waited.
        client.lastActiveAtMs = clock.now()
        if (reply === undefined) {
          client.closing = true
          return Effect.void
        }
        if (suspended.again !== true) {
          answer(reply)
          return Effect.void
        }
        // In one go with what came behind it: the others that were held back have their turn after that.
        if (client.closing) return Effect.void
        dispatcher.tick()
        const next = dispatcher.dispatch(client, argv)
        if (next._tag === "Suspended") {
          client.argv = argv
          return park(next)
        }
        answer(next)
        return Effect.void
      }),
    )

  /**
   * Replies to changes leave once the changes are on disk, where the policy says so. If they cannot be brought there, none of the
   * batch is acknowledged: each of its requests is answered with the reason. Messages are for who listens, and come all the same.
   */
  const send = Effect.suspend(() => {
    limits.check()
    if (!persistence.mustCommit()) {
      flush()
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

  /** Serves what has come. Gives what the fiber has to do next, if it is more than `settle` and waiting for input. */
  const serve = (): Effect.Effect<void> | undefined => {
    busy = true
    inputNoted = false
    const stop = drain()
    if (stop === "input" && !persistence.mustCommit()) return undefined
    const next =
      stop === "closed"
        ? Effect.void
        : stop === "output"
          ? Effect.zipRight(waitForPeer, step)
          : stop === "input"
            ? Effect.zipRight(waitForPeer, waitForInput)
            : Effect.zipRight(park(stop), step)
    return Effect.zipRight(send, next)
  }

  /** Sends the answers that `serve` left. Gives what the fiber has to do next, if it is more than waiting for input. */
  const settle = (): Effect.Effect<void> | undefined => {
    limits.check()
    flush()
    limits.checkAll()
    if (limits.isExceeded) limits.check()
    if (client.closing) return step
    return transport.queuedBytes() > outputHighWater ? Effect.zipRight(waitForPeer, waitForInput) : undefined
  }

  const step: Effect.Effect<void> = Effect.suspend(() => serve() ?? settle() ?? waitForInput)

  /**
   * A turn serves the input for which the fiber waits on its behalf. The fiber is resumed only for what it has to wait for, or to fail
   * with a bug: resuming it for every batch cost 1.2 us.
   */
  const onBehalf = (
    resume: (next: Effect.Effect<void>) => void,
    act: () => Effect.Effect<void> | undefined,
  ): boolean => {
    let next: Effect.Effect<void> | undefined
    try {
      next = act()
    } catch (defect) {
      next = Effect.die(defect)
    }
    if (next !== undefined) scheduler.immediately(() => resume(next))
    return next === undefined
  }

  let isExpected = false
  /** The second word of almost every command that has a key is one. Where it is not, nothing but time is lost. */
  const lookAhead = () => {
    if (wakeWith === undefined || closed || client.closing || !client.db.isLarge) return
    allowLengths()
    const argv = decoder.lookAhead()
    if (argv === undefined || argv.length < 2) return
    client.db.expect(argv[1]!)
    isExpected = true
  }

  const fetchExpected = () => {
    isExpected = false
    client.db.fetchExpected()
  }

  /** The fiber on whose behalf input was served, until the answers are sent. */
  let served: typeof wakeWith

  const serveInTurn = () => {
    const resume = wakeWith
    // A fiber that does not wait for input serves it when it comes to that.
    if (resume === undefined) return
    wakeWith = undefined
    if (isExpected) fetchExpected()
    if (onBehalf(resume, serve)) served = resume
  }

  const flushInTurn = () => {
    const resume = served
    if (resume === undefined) return
    served = undefined
    if (!onBehalf(resume, settle)) return
    // Reading that was paused meanwhile is resumed where the fiber waits for input.
    if (inputNoted || inputEnded || closed || readPaused) scheduler.immediately(() => resume(step))
    else {
      busy = false
      wakeWith = resume
    }
  }

  const note = () => {
    if (wakeWith === undefined) return wake?.()
    const resume = wakeWith
    wakeWith = undefined
    resume(step)
  }

  const start = Effect.sync(() => {
    clients.add(client)
    transport.start({
      data: (chunk) => {
        stats.netInputBytes += chunk.length
        stats.reads++
        decoder.push(chunk)
        inputNoted = true
        // What is served in this turn need not be held back.
        if (wakeWith !== undefined) return
        inboxBytes += chunk.length
        if (inboxBytes > inboxHighWater) pauseReading()
      },
      room: () => decoder.room(),
      lookAhead,
      serve: serveInTurn,
      flush: flushInTurn,
      end: () => {
        inputEnded = true
        note()
      },
      drain: () => {
        giveBack()
        note()
      },
      closed: () => {
        closed = true
        note()
      },
    })
  })

  const finish = Effect.sync(() => {
    flush()
    closed = true
    transport.end()
    // Maybe it is parked still, where the connection ended before its fiber came to wait.
    clients.remove(client)
  })

  return { client, run: Effect.ensuring(Effect.zipRight(start, step), finish) }
}
