/**
 * The trimming options that XADD and XTRIM share: MAXLEN or MINID, exact (=) or by whole nodes (~), LIMIT.
 *
 * The idea to hold: how much ~ trims depends on where nodes end, which another server need not know. So the log gets the
 * exact form with what the stream became: `MAXLEN ~ 1000` that left 1042 entries is logged as `MAXLEN = 1042`, and a LIMIT
 * beside `=`, refused from clients, is ignored while a log is replayed.
 */
import type { Args } from "../../command/Args.ts"
import type { Ctx } from "../../command/Command.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { InvalidTrim } from "../../errors/StreamErrors.ts"
import type { Stream, Trim } from "../../store/Stream.ts"
import * as Id from "../../store/StreamId.ts"
import { takeStrict } from "./ids.ts"

/** A limit that was not given is this many nodes' worth of entries, within bounds. */
const limitNodes = 100
const limitWithoutNodes = 10_000
const limitMax = 1_000_000

export interface Trimming {
  to: Trim["to"] | undefined
  approximate: boolean
  /** Absent when LIMIT was not given. */
  limit: number | undefined
  /** Where in the request the threshold stands; with ~ the word before it is the operator. */
  thresholdAt: number
}

export const none = (): Trimming => ({ to: undefined, approximate: false, limit: undefined, thresholdAt: 0 })

/** Takes one trimming option into `trimming`; false when the next word is none. */
export const takeOption = (args: Args, trimming: Trimming): boolean => {
  const byLength = args.optionWith("MAXLEN", 1)
  if (byLength || args.optionWith("MINID", 1)) {
    if (trimming.to !== undefined) args.fail(InvalidTrim.twoStrategies)
    const operator = args.left >= 2 ? args.peek() : undefined
    trimming.approximate = operator === "~"
    if (operator === "~" || operator === "=") args.next()
    trimming.thresholdAt = args.position
    if (byLength) {
      const length = args.int()
      if (length < 0) args.fail(InvalidTrim.maxLength)
      trimming.to = { _tag: "MaxLength", length }
    } else {
      trimming.to = { _tag: "MinId", id: takeStrict(args) }
    }
    return true
  }
  if (!args.optionWith("LIMIT", 1)) return false
  trimming.limit = args.int()
  if (trimming.limit < 0) args.fail(InvalidTrim.limit)
  return true
}

/** What is wrong with the options taken together. `required`: there must be a strategy. */
export const check = (trimming: Trimming, required: boolean, ctx: Ctx): CommandError | undefined => {
  const { to, limit, approximate } = trimming
  if (to === undefined && limit !== undefined && limit > 0) return InvalidTrim.limitAlone
  if (to === undefined && required) return InvalidTrim.noStrategy
  if (limit !== undefined && !approximate && !isReplaying(ctx)) return InvalidTrim.limitExact
  return undefined
}

/** Trims; returns how many entries went. */
export const trim = (stream: Stream, trimming: Trimming, ctx: Ctx): number => {
  if (trimming.to === undefined) return 0
  const { to, approximate } = trimming
  return stream.trim({ to, approximate, limit: limitOf(trimming, ctx) })
}

const limitOf = ({ approximate, limit }: Trimming, ctx: Ctx): number => {
  if (!approximate || isReplaying(ctx)) return 0
  if (limit !== undefined) return limit
  const entries = limitNodes * ctx.limits.streamNodeMaxEntries
  return entries <= 0 ? limitWithoutNodes : Math.min(entries, limitMax)
}

/** Writes the exact form of an approximate trimming into `request`, after it was done. */
export const makeExact = (request: Array<string>, trimming: Trimming, stream: Stream): void => {
  if (!trimming.approximate) return
  request[trimming.thresholdAt - 1] = "="
  request[trimming.thresholdAt] =
    trimming.to!._tag === "MaxLength" ? String(stream.length) : Id.format(stream.length === 0 ? Id.max : stream.firstId)
}

/** Deadlines do not pass by themselves exactly while a log is replayed. */
const isReplaying = (ctx: Ctx): boolean => !ctx.store.expire
