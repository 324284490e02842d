/** What string commands answer beside what all do (command/Answers.ts), and values as replies. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, nil, wrongType } from "../../command/Answers.ts"
import { NotInteger } from "../../errors/CommandError.ts"
import { StringTooLong } from "../../errors/StringErrors.ts"
import { lengthOf } from "../../store/Bits.ts"
import { bulkLengthMax, StringBuffer, storedBytesMin } from "../../store/StringBuffer.ts"
import { bytesOf, type StringValue, type Value } from "../../store/Value.ts"

export const empty: Answer = Either.right(Reply.bulk(""))
export const notInteger: Answer = Either.left(NotInteger.error)
export const tooLong: Answer = Either.left(StringTooLong.error)

/** A value as a bulk string; absent is nil, and what is no string is WRONGTYPE. */
export const bulk = (value: Value | undefined): Answer => {
  if (value === undefined) return nil
  if (typeof value === "string" && value.length <= bulkLengthMax) return Either.right(Reply.bulk(value))
  if (typeof value === "number") return Either.right(Reply.bulk(String(value)))
  if (!isString(value)) return wrongType
  // Differs: SETRANGE and SETBIT can make strings up to 56 bytes longer than V8 can hand out as one reply.
  if (lengthOf(value) > bulkLengthMax) return tooLong
  const isLong = value instanceof StringBuffer && value.length >= storedBytesMin
  return Either.right(isLong ? new Reply.LongBulk(value) : Reply.bulk(bytesOf(value)))
}

export const isString = (value: Value): value is StringValue => typeof value !== "object" || value.type === "string"
