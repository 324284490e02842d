/** Elements leave at an end: LPOP, RPOP, and LMPOP, which takes from the first list that is there. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, emptyArray, nil, nilArray, wrongType } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, OutOfRange, SyntaxError, WrongArity } from "../../errors/CommandError.ts"
import { CountNotPositive } from "../../errors/ListErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { List } from "../../store/List.ts"
import { type End, parseEnd } from "./ends.ts"

/** Announces that elements have left; where that is no news, tracking does not hear of it. */
export const announceTaken = (
  key: string,
  list: List,
  end: End,
  count: number,
  isNews: boolean,
  { db }: Command.Ctx,
) => {
  db.changed(key, EventClass.list, end === "LEFT" ? "lpop" : "rpop", count, isNews)
  db.removeIfEmpty(key, list)
}

/** Takes one element, and announces it. */
export const takeOne = (key: string, list: List, end: End, isNews: boolean, ctx: Command.Ctx): string => {
  const value = end === "LEFT" ? list.popHead() : list.popTail()
  announceTaken(key, list, end, 1, isNews, ctx)
  return value
}

/** Takes `count` elements, which must be there, in the order in which they leave, and announces it. */
const take = (key: string, list: List, end: End, count: number, ctx: Command.Ctx): Array<string> => {
  let values: Array<string>
  if (end === "LEFT") {
    values = list.slice(0, count)
    list.removeFirst(count)
  } else {
    values = list.slice(list.size - count, count).reverse()
    list.removeLast(count)
  }
  announceTaken(key, list, end, count, true, ctx)
  return values
}

const parsePop = (args: Args, name: string) => {
  const key = args.key()
  if (args.left > 1) args.fail(WrongArity.of(name))
  const count = args.more ? args.intIn(0, Number.MAX_SAFE_INTEGER, OutOfRange.positive, OutOfRange.positive) : undefined
  return { key, count }
}

const pop = ({ key, count }: ReturnType<typeof parsePop>, end: End, ctx: Command.Ctx): Answer => {
  const list = ctx.db.write(key)
  if (list === undefined) return count === undefined ? nil : nilArray
  if (!(list instanceof List)) return wrongType
  if (count === undefined) return Either.right(Reply.bulk(takeOne(key, list, end, true, ctx)))
  if (count === 0) return emptyArray
  return Either.right(Reply.bulks(take(key, list, end, Math.min(count, list.size), ctx)))
}

const lpop = Command.make({
  name: "lpop",
  summary: "Remove and get the first elements in a list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N) where N is the number of elements returned",
  history: [["6.2.0", "Added the `count` argument."]],
  arity: -2,
  flags: "write fast",
  acl: "list",
  keys: [Key.at(1, "RW access delete")],
  args: [Arg.key("key"), Arg.integer("count", { optional: true, since: "6.2.0" })],
  parse: (args) => parsePop(args, "lpop"),
  run: (request, ctx) => pop(request, "LEFT", ctx),
})

const rpop = Command.make({
  name: "rpop",
  summary: "Remove and get the last elements in a list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N) where N is the number of elements returned",
  history: [["6.2.0", "Added the `count` argument."]],
  arity: -2,
  flags: "write fast",
  acl: "list",
  keys: [Key.at(1, "RW access delete")],
  args: [Arg.key("key"), Arg.integer("count", { optional: true, since: "6.2.0" })],
  parse: (args) => parsePop(args, "rpop"),
  run: (request, ctx) => pop(request, "RIGHT", ctx),
})

/** What LMPOP and BLMPOP ask for, from the number of keys on. */
export const parseMany = (args: Args) => {
  const keys = args.counted(CountNotPositive.numkeys, CountNotPositive.numkeys)
  const end = parseEnd(args)
  let count: number | undefined
  while (args.more) {
    if (count === undefined && args.optionWith("COUNT", 1)) {
      count = args.intIn(1, Number.MAX_SAFE_INTEGER, CountNotPositive.count, CountNotPositive.count)
    } else args.fail(SyntaxError.error)
  }
  return { keys, end, count: count ?? 1 }
}

/** The answer of LMPOP for the list at `key`. Logged as the LPOP or RPOP it comes to. */
export const takeMany = (
  key: string,
  list: List,
  { end, count }: { readonly end: End; readonly count: number },
  ctx: Command.Ctx,
): Reply.Reply => {
  const taken = Math.min(count, list.size)
  ctx.propagateAs([end === "LEFT" ? "LPOP" : "RPOP", key, String(taken)])
  return Reply.array([Reply.bulk(key), Reply.bulks(take(key, list, end, taken, ctx))])
}

/** What `serve` makes of the first key that holds a list; absent when none does. Another type on the way is an error. */
export const serveFirst = (
  keys: ReadonlyArray<string>,
  { db }: Command.Ctx,
  serve: (key: string, list: List) => Reply.Reply,
): Either.Either<Reply.Reply | undefined, CommandError> => {
  for (const key of keys) {
    const list = db.write(key)
    if (list === undefined) continue
    return list instanceof List ? Either.right(serve(key, list)) : wrongType
  }
  return Either.right(undefined)
}

const lmpop = Command.make({
  name: "lmpop",
  summary: "Pop elements from a list",
  since: "7.0.0",
  group: "list",
  complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
  arity: -4,
  flags: "write",
  acl: "list",
  keys: [Key.counted(1, "RW access delete")],
  args: [
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.oneOf("where", [Arg.token("LEFT"), Arg.token("RIGHT")]),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: parseMany,
  run: (request, ctx) =>
    Either.map(
      serveFirst(request.keys, ctx, (key, list) => takeMany(key, list, request, ctx)),
      (answer) => answer ?? Reply.nilArray,
    ),
})

export const popCommands = [lpop, rpop, lmpop]
