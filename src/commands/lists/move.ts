/** An element goes from an end of one list to an end of another, or of the same: LMOVE, and RPOPLPUSH, its older form. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, nil, wrongType } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { EventClass } from "../../store/Events.ts"
import { List } from "../../store/List.ts"
import { type End, parseEnd } from "./ends.ts"
import { announceTaken } from "./pop.ts"

export interface Move {
  readonly source: string
  readonly destination: string
  readonly from: End
  readonly to: End
}

/** Moves one element of `list`, which is at the source; `isNews` as for `announceTaken`. */
export const moveOne = (
  list: List,
  { source, destination, from, to }: Move,
  isNews: boolean,
  ctx: Command.Ctx,
): Answer => {
  const { db } = ctx
  const found = source === destination ? list : db.write(destination)
  if (found !== undefined && !(found instanceof List)) return wrongType
  const target = found ?? new List()
  const value = from === "LEFT" ? list.popHead() : list.popTail()
  if (to === "LEFT") target.pushHead(value)
  else target.pushTail(value)
  if (found === undefined) db.put(destination, target)
  // The event of the arrival comes first; both are one change.
  db.changed(destination, EventClass.list, to === "LEFT" ? "lpush" : "rpush", 0)
  announceTaken(source, list, from, 1, isNews, ctx)
  return Either.right(Reply.bulk(value))
}

const move = (request: Move, ctx: Command.Ctx): Answer => {
  const list = ctx.db.write(request.source)
  if (list === undefined) return nil
  return list instanceof List ? moveOne(list, request, true, ctx) : wrongType
}

const lmove = Command.make({
  name: "lmove",
  summary: "Pop an element from a list, push it to another list and return it",
  since: "6.2.0",
  group: "list",
  complexity: "O(1)",
  arity: 5,
  flags: "write denyoom",
  acl: "list",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "RW insert")],
  args: [
    Arg.key("source"),
    Arg.key("destination", { keySpec: 1 }),
    Arg.oneOf("wherefrom", [Arg.token("LEFT"), Arg.token("RIGHT")]),
    Arg.oneOf("whereto", [Arg.token("LEFT"), Arg.token("RIGHT")]),
  ],
  parse: (args) => ({ source: args.key(), destination: args.key(), from: parseEnd(args), to: parseEnd(args) }),
  run: move,
})

const rpoplpush = Command.make({
  name: "rpoplpush",
  summary: "Remove the last element in a list, prepend it to another list and return it",
  since: "1.2.0",
  group: "list",
  complexity: "O(1)",
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
  arity: 3,
  flags: "write denyoom",
  acl: "list",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "RW insert")],
  args: [Arg.key("source"), Arg.key("destination", { keySpec: 1 })],
  parse: (args): Move => ({ source: args.key(), destination: args.key(), from: "RIGHT", to: "LEFT" }),
  run: move,
})

export const moveCommands = [lmove, rpoplpush]
