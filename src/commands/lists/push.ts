/** Elements are added at an end: LPUSH, RPUSH, and the forms that add only to a list that is there. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { EventClass } from "../../store/Events.ts"
import { List } from "../../store/List.ts"
import { type End } from "./ends.ts"

/** The request itself: the elements are taken from where they stand. */
const parse = ({ argv }: Args): ReadonlyArray<string> => argv

const firstElement = 2

const push = (argv: ReadonlyArray<string>, end: End, needsList: boolean, { db }: Command.Ctx): Answer => {
  const key = argv[1]
  const found = db.write(key)
  let list: List
  if (found === undefined) {
    if (needsList) return zero
    list = new List()
  } else if (found instanceof List) list = found
  else return wrongType
  for (let i = firstElement; i < argv.length; i++) {
    if (end === "LEFT") list.pushHead(argv[i])
    else list.pushTail(argv[i])
  }
  if (found === undefined) db.put(key, list)
  db.changed(key, EventClass.list, end === "LEFT" ? "lpush" : "rpush", argv.length - firstElement)
  return Either.right(Reply.int(list.size))
}

const lpush = Command.make({
  name: "lpush",
  summary: "Prepend one or multiple elements to a list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  history: [["2.4.0", "Accepts multiple `element` arguments."]],
  arity: -3,
  flags: "write denyoom fast",
  acl: "list",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("element", { multiple: true })],
  parse,
  run: (request, ctx) => push(request, "LEFT", false, ctx),
})

const rpush = Command.make({
  name: "rpush",
  summary: "Append one or multiple elements to a list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  history: [["2.4.0", "Accepts multiple `element` arguments."]],
  arity: -3,
  flags: "write denyoom fast",
  acl: "list",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("element", { multiple: true })],
  parse,
  run: (request, ctx) => push(request, "RIGHT", false, ctx),
})

const lpushx = Command.make({
  name: "lpushx",
  summary: "Prepend an element to a list, only if the list exists",
  since: "2.2.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  history: [["4.0.0", "Accepts multiple `element` arguments."]],
  arity: -3,
  flags: "write denyoom fast",
  acl: "list",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("element", { multiple: true })],
  parse,
  run: (request, ctx) => push(request, "LEFT", true, ctx),
})

const rpushx = Command.make({
  name: "rpushx",
  summary: "Append an element to a list, only if the list exists",
  since: "2.2.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  history: [["4.0.0", "Accepts multiple `element` arguments."]],
  arity: -3,
  flags: "write denyoom fast",
  acl: "list",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("element", { multiple: true })],
  parse,
  run: (request, ctx) => push(request, "RIGHT", true, ctx),
})

export const pushCommands = [lpush, rpush, lpushx, rpushx]
