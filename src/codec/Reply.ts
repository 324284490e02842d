/**
 * What a command answers, before it is bytes: a union of plain objects and their constructors. A handler says *what* it
 * answers (a map, a double, nothing there); the encoder knows which protocol version the client speaks and flattens a map
 * or prints a double for RESP2. Strings are byte strings: one char (0..255) a byte.
 *
 * The idea to hold: a reply is written once and read once, so the constructors share constants and avoid an object per
 * element (`Bulks` holds the strings themselves).
 */
import type { CommandError } from "../errors/CommandError.ts"

/** `+OK`: a short text without CR or LF. */
export interface Simple {
  readonly _tag: "Simple"
  readonly value: string
}
/** `-ERR text` */
export interface Failure {
  readonly _tag: "Failure"
  readonly code: string
  readonly message: string
}
/** `:1`; a bigint where 2^53 is exceeded */
export interface Int {
  readonly _tag: "Int"
  readonly value: number | bigint
}
export interface Bulk {
  readonly _tag: "Bulk"
  readonly value: string
}
/** RESP2 `$-1`, RESP3 `_` */
export interface Nil {
  readonly _tag: "Nil"
}
/** RESP2 `*-1`, RESP3 `_` */
export interface NilArray {
  readonly _tag: "NilArray"
}
export interface Array {
  readonly _tag: "Array"
  readonly values: ReadonlyArray<Reply>
  /** As in `Bulks`. */
  readonly sent?: ReadonlyArray<string>
  readonly count?: number
}
/** An array of bulk strings, `undefined` standing for nil. */
export interface Bulks {
  readonly _tag: "Bulks"
  readonly values: ReadonlyArray<string | undefined>
  /** The elements as they are sent, in pieces, and how many they are, where somebody has put them together: see BulkRun.ts. */
  readonly sent: ReadonlyArray<string> | undefined
  readonly count: number
}
/** RESP3 `%`, in RESP2 a flat array. `entries` alternates keys and values. */
export interface Map {
  readonly _tag: "Map"
  readonly entries: ReadonlyArray<Reply>
}
/** RESP3 `~`, in RESP2 an array. */
export interface Set {
  readonly _tag: "Set"
  readonly values: ReadonlyArray<Reply>
}
/** RESP3 `,`, in RESP2 a bulk string. */
export interface Double {
  readonly _tag: "Double"
  readonly value: number
  /** How it is printed, where that is not as a score is. */
  readonly digits?: string
}
/** RESP3 `#t` or `#f`, in RESP2 `:1` or `:0`. */
export interface Bool {
  readonly _tag: "Bool"
  readonly value: boolean
}
/** RESP3 `(`, in RESP2 a bulk string. `value` is decimal digits with an optional sign. */
export interface BigNumber {
  readonly _tag: "BigNumber"
  readonly value: string
}
/** RESP3 `=`, in RESP2 a bulk string without the format. `format` has three letters: `txt`, `mkd`. */
export interface Verbatim {
  readonly _tag: "Verbatim"
  readonly format: string
  readonly value: string
}
/** RESP3 `>`: not an answer, a message; in RESP2 an array. */
export interface Push {
  readonly _tag: "Push"
  readonly values: ReadonlyArray<Reply>
}
/** RESP3 `|` before `reply`; RESP2 gets `reply` alone. */
export interface Attribute {
  readonly _tag: "Attribute"
  readonly entries: ReadonlyArray<Reply>
  readonly reply: Reply
}
/** An array of `length` whose connection ends before the last elements: EXEC of a client that kills itself. */
export interface Torn {
  readonly _tag: "Torn"
  readonly length: number
  readonly values: ReadonlyArray<Reply>
}
/** Several replies to one request (SUBSCRIBE a b), or none at all (CLIENT REPLY OFF). */
export interface Sequence {
  readonly _tag: "Sequence"
  readonly replies: ReadonlyArray<Reply>
}

/** Bytes as they are: what replicas are sent. */
export interface Raw {
  readonly _tag: "Raw"
  readonly bytes: string
}

export type Reply =
  | Simple
  | Failure
  | Int
  | Bulk
  | Nil
  | NilArray
  | Array
  | Bulks
  | Map
  | Set
  | Double
  | Bool
  | BigNumber
  | Verbatim
  | Push
  | Attribute
  | Torn
  | Sequence
  | Raw

export const simple = (value: string): Reply => ({ _tag: "Simple", value })
export const raw = (bytes: string): Reply => ({ _tag: "Raw", bytes })
export const ok: Reply = simple("OK")
export const queued: Reply = simple("QUEUED")
export const pong: Reply = simple("PONG")
export const failure = (error: CommandError): Reply => ({ _tag: "Failure", code: error.code, message: error.message })

const smallInts: ReadonlyArray<Reply> = globalThis.Array.from({ length: 1024 }, (_, value): Reply => ({
  _tag: "Int",
  value,
}))
export const int = (value: number | bigint): Reply =>
  typeof value === "number" && value >= 0 && value < 1024 ? smallInts[value]! : { _tag: "Int", value }
export const zero: Reply = int(0)
export const one: Reply = int(1)
/** 1 for true, 0 for false, in both protocol versions (most Redis commands predate RESP3's booleans). */
export const flag = (value: boolean): Reply => (value ? one : zero)

export const bulk = (value: string): Reply => ({ _tag: "Bulk", value })

/** A value that can be sent as the bytes it consists of. */
export interface Lender {
  /** Its bytes. They do not change: who changes the value before they are back changes a copy. */
  readonly lend: () => Buffer
  /** `bytes` have been sent, or copied. */
  readonly giveBack: (bytes: Buffer) => void
}

/**
 * A long bulk string, which is still bytes: a connection may send them as they are, and for everybody else it is a `Bulk`. Of a GET of
 * 64 KiB at 20 us in redis-server, making a string of them, joining it with its header and copying it out again cost 13 us.
 */
export class LongBulk implements Bulk {
  readonly _tag = "Bulk"
  private readonly lender: Lender
  private readonly lent: Buffer
  private text: string | undefined

  constructor(lender: Lender) {
    this.lender = lender
    this.lent = lender.lend()
  }

  get value(): string {
    if (this.text === undefined) {
      this.text = this.lent.latin1Slice()
      this.giveBack()
    }
    return this.text
  }

  /** The bytes, to be read until they are given back. */
  get bytes(): Buffer {
    return this.lent
  }

  giveBack(): void {
    this.lender.giveBack(this.lent)
  }
}

export const nil: Reply = { _tag: "Nil" }
export const nilArray: Reply = { _tag: "NilArray" }
export const bulkOrNil = (value: string | undefined): Reply => (value === undefined ? nil : { _tag: "Bulk", value })
export const array = (values: ReadonlyArray<Reply>): Reply => ({ _tag: "Array", values })
export const bulks = (values: ReadonlyArray<string | undefined>): Reply => ({
  _tag: "Bulks",
  values,
  sent: undefined,
  count: values.length,
})
export const emptyArray: Reply = array([])
export const map = (entries: ReadonlyArray<Reply>): Reply => ({ _tag: "Map", entries })
/** A map from bulk-string keys, in the object's order. */
export const record = (fields: Record<string, Reply>): Reply =>
  map(Object.entries(fields).flatMap(([name, value]) => [bulk(name), value]))
export const set = (values: ReadonlyArray<Reply>): Reply => ({ _tag: "Set", values })
export const double = (value: number): Reply => ({ _tag: "Double", value })
/** A double in digits of its own: coordinates are printed as long doubles. */
export const doubleAs = (value: number, digits: string): Reply => ({ _tag: "Double", value, digits })
export const bool = (value: boolean): Reply => ({ _tag: "Bool", value })
export const bigNumber = (value: string): Reply => ({ _tag: "BigNumber", value })
export const verbatim = (format: string, value: string): Reply => ({ _tag: "Verbatim", format, value })
export const push = (values: ReadonlyArray<Reply>): Reply => ({ _tag: "Push", values })
/** Whether `reply` is pushed messages and no answer, as those of SUBSCRIBE are. */
export const isPushed = (reply: Reply): boolean =>
  reply._tag === "Push" || (reply._tag === "Sequence" && reply.replies.length > 0 && reply.replies.every(isPushed))
export const attribute = (entries: ReadonlyArray<Reply>, reply: Reply): Reply => ({ _tag: "Attribute", entries, reply })
export const torn = (length: number, values: ReadonlyArray<Reply>): Reply => ({ _tag: "Torn", length, values })
export const sequence = (replies: ReadonlyArray<Reply>): Reply => ({ _tag: "Sequence", replies })
/** No reply at all. */
export const none: Reply = sequence([])
export const isNone = (reply: Reply): boolean => reply === none
