/** Entries between two ids: XRANGE and XREVRANGE. */
import * as Either from "effect/Either"
import * as Answers from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import type { Database } from "../../store/Database.ts"
import { Stream } from "../../store/Stream.ts"
import type { StreamId } from "../../store/StreamId.ts"
import { endOf, startOf } from "./ids.ts"
import * as Replies from "./replies.ts"

interface Range {
  readonly key: string
  readonly start: StreamId
  readonly end: StreamId
  /** Absent: all. */
  readonly count: number | undefined
}

const takeCount = (args: Args): number | undefined => {
  let count: number | undefined
  while (args.more) {
    if (!args.optionWith("COUNT", 1)) args.fail(SyntaxError.error)
    count = Math.max(0, args.int())
  }
  return count
}

const read = ({ key, start, end, count }: Range, db: Database, backwards: boolean): Answers.Answer => {
  const found = db.readAs(key, Stream)
  if (Either.isLeft(found)) return Either.left(found.left)
  if (found.right === undefined) return Answers.emptyArray
  if (count === 0) return Answers.nilArray
  return Either.right(Replies.entries(found.right, start, end, count, backwards))
}

const xrange = Command.make({
  name: "xrange",
  summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
  history: [["6.2.0", "Added exclusive ranges."]],
  arity: -4,
  flags: "readonly",
  acl: "stream",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("start"),
    Arg.string("end"),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: (args): Range => ({
    key: args.key(),
    start: startOf(args.next()),
    end: endOf(args.next()),
    count: takeCount(args),
  }),
  run: (range, { db }) => read(range, db, false),
})

const xrevrange = Command.make({
  name: "xrevrange",
  summary:
    "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse order (from greater to smaller IDs) compared to XRANGE",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
  history: [["6.2.0", "Added exclusive ranges."]],
  arity: -4,
  flags: "readonly",
  acl: "stream",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("end"),
    Arg.string("start"),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: (args): Range => {
    const key = args.key()
    const upper = args.next()
    const start = startOf(args.next())
    return { key, start, end: endOf(upper), count: takeCount(args) }
  },
  run: (range, { db }) => read(range, db, true),
})

export const rangeCommands = [xrange, xrevrange]
