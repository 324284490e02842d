/**
 * OBJECT: how a value is kept, and how it has been used.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import * as Key from "../../command/Key.ts"
import { Config, type Values } from "../../config/Config.ts"
import { InvalidArgument } from "../../errors/CommandError.ts"
import * as Access from "../../store/Access.ts"
import { encodingOf, type Value } from "../../store/Value.ts"

const noLfu = new InvalidArgument(
  "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
)
const lfu = new InvalidArgument(
  "An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
)

/**
 * Redis shares one object for each integer below this; the count it then shows is this constant.
 *
 * Differs: all keys with the same such integer have one time and one counter of use there, which begin with the server and go on whichever
 * of the keys is used. Here each key has its own, as there where they matter: with a limit of memory nothing is shared.
 */
const sharedIntegers = 10_000
const sharedReferences = 2 ** 31 - 1

/** It does not where every key needs a time of use of its own, for eviction. */
const sharesIntegers = ({ maxmemory, maxmemoryPolicy }: Values): boolean =>
  maxmemory === 0 || !(maxmemoryPolicy.endsWith("-lru") || Access.isLfu(maxmemoryPolicy))

const objectEncoding = Command.make({
  name: "object|encoding",
  summary: "Inspect the internal encoding of a Redis object",
  since: "2.2.3",
  group: "generic",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly",
  acl: "keyspace",
  tips: ["nondeterministic_output"],
  keys: [Key.at(2, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    const value = db.peek(key)
    return Either.right(value === undefined ? Reply.nil : Reply.bulk(encodingOf(value)))
  },
})

const objectHelp = help(
  "object",
  {
    summary: "Show helpful text about the different subcommands",
    since: "6.2.0",
    group: "generic",
    complexity: "O(1)",
    flags: "loading stale",
    acl: "keyspace",
  },
  [
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
  ],
)

/** OBJECT with its subcommands. */
export const objectCommands = Effect.map(Config, ({ current }) => {
  const shares = (value: Value): boolean =>
    typeof value === "number" && value >= 0 && value < sharedIntegers && sharesIntegers(current)

  const objectRefcount = Command.make({
    name: "object|refcount",
    summary: "Get the number of references to the value of the key",
    since: "2.2.3",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: "readonly",
    acl: "keyspace",
    tips: ["nondeterministic_output"],
    keys: [Key.at(2, "RO")],
    args: [Arg.key("key")],
    parse: (args) => args.key(),
    run: (key, { db }) => {
      const value = db.peek(key)
      return Either.right(value === undefined ? Reply.nil : Reply.int(shares(value) ? sharedReferences : 1))
    },
  })

  const objectFreq = Command.make({
    name: "object|freq",
    summary: "Get the logarithmic access frequency counter of a Redis object",
    since: "4.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: "readonly",
    acl: "keyspace",
    tips: ["nondeterministic_output"],
    keys: [Key.at(2, "RO")],
    args: [Arg.key("key")],
    parse: (args) => args.key(),
    run: (key, { db, now }) => {
      if (db.peek(key) === undefined) return Either.right(Reply.nil)
      if (!Access.isLfu(current.maxmemoryPolicy)) return Either.left(noLfu)
      return Either.right(Reply.int(Access.frequency(db.keyspace.access(key), now, current.lfuDecayTime)))
    },
  })

  const objectIdletime = Command.make({
    name: "object|idletime",
    summary: "Get the time since a Redis object was last accessed",
    since: "2.2.3",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: "readonly",
    acl: "keyspace",
    tips: ["nondeterministic_output"],
    keys: [Key.at(2, "RO")],
    args: [Arg.key("key")],
    parse: (args) => args.key(),
    run: (key, { db, now }) => {
      if (db.peek(key) === undefined) return Either.right(Reply.nil)
      if (Access.isLfu(current.maxmemoryPolicy)) return Either.left(lfu)
      return Either.right(Reply.int(Access.idleSeconds(db.keyspace.access(key), now)))
    },
  })

  const object = Command.container({
    name: "object",
    summary: "A container for object introspection commands",
    since: "2.2.3",
    group: "generic",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [objectEncoding, objectRefcount, objectFreq, objectIdletime, objectHelp],
  })

  return [object]
})
