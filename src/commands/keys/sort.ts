/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in the order of themselves or of other keys, answered as they
 * are, as the values of other keys, or stored as a list.
 *
 * The idea to hold: a pattern (`weight_*`, `user_*->age`) names another key for each element; a BY pattern without a `*` means
 * no sorting at all. Elements that compare equal come out as in redis-server: what it sorts as a whole with a stable sort,
 * and with BY and LIMIT by a partial sort of its own.
 */
import * as Either from "effect/Either"
import { compare } from "../../bytes/Bytes.ts"
import { parseDouble } from "../../bytes/Numbers.ts"
import { partialSort } from "../../bytes/PartialSort.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { type Args, keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { AclError } from "../../errors/AclErrors.ts"
import { type CommandError, SyntaxError, WrongType } from "../../errors/CommandError.ts"
import { ScoreNotConvertible } from "../../errors/SortErrors.ts"
import { StringTooLong } from "../../errors/StringErrors.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { beginningOf, bulkLengthMax, stringLengthMax } from "../../store/StringBuffer.ts"
import { bytesOf, type StringValue } from "../../store/Value.ts"

interface Request {
  readonly key: string
  readonly by: Pattern | undefined
  /** False once any BY names no other keys. */
  readonly sorts: boolean
  readonly gets: ReadonlyArray<Pattern>
  readonly offset: number
  /** Negative: all. */
  readonly count: number
  readonly descending: boolean
  readonly alpha: boolean
  readonly destination: string | undefined
}

const parse = (args: Args, mayStore: boolean, readsAnyKey: () => boolean): Request => {
  const request = { sorts: true, offset: 0, count: -1, descending: false, alpha: false }
  const gets: Array<Pattern> = []
  let by: Pattern | undefined
  let destination: string | undefined
  const key = args.key()
  while (args.more) {
    if (args.option("ASC")) request.descending = false
    else if (args.option("DESC")) request.descending = true
    else if (args.option("ALPHA")) request.alpha = true
    else if (args.optionWith("LIMIT", 2)) {
      request.offset = args.int()
      request.count = args.int()
    } else if (mayStore && args.optionWith("STORE", 1)) destination = args.key()
    else if (args.optionWith("BY", 1)) {
      by = parsePattern(args.next())
      if (by._tag !== "Key") request.sorts = false
      else if (!readsAnyKey()) args.fail(AclError.sortBy)
    } else if (args.optionWith("GET", 1)) {
      if (!readsAnyKey()) args.fail(AclError.sortGet)
      gets.push(parsePattern(args.next()))
    } else args.fail(SyntaxError.error)
  }
  return { key, by, gets, destination, ...request }
}

// --- patterns ------------------------------------------------------------------------------------------------------

/** The name of a key, or of a field of a hash, with a place for an element. */
type Pattern =
  | { readonly _tag: "Element" }
  /** Names the same for every element, which means nothing. */
  | { readonly _tag: "Constant" }
  | { readonly _tag: "Key"; readonly before: string; readonly after: string; readonly field: string | undefined }

const parsePattern = (word: string): Pattern => {
  // C's string functions, which end at a NUL byte, look for the marks.
  const text = word.split("\0", 1)[0]
  if (text === "#") return { _tag: "Element" }
  const star = text.indexOf("*")
  if (star === -1) return { _tag: "Constant" }
  const arrow = text.indexOf("->", star + 1)
  const hasField = arrow !== -1 && arrow + 2 < text.length
  return {
    _tag: "Key",
    before: word.slice(0, star),
    after: hasField ? word.slice(star + 1, arrow) : word.slice(star + 1),
    field: hasField ? word.slice(arrow + 2) : undefined,
  }
}

/** What `pattern` names for `element`; absent when there is no such string. */
const lookUp = (db: Database, pattern: Pattern, element: string): StringValue | undefined => {
  if (pattern._tag === "Element") return element
  if (pattern._tag === "Constant") return undefined
  const value = db.read(pattern.before + element + pattern.after)
  if (pattern.field !== undefined) return value instanceof Hash ? value.get(pattern.field) : undefined
  return typeof value === "object" && value.type !== "string" ? undefined : (value as StringValue | undefined)
}

// --- order ---------------------------------------------------------------------------------------------------------

interface Item {
  readonly element: string
  readonly score: number
  /** Absent when the key that BY names is not there. */
  readonly word: string | undefined
}

/** Decimal numbers nearer to zero than this are not exact, and an error to C's strtod. */
const normalMin = 2 ** -1022

/**
 * A number as C's strtod reads a whole C string; absent where it does not, or does not exactly enough.
 * Differs: once a number was too large or too small, redis-server 7.0.15 refuses all others too, because it never clears the
 * mark that C's library then leaves.
 */
const scoreOf = (value: StringValue): number | undefined => {
  if (typeof value === "number") return value
  const text = beginningOf(value, stringLengthMax).split("\0", 1)[0]
  if (text === "") return 0
  const number = parseDouble(text.replace(/^[ \t\n\v\f\r]+/, ""))
  if (number !== undefined && number !== 0 && Math.abs(number) < normalMin && !/x/i.test(text)) return undefined
  return number
}

const byScore = (left: Item, right: Item): number =>
  left.score < right.score ? -1 : left.score > right.score ? 1 : compare(left.element, right.element)

const byWord = ({ word: left }: Item, { word: right }: Item): number =>
  left === undefined || right === undefined
    ? Number(left !== undefined) - Number(right !== undefined)
    : compare(left, right)

/** The part of `word` that the order of the locale "C" looks at. */
const collated = (word: string): string => {
  const nul = word.indexOf("\0")
  return nul === -1 ? word : word.slice(0, nul)
}

const itemsOf = (
  db: Database,
  elements: ReadonlyArray<string>,
  { by, alpha, destination }: Request,
): ReadonlyArray<Item> | undefined => {
  const items: Array<Item> = []
  for (const element of elements) {
    const value = by === undefined ? element : lookUp(db, by, element)
    if (alpha) {
      const word = value === undefined ? undefined : beginningOf(value, stringLengthMax)
      // What is stored must not depend on the locale, so there all bytes count.
      items.push({ element, score: 0, word: word === undefined || destination !== undefined ? word : collated(word) })
    } else {
      const score = value === undefined ? 0 : scoreOf(value)
      if (score === undefined) return undefined
      items.push({ element, score, word: undefined })
    }
  }
  return items
}

/** The elements from `start` up to, not including, `end`, once all are sorted; absent when one has no score. */
const sorted = (
  db: Database,
  elements: ReadonlyArray<string>,
  request: Request,
  start: number,
  end: number,
): ReadonlyArray<string> | undefined => {
  const items = itemsOf(db, elements, request) as Array<Item> | undefined
  if (items === undefined) return undefined
  const ascending = request.alpha ? byWord : byScore
  const order = request.descending ? (left: Item, right: Item) => -ascending(left, right) : ascending
  if (request.by !== undefined && end - start < items.length) partialSort(items, order, start, end - 1)
  else items.sort(order)
  return items.slice(start, end).map(({ element }) => element)
}

/** The elements from `start` up to, not including, `end`, as they are: a list or sorted set has an order of its own. */
const unsorted = (value: Sortable, descending: boolean, start: number, end: number): ReadonlyArray<string> => {
  const count = end - start
  if (value instanceof List) {
    return descending ? value.slice(value.size - end, count).toReversed() : value.slice(start, count)
  }
  if (value instanceof SetValue) return value.members().slice(start, end)
  const members: Array<string> = []
  value.visit(descending ? value.size - 1 - start : start, count, descending, (member) => members.push(member))
  return members
}

// --- the commands --------------------------------------------------------------------------------------------------

type Sortable = List | SetValue | SortedSet

const elementsOf = (value: Sortable): ReadonlyArray<string> => unsorted(value, false, 0, value.size)

/** The elements that are wanted, in order. */
const select = (
  { db, client }: Command.Ctx,
  request: Request,
): Either.Either<ReadonlyArray<string>, ScoreNotConvertible | WrongType> => {
  const value = db.read(request.key)
  if (value === undefined) return Either.right([])
  if (!(value instanceof List || value instanceof SetValue || value instanceof SortedSet)) {
    return Either.left(WrongType.error)
  }
  // As in redis-server, which can sort no other encoding; OBJECT ENCODING shows it afterwards.
  if (value instanceof SortedSet) value.toSkiplist()
  const { sorts, descending, destination } = request
  const start = Math.min(Math.max(request.offset, 0), value.size)
  const end = request.count < 0 ? value.size : Math.min(start + request.count, value.size)
  if (!sorts) {
    if (!(value instanceof SetValue) || (destination === undefined && client.scriptProtocol === undefined)) {
      return Either.right(unsorted(value, descending, start, end))
    }
    // What a script does or stores must not depend on chance, as the order of a set does.
    return Either.right(sorted(db, elementsOf(value), { ...request, by: undefined, alpha: true }, start, end)!)
  }
  const elements = sorted(db, elementsOf(value), request, start, end)
  return elements === undefined ? Either.left(ScoreNotConvertible.error) : Either.right(elements)
}

/** What the GET patterns name for each element, or the elements themselves; absent when one is too long to be answered. */
const project = (
  db: Database,
  elements: ReadonlyArray<string>,
  gets: ReadonlyArray<Pattern>,
): ReadonlyArray<string | undefined> | undefined => {
  if (gets.length === 0) return elements
  const words: Array<string | undefined> = []
  for (const element of elements) {
    for (const pattern of gets) {
      const value = lookUp(db, pattern, element)
      if (typeof value === "object" && value.size > bulkLengthMax) return undefined
      words.push(value === undefined ? undefined : bytesOf(value))
    }
  }
  return words
}

const store = (db: Database, destination: string, words: ReadonlyArray<string | undefined>): number => {
  if (words.length > 0) {
    db.set(destination, List.from(words.map((word) => word ?? "")))
    db.changed(destination, EventClass.list, "sortstore", words.length)
  } else if (db.remove(destination) !== undefined) db.changed(destination, EventClass.generic, "del")
  return words.length
}

const run = (request: Request, ctx: Command.Ctx): Either.Either<Reply.Reply, CommandError> => {
  const { db } = ctx
  const elements = select(ctx, request)
  if (Either.isLeft(elements)) return Either.left(elements.left)
  const words = project(db, elements.right, request.gets)
  if (words === undefined) return Either.left(StringTooLong.error)
  const { destination } = request
  return Either.right(destination === undefined ? Reply.bulks(words) : Reply.int(store(db, destination, words)))
}

/** The last STORE counts; what follows another option is never taken for one. */
const keysOf = (argv: ReadonlyArray<string>): ReadonlyArray<Key.Found> => {
  let destination: number | undefined
  for (let i = 2; i < argv.length; i++) {
    const word = keyword(argv[i])
    if (word === "LIMIT") i += 2
    else if (word === "GET" || word === "BY") i++
    else if (word === "STORE" && i + 1 < argv.length) destination = ++i
  }
  const source: Key.Found = { position: 1, flags: ["RO", "access"] }
  return destination === undefined ? [source] : [source, { position: destination, flags: ["OW", "update"] }]
}

const patternKeys = Key.unknown("RO access", {
  notes:
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
})

const sort: Command.Command = Command.make({
  name: "sort",
  summary: "Sort the elements in a list, set or sorted set",
  since: "1.0.0",
  group: "generic",
  complexity:
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).",
  arity: -2,
  flags: "write denyoom",
  acl: "set sortedset list dangerous",
  keys: [
    Key.at(1, "RO access"),
    patternKeys,
    Key.unknown("OW update", {
      notes:
        "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
    }),
  ],
  args: [
    Arg.key("key"),
    Arg.pattern("pattern", { token: "BY", optional: true, keySpec: 1 }),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
    Arg.pattern("pattern", { token: "GET", optional: true, multiple: true, multipleToken: true, keySpec: 1 }),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
    Arg.token("ALPHA", { name: "sorting", optional: true }),
    Arg.key("destination", { token: "STORE", optional: true, keySpec: 2 }),
  ],
  keysOf,
  parse: (args, { client, argv }) => parse(args, true, () => client.user.readsAnyKey(sort, argv)),
  run,
})

const sortRo: Command.Command = Command.make({
  name: "sort_ro",
  summary: "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
  since: "7.0.0",
  group: "generic",
  complexity:
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).",
  arity: -2,
  flags: "readonly",
  acl: "set sortedset list dangerous",
  keys: [Key.at(1, "RO access"), patternKeys],
  args: [
    Arg.key("key"),
    Arg.pattern("pattern", { token: "BY", optional: true, keySpec: 1 }),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
    Arg.pattern("pattern", { token: "GET", optional: true, multiple: true, multipleToken: true, keySpec: 1 }),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
    Arg.token("ALPHA", { name: "sorting", optional: true }),
  ],
  keysOf: () => [{ position: 1, flags: ["RO", "access"] }],
  parse: (args, { client, argv }) => parse(args, false, () => client.user.readsAnyKey(sortRo, argv)),
  run,
})

export const sortCommands = [sort, sortRo]
