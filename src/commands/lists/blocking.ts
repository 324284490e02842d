/**
 * The forms that wait for a list: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP. Where a list is there they are LPOP, RPOP, LMOVE,
 * RPOPLPUSH and LMPOP, and are logged as these, served at once or later.
 *
 * The idea to hold: whoever waits is served with a look at the one key that came into being; a value of another type
 * there keeps them waiting, while at the first look it is an error. That an element goes to who waited is no news to tracking, which has
 * been told of its arrival at the same instant.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { nil, wrongType } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { List } from "../../store/List.ts"
import { type End, parseEnd } from "./ends.ts"
import { type Move, moveOne } from "./move.ts"
import { parseMany, serveFirst, takeMany, takeOne } from "./pop.ts"

/** Serves from the first key that holds a list, or waits until one comes into being. */
const serveOrWait = (
  keys: ReadonlyArray<string>,
  timeoutMs: number,
  ctx: Command.Ctx,
  serve: (key: string, list: List, isNews: boolean) => Reply.Reply,
): Command.Result => {
  const served = serveFirst(keys, ctx, (key, list) => serve(key, list, true))
  if (Either.isLeft(served)) return Either.left(served.left)
  if (served.right !== undefined) return Either.right(served.right)
  return ctx.wait({
    keys,
    timeoutMs,
    attempt: (key) => {
      const list = ctx.db.write(key)
      return Either.right(list instanceof List ? serve(key, list, false) : undefined)
    },
    onTimeout: Reply.nilArray,
  })
}

const parsePop = (args: Args) => {
  const keys: Array<string> = []
  while (args.left > 1) keys.push(args.key())
  return { keys, timeoutMs: args.timeoutMs() }
}

const pop = ({ keys, timeoutMs }: ReturnType<typeof parsePop>, end: End, ctx: Command.Ctx): Command.Result =>
  serveOrWait(keys, timeoutMs, ctx, (key, list, isNews) => {
    ctx.propagateAs([end === "LEFT" ? "LPOP" : "RPOP", key])
    return Reply.bulks([key, takeOne(key, list, end, isNews, ctx)])
  })

const blpop = Command.suspending({
  name: "blpop",
  summary: "Remove and get the first element in a list, or block until one is available",
  since: "2.0.0",
  group: "list",
  complexity: "O(N) where N is the number of provided keys.",
  history: [["6.0.0", "`timeout` is interpreted as a double instead of an integer."]],
  arity: -3,
  flags: "write noscript blocking",
  acl: "list",
  keys: [Key.range(1, "RW access delete", { last: -2 })],
  args: [Arg.key("key", { multiple: true }), Arg.double("timeout")],
  parse: parsePop,
  run: (request, ctx) => pop(request, "LEFT", ctx),
})

const brpop = Command.suspending({
  name: "brpop",
  summary: "Remove and get the last element in a list, or block until one is available",
  since: "2.0.0",
  group: "list",
  complexity: "O(N) where N is the number of provided keys.",
  history: [["6.0.0", "`timeout` is interpreted as a double instead of an integer."]],
  arity: -3,
  flags: "write noscript blocking",
  acl: "list",
  keys: [Key.range(1, "RW access delete", { last: -2 })],
  args: [Arg.key("key", { multiple: true }), Arg.double("timeout")],
  parse: parsePop,
  run: (request, ctx) => pop(request, "RIGHT", ctx),
})

const blmpop = Command.suspending({
  name: "blmpop",
  summary: "Pop elements from a list, or block until one is available",
  since: "7.0.0",
  group: "list",
  complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
  arity: -5,
  flags: "write blocking",
  acl: "list",
  keys: [Key.counted(2, "RW access delete")],
  args: [
    Arg.double("timeout"),
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.oneOf("where", [Arg.token("LEFT"), Arg.token("RIGHT")]),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: (args) => {
    // The time is the first argument and is looked at last.
    const time = args.position
    args.next()
    const request = parseMany(args)
    args.position = time
    return { request, timeoutMs: args.timeoutMs() }
  },
  run: ({ request, timeoutMs }, ctx) =>
    serveOrWait(request.keys, timeoutMs, ctx, (key, list) => takeMany(key, list, request, ctx)),
})

/** Moves an element, or waits for one to move. `logged` is the request without the time. */
const moveOrWait = (move: Move, timeoutMs: number, logged: ReadonlyArray<string>, ctx: Command.Ctx): Command.Result => {
  const serve = (list: List, isNews: boolean): Either.Either<Reply.Reply, CommandError> => {
    ctx.propagateAs(logged)
    return moveOne(list, move, isNews, ctx)
  }
  const list = ctx.db.write(move.source)
  if (list !== undefined) return list instanceof List ? serve(list, true) : wrongType
  // Where it cannot wait it answers as LMOVE does, and not as after a timeout.
  if (ctx.nested) return nil
  return ctx.wait({
    keys: [move.source],
    timeoutMs,
    attempt: (key) => {
      const ready = ctx.db.write(key)
      // A destination of another type is the end of the wait: the error goes to whoever waited, the element stays.
      return ready instanceof List ? serve(ready, false) : Either.right(undefined)
    },
    onTimeout: Reply.nilArray,
  })
}

const blmove = Command.suspending({
  name: "blmove",
  summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
  since: "6.2.0",
  group: "list",
  complexity: "O(1)",
  arity: 6,
  flags: "write denyoom noscript blocking",
  acl: "list",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "RW insert")],
  args: [
    Arg.key("source"),
    Arg.key("destination", { keySpec: 1 }),
    Arg.oneOf("wherefrom", [Arg.token("LEFT"), Arg.token("RIGHT")]),
    Arg.oneOf("whereto", [Arg.token("LEFT"), Arg.token("RIGHT")]),
    Arg.double("timeout"),
  ],
  parse: (args) => ({
    move: { source: args.key(), destination: args.key(), from: parseEnd(args), to: parseEnd(args) },
    timeoutMs: args.timeoutMs(),
  }),
  run: ({ move, timeoutMs }, ctx) =>
    // The ends are logged in the spelling of the request.
    moveOrWait(move, timeoutMs, ["LMOVE", ...ctx.argv.slice(1, 5)], ctx),
})

const brpoplpush = Command.suspending({
  name: "brpoplpush",
  summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
  since: "2.2.0",
  group: "list",
  complexity: "O(1)",
  history: [["6.0.0", "`timeout` is interpreted as a double instead of an integer."]],
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
  arity: 4,
  flags: "write denyoom noscript blocking",
  acl: "list",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "RW insert")],
  args: [Arg.key("source"), Arg.key("destination", { keySpec: 1 }), Arg.double("timeout")],
  parse: (args) => {
    const move: Move = { source: args.key(), destination: args.key(), from: "RIGHT", to: "LEFT" }
    return { move, timeoutMs: args.timeoutMs() }
  },
  run: ({ move, timeoutMs }, ctx) => moveOrWait(move, timeoutMs, ["RPOPLPUSH", move.source, move.destination], ctx),
})

export const blockingCommands = [blpop, brpop, blmove, brpoplpush, blmpop]
