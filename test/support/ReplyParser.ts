/**
 * The client's side of RESP2 and RESP3, for tests, benchmarks and fuzzers: bytes in, replies out, however they are split.
 * What looks the same on the wire is the same reply: an array parses as `Array` whoever sent it, `$-1` and `_` as `Nil`.
 */
import type { Reply } from "../../src/codec/Reply.ts"
import * as Replies from "../../src/codec/Reply.ts"

/** Thrown inside where the bytes end too early. */
const incomplete = Symbol("incomplete")

/**
 * What is nested deeper counts as one reply: scripts answer tables that hold themselves, redis-server with some 8,000 levels and ours
 * with 1,000, and both would be too deep for the stack of whoever reads them.
 */
const depthMax = 900
const deeper = Replies.simple("nested deeper")

export class ReplyParser {
  private bytes = ""
  private position = 0
  private depth = 0

  push(chunk: Buffer | string): void {
    this.bytes = this.bytes.slice(this.position) + (typeof chunk === "string" ? chunk : chunk.latin1Slice())
    this.position = 0
  }

  /** What has been received and not been given out. */
  get rest(): string {
    return this.bytes.slice(this.position)
  }

  /** The next whole reply, or `undefined` until it has arrived. A reply that is no RESP is an error. */
  next(): Reply | undefined {
    const start = this.position
    this.depth = 0
    try {
      return this.reply()
    } catch (error) {
      this.position = start
      if (error === incomplete) return undefined
      throw error
    }
  }

  /** Every reply that is complete. */
  drain(): Array<Reply> {
    const replies: Array<Reply> = []
    for (let reply = this.next(); reply !== undefined; reply = this.next()) replies.push(reply)
    return replies
  }

  private line(): string {
    const end = this.bytes.indexOf("\r\n", this.position)
    if (end < 0) throw incomplete
    const line = this.bytes.slice(this.position, end)
    this.position = end + 2
    return line
  }

  private blob(length: number): string {
    const end = this.position + length
    if (this.bytes.length < end + 2) throw incomplete
    if (this.bytes.slice(end, end + 2) !== "\r\n") throw new Error(`no line end after ${length} bytes`)
    const blob = this.bytes.slice(this.position, end)
    this.position = end + 2
    return blob
  }

  private replies(count: number): Array<Reply> {
    if (count > 0 && this.depth === depthMax) {
      this.skip(count)
      return [deeper]
    }
    this.depth++
    const replies = Array.from({ length: count }, () => this.reply())
    this.depth--
    return replies
  }

  /** Passes over `count` replies with all that is in them. */
  private skip(count: number): void {
    for (let left = count; left > 0; left--) {
      const line = this.line()
      const length = Math.max(0, Number(line.slice(1)))
      if ("$=".includes(line[0]!)) {
        if (line !== "$-1") this.blob(length)
      } else if ("*~>".includes(line[0]!)) left += length
      else if (line[0] === "%") left += 2 * length
      else if (line[0] === "|") left += 2 * length + 1
    }
  }

  private reply(): Reply {
    const line = this.line()
    const text = line.slice(1)
    switch (line[0]) {
      case "+":
        return Replies.simple(text)
      case "-": {
        const space = text.indexOf(" ")
        return {
          _tag: "Failure",
          code: space < 0 ? text : text.slice(0, space),
          message: space < 0 ? "" : text.slice(space + 1),
        }
      }
      case ":": {
        const value = BigInt(text)
        return Replies.int(Number.isSafeInteger(Number(value)) ? Number(value) : value)
      }
      case "$":
        return text === "-1" ? Replies.nil : Replies.bulk(this.blob(Number(text)))
      case "_":
        return Replies.nil
      case "*":
        return text === "-1" ? Replies.nilArray : Replies.array(this.replies(Number(text)))
      case "%":
        return Replies.map(this.replies(2 * Number(text)))
      case "~":
        return Replies.set(this.replies(Number(text)))
      case ">":
        return Replies.push(this.replies(Number(text)))
      case "|":
        return Replies.attribute(this.replies(2 * Number(text)), this.reply())
      case ",":
        return Replies.double(text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text))
      case "#":
        return Replies.bool(text === "t")
      case "(":
        return Replies.bigNumber(text)
      case "=": {
        const blob = this.blob(Number(text))
        return Replies.verbatim(blob.slice(0, 3), blob.slice(4))
      }
      default:
        throw new Error(`not a reply: ${JSON.stringify(line.slice(0, 80))}`)
    }
  }
}

/** All replies in `bytes`; an error if they end in the middle of one. */
export const parseReplies = (bytes: Buffer | string): Array<Reply> => {
  const parser = new ReplyParser()
  parser.push(bytes)
  const replies = parser.drain()
  if (parser.rest !== "") throw new Error(`incomplete reply: ${JSON.stringify(parser.rest.slice(0, 80))}`)
  return replies
}
