/**
 * Set algebra: SINTER, SUNION and SDIFF, the forms that store the result, and SINTERCARD.
 *
 * The idea to hold: a key that is not there is an empty set, and one of another type is an error even where the result
 * would not depend on it. The inputs are all looked up before anything is stored, so a result may replace one of them.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError, WrongType } from "../../errors/CommandError.ts"
import { InvalidSetCount } from "../../errors/SetErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { type SetLimits, SetValue } from "../../store/SetValue.ts"
import { setOf } from "./answers.ts"

type Inputs = ReadonlyArray<SetValue | undefined>

/** The sets at `keys`; nothing when one of them is no set. */
const inputsOf = (keys: ReadonlyArray<string>, { db }: Command.Ctx): Either.Either<Inputs, WrongType> => {
  const inputs: Array<SetValue | undefined> = []
  for (const key of keys) {
    const value = db.read(key)
    if (value !== undefined && !(value instanceof SetValue)) return Either.left(WrongType.error)
    inputs.push(value)
  }
  return Either.right(inputs)
}

/** Up to `limit` members that all sets share: those of the smallest that the others have. */
const intersect = (inputs: Inputs, limit: number): Array<string> => {
  const shared: Array<string> = []
  const sets = inputs.filter((set) => set !== undefined)
  if (sets.length < inputs.length) return shared
  sets.sort((a, b) => a.size - b.size)
  const [smallest, ...others] = sets
  const { size } = smallest
  for (let position = 0; position < size && shared.length < limit; position++) {
    const member = smallest.at(position)
    if (others.every((set) => set.has(member))) shared.push(member)
  }
  return shared
}

const unite = (inputs: Inputs, limits: SetLimits): SetValue => {
  const result = new SetValue()
  for (const set of inputs) if (set !== undefined) for (const member of set) result.add(member, limits)
  return result
}

const setFrom = (members: Iterable<string>, limits: SetLimits): SetValue => {
  const result = new SetValue()
  for (const member of members) result.add(member, limits)
  return result
}

/** The members of the first set that no other has. */
const subtract = ([first, ...inputs]: Inputs, limits: SetLimits): SetValue => {
  if (first === undefined) return new SetValue()
  const others = inputs.filter((set) => set !== undefined)
  const total = others.reduce((sum, set) => sum + set.size, first.size)
  if (first.size * others.length <= 2 * total) {
    // The largest first: what it has, no other need be asked for.
    others.sort((a, b) => b.size - a.size)
    return setFrom(
      first.members().filter((member) => !others.some((set) => set.has(member))),
      limits,
    )
  }
  const left = new Set(first)
  for (const set of others) for (const member of set) left.delete(member)
  return setFrom(left, limits)
}

const combined = (
  keys: ReadonlyArray<string>,
  ctx: Command.Ctx,
  combine: (inputs: Inputs) => ReadonlyArray<string>,
): Answer => {
  const inputs = inputsOf(keys, ctx)
  return Either.isLeft(inputs) ? wrongType : setOf(combine(inputs.right), ctx.client)
}

const sinter = Command.make({
  name: "sinter",
  summary: "Intersect multiple sets",
  since: "1.0.0",
  group: "set",
  complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
  arity: -2,
  flags: "readonly",
  acl: "set",
  tips: ["nondeterministic_output_order"],
  keys: [Key.range(1, "RO access", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, ctx) => combined(keys, ctx, (inputs) => intersect(inputs, Infinity)),
})

const sunion = Command.make({
  name: "sunion",
  summary: "Add multiple sets",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the total number of elements in all given sets.",
  arity: -2,
  flags: "readonly",
  acl: "set",
  tips: ["nondeterministic_output_order"],
  keys: [Key.range(1, "RO access", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, ctx) => combined(keys, ctx, (inputs) => unite(inputs, ctx.limits).members()),
})

const sdiff = Command.make({
  name: "sdiff",
  summary: "Subtract multiple sets",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the total number of elements in all given sets.",
  arity: -2,
  flags: "readonly",
  acl: "set",
  tips: ["nondeterministic_output_order"],
  keys: [Key.range(1, "RO access", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, ctx) => combined(keys, ctx, (inputs) => subtract(inputs, ctx.limits).members()),
})

const parseStore = (args: Args) => ({ destination: args.key(), keys: args.rest() })

/** Puts what `combine` gives under the destination in place of what was there; an empty result leaves nothing there. */
const store = (
  { destination, keys }: ReturnType<typeof parseStore>,
  ctx: Command.Ctx,
  event: string,
  combine: (inputs: Inputs) => SetValue,
): Answer => {
  const { db } = ctx
  const inputs = inputsOf(keys, ctx)
  if (Either.isLeft(inputs)) return wrongType
  const result = combine(inputs.right)
  if (result.size > 0) {
    db.set(destination, result)
    db.changed(destination, EventClass.set, event)
    return Either.right(Reply.int(result.size))
  }
  if (db.remove(destination) !== undefined) db.changed(destination, EventClass.generic, "del")
  return zero
}

const sinterstore = Command.make({
  name: "sinterstore",
  summary: "Intersect multiple sets and store the resulting set in a key",
  since: "1.0.0",
  group: "set",
  complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
  arity: -3,
  flags: "write denyoom",
  acl: "set",
  keys: [Key.at(1, "RW update"), Key.range(2, "RO access", { last: -1 })],
  args: [Arg.key("destination"), Arg.key("key", { multiple: true, keySpec: 1 })],
  parse: parseStore,
  run: (request, ctx) =>
    store(request, ctx, "sinterstore", (inputs) => setFrom(intersect(inputs, Infinity), ctx.limits)),
})

const sunionstore = Command.make({
  name: "sunionstore",
  summary: "Add multiple sets and store the resulting set in a key",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the total number of elements in all given sets.",
  arity: -3,
  flags: "write denyoom",
  acl: "set",
  keys: [Key.at(1, "OW update"), Key.range(2, "RO access", { last: -1 })],
  args: [Arg.key("destination"), Arg.key("key", { multiple: true, keySpec: 1 })],
  parse: parseStore,
  run: (request, ctx) => store(request, ctx, "sunionstore", (inputs) => unite(inputs, ctx.limits)),
})

const sdiffstore = Command.make({
  name: "sdiffstore",
  summary: "Subtract multiple sets and store the resulting set in a key",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the total number of elements in all given sets.",
  arity: -3,
  flags: "write denyoom",
  acl: "set",
  keys: [Key.at(1, "OW update"), Key.range(2, "RO access", { last: -1 })],
  args: [Arg.key("destination"), Arg.key("key", { multiple: true, keySpec: 1 })],
  parse: parseStore,
  run: (request, ctx) => store(request, ctx, "sdiffstore", (inputs) => subtract(inputs, ctx.limits)),
})

const sintercard = Command.make({
  name: "sintercard",
  summary: "Intersect multiple sets and return the cardinality of the result",
  since: "7.0.0",
  group: "set",
  complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
  arity: -3,
  flags: "readonly",
  acl: "set",
  keys: [Key.counted(1, "RO access")],
  args: [
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.integer("limit", { token: "LIMIT", optional: true }),
  ],
  parse: (args) => {
    const { numkeys, tooManyKeys, limit: negative } = InvalidSetCount
    const count = args.intIn(1, Number.MAX_SAFE_INTEGER, numkeys, numkeys)
    if (count > args.left) args.fail(tooManyKeys)
    const keys = Array.from({ length: count }, () => args.key())
    let limit = 0
    while (args.more) {
      if (args.optionWith("LIMIT", 1)) limit = args.intIn(0, Number.MAX_SAFE_INTEGER, negative, negative)
      else args.fail(SyntaxError.error)
    }
    return { keys, limit: limit || Infinity }
  },
  run: ({ keys, limit }, ctx) =>
    Either.map(inputsOf(keys, ctx), (inputs) => Reply.int(intersect(inputs, limit).length)),
})

export const combineCommands = [sinter, sunion, sdiff, sinterstore, sunionstore, sdiffstore, sintercard]
