/** What is in a list: LLEN, LINDEX, LRANGE, LPOS. */
import * as Either from "effect/Either"
import * as BulkRun from "../../codec/BulkRun.ts"
import * as Reply from "../../codec/Reply.ts"
import { emptyArray, nil, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import { NotInteger, SyntaxError } from "../../errors/CommandError.ts"
import { InvalidSearch } from "../../errors/ListErrors.ts"
import { List } from "../../store/List.ts"
import { fromStart } from "./ends.ts"

const llen = Command.make({
  name: "llen",
  summary: "Get the length of a list",
  since: "1.0.0",
  group: "list",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "list",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    const list = db.read(key)
    if (list === undefined) return zero
    return list instanceof List ? Either.right(Reply.int(list.size)) : wrongType
  },
})

const lindex = Command.make({
  name: "lindex",
  summary: "Get an element from a list by its index",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
  arity: 3,
  flags: "readonly",
  acl: "list",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("index")],
  parse: (args) => ({ key: args.key(), word: args.next() }),
  run: ({ key, word }, { db }) => {
    const list = db.read(key)
    if (list === undefined) return nil
    if (!(list instanceof List)) return wrongType
    // Redis looks at the index only where there is a list.
    const index = parseSafeInteger(word)
    if (index === undefined) return Either.left(NotInteger.error)
    const position = fromStart(index, list)
    return position < 0 || position >= list.size ? nil : Either.right(Reply.bulk(list.at(position)))
  },
})

/** The `count` elements from `start` on, which must be there. */
const rangeOf = (list: List, start: number, count: number): Reply.Reply => {
  if (count < shortRangeMax || list.at(start).length > BulkRun.elementMax) return Reply.bulks(list.slice(start, count))
  BulkRun.begin()
  list.visit(start, count, BulkRun.add)
  return BulkRun.end()
}

/** Fewer elements are cheaper as strings. */
const shortRangeMax = 4

const lrange = Command.make({
  name: "lrange",
  summary: "Get a range of elements from a list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
  arity: 4,
  flags: "readonly",
  acl: "list",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("start"), Arg.integer("stop")],
  parse: (args) => ({ key: args.key(), start: args.int(), stop: args.int() }),
  run: ({ key, start, stop }, { db }) => {
    const list = db.read(key)
    if (list === undefined) return emptyArray
    if (!(list instanceof List)) return wrongType
    const first = Math.max(0, fromStart(start, list))
    const last = Math.min(list.size - 1, fromStart(stop, list))
    return first > last ? emptyArray : Either.right(rangeOf(list, first, last - first + 1))
  },
})

/** The rank that is its own negative in 64 bits: Redis then looks for the last match. */
const rankMin = -(2n ** 63n)

const lpos = Command.make({
  name: "lpos",
  summary: "Return the index of matching elements on a list",
  since: "6.0.6",
  group: "list",
  complexity:
    "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
  arity: -3,
  flags: "readonly",
  acl: "list",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("element"),
    Arg.integer("rank", { token: "RANK", optional: true }),
    Arg.integer("num-matches", { token: "COUNT", optional: true }),
    Arg.integer("len", { token: "MAXLEN", optional: true }),
  ],
  parse: (args) => {
    const key = args.key()
    const value = args.next()
    let rank = 1
    let count: number | undefined
    let lookedMax = 0
    while (args.more) {
      if (args.optionWith("RANK", 1)) {
        const given = args.int64()
        if (given === 0) args.fail(InvalidSearch.rank)
        rank = given === rankMin ? -1 : Number(given)
      } else if (args.optionWith("COUNT", 1)) {
        count = args.intIn(0, Number.MAX_SAFE_INTEGER, InvalidSearch.count, InvalidSearch.count)
      } else if (args.optionWith("MAXLEN", 1)) {
        lookedMax = args.intIn(0, Number.MAX_SAFE_INTEGER, InvalidSearch.maxlen, InvalidSearch.maxlen)
      } else args.fail(SyntaxError.error)
    }
    return { key, value, rank, count, lookedMax }
  },
  run: ({ key, value, rank, count, lookedMax }, { db }) => {
    const list = db.read(key)
    if (list === undefined) return count === undefined ? nil : emptyArray
    if (!(list instanceof List)) return wrongType
    const found = list.indexesOf(value, {
      fromTail: rank < 0,
      skipped: Math.abs(rank) - 1,
      limit: count === undefined ? 1 : count || Infinity,
      lookedMax: lookedMax || Infinity,
    })
    if (count === undefined) return found.length === 0 ? nil : Either.right(Reply.int(found[0]))
    return Either.right(Reply.array(found.map(Reply.int)))
  },
})

export const readCommands = [llen, lindex, lrange, lpos]
