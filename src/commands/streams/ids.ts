/**
 * How requests spell stream ids: `5-1`, `5` (with the command's choice of sequence), `-` and `+` for the ends, `(5-1` for an
 * interval that excludes it.
 *
 * The idea to hold: Redis parses some ids before it looks at the key and some after, and the error that comes first is
 * part of the contract. The parsers named `parse...` return `undefined` for a wrong id; the others throw, for use while
 * arguments are parsed.
 */
import { parseUnsigned64 } from "../../bytes/Numbers.ts"
import type { Args } from "../../command/Args.ts"
import { InvalidStreamId } from "../../errors/StreamErrors.ts"
import type { StreamId, U64 } from "../../store/StreamId.ts"
import * as Id from "../../store/StreamId.ts"

/** Redis copies an id into a buffer of 128 bytes; longer ones are invalid. */
const idCharsMax = 127

/** What Redis sees of an id, which it treats as a C string; undefined when it is too long. */
const visible = (text: string): string | undefined => {
  if (text.length > idCharsMax) return undefined
  const nul = text.indexOf("\0")
  return nul < 0 ? text : text.slice(0, nul)
}

const parseHalves = (text: string, missingSeq: U64): StreamId | undefined => {
  const dash = text.indexOf("-")
  const ms = parseUnsigned64(dash < 0 ? text : text.slice(0, dash))
  const seq = dash < 0 ? missingSeq : parseUnsigned64(text.slice(dash + 1))
  return ms === undefined || seq === undefined ? undefined : Id.make(ms, seq)
}

/** `ms-seq` or `ms`; undefined for anything else, `-` and `+` included. */
export const parseStrict = (text: string, missingSeq: U64 = 0): StreamId | undefined => {
  const word = visible(text)
  return word === undefined || word === "-" || word === "+" ? undefined : parseHalves(word, missingSeq)
}

/** As `parseStrict`, and `-` and `+` for the least and the greatest id. */
export const parseLoose = (text: string, missingSeq: U64 = 0): StreamId | undefined => {
  const word = visible(text)
  if (word === "-") return Id.zero
  if (word === "+") return Id.max
  return word === undefined ? undefined : parseHalves(word, missingSeq)
}

/** The milliseconds of `ms-*`; undefined when the text has not that form. */
export const parseAutoSequence = (text: string): U64 | undefined => {
  const word = visible(text)
  if (word === undefined || !word.endsWith("-*") || word.indexOf("-") !== word.length - 2) return undefined
  return parseUnsigned64(word.slice(0, -2))
}

export const takeStrict = (args: Args): StreamId => parseStrict(args.next()) ?? args.fail(InvalidStreamId.error)

/** The lower end of an interval. Throws when it is wrong. */
export const startOf = (text: string): StreamId => {
  const id = isExclusive(text) ? parseStrict(text.slice(1), 0) : parseLoose(text, 0)
  if (id === undefined) throw InvalidStreamId.error
  if (!isExclusive(text)) return id
  const after = Id.next(id)
  if (after === undefined) throw InvalidStreamId.start
  return after
}

/** The upper end of an interval. Throws when it is wrong. */
export const endOf = (text: string): StreamId => {
  const id = isExclusive(text) ? parseStrict(text.slice(1), Id.u64Max) : parseLoose(text, Id.u64Max)
  if (id === undefined) throw InvalidStreamId.error
  if (!isExclusive(text)) return id
  const before = Id.previous(id)
  if (before === undefined) throw InvalidStreamId.end
  return before
}

const isExclusive = (text: string): boolean => text.length > 1 && text.startsWith("(")
