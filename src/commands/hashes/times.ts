/** How long fields of a hash stay: HTTL and its kin, as Redis 7.4 documents them. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { InvalidFields } from "../../errors/HashErrors.ts"
import { Hash } from "../../store/Hash.ts"
import { parseFields } from "./named.ts"

const noField = Reply.int(-2)
const noDeadline = Reply.int(-1)

interface Request {
  readonly hash: Hash | undefined
  readonly fields: ReadonlyArray<string>
}

const parse = (args: Args, { db }: Command.Ctx): Request => {
  const found = db.readAs(args.key(), Hash)
  if (Either.isLeft(found)) return args.fail(found.left)
  return { hash: found.right, fields: parseFields(args, InvalidFields.count) }
}

/** The times of the fields, counted from `base`. */
const answer = ({ hash, fields }: Request, base: number, inUnit: (ms: number) => number) =>
  Either.right(
    Reply.array(
      fields.map((field) => {
        if (hash?.has(field) !== true) return noField
        const deadline = hash.deadline(field)
        return deadline === undefined ? noDeadline : Reply.int(inUnit(deadline - base))
      }),
    ),
  )

/** A second that has begun counts. */
const inSeconds = (ms: number): number => Math.ceil(ms / 1000)
const inMilliseconds = (ms: number): number => ms

const args: ReadonlyArray<Arg.Arg> = [
  Arg.key("key"),
  Arg.block("fields", [Arg.integer("numfields"), Arg.string("field", { multiple: true })], { token: "FIELDS" }),
]

const httl = Command.make({
  name: "httl",
  summary: "Returns the TTL in seconds of a hash field.",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -5,
  flags: "readonly fast",
  acl: "hash",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args,
  parse,
  run: (request, { now }) => answer(request, now, inSeconds),
})

const hpttl = Command.make({
  name: "hpttl",
  summary: "Returns the TTL in milliseconds of a hash field.",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -5,
  flags: "readonly fast",
  acl: "hash",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args,
  parse,
  run: (request, { now }) => answer(request, now, inMilliseconds),
})

const hexpiretime = Command.make({
  name: "hexpiretime",
  summary: "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -5,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO access")],
  args,
  parse,
  run: (request) => answer(request, 0, inSeconds),
})

const hpexpiretime = Command.make({
  name: "hpexpiretime",
  summary: "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -5,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO access")],
  args,
  parse,
  run: (request) => answer(request, 0, inMilliseconds),
})

export const timeCommands = [httl, hpttl, hexpiretime, hpexpiretime]
