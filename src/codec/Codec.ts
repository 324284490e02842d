/**
 * How bytes become requests and replies become bytes, as a service, so that a server can speak another protocol and a test
 * can watch both directions. Nothing here waits: a connection calls it for every chunk and every reply.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { ProtocolError } from "../errors/ProtocolError.ts"
import { Decoder } from "./Decoder.ts"
import { encode, type Frame, frame, type Protocol } from "./Encoder.ts"
import type { Reply } from "./Reply.ts"
import { addSmall } from "./SmallReply.ts"

/** What a connection sees of its decoder. */
export interface RequestDecoder {
  /** Set from outside, between two requests: an unauthenticated client may send small requests only. */
  authenticated: boolean
  /** Set from outside, between two requests: the longest argument, proto-max-bulk-len. */
  bulkLengthMax: number
  /** Why no further request will come: to be answered before the connection closes. */
  readonly failure: ProtocolError | undefined
  /** Bytes received and not yet given out: CLIENT LIST's qbuf, limited by client-query-buffer-limit. */
  readonly bufferedBytes: number
  /** As `bufferedBytes`, with the requests already given out that came in the same piece. */
  readonly heldBytes: number
  /** Room set aside for the rest of a long argument. */
  readonly freeBytes: number
  /** Arguments so far of a request that is not complete. */
  readonly argumentBytes: number
  /** Where what comes next is best received: anywhere, if absent. Valid until anything else is called. */
  readonly room: () => Buffer | undefined
  /** Takes what was received. The buffer may be used again afterwards. */
  readonly push: (chunk: Buffer) => void
  /** As `push`, for so many bytes that were received where `room` said. */
  readonly filled: (length: number) => void
  /** Whether there are bytes that nobody has read yet, `lookAhead` included. */
  readonly hasMore: boolean
  /** Requests that `next` is going to give, at most `max` of them. */
  readonly lookAhead: (max: number) => ReadonlyArray<ReadonlyArray<string>>
  /** The next complete request, never empty. */
  readonly next: () => Array<string> | undefined
}

export interface CodecService {
  /** A decoder for one connection. */
  readonly makeDecoder: () => RequestDecoder
  /** The bytes of a reply for a client speaking this version. */
  readonly encode: (reply: Reply, protocol: Protocol) => string
  /** What stands before and after the bytes of a long bulk string of this length. */
  readonly frame: (length: number, protocol: Protocol) => Frame
  /**
   * Adds the same bytes to the ReplyArena, and answers where they begin there; -1 for a reply that is not short, or finds no room.
   * Absent where every reply is to be had from `encode`.
   */
  readonly addSmall?: (reply: Reply, protocol: Protocol) => number
}

export class Codec extends Context.Tag("tiny-redis/Codec")<Codec, CodecService>() {
  /** RESP in both versions, and inline requests. */
  static readonly layerResp = Layer.succeed(Codec, { makeDecoder: () => new Decoder(), encode, frame, addSmall })
}
