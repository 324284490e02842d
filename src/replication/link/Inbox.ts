/**
 * What a connection to another server has received, for the fiber that reads it: pieces of bytes, or lines of a conversation.
 *
 * The idea to hold: the connection's callback only notes what came. When more waits than the fiber keeps up with, the connection pauses.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "./Connector.ts"
import { LinkLost } from "./LinkLost.ts"

/** Bytes that wait while the connection goes on, and those with which it begins again. */
const waitingBytesMax = 1024 * 1024
const waitingBytesLow = 256 * 1024
/** No answer in a handshake is longer. */
const lineBytesMax = 64 * 1024
const lineFeed = 10

export class Inbox {
  /** When something came last. */
  lastAtMs: number
  /** Bytes received and not yet taken. */
  waitingBytes = 0
  private readonly connection: Connection
  private readonly chunks: Array<Buffer> = []
  private readonly arrived = Effect.unsafeMakeLatch(false)
  private isPaused = false
  /** Nothing more will come. */
  isClosed = false

  constructor(connection: Connection, now: () => number) {
    this.connection = connection
    this.lastAtMs = now()
    connection.start({
      data: (chunk) => {
        this.lastAtMs = now()
        this.chunks.push(chunk)
        this.waitingBytes += chunk.length
        if (this.waitingBytes > waitingBytesMax && !this.isPaused) {
          this.isPaused = true
          connection.pause()
        }
        this.arrived.unsafeOpen()
      },
      closed: () => {
        this.isClosed = true
        this.arrived.unsafeOpen()
      },
    })
  }

  /** Whether a piece can be taken without waiting. */
  get hasMore(): boolean {
    return this.chunks.length > 0
  }

  /** The next piece; fails when the connection has ended and all has been taken. */
  readonly take: Effect.Effect<Buffer, LinkLost> = Effect.suspend(() => {
    const chunk = this.chunks.shift()
    if (chunk === undefined) {
      if (this.isClosed) return Effect.fail(new LinkLost({ message: "the master has closed the connection" }))
      this.arrived.unsafeClose()
      return Effect.zipRight(this.arrived.await, this.take)
    }
    this.waitingBytes -= chunk.length
    if (this.isPaused && this.waitingBytes < waitingBytesLow) {
      this.isPaused = false
      this.connection.resume()
    }
    return Effect.succeed(chunk)
  })

  /** The next line that is not empty, without its end: masters send empty ones to say that they are still there. */
  readonly line: Effect.Effect<string, LinkLost> = Effect.suspend(() => this.lineAfter(Buffer.alloc(0)))

  private lineAfter(start: Buffer): Effect.Effect<string, LinkLost> {
    return Effect.flatMap(this.take, (chunk) => {
      const bytes = start.length === 0 ? chunk : Buffer.concat([start, chunk])
      let from = 0
      while (from < bytes.length && bytes[from] === lineFeed) from++
      const end = bytes.indexOf(lineFeed, from)
      if (end < 0) {
        if (bytes.length - from > lineBytesMax)
          return Effect.fail(new LinkLost({ message: "the master's answer has no end" }))
        return this.lineAfter(bytes.subarray(from))
      }
      if (end + 1 < bytes.length) {
        this.chunks.unshift(bytes.subarray(end + 1))
        this.waitingBytes += bytes.length - end - 1
      }
      return Effect.succeed(bytes.latin1Slice(from, end).trimEnd())
    })
  }
}
