/** Changes inside of a list: LINSERT, LSET, LTRIM, LREM. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { ok, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import { NoSuchKey, NotInteger, OutOfRange, SyntaxError } from "../../errors/CommandError.ts"
import { EventClass } from "../../store/Events.ts"
import { List } from "../../store/List.ts"
import { fromStart } from "./ends.ts"

const linsert = Command.make({
  name: "linsert",
  summary: "Insert an element before or after another element in a list",
  since: "2.2.0",
  group: "list",
  complexity:
    "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
  arity: 5,
  flags: "write denyoom",
  acl: "list",
  keys: [Key.at(1, "RW insert")],
  args: [
    Arg.key("key"),
    Arg.oneOf("where", [Arg.token("BEFORE"), Arg.token("AFTER")]),
    Arg.string("pivot"),
    Arg.string("element"),
  ],
  parse: (args) => {
    const key = args.key()
    const isAfter = args.option("AFTER")
    if (!isAfter && !args.option("BEFORE")) args.fail(SyntaxError.error)
    return { key, isAfter, pivot: args.next(), value: args.next() }
  },
  run: ({ key, isAfter, pivot, value }, { db }) => {
    const list = db.write(key)
    if (list === undefined) return zero
    if (!(list instanceof List)) return wrongType
    const [index] = list.indexesOf(pivot, { limit: 1 })
    if (index === undefined) return Either.right(Reply.int(-1))
    list.insert(isAfter ? index + 1 : index, value)
    db.changed(key, EventClass.list, "linsert")
    return Either.right(Reply.int(list.size))
  },
})

const lset = Command.make({
  name: "lset",
  summary: "Set the value of an element in a list by its index",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
  arity: 4,
  flags: "write denyoom",
  acl: "list",
  keys: [Key.at(1, "RW update")],
  args: [Arg.key("key"), Arg.integer("index"), Arg.string("element")],
  parse: (args) => ({ key: args.key(), word: args.next(), value: args.next() }),
  run: ({ key, word, value }, { db }) => {
    const list = db.write(key)
    if (list === undefined) return Either.left(NoSuchKey.error)
    if (!(list instanceof List)) return wrongType
    const index = parseSafeInteger(word)
    if (index === undefined) return Either.left(NotInteger.error)
    const position = fromStart(index, list)
    if (position < 0 || position >= list.size) return Either.left(OutOfRange.index)
    list.set(position, value)
    db.changed(key, EventClass.list, "lset")
    return ok
  },
})

const ltrim = Command.make({
  name: "ltrim",
  summary: "Trim a list to the specified range",
  since: "1.0.0",
  group: "list",
  complexity: "O(N) where N is the number of elements to be removed by the operation.",
  arity: 4,
  flags: "write",
  acl: "list",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.integer("start"), Arg.integer("stop")],
  parse: (args) => ({ key: args.key(), start: args.int(), stop: args.int() }),
  run: ({ key, start, stop }, { db }) => {
    const list = db.write(key)
    if (list === undefined) return ok
    if (!(list instanceof List)) return wrongType
    const { size } = list
    const first = Math.max(0, fromStart(start, list))
    const last = Math.min(size - 1, fromStart(stop, list))
    if (first > last) list.removeFirst(size)
    else {
      list.removeLast(size - 1 - last)
      list.removeFirst(first)
    }
    // The event comes even when nothing was cut off; it is no change then, and not logged.
    db.changed(key, EventClass.list, "ltrim", size - list.size)
    db.removeIfEmpty(key, list)
    return ok
  },
})

const lrem = Command.make({
  name: "lrem",
  summary: "Remove elements from a list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
  arity: 4,
  flags: "write",
  acl: "list",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.integer("count"), Arg.string("element")],
  parse: (args) => ({ key: args.key(), count: args.int(), value: args.next() }),
  run: ({ key, count, value }, { db }) => {
    const list = db.write(key)
    if (list === undefined) return zero
    if (!(list instanceof List)) return wrongType
    const removed = list.removeMatching(value, count < 0, Math.abs(count) || Infinity)
    if (removed === 0) return zero
    db.changed(key, EventClass.list, "lrem", removed)
    db.removeIfEmpty(key, list)
    return Either.right(Reply.int(removed))
  },
})

export const changeCommands = [linsert, lset, ltrim, lrem]
