/**
 * Strings: SET, GET and their kin. All of SET's forms go through one operation; counters are 64-bit exact.
 */
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import type { Args } from "../command/Args.ts"
import * as Command from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import { InvalidArgument, SyntaxError } from "../errors/CommandError.ts"
import { EventClass } from "../store/Events.ts"
import { bytesOf, stored } from "../store/Value.ts"

const get = Command.make({
  name: "get",
  summary: "Get the value of a key",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "string",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) =>
    Either.map(db.readString(key), (value) => (value === undefined ? Reply.nil : Reply.bulk(bytesOf(value)))),
})

/** When a key ends: relative or absolute, as the option said. */
interface Expiration {
  readonly option: "EX" | "PX" | "EXAT" | "PXAT"
  readonly amount: number
}

const expirations = ["EX", "PX", "EXAT", "PXAT"] as const

const parseExpiration = (args: Args, command: string): Expiration | undefined => {
  for (const option of expirations) {
    if (!args.optionWith(option, 1)) continue
    const amount = args.int()
    if (amount <= 0) throw new InvalidArgument(`invalid expire time in '${command}' command`)
    return { option, amount }
  }
  return undefined
}

const atMs = ({ option, amount }: Expiration, now: number): number =>
  option === "EX" ? now + amount * 1000
  : option === "PX" ? now + amount
  : option === "EXAT" ? amount * 1000
  : amount

const set = Command.make({
  name: "set",
  summary: "Set the string value of a key",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  history: [
    ["2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."],
    ["6.0.0", "Added the `KEEPTTL` option."],
    ["6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."],
    ["7.0.0", "Allowed the `NX` and `GET` options to be used together."],
  ],
  arity: -3,
  flags: "write denyoom",
  acl: "string",
  keys: [Key.at(1, "RW access update variable_flags", { notes: "RW and ACCESS due to the optional `GET` argument" })],
  args: [
    Arg.key("key"),
    Arg.string("value"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX")], { optional: true, since: "2.6.12" }),
    Arg.token("GET", { optional: true, since: "6.2.0" }),
    Arg.oneOf(
      "expiration",
      [
        Arg.integer("seconds", { token: "EX", since: "2.6.12" }),
        Arg.integer("milliseconds", { token: "PX", since: "2.6.12" }),
        Arg.unixTime("unix-time-seconds", { token: "EXAT", since: "6.2.0" }),
        Arg.unixTime("unix-time-milliseconds", { token: "PXAT", since: "6.2.0" }),
        Arg.token("KEEPTTL", { since: "6.0.0" }),
      ],
      { optional: true },
    ),
  ],
  parse: (args) => {
    const key = args.key()
    const value = stored(args.owned())
    if (!args.more) return { key, value, onlyIf: undefined, get: false, keepTtl: false, expiration: undefined }
    let onlyIf: "absent" | "present" | undefined
    let get = false
    let keepTtl = false
    let expiration: Expiration | undefined
    while (args.more) {
      if (onlyIf === undefined && args.option("NX")) onlyIf = "absent"
      else if (onlyIf === undefined && args.option("XX")) onlyIf = "present"
      else if (args.option("GET")) get = true
      else if (expiration === undefined && !keepTtl && args.option("KEEPTTL")) keepTtl = true
      else if (expiration === undefined && !keepTtl) {
        expiration = parseExpiration(args, "set")
        if (expiration === undefined) args.fail(SyntaxError.error)
      } else args.fail(SyntaxError.error)
    }
    return { key, value, onlyIf, get, keepTtl, expiration }
  },
  run: ({ key, value, onlyIf, get, keepTtl, expiration }, ctx) => {
    const { db } = ctx
    let answer = Reply.ok
    if (get) {
      const old = db.readString(key)
      if (Either.isLeft(old)) return Either.left(old.left)
      answer = old.right === undefined ? Reply.nil : Reply.bulk(bytesOf(old.right))
    }
    if (onlyIf !== undefined && db.has(key) !== (onlyIf === "present")) return Either.right(get ? answer : Reply.nil)
    if (expiration !== undefined) {
      const deadline = atMs(expiration, ctx.now)
      db.setUntil(key, value, deadline)
      ctx.propagateAs(["SET", key, String(value), "PXAT", String(deadline)])
    } else if (keepTtl) db.put(key, value)
    else db.set(key, value)
    db.changed(key, EventClass.string, "set")
    if (expiration !== undefined) db.notify(EventClass.generic, "expire", key)
    return Either.right(answer)
  },
})

export const stringCommands = [get, set]
