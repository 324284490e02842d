/** Members come, go, move and are asked for: SADD, SREM, SMOVE, SISMEMBER, SMISMEMBER, SCARD, SMEMBERS. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { one, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { EventClass } from "../../store/Events.ts"
import { SetValue } from "../../store/SetValue.ts"
import { emptySet, setOf } from "./answers.ts"

const sadd = Command.make({
  name: "sadd",
  summary: "Add one or more members to a set",
  since: "1.0.0",
  group: "set",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  history: [["2.4.0", "Accepts multiple `member` arguments."]],
  arity: -3,
  flags: "write denyoom fast",
  acl: "set",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  // The members are taken from where they stand.
  parse: ({ argv }) => argv,
  run: (argv, { db, limits }) => {
    const key = argv[1]
    const found = db.write(key)
    let set: SetValue
    if (found === undefined) set = new SetValue()
    else if (found instanceof SetValue) set = found
    else return wrongType
    let added = 0
    for (let i = 2; i < argv.length; i++) if (set.add(argv[i], limits)) added++
    if (found === undefined) db.put(key, set)
    if (added === 0) return zero
    db.changed(key, EventClass.set, "sadd", added)
    return Either.right(Reply.int(added))
  },
})

const srem = Command.make({
  name: "srem",
  summary: "Remove one or more members from a set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the number of members to be removed.",
  history: [["2.4.0", "Accepts multiple `member` arguments."]],
  arity: -3,
  flags: "write fast",
  acl: "set",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  parse: (args) => ({ key: args.key(), members: args.rest() }),
  run: ({ key, members }, { db }) => {
    const set = db.write(key)
    if (set === undefined) return zero
    if (!(set instanceof SetValue)) return wrongType
    let removed = 0
    for (let i = 0; i < members.length && set.size > 0; i++) if (set.remove(members[i])) removed++
    if (removed === 0) return zero
    db.changed(key, EventClass.set, "srem", removed)
    db.removeIfEmpty(key, set)
    return Either.right(Reply.int(removed))
  },
})

const smove = Command.make({
  name: "smove",
  summary: "Move a member from one set to another",
  since: "1.0.0",
  group: "set",
  complexity: "O(1)",
  arity: 4,
  flags: "write fast",
  acl: "set",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "RW insert")],
  args: [Arg.key("source"), Arg.key("destination", { keySpec: 1 }), Arg.string("member")],
  parse: (args) => ({ source: args.key(), destination: args.key(), member: args.next() }),
  run: ({ source, destination, member }, { db, limits }) => {
    const from = db.write(source)
    if (from === undefined) return zero
    if (!(from instanceof SetValue)) return wrongType
    const found = db.write(destination)
    if (found !== undefined && !(found instanceof SetValue)) return wrongType
    if (found === from) return from.has(member) ? one : zero
    if (!from.remove(member)) return zero
    db.changed(source, EventClass.set, "srem")
    db.removeIfEmpty(source, from)
    const to = found ?? new SetValue()
    const isNew = to.add(member, limits)
    if (found === undefined) db.put(destination, to)
    if (isNew) db.changed(destination, EventClass.set, "sadd")
    return one
  },
})

const sismember = Command.make({
  name: "sismember",
  summary: "Determine if a given value is a member of a set",
  since: "1.0.0",
  group: "set",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly fast",
  acl: "set",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key"), Arg.string("member")],
  parse: (args) => ({ key: args.key(), member: args.next() }),
  run: ({ key, member }, { db }) => {
    const set = db.read(key)
    if (set === undefined) return zero
    if (!(set instanceof SetValue)) return wrongType
    return set.has(member) ? one : zero
  },
})

const smismember = Command.make({
  name: "smismember",
  summary: "Returns the membership associated with the given elements for a set",
  since: "6.2.0",
  group: "set",
  complexity: "O(N) where N is the number of elements being checked for membership",
  arity: -3,
  flags: "readonly fast",
  acl: "set",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  parse: (args) => ({ key: args.key(), members: args.rest() }),
  run: ({ key, members }, { db }) => {
    const set = db.read(key)
    if (set !== undefined && !(set instanceof SetValue)) return wrongType
    return Either.right(Reply.array(members.map((member) => Reply.flag(set !== undefined && set.has(member)))))
  },
})

const scard = Command.make({
  name: "scard",
  summary: "Get the number of members in a set",
  since: "1.0.0",
  group: "set",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "set",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    const set = db.read(key)
    if (set === undefined) return zero
    return set instanceof SetValue ? Either.right(Reply.int(set.size)) : wrongType
  },
})

const smembers = Command.make({
  name: "smembers",
  summary: "Get all the members in a set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the set cardinality.",
  arity: 2,
  flags: "readonly",
  acl: "set",
  tips: ["nondeterministic_output_order"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db, client }) => {
    const set = db.read(key)
    if (set === undefined) return emptySet
    return set instanceof SetValue ? setOf(set.members(), client) : wrongType
  },
})

export const memberCommands = [sadd, srem, smove, sismember, smismember, scard, smembers]
