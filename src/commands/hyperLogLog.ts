/**
 * The HyperLogLog commands: PFADD PFCOUNT PFMERGE, PFDEBUG and PFSELFTEST.
 *
 * The idea to hold: a HyperLogLog is a string value whose bytes store/HyperLogLog.ts knows. Counting remembers its answer in
 * the value, so PFCOUNT of one key, a reading command, changes bytes and is logged like a write, as in Redis.
 */
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import { type Answer, ok, one, zero } from "../command/Answers.ts"
import * as Arg from "../command/Arg.ts"
import { keyword } from "../command/Args.ts"
import * as Command from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { CorruptHyperLogLog, HyperLogLogDebug, NotHyperLogLog, SelfTestFailed } from "../errors/HyperLogLogErrors.ts"
import type { Database } from "../store/Database.ts"
import { EventClass } from "../store/Events.ts"
import * as HyperLogLog from "../store/HyperLogLog.ts"
import { growable, type StringBuffer } from "../store/StringBuffer.ts"
import { asString, type Limits, type Value } from "../store/Value.ts"

const notHyperLogLog = Either.left(NotHyperLogLog.error)
const corrupt: Answer = Either.left(CorruptHyperLogLog.error)
const absent = Either.right(undefined)

/** `value` as a HyperLogLog: itself when it is one that may be changed in place, otherwise a copy. */
const asHyperLogLog = (value: Value | undefined): Either.Either<StringBuffer | undefined, CommandError> => {
  const found = asString(value)
  if (Either.isLeft(found)) return Either.left(found.left)
  if (found.right === undefined) return absent
  const buffer = growable(found.right)
  return HyperLogLog.isValid(buffer) ? Either.right(buffer) : notHyperLogLog
}

/** The HyperLogLog at `key`, stored in a form that may be changed in place. */
const changeable = (
  db: Database,
  key: string,
  value: Value | undefined,
): Either.Either<StringBuffer | undefined, CommandError> => {
  const found = asHyperLogLog(value)
  if (Either.isRight(found) && found.right !== undefined && found.right !== value) db.put(key, found.right)
  return found
}

const pfadd = Command.make({
  name: "pfadd",
  summary: "Adds the specified elements to the specified HyperLogLog.",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "O(1) to add every element.",
  arity: -2,
  flags: "write denyoom fast",
  acl: "hyperloglog",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("element", { optional: true, multiple: true })],
  parse: (args) => ({ key: args.key(), elements: args.rest() }),
  run: ({ key, elements }, { db, limits }) => {
    const found = changeable(db, key, db.write(key))
    if (Either.isLeft(found)) return Either.left(found.left)
    let changes = 0
    let value = found.right
    if (value === undefined) {
      value = HyperLogLog.make()
      db.put(key, value)
      changes++
    }
    const bytesMax = limits.hllSparseMaxBytes
    for (let n = 0; n < elements.length; n++) {
      const changed = HyperLogLog.add(value, elements[n], bytesMax)
      if (changed < 0) return corrupt
      changes += changed
    }
    if (changes === 0) return zero
    HyperLogLog.invalidate(value)
    db.changed(key, EventClass.string, "pfadd", changes)
    return one
  },
})

/** The registers of a union, used by one command at a time. */
const union: HyperLogLog.Registers = new Uint8Array(HyperLogLog.registerCount)

/** Fills `union` with the largest registers of all keys; answers whether any value was dense. */
const unite = (db: Database, keys: ReadonlyArray<string>): Either.Either<boolean, CommandError> => {
  union.fill(0)
  let dense = false
  for (const key of keys) {
    const found = asHyperLogLog(db.read(key))
    if (Either.isLeft(found)) return Either.left(found.left)
    if (found.right === undefined) continue
    dense ||= HyperLogLog.encoding(found.right) === "dense"
    if (!HyperLogLog.mergeInto(union, found.right)) return Either.left(CorruptHyperLogLog.error)
  }
  return Either.right(dense)
}

/** Counts one HyperLogLog and remembers the answer in it. */
const countOne = (db: Database, key: string): Answer => {
  const found = changeable(db, key, db.read(key))
  if (Either.isLeft(found)) return Either.left(found.left)
  const value = found.right
  if (value === undefined) return zero
  const cached = HyperLogLog.cached(value)
  if (cached !== undefined) return Either.right(Reply.int(cached))
  const count = HyperLogLog.count(value)
  if (count === undefined) return corrupt
  db.signal(key)
  return Either.right(Reply.int(count))
}

const pfcount = Command.make({
  name: "pfcount",
  summary: "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
  since: "2.8.9",
  group: "hyperloglog",
  complexity:
    "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
  arity: -2,
  flags: "readonly",
  acl: "hyperloglog",
  keys: [
    Key.range(1, "RW access", {
      last: -1,
      notes: "RW because it may change the internal representation of the key, and propagate to replicas",
    }),
  ],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) =>
    keys.length === 1
      ? countOne(db, keys[0])
      : Either.map(unite(db, keys), () => Reply.int(HyperLogLog.countUnion(union))),
})

const pfmerge = Command.make({
  name: "pfmerge",
  summary: "Merge N different HyperLogLogs into a single one.",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
  arity: -2,
  flags: "write denyoom",
  acl: "hyperloglog",
  keys: [Key.at(1, "RW access insert"), Key.range(2, "RO access", { last: -1 })],
  args: [Arg.key("destkey"), Arg.key("sourcekey", { multiple: true, keySpec: 1 })],
  parse: (args) => args.rest(),
  run: (keys, { db, limits }) => {
    const dense = unite(db, keys)
    if (Either.isLeft(dense)) return Either.left(dense.left)
    const destination = keys[0]
    const found = changeable(db, destination, db.write(destination))
    if (Either.isLeft(found)) return Either.left(found.left)
    let value = found.right
    if (value === undefined) {
      value = HyperLogLog.make()
      db.put(destination, value)
    }
    if (dense.right && !HyperLogLog.toDense(value)) return corrupt
    HyperLogLog.mergeFrom(value, union, limits.hllSparseMaxBytes)
    db.changed(destination, EventClass.string, "pfadd")
    return ok
  },
})

/** One look inside, or the change to dense. `promoted` tells that the bytes changed. */
const debug = (subcommand: string, value: StringBuffer, promoted: () => void): Answer => {
  const sparse = HyperLogLog.encoding(value) === "sparse"
  switch (keyword(subcommand)) {
    case "GETREG": {
      if (sparse) {
        if (!HyperLogLog.toDense(value)) return corrupt
        promoted()
      }
      const registers = Array.from({ length: HyperLogLog.registerCount }, (_, index) =>
        Reply.int(HyperLogLog.register(value, index)),
      )
      return Either.right(Reply.array(registers))
    }
    case "DECODE":
      return sparse ? Either.right(Reply.bulk(HyperLogLog.describe(value))) : Either.left(HyperLogLogDebug.notSparse)
    case "ENCODING":
      return Either.right(Reply.simple(HyperLogLog.encoding(value)))
    case "TODENSE":
      if (!sparse) return zero
      if (!HyperLogLog.toDense(value)) return corrupt
      promoted()
      return one
    default:
      return Either.left(HyperLogLogDebug.unknown(subcommand))
  }
}

const pfdebug = Command.make({
  name: "pfdebug",
  summary: "Internal commands for debugging HyperLogLog values",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "N/A",
  docFlags: "syscmd",
  arity: 3,
  flags: "write denyoom admin",
  acl: "hyperloglog",
  keys: [Key.at(2, "RW access")],
  args: [Arg.string("subcommand"), Arg.key("key")],
  parse: (args) => ({ subcommand: args.next(), key: args.key() }),
  run: ({ subcommand, key }, { db, store }) => {
    const value = db.write(key)
    if (value === undefined) return Either.left(HyperLogLogDebug.noKey)
    const found = changeable(db, key, value)
    if (Either.isLeft(found)) return Either.left(found.left)
    // The change of form is logged and announced to nobody: the value means the same.
    return debug(subcommand, found.right!, () => store.dirty++)
  },
})

/** Elements the self-test counts, and how far off the answer may be: five standard errors. */
const selfTestElements = 100_000
const selfTestErrorMax = 5 * 0.0081

/** Counts a known number of elements, sparse and dense, alone and as a union. Answers what is wrong, if anything. */
const selfTest = (limits: Limits): string | undefined => {
  const promoting = HyperLogLog.make()
  const dense = HyperLogLog.make()
  HyperLogLog.toDense(dense)
  for (let n = 1; n <= selfTestElements; n++) {
    const element = String(n)
    HyperLogLog.add(promoting, element, limits.hllSparseMaxBytes)
    HyperLogLog.add(dense, element, 0)
    if (n !== 10 && n !== 1000 && n !== selfTestElements) continue
    HyperLogLog.invalidate(promoting)
    HyperLogLog.invalidate(dense)
    union.fill(0)
    HyperLogLog.mergeInto(union, promoting)
    const counted = Number(HyperLogLog.count(dense))
    if (HyperLogLog.count(promoting) !== counted) return `sparse and dense disagree at ${n} elements`
    if (HyperLogLog.countUnion(union) !== counted) return `the union disagrees at ${n} elements`
    if (Math.abs(counted - n) > n * selfTestErrorMax) return `${n} elements are counted as ${counted}`
  }
  return undefined
}

const pfselftest = Command.make({
  name: "pfselftest",
  summary: "An internal command for testing HyperLogLog values",
  since: "2.8.9",
  group: "hyperloglog",
  complexity: "N/A",
  docFlags: "syscmd",
  arity: 1,
  flags: "admin",
  acl: "hyperloglog",
  parse: () => undefined,
  run: (_, { limits }) => {
    const fault = selfTest(limits)
    return fault === undefined ? ok : Either.left(new SelfTestFailed(fault))
  },
})

export const hyperLogLogCommands = [pfadd, pfcount, pfmerge, pfdebug, pfselftest]
