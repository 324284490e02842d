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
import type { AclService } from "../acl/Acl.ts"
import * as Effect from "effect/Effect"
import type * as Reply from "../codec/Reply.ts"
import { Client, noWords, type Outbox } from "../command/Client.ts"
import type { DispatcherService, Suspended } from "../dispatch/Dispatcher.ts"
import type { ChunkScheduler } from "./ChunkScheduler.ts"
import * as Output from "./Output.ts"
import type { Transport } from "./Transport.ts"

export interface ConnectionServices extends Output.OutputServices {
  readonly acl: AclService
  readonly dispatcher: DispatcherService
  readonly scheduler: ChunkScheduler
}

/** Bytes of requests that a connection may have waiting for its turn before they count as more than every connection takes. */
const shortInput = 16 * 1024

/** Received bytes kept while the fiber waits for something else; beyond, reading pauses. */
const inboxHighWater = 1024 * 1024

/**
 * A peer that has read nothing for so long may be one that writes all of its requests first, and would wait for ever for those to be
 * taken. Then more is served, twice as much each time; what it may leave unread is limited by `client-output-buffer-limit`.
 */
const stallMs = 100

/** Of a pipeline, so many requests are read before the first of them is served, where it is worth while to look ahead. */
const requestsAhead = 32

/** Why `drain` stopped. */
type Stop = "input" | "output" | "closed" | Suspended

export interface Connection {
  readonly client: Client
  /** The life of the connection; ends when it is closed. Interrupted, it sends what is queued and closes. */
  readonly run: Effect.Effect<void>
}

export const make = (transport: Transport, services: ConnectionServices): Connection => {
  const { acl, clientMemory, clients, clock, codec, config, dispatcher, persistence, scheduler, stats, store } =
    services
  const decoder = codec.makeDecoder()

  const life: Output.Life = { busy: true, closed: false, owes: false }
  let inputEnded = false
  let readPaused = false
  let inboxBytes = 0
  /** Resumes the fiber where it waits for anything but input; nothing when it does not. */
  let wake: (() => void) | undefined
  /** Resumes the fiber where it waits for input, to go on with `next`; nothing when it does not. */
  let wakeWith: ((next: Effect.Effect<void>) => void) | undefined

  const makeClient = (outbox: Outbox) =>
    new Client({
      id: clients.nextId(),
      address: transport.remoteAddress,
      localAddress: transport.localAddress,
      fd: transport.fd,
      unixSocket: transport.unixSocket,
      db: store.database(0)!,
      outbox,
      now: clock.now(),
      authenticated: !acl.authRequired(),
      user: acl.defaultUser,
    })
  const output = Output.make(transport, services, life, makeClient)
  const { client } = output
  client.queryBufferBytes = () => decoder.bufferedBytes + decoder.freeBytes + decoder.argumentBytes
  client.buffers = (isRunning) => ({
    ...output.buffers(),
    input: isRunning ? decoder.heldBytes : decoder.bufferedBytes,
    inputFree: decoder.freeBytes,
    incomplete: decoder.argumentBytes,
    reading: !readPaused,
  })

  const allowLengths = () => {
    decoder.authenticated = client.authenticated
    decoder.bulkLengthMax = config.current.protoMaxBulkLen
  }

  /** Serves requests until there is none, the client is to close, output piles up, or a command parks. */
  const drain = (): Stop => {
    dispatcher.tick()
    client.lastActiveAtMs = store.now
    /** How many requests are known to come, where that is worth while to know. */
    let expected = client.db.isLarge ? 0 : Infinity
    for (;;) {
      if (life.closed) return "closed"
      if (client.closing) return "closed"
      allowLengths()
      if (--expected < 0 && decoder.hasMore) {
        expected = expectNext(requestsAhead) - 1
        client.db.fetchExpected()
      }
      const argv = decoder.next()
      if (argv === undefined) break
      const reply = dispatcher.dispatch(client, argv)
      if (reply._tag === "Suspended") {
        client.argv = argv
        return reply
      }
      output.answer(reply)
      if (output.mustWait()) return "output"
    }
    inboxBytes = 0
    if (decoder.failure !== undefined) {
      output.refuse(decoder.failure)
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
    if (inputNoted || inputEnded || life.closed) return step
    life.busy = false
    return Effect.async<void>((resume) => {
      wakeWith = resume
    })
  })

  /** Counts the ends of waits for the peer. */
  let peerWaits = 0
  const waitForPeer: Effect.Effect<void> = Effect.suspend(() => {
    if (life.closed || !output.isBehind()) return Effect.void
    pauseReading()
    life.busy = false
    const wait = peerWaits
    const queued = client.outbox.queuedBytes()
    services.later(clock.now() + stallMs, () => {
      if (wait !== peerWaits) return
      if (client.outbox.queuedBytes() >= queued) output.allowMore()
      wake?.()
    })
    return Effect.flatMap(awoken, () => {
      peerWaits++
      return waitForPeer
    })
  })

  /** Ends when the connection does; for a command that waits, half-closing is the end: what it waits for has no taker then. */
  const waitForEnd = (waits: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (life.closed || (waits && (client.closing || inputEnded))) return Effect.void
      life.busy = false
      return Effect.zipRight(awoken, waitForEnd(waits))
    })

  const park = (suspended: Suspended): Effect.Effect<void> => {
    life.owes = !suspended.waits
    return Effect.raceFirst(
      Effect.map(suspended.effect, (reply): Reply.Reply | undefined => reply),
      Effect.as(waitForEnd(suspended.waits), undefined),
    ).pipe(
      Effect.flatMap((reply) => {
        life.busy = true
        life.owes = false
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
          output.answer(reply)
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
        output.answer(next)
        return Effect.void
      }),
    )
  }

  /** Serves what has come. Gives what the fiber has to do next, if it is more than `settle` and waiting for input. */
  const serve = (): Effect.Effect<void> | undefined => {
    life.busy = true
    inputNoted = false
    // What came is weighed before it is served: a request alone may be too much. What is short is counted with the connection.
    if (clientMemory.endsClients && decoder.bufferedBytes > shortInput) output.checkAll()
    const stop = drain()
    dispatcher.tock()
    if (stop === "input" && !persistence.mustCommit()) return undefined
    const next =
      stop === "closed"
        ? Effect.void
        : stop === "output"
          ? Effect.zipRight(waitForPeer, step)
          : stop === "input"
            ? Effect.zipRight(waitForPeer, waitForInput)
            : Effect.zipRight(park(stop), step)
    return Effect.zipRight(output.send, next)
  }

  /** Sends the answers that `serve` left. Gives what the fiber has to do next, if it is more than waiting for input. */
  const settle = (): Effect.Effect<void> | undefined => {
    output.sendNow()
    if (client.closing) return step
    return output.isBehind() ? Effect.zipRight(waitForPeer, waitForInput) : undefined
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

  /** The second word of almost every command that has a key is one. Where it is not, nothing but time is lost. */
  const expectNext = (max: number): number => {
    const requests = decoder.lookAhead(max)
    for (let i = 0; i < requests.length; i++) if (requests[i]!.length > 1) client.db.expect(requests[i]![1]!)
    return requests.length
  }

  let isExpected = false
  const lookAhead = () => {
    if (wakeWith === undefined || life.closed || client.closing || !client.db.isLarge) return
    isExpected = expectNext(1) > 0
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
    if (inputNoted || inputEnded || life.closed || readPaused) scheduler.immediately(() => resume(step))
    else {
      life.busy = false
      wakeWith = resume
    }
  }

  const note = () => {
    if (wakeWith === undefined) return wake?.()
    const resume = wakeWith
    wakeWith = undefined
    resume(step)
  }

  const received = (length: number) => {
    stats.netInputBytes += length
    stats.reads++
    inputNoted = true
    // What is served in this turn need not be held back.
    if (wakeWith !== undefined) return
    inboxBytes += length
    if (inboxBytes > inboxHighWater) pauseReading()
    output.checkAll()
  }

  const start = Effect.sync(() => {
    clients.add(client)
    transport.start({
      data: (chunk) => {
        decoder.push(chunk)
        received(chunk.length)
      },
      filled: (length) => {
        decoder.filled(length)
        received(length)
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
        output.drained()
        note()
      },
      closed: () => {
        life.closed = true
        note()
      },
    })
  })

  const finish = Effect.sync(() => {
    output.flush()
    life.closed = true
    transport.end()
    // Maybe it is parked still, where the connection ended before its fiber came to wait.
    clients.remove(client)
    clientMemory.forget(client)
  })

  return { client, run: Effect.ensuring(Effect.zipRight(start, step), finish) }
}
