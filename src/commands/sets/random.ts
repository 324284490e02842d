/** Members that chance picks: SPOP removes them, SRANDMEMBER only looks. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, emptyArray, nil, wrongType } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { OutOfRange, SyntaxError } from "../../errors/CommandError.ts"
import { InvalidSetCount } from "../../errors/SetErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { SetValue } from "../../store/SetValue.ts"
import { emptySet, setOf } from "./answers.ts"

/** Removes `count` members, fewer than there are. Logged as their removal one by one. */
const popSome = (key: string, set: SetValue, count: number, ctx: Command.Ctx): Answer => {
  const { db, limits } = ctx
  const popped: Array<string> = []
  for (let left = count; left > 0; left--) popped.push(set.removeAt(ctx.below(set.size)))
  if (set.size * 5 <= count && set.encoding === "hashtable") {
    // Where few are left, Redis makes a set of them anew, which may be an intset again.
    const rest = new SetValue()
    for (const member of set) rest.add(member, limits)
    db.put(key, rest)
  }
  ctx.propagateAll(popped.map((member) => ["SREM", key, member]))
  db.changed(key, EventClass.set, "spop", count)
  return setOf(popped, ctx.client)
}

const popAll = (key: string, set: SetValue, { db, client, propagateAs }: Command.Ctx): Answer => {
  const members = set.members()
  propagateAs(["DEL", key])
  db.changed(key, EventClass.set, "spop", members.length)
  db.remove(key)
  db.notify(EventClass.generic, "del", key)
  return setOf(members, client)
}

const spop = Command.make({
  name: "spop",
  summary: "Remove and return one or multiple random members from a set",
  since: "1.0.0",
  group: "set",
  complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
  history: [["3.2.0", "Added the `count` argument."]],
  arity: -2,
  flags: "write fast",
  acl: "set",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RW access delete")],
  args: [Arg.key("key"), Arg.integer("count", { optional: true, since: "3.2.0" })],
  parse: (args) => {
    const key = args.key()
    if (args.left > 1) args.fail(SyntaxError.error)
    const count = args.more
      ? args.intIn(0, Number.MAX_SAFE_INTEGER, OutOfRange.positive, OutOfRange.positive)
      : undefined
    return { key, count }
  },
  run: ({ key, count }, ctx) => {
    const { db } = ctx
    const set = db.write(key)
    if (set === undefined) return count === undefined ? nil : emptySet
    if (!(set instanceof SetValue)) return wrongType
    if (count === undefined) {
      const member = set.removeAt(ctx.below(set.size))
      ctx.propagateAs(["SREM", key, member])
      db.changed(key, EventClass.set, "spop")
      db.removeIfEmpty(key, set)
      return Either.right(Reply.bulk(member))
    }
    if (count === 0) return emptySet
    return count >= set.size ? popAll(key, set, ctx) : popSome(key, set, count, ctx)
  },
})

/** `count` different positions below `size`, in no order. */
const distinct = (count: number, size: number, below: (bound: number) => number): Iterable<number> => {
  // Floyd's way: each step adds one number, without drawing again what was drawn before.
  const drawn = new Set<number>()
  for (let last = size - count; last < size; last++) {
    const position = below(last + 1)
    drawn.add(drawn.has(position) ? last : position)
  }
  return drawn
}

/** Longer answers with repetitions are refused: one request would take gigabytes. */
const repeatedMax = 4_000_000

const srandmember = Command.make({
  name: "srandmember",
  summary: "Get one or multiple random members from a set",
  since: "1.0.0",
  group: "set",
  complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
  history: [["2.6.0", "Added the optional `count` argument."]],
  arity: -2,
  flags: "readonly",
  acl: "set",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("count", { optional: true, since: "2.6.0" })],
  parse: (args) => {
    const key = args.key()
    if (!args.more) return { key, count: undefined }
    if (args.left > 1) args.fail(SyntaxError.error)
    // The only 64-bit integer refused here is the least of all.
    const count = args.int64()
    if (count === -(2n ** 63n)) args.fail(InvalidSetCount.random)
    return { key, count: Number(count) }
  },
  run: ({ key, count }, { db, below }) => {
    const set = db.read(key)
    if (set === undefined) return count === undefined ? nil : emptyArray
    if (!(set instanceof SetValue)) return wrongType
    const { size } = set
    if (count === undefined) return Either.right(Reply.bulk(set.at(below(size))))
    if (count >= size) return Either.right(Reply.bulks(set.members()))
    // Differs: redis-server tries to put together an answer of any length.
    if (count < -repeatedMax) return Either.left(OutOfRange.error)
    const members: Array<string> = []
    if (count < 0) for (let left = -count; left > 0; left--) members.push(set.at(below(size)))
    else for (const position of distinct(count, size, below)) members.push(set.at(position))
    return Either.right(Reply.bulks(members))
  },
})

export const randomCommands = [spop, srandmember]
