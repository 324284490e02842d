/**
 * Turns a reply into the bytes of RESP2 or RESP3. A map or a double is one kind of reply; only here it becomes a flat array
 * or a bulk string for a client that speaks RESP2.
 *
 * The idea to hold: the result is a byte string put together with `+`, which V8 keeps as a tree of pieces until the socket
 * copies them out, so that nothing is copied twice; only arrays of short strings are cheaper copied (BulkRun.ts). Short headers and
 * small numbers are made once.
 */
import * as BulkRun from "./BulkRun.ts"
import { formatDouble } from "../bytes/Numbers.ts"
import type { Reply } from "./Reply.ts"
import * as Replies from "./Reply.ts"

export type Protocol = 2 | 3

const end = "\r\n"
const headersCached = 1024
const headersOf = (mark: string): ReadonlyArray<string> =>
  Array.from({ length: headersCached }, (_, length) => `${mark}${length}${end}`)
const bulkHeaders = headersOf("$")
const nextBulkHeaders = headersOf("\r\n$")
const intLines = headersOf(":")
const arrayHeaders = headersOf("*")

const bulk = (value: string): string => {
  const length = value.length
  return (length < headersCached ? bulkHeaders[length]! : `$${length}${end}`) + value + end
}

/** What stands around bytes that are sent as they are. */
export interface Frame {
  readonly head: string
  readonly tail: string
}

/** The frame of a bulk string, the same in both versions. */
export const frame = (length: number): Frame => ({ head: `$${length}${end}`, tail: end })

const arrayHeader = (length: number): string => (length < headersCached ? arrayHeaders[length]! : `*${length}${end}`)

const nil2 = "$-1\r\n"
const nilArray2 = "*-1\r\n"
const nil3 = "_\r\n"

/** A line cannot hold a line end; Redis sends a space for each CR and LF. */
const line = (text: string): string => (/[\r\n]/.test(text) ? text.replace(/[\r\n]/g, " ") : text)

/** An array that was written in pieces. */
const run = (count: number, pieces: ReadonlyArray<string>): string => {
  let bytes = arrayHeader(count)
  for (let i = 0; i < pieces.length; i++) bytes += pieces[i]
  return bytes
}

/** So many short elements are cheaper written into one piece. */
const runMin = 8

/**
 * Written so that the end of one element and the header of the next are one piece: two joins an element instead of three,
 * 24 instead of 34 ns.
 */
const bulks = (values: ReadonlyArray<string | undefined>, protocol: Protocol): string => {
  if (values.length >= runMin) {
    const sent = BulkRun.write(values)
    if (sent !== undefined) return run(values.length, sent)
  }
  const nil = protocol === 2 ? "\r\n$-1" : "\r\n_"
  let bytes = `*${values.length}`
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (value === undefined) bytes += nil
    else {
      bytes += value.length < headersCached ? nextBulkHeaders[value.length]! : `${end}$${value.length}${end}`
      bytes += value
    }
  }
  return bytes + end
}

const all = (header: string, replies: ReadonlyArray<Reply>, protocol: Protocol): string => {
  let bytes = header
  for (let i = 0; i < replies.length; i++) bytes += encode(replies[i]!, protocol)
  return bytes
}

/** Array header in RESP2, `mark` and the number of elements in RESP3. */
const aggregate = (mark: string, size: number, replies: ReadonlyArray<Reply>, protocol: Protocol): string =>
  all(protocol === 2 ? arrayHeader(replies.length) : `${mark}${size}${end}`, replies, protocol)

/** The bytes of `reply`; empty for a sequence of none. */
export const encode = (reply: Reply, protocol: Protocol): string => {
  switch (reply._tag) {
    case "Bulk":
      return bulk(reply.value)
    case "Simple":
      return reply === Replies.ok ? "+OK\r\n" : reply === Replies.pong ? "+PONG\r\n" : `+${line(reply.value)}${end}`
    case "Int": {
      const value = reply.value
      return typeof value === "number" && value >= 0 && value < headersCached ? intLines[value]! : `:${value}${end}`
    }
    case "Nil":
      return protocol === 2 ? nil2 : nil3
    case "Failure":
      // A script may answer with an error of one word.
      return `-${line(reply.message === "" ? reply.code : `${reply.code} ${reply.message}`)}${end}`
    case "Bulks":
      return reply.sent === undefined ? bulks(reply.values, protocol) : run(reply.count, reply.sent)
    case "Array":
      return reply.sent === undefined
        ? all(arrayHeader(reply.values.length), reply.values, protocol)
        : run(reply.count!, reply.sent)
    case "NilArray":
      return protocol === 2 ? nilArray2 : nil3
    case "Map":
      return aggregate("%", reply.entries.length / 2, reply.entries, protocol)
    case "Set":
      return aggregate("~", reply.values.length, reply.values, protocol)
    case "Push":
      return aggregate(">", reply.values.length, reply.values, protocol)
    case "Double": {
      const digits = reply.digits ?? formatDouble(reply.value)
      return protocol === 2 ? bulk(digits) : `,${digits}${end}`
    }
    case "Bool":
      return protocol === 2 ? intLines[reply.value ? 1 : 0]! : reply.value ? "#t\r\n" : "#f\r\n"
    case "BigNumber":
      return protocol === 2 ? bulk(reply.value) : `(${reply.value}${end}`
    case "Verbatim":
      return protocol === 2 ? bulk(reply.value) : `=${reply.value.length + 4}${end}${reply.format}:${reply.value}${end}`
    case "Attribute":
      return protocol === 2
        ? encode(reply.reply, protocol)
        : all(`|${reply.entries.length / 2}${end}`, reply.entries, protocol) + encode(reply.reply, protocol)
    case "Torn":
      return all(arrayHeader(reply.length), reply.values, protocol)
    case "Raw":
      return reply.bytes
    case "Sequence":
      return all("", reply.replies, protocol)
  }
}
