/**
 * The least or greatest members leave: ZPOPMIN, ZPOPMAX, ZMPOP, and the three that wait for a sorted set to come into being.
 */
import * as Either from "effect/Either"
import { formatDouble } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, OutOfRange, SyntaxError, WrongType } from "../../errors/CommandError.ts"
import { InvalidCount } from "../../errors/SortedSetErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { Entries } from "./replies.ts"

type End = "min" | "max"

/** Removes `count` members, which must be there, from one end; announces it. `visitor` gets them in the order in which they leave. */
const take = (
  key: string,
  set: SortedSet,
  end: End,
  count: number,
  { db }: Command.Ctx,
  visitor: (member: string, score: number) => void,
): void => {
  for (let left = count; left > 0; left--) set.takeEnd(end === "max", visitor)
  db.changed(key, EventClass.sortedSet, end === "min" ? "zpopmin" : "zpopmax", count)
  db.removeIfEmpty(key, set)
}

const parsePop = (args: Args) => {
  const key = args.key()
  if (args.left > 1) args.fail(SyntaxError.error)
  const count = args.more ? args.intIn(0, Number.MAX_SAFE_INTEGER, OutOfRange.positive, OutOfRange.positive) : undefined
  return { key, count }
}

const pop = (
  { key, count }: ReturnType<typeof parsePop>,
  end: End,
  ctx: Command.Ctx,
): Either.Either<Reply.Reply, CommandError> => {
  const set = ctx.db.write(key)
  if (set === undefined) return Either.right(Reply.emptyArray)
  if (!(set instanceof SortedSet)) return Either.left(WrongType.error)
  if (count === 0) return Either.right(Reply.emptyArray)
  // Only the form with a count pairs members and scores in RESP3.
  if (count === undefined && ctx.client.replyProtocol === 3) {
    let answer = Reply.emptyArray
    take(key, set, end, 1, ctx, (member, score) => {
      answer = Reply.array([Reply.bulk(member), Reply.double(score)])
    })
    return Either.right(answer)
  }
  if (count === undefined) {
    const words: Array<string> = []
    take(key, set, end, 1, ctx, (member, score) => {
      words.push(member, formatDouble(score))
    })
    return Either.right(Reply.bulks(words))
  }
  const entries = new Entries(ctx.client, true)
  take(key, set, end, Math.min(count, set.size), ctx, entries.add)
  return Either.right(entries.reply)
}

const zpopmin = Command.make({
  name: "zpopmin",
  summary: "Remove and return members with the lowest scores in a sorted set",
  since: "5.0.0",
  group: "sorted-set",
  complexity:
    "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
  arity: -2,
  flags: "write fast",
  acl: "sortedset",
  keys: [Key.at(1, "RW access delete")],
  args: [Arg.key("key"), Arg.integer("count", { optional: true })],
  parse: parsePop,
  run: (request, ctx) => pop(request, "min", ctx),
})

const zpopmax = Command.make({
  name: "zpopmax",
  summary: "Remove and return members with the highest scores in a sorted set",
  since: "5.0.0",
  group: "sorted-set",
  complexity:
    "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
  arity: -2,
  flags: "write fast",
  acl: "sortedset",
  keys: [Key.at(1, "RW access delete")],
  args: [Arg.key("key"), Arg.integer("count", { optional: true })],
  parse: parsePop,
  run: (request, ctx) => pop(request, "max", ctx),
})

const requestName = (end: End): string => (end === "min" ? "ZPOPMIN" : "ZPOPMAX")

/** Takes what ZMPOP asks for from `key`; absent when there is no sorted set. Logged as the ZPOPMIN or ZPOPMAX it comes to. */
const popFrom = (
  key: string,
  set: SortedSet,
  { end, count }: { readonly end: End; readonly count: number },
  ctx: Command.Ctx,
): Reply.Reply => {
  const taken = Math.min(count, set.size)
  const pairs: Array<Reply.Reply> = []
  ctx.propagateAs([requestName(end), key, String(taken)])
  take(key, set, end, taken, ctx, (member, score) => {
    pairs.push(Reply.array([Reply.bulk(member), Reply.double(score)]))
  })
  return Reply.array([Reply.bulk(key), Reply.array(pairs)])
}

/** What BZPOPMIN and BZPOPMAX answer: key, member and score on one level. */
const popOneFrom = (key: string, set: SortedSet, end: End, ctx: Command.Ctx): Reply.Reply => {
  let answer = Reply.nilArray
  ctx.propagateAs([requestName(end), key])
  take(key, set, end, 1, ctx, (member, score) => {
    answer = Reply.array([Reply.bulk(key), Reply.bulk(member), Reply.double(score)])
  })
  return answer
}

/** The first key that holds a sorted set, served by `serve`; absent when none does. Another type on the way is an error. */
const serveFirst = (
  keys: ReadonlyArray<string>,
  ctx: Command.Ctx,
  serve: (key: string, set: SortedSet) => Reply.Reply,
): Either.Either<Reply.Reply | undefined, CommandError> => {
  for (const key of keys) {
    const found = ctx.db.writeAs(key, SortedSet)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (found.right !== undefined) return Either.right(serve(key, found.right))
  }
  return Either.right(undefined)
}

const parseMany = (args: Args) => {
  const keys = args.counted(InvalidCount.numkeys, InvalidCount.numkeys)
  const end: End = args.option("MIN") ? "min" : args.option("MAX") ? "max" : args.fail(SyntaxError.error)
  let count: number | undefined
  while (args.more) {
    if (count === undefined && args.optionWith("COUNT", 1)) {
      count = args.intIn(1, Number.MAX_SAFE_INTEGER, InvalidCount.count, InvalidCount.count)
    } else args.fail(SyntaxError.error)
  }
  return { keys, end, count: count ?? 1 }
}

const zmpop = Command.make({
  name: "zmpop",
  summary: "Remove and return members with scores in a sorted set",
  since: "7.0.0",
  group: "sorted-set",
  complexity:
    "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
  arity: -4,
  flags: "write",
  acl: "sortedset",
  keys: [Key.counted(1, "RW access delete")],
  args: [
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.oneOf("where", [Arg.token("MIN"), Arg.token("MAX")]),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: parseMany,
  run: (request, ctx) =>
    Either.map(
      serveFirst(request.keys, ctx, (key, set) => popFrom(key, set, request, ctx)),
      (answer) => answer ?? Reply.nilArray,
    ),
})

/** Serves from the first key that can, or waits until one comes into being. */
const serveOrWait = (
  keys: ReadonlyArray<string>,
  timeoutMs: number,
  ctx: Command.Ctx,
  serve: (key: string, set: SortedSet) => Reply.Reply,
): Command.Result => {
  const served = serveFirst(keys, ctx, serve)
  if (Either.isLeft(served)) return Either.left(served.left)
  if (served.right !== undefined) return Either.right(served.right)
  return ctx.wait({
    keys,
    timeoutMs,
    attempt: (key) => {
      const found = ctx.db.writeAs(key, SortedSet)
      if (Either.isLeft(found) || found.right === undefined) return Either.right(undefined)
      return Either.right(serve(key, found.right))
    },
    onTimeout: Reply.nilArray,
  })
}

const parseWaiting = (args: Args) => {
  const keys: Array<string> = []
  while (args.left > 1) keys.push(args.key())
  return { keys, timeoutMs: args.timeoutMs() }
}

const bzpopmin = Command.suspending({
  name: "bzpopmin",
  summary:
    "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
  since: "5.0.0",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  history: [["6.0.0", "`timeout` is interpreted as a double instead of an integer."]],
  arity: -3,
  flags: "write noscript blocking fast",
  acl: "sortedset",
  keys: [Key.range(1, "RW access delete", { last: -2 })],
  args: [Arg.key("key", { multiple: true }), Arg.double("timeout")],
  parse: parseWaiting,
  run: ({ keys, timeoutMs }, ctx) => serveOrWait(keys, timeoutMs, ctx, (key, set) => popOneFrom(key, set, "min", ctx)),
})

const bzpopmax = Command.suspending({
  name: "bzpopmax",
  summary:
    "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
  since: "5.0.0",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  history: [["6.0.0", "`timeout` is interpreted as a double instead of an integer."]],
  arity: -3,
  flags: "write noscript blocking fast",
  acl: "sortedset",
  keys: [Key.range(1, "RW access delete", { last: -2 })],
  args: [Arg.key("key", { multiple: true }), Arg.double("timeout")],
  parse: parseWaiting,
  run: ({ keys, timeoutMs }, ctx) => serveOrWait(keys, timeoutMs, ctx, (key, set) => popOneFrom(key, set, "max", ctx)),
})

const bzmpop = Command.suspending({
  name: "bzmpop",
  summary: "Remove and return members with scores in a sorted set or block until one is available",
  since: "7.0.0",
  group: "sorted-set",
  complexity:
    "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
  arity: -5,
  flags: "write blocking",
  acl: "sortedset",
  keys: [Key.counted(2, "RW access delete")],
  args: [
    Arg.double("timeout"),
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.oneOf("where", [Arg.token("MIN"), Arg.token("MAX")]),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: (args) => {
    // The time comes first and is checked last.
    const start = args.position
    args.next()
    const request = parseMany(args)
    args.position = start
    return { request, timeoutMs: args.timeoutMs() }
  },
  run: ({ timeoutMs, request }, ctx) =>
    serveOrWait(request.keys, timeoutMs, ctx, (key, set) => popFrom(key, set, request, ctx)),
})

export const popCommands = [zpopmin, zpopmax, zmpop, bzpopmin, bzpopmax, bzmpop]
