/**
 * A command's own object as COMMAND INFO and COMMAND DOCS print it.
 */
import * as Reply from "../codec/Reply.ts"
import type { Arg } from "./Arg.ts"
import { type Command, hasMovableKeys } from "./Command.ts"
import type { Key } from "./Key.ts"
import { categoriesOf } from "./Registry.ts"

const words = (text: string | undefined): ReadonlyArray<string> =>
  text === undefined || text === "" ? [] : text.split(" ")
const statusSet = (names: ReadonlyArray<string>): Reply.Reply => Reply.set(names.map(Reply.simple))

/** First key, last key and step, as they were told before key specifications: the ranges at fixed places, taken together. */
const legacyRange = (keys: ReadonlyArray<Key>): readonly [first: number, last: number, step: number] => {
  let first = 0
  let last = 0
  let step = 0
  for (const { begin, find } of keys) {
    if (begin._tag !== "Index" || find._tag !== "Range") continue
    const end = find.last >= 0 ? begin.index + find.last : find.last
    if (first === 0) {
      first = begin.index
      last = end
      step = find.step
    } else if (begin.index === last + 1 && step === 1) last = end
  }
  return [first, last, step]
}

const keySpecification = ({ begin, find, flags, notes }: Key): Reply.Reply => {
  const typed = (type: string, spec: Record<string, Reply.Reply>) =>
    Reply.record({ type: Reply.bulk(type), spec: Reply.record(spec) })
  const beginReply =
    begin._tag === "Index"
      ? typed("index", { index: Reply.int(begin.index) })
      : begin._tag === "Keyword"
        ? typed("keyword", { keyword: Reply.bulk(begin.keyword), startfrom: Reply.int(begin.startFrom) })
        : typed("unknown", {})
  const findReply =
    find._tag === "Range"
      ? typed("range", { lastkey: Reply.int(find.last), keystep: Reply.int(find.step), limit: Reply.int(find.limit) })
      : find._tag === "Counted"
        ? typed("keynum", {
            keynumidx: Reply.int(find.countIndex),
            firstkey: Reply.int(find.first),
            keystep: Reply.int(find.step),
          })
        : typed("unknown", {})
  return Reply.record({
    ...(notes === undefined ? {} : { notes: Reply.bulk(notes) }),
    flags: statusSet(flags),
    begin_search: beginReply,
    find_keys: findReply,
  })
}

/** One element of COMMAND INFO. */
export const info = (command: Command): Reply.Reply => {
  const keys = command.keys ?? []
  const flags = [...words(command.flags), ...(hasMovableKeys(command) ? ["movablekeys"] : [])]
  return Reply.array([
    Reply.bulk(command.name),
    Reply.int(command.arity),
    statusSet(flags),
    ...legacyRange(keys).map(Reply.int),
    statusSet(categoriesOf(command).map((category) => `@${category}`)),
    Reply.set((command.tips ?? []).map(Reply.bulk)),
    Reply.set(keys.map(keySpecification)),
    command.subcommands.size === 0 ? Reply.set([]) : Reply.array([...command.subcommands.values()].map(info)),
  ])
}

const argument = (arg: Arg): Reply.Reply => {
  const flags = [
    ...(arg.optional === true ? ["optional"] : []),
    ...(arg.multiple === true ? ["multiple"] : []),
    ...(arg.multipleToken === true ? ["multiple_token"] : []),
  ]
  return Reply.record({
    name: Reply.bulk(arg.name),
    type: Reply.bulk(arg.type),
    ...(arg.keySpec !== undefined ? { key_spec_index: Reply.int(arg.keySpec) } : {}),
    ...(arg.token === undefined ? {} : { token: Reply.bulk(arg.token) }),
    ...(arg.summary === undefined ? {} : { summary: Reply.bulk(arg.summary) }),
    ...(arg.since === undefined ? {} : { since: Reply.bulk(arg.since) }),
    ...(arg.deprecatedSince === undefined ? {} : { deprecated_since: Reply.bulk(arg.deprecatedSince) }),
    ...(flags.length === 0 ? {} : { flags: statusSet(flags) }),
    ...(arg.args === undefined ? {} : { arguments: Reply.array(arg.args.map(argument)) }),
  })
}

/** The value of one entry of COMMAND DOCS. */
export const docs = (command: Command): Reply.Reply =>
  Reply.record({
    summary: Reply.bulk(command.summary),
    since: Reply.bulk(command.since),
    group: Reply.bulk(command.group),
    ...(command.complexity === undefined ? {} : { complexity: Reply.bulk(command.complexity) }),
    ...(command.docFlags === undefined ? {} : { doc_flags: statusSet(words(command.docFlags)) }),
    ...(command.deprecatedSince === undefined ? {} : { deprecated_since: Reply.bulk(command.deprecatedSince) }),
    ...(command.replacedBy === undefined ? {} : { replaced_by: Reply.bulk(command.replacedBy) }),
    ...(command.history === undefined ? {} : { history: Reply.set(command.history.map((pair) => Reply.bulks(pair))) }),
    ...(command.args === undefined ? {} : { arguments: Reply.array(command.args.map(argument)) }),
    ...(command.subcommands.size === 0
      ? {}
      : {
          subcommands: Reply.map([...command.subcommands.values()].flatMap((sub) => [Reply.bulk(sub.name), docs(sub)])),
        }),
  })
