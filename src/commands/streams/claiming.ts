/**
 * Moving pending entries to another consumer: XCLAIM by id, XAUTOCLAIM by scanning.
 *
 * The idea to hold: an entry that the stream has lost meanwhile cannot be given to anyone; claiming it forgets that it was
 * pending. Each entry touched is logged by itself, as the state it came to.
 */
import * as Either from "effect/Either"
import { parseInteger } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import type { Ctx } from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, SyntaxError } from "../../errors/CommandError.ts"
import { InvalidGroupArgument, InvalidStreamId, NoGroup } from "../../errors/StreamErrors.ts"
import { Stream } from "../../store/Stream.ts"
import { type Consumer, type Group, Pending } from "../../store/StreamGroup.ts"
import type { StreamId, U64 } from "../../store/StreamId.ts"
import * as Id from "../../store/StreamId.ts"
import { consumerOf } from "./consumers.ts"
import { parseStrict, startOf } from "./ids.ts"
import * as Log from "./log.ts"
import * as Replies from "./replies.ts"

/** The stream and the group, for reading; the group must be there. */
export const findGroup = (
  ctx: Ctx,
  key: string,
  name: string,
): Either.Either<{ readonly stream: Stream; readonly group: Group }, CommandError> => {
  const found = ctx.db.readAs(key, Stream)
  if (Either.isLeft(found)) return Either.left(found.left)
  const group = found.right?.groups.get(name)
  return found.right === undefined || group === undefined
    ? Either.left(NoGroup.of(key, name))
    : Either.right({ stream: found.right, group })
}

interface Claim {
  readonly ids: ReadonlyArray<StreamId>
  /** Entries delivered less long ago stay with their owner. */
  readonly minIdleMs: number
  /** Unix ms of the last delivery, as it is to be remembered. */
  readonly deliveredMs: number
  /** Absent: one more than before, or with JUSTID as before. */
  readonly deliveries: U64 | undefined
  readonly force: boolean
  readonly justId: boolean
  readonly lastId: StreamId
}

/** Reads what follows the consumer's name: the idle time, ids up to the first word that is none, options. */
const parseClaim = (words: ReadonlyArray<string>, now: number): Claim | CommandError => {
  const minIdle = parseInteger(words[0]!)
  if (minIdle === undefined) return InvalidGroupArgument.minIdle("XCLAIM")
  const ids: Array<StreamId> = []
  let at = 1
  for (; at < words.length; at++) {
    const id = parseStrict(words[at]!)
    if (id === undefined) break
    ids.push(id)
  }
  let delivered: number | undefined
  let deliveries: U64 | undefined
  let force = false
  let justId = false
  let lastId = Id.zero
  for (; at < words.length; at++) {
    const option = keyword(words[at]!)
    const argument = words[at + 1]
    if (option === "FORCE") force = true
    else if (option === "JUSTID") justId = true
    else if (argument === undefined) return InvalidGroupArgument.option(words[at]!)
    else if (option === "IDLE" || option === "TIME") {
      const ms = parseInteger(argument)
      if (ms === undefined) return option === "IDLE" ? InvalidGroupArgument.idle : InvalidGroupArgument.time
      delivered = option === "IDLE" ? now - Number(ms) : Number(ms)
      at++
    } else if (option === "RETRYCOUNT") {
      const count = parseInteger(argument)
      if (count === undefined) return InvalidGroupArgument.retryCount
      deliveries = count < 0 ? undefined : count
      at++
    } else if (option === "LASTID") {
      const id = parseStrict(argument)
      if (id === undefined) return InvalidStreamId.error
      lastId = id
      at++
    } else return InvalidGroupArgument.option(words[at]!)
  }
  // A time that cannot be is taken for now.
  const deliveredMs = delivered === undefined || delivered < 0 || delivered > now ? now : delivered
  return { ids, minIdleMs: Math.max(0, Number(minIdle)), deliveredMs, deliveries, force, justId, lastId }
}

/** The consumer of that name, which is given an entry. */
const activeConsumer = (group: Group, name: string, key: string, ctx: Ctx): Consumer => {
  const consumer = consumerOf(group, name, key, ctx)
  consumer.activeMs = ctx.now
  return consumer
}

const xclaim = Command.make({
  name: "xclaim",
  summary:
    "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered to the specified consumer.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
  arity: -6,
  flags: "write fast",
  acl: "stream",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.string("group"),
    Arg.string("consumer"),
    Arg.string("min-idle-time"),
    Arg.string("id", { multiple: true }),
    Arg.integer("ms", { token: "IDLE", optional: true }),
    Arg.unixTime("unix-time-milliseconds", { token: "TIME", optional: true }),
    Arg.integer("count", { token: "RETRYCOUNT", optional: true }),
    Arg.token("FORCE", { optional: true }),
    Arg.token("JUSTID", { optional: true }),
    Arg.string("id", { token: "LASTID", optional: true }),
  ],
  parse: (args) => ({ key: args.key(), groupName: args.next(), consumer: args.next(), words: args.rest() }),
  run: ({ key, groupName, consumer, words }, ctx) => {
    const found = findGroup(ctx, key, groupName)
    if (Either.isLeft(found)) return Either.left(found.left)
    const { stream, group } = found.right
    const claim = parseClaim(words, ctx.now)
    if (!("ids" in claim)) return Either.left(claim)
    ctx.db.write(key)
    const moved = Id.compare(claim.lastId, group.lastId) > 0
    if (moved) group.lastId = claim.lastId
    const log: Array<ReadonlyArray<string>> = []
    const claimed: Array<Reply.Reply> = []
    for (const id of claim.ids) {
      const entry = stream.find(id)
      let pending = group.pending.get(id)
      if (entry === undefined) {
        if (pending === undefined) continue
        log.push(Log.claim(key, group, pending))
        group.acknowledge(id)
        continue
      }
      if (pending === undefined) {
        if (!claim.force) continue
        pending = new Pending(id, consumerOf(group, consumer, key, ctx), ctx.now, 1)
        group.addPending(pending)
      } else {
        if (claim.minIdleMs > 0 && ctx.now - pending.deliveredMs < claim.minIdleMs) continue
      }
      const deliveries = claim.deliveries ?? Id.addU64(pending.deliveries, claim.justId ? 0 : 1)
      pending = group.renew(pending, activeConsumer(group, consumer, key, ctx), claim.deliveredMs, deliveries)
      claimed.push(claim.justId ? Replies.id(id) : Replies.entry(entry))
      log.push(Log.claim(key, group, pending))
    }
    if (moved && log.length === 0) log.push(Log.position(key, group))
    ctx.db.touched(log.length)
    ctx.propagateAll(log)
    return Either.right(Reply.array(claimed))
  },
})

/** Redis allots 16 bytes for each id it may have to report, in a 64-bit size. */
const countMax = 2n ** 63n / 16n - 1n
/** Redis makes room for so many deleted ids, of 16 bytes, at once; no machine has more than 47 bits of addresses for it. */
const allocatedMax = 2 ** 47 / 16
const countWithoutOption = 100
/** For each entry wanted so many are looked at. */
const attemptsPerEntry = 10

const xautoclaim = Command.make({
  name: "xautoclaim",
  summary:
    "Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered to the specified consumer.",
  since: "6.2.0",
  group: "stream",
  complexity: "O(1) if COUNT is small.",
  history: [
    ["7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the PEL"],
  ],
  arity: -6,
  flags: "write fast",
  acl: "stream",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RW delete")],
  args: [
    Arg.key("key"),
    Arg.string("group"),
    Arg.string("consumer"),
    Arg.string("min-idle-time"),
    Arg.string("start"),
    Arg.integer("count", { token: "COUNT", optional: true }),
    Arg.token("JUSTID", { optional: true }),
  ],
  parse: (args) => {
    const key = args.key()
    const groupName = args.next()
    const consumer = args.next()
    const minIdleMs = Math.max(0, args.int(InvalidGroupArgument.minIdle("XAUTOCLAIM")))
    const start = startOf(args.next())
    let count = countWithoutOption
    let justId = false
    while (args.more) {
      if (args.optionWith("COUNT", 1)) {
        const wanted = args.int64(InvalidGroupArgument.count)
        if (wanted < 1 || wanted > countMax) args.fail(InvalidGroupArgument.count)
        count = Number(wanted)
      } else if (args.option("JUSTID")) justId = true
      else args.fail(SyntaxError.error)
    }
    return { key, groupName, consumer, minIdleMs, start, count, justId }
  },
  run: ({ key, groupName, consumer, minIdleMs, start, count, justId }, ctx) => {
    const found = findGroup(ctx, key, groupName)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (count > allocatedMax) return Either.left(InvalidGroupArgument.countTooHigh)
    const { stream, group } = found.right
    ctx.db.write(key)
    const log: Array<ReadonlyArray<string>> = []
    const claimed: Array<Reply.Reply> = []
    const deleted: Array<Reply.Reply> = []
    let next = group.pending.atLeast(start)
    for (let attempts = count * attemptsPerEntry; attempts > 0 && count > 0 && next !== undefined; attempts--) {
      const pending: Pending = next
      const entry = stream.find(pending)
      next = group.pending.after(pending)
      if (entry === undefined) {
        log.push(Log.claim(key, group, pending))
        group.acknowledge(pending)
        deleted.push(Replies.id(pending))
        count--
        continue
      }
      if (minIdleMs > 0 && ctx.now - pending.deliveredMs < minIdleMs) continue
      const deliveries = Id.addU64(pending.deliveries, justId ? 0 : 1)
      const given = group.renew(pending, activeConsumer(group, consumer, key, ctx), ctx.now, deliveries)
      claimed.push(justId ? Replies.id(given) : Replies.entry(entry))
      log.push(Log.claim(key, group, given))
      count--
    }
    ctx.db.touched(log.length)
    ctx.propagateAll(log)
    return Either.right(Reply.array([Replies.id(next ?? Id.zero), Reply.array(claimed), Reply.array(deleted)]))
  },
})

export const claimingCommands = [xclaim, xautoclaim]
