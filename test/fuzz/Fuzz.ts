/**
 * The differential fuzzer: the same random commands to a server of ours and to redis-server; every reply must be equal byte
 * for byte after ordering what Redis leaves unordered, and so must a full read of all keys at the end of each case.
 * fast-check draws and shrinks; a failure prints the seed and the shortest conversation it found.
 */
import * as fc from "fast-check"
import type { Reply } from "../../src/codec/Reply.ts"
import { formatReply } from "../support/Transcript.ts"
import type { TestClient } from "../support/TestServer.ts"

export interface Family {
  readonly name: string
  /** One random request. Few keys, so that requests meet. */
  readonly command: fc.Arbitrary<ReadonlyArray<string>>
  /** Requests whose reply's elements come in no promised order. */
  readonly unordered?: (argv: ReadonlyArray<string>) => boolean
  /** Requests whose reply is not compared (chance decides it). */
  readonly ignored?: (argv: ReadonlyArray<string>) => boolean
  /** A reply without what is not compared in it (the clock decides it). */
  readonly normalize?: (reply: Reply) => Reply
  /** Keys whose values are not compared at the end. */
  readonly unread?: ReadonlyArray<string>
}

/** Keys drawn by all families: some, and seldom the empty one and one of odd bytes. */
export const key = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom("a", "b", "c", "d") },
  { weight: 1, arbitrary: fc.constantFrom("", "\x00\r\n\xff") },
)
/** Values at the edges: empty, binary, integers at 64-bit limits, floats, long ones. */
export const value = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "",
      "x",
      "foo",
      "0",
      "1",
      "-1",
      "10",
      "3.5",
      "9223372036854775807",
      "-9223372036854775808",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("9223372036854775808", "1e3", "inf", "-inf", "nan", " 1", "01", "+1", "-0", "0x10"),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 })
      .map((bytes) => String.fromCharCode(...bytes)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 40, max: 70 }).map((length) => "v".repeat(length)) },
)
/** Integers as words, wrong ones included. */
export const integer = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -6, max: 12 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775808",
      "1.5",
      "x",
      "",
      "100",
      "4294967296",
    ),
  },
)
export const float = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -20, max: 20 }).map((n) => String(n / 4)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("inf", "-inf", "+inf", "nan", "1e300", "-1e300", "0.1", "3.0e-5", "x", "", "-0"),
  },
)
/** Sometimes the words, sometimes nothing. */
export const maybe = (...words: ReadonlyArray<fc.Arbitrary<string> | string>): fc.Arbitrary<ReadonlyArray<string>> =>
  fc.oneof(fc.constant<ReadonlyArray<string>>([]), argv(...words))
/** A request from words, arbitraries of words, and arbitraries of lists of words. */
export const argv = (
  ...parts: ReadonlyArray<string | fc.Arbitrary<string> | fc.Arbitrary<ReadonlyArray<string>>>
): fc.Arbitrary<ReadonlyArray<string>> =>
  fc
    .tuple(
      ...parts.map((part) =>
        typeof part === "string" ? fc.constant(part) : (part as fc.Arbitrary<string | ReadonlyArray<string>>),
      ),
    )
    .map((words) => words.flat())
/** One to `max` of them. */
export const many = (one: fc.Arbitrary<string>, max = 4) => fc.array(one, { minLength: 1, maxLength: max })

/** Thresholds of encodings, as low as they go: what is asked for once holds for the cases that follow, on both servers. */
export const thresholds = (...names: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<string>> =>
  argv("CONFIG", "SET", fc.constantFrom(...names), fc.constantFrom("0", "1", "3", "64", "64"))

/** Commands every family mixes in, so that keys go, expire far away, change type and are looked at. */
export const generic: fc.Arbitrary<ReadonlyArray<string>> = fc.oneof(
  argv("DEL", key),
  argv("TYPE", key),
  argv("OBJECT", "ENCODING", key),
  argv("EXISTS", key),
  argv("TTL", key),
  argv("EXPIRE", key, "10000"),
  argv("PERSIST", key),
  argv("RENAME", key, key),
  argv("COPY", key, key, "REPLACE"),
  argv("SET", key, value),
)

const show = (argv: ReadonlyArray<string>, reply: Reply, family: Family): string => {
  if (family.ignored?.(argv)) return "ignored"
  return formatReply(family.normalize?.(reply) ?? reply, family.unordered?.(argv) ?? false).join("\n")
}

/** Requests sent at once, replies in order. */
const runAll = (client: TestClient, requests: ReadonlyArray<ReadonlyArray<string>>): Promise<ReadonlyArray<Reply>> =>
  Promise.all(requests.map((request) => client.run(...request)))

const textOf = (reply: Reply): string => (reply._tag === "Bulk" || reply._tag === "Simple" ? reply.value : "")

const keysOf = async (client: TestClient, family: Family): Promise<ReadonlyArray<string>> => {
  const reply = await client.run("KEYS", "*")
  if (reply._tag !== "Array") throw new Error(`KEYS answered ${formatReply(reply).join(" ")}`)
  return reply.values
    .map(textOf)
    .filter((name) => family.unread?.includes(name) !== true)
    .sort()
}

/** The values of these keys, read in a form that both servers give alike. */
const readAll = async (client: TestClient, names: ReadonlyArray<string>, family: Family): Promise<string> => {
  const types = (
    await runAll(
      client,
      names.map((name) => ["TYPE", name]),
    )
  ).map(textOf)
  const reads: Readonly<Record<string, (name: string) => ReadonlyArray<string>>> = {
    string: (name) => ["GET", name],
    list: (name) => ["LRANGE", name, "0", "-1"],
    set: (name) => ["SMEMBERS", name],
    zset: (name) => ["ZRANGE", name, "0", "-1", "WITHSCORES"],
    hash: (name) => ["HGETALL", name],
    stream: (name) => ["XINFO", "STREAM", name, "FULL", "COUNT", "0"],
  }
  const values = await runAll(
    client,
    names.map((name, i) => reads[types[i]!]?.(name) ?? ["EXISTS", name]),
  )
  const encodings = await runAll(
    client,
    names.map((name) => ["OBJECT", "ENCODING", name]),
  )
  const lines: Array<string> = []
  for (const [i, name] of names.entries()) {
    const type = types[i]!
    const reply = family.normalize?.(values[i]!) ?? values[i]!
    lines.push(`${JSON.stringify(name)} ${type} ${textOf(encodings[i]!)}`)
    lines.push(...formatReply(type === "hash" ? pairs(reply) : reply, type === "set" || type === "hash"))
  }
  return lines.join("\n")
}

/** Keys that change hands at the end of a case. */
const exchangedMax = 6
const exchangedPrefix = "\x01exchanged "

/** Each server restores what the other one dumps; the values must be the same ones again. */
const exchange = async (ours: TestClient, theirs: TestClient, names: ReadonlyArray<string>, family: Family) => {
  const dumps = names.map((name) => ["DUMP", name])
  const [mine, real] = await Promise.all([runAll(ours, dumps), runAll(theirs, dumps)])
  const restores = (payloads: ReadonlyArray<Reply>) =>
    payloads.map((payload, i) => ["RESTORE", exchangedPrefix + names[i]!, "0", textOf(payload)])
  const restored = await Promise.all([runAll(ours, restores(real)), runAll(theirs, restores(mine))])
  for (const [side, replies] of restored.entries()) {
    const refused = replies.findIndex((reply) => textOf(reply) !== "OK")
    if (refused < 0) continue
    const payload = JSON.stringify(textOf((side === 0 ? real : mine)[refused]!))
    const who = side === 0 ? "ours refused" : "redis-server refused"
    throw new Error(`${who} ${JSON.stringify(names[refused])}: ${formatReply(replies[refused]!).join(" ")}\n${payload}`)
  }
  const copies = names.map((name) => exchangedPrefix + name)
  return Promise.all([readAll(ours, copies, family), readAll(theirs, copies, family)])
}

const compareContents = async (ours: TestClient, theirs: TestClient, family: Family): Promise<void> => {
  const [names, expected] = await Promise.all([keysOf(ours, family), keysOf(theirs, family)])
  if (names.join() !== expected.join())
    throw new Error(`keys: ${JSON.stringify(expected)}, ours ${JSON.stringify(names)}`)
  const [mine, real] = await Promise.all([readAll(ours, names, family), readAll(theirs, names, family)])
  if (mine !== real) throw new Error(`redis-server:\n${real}\nours:\n${mine}`)
  const [restored, original] = await exchange(ours, theirs, names.slice(0, exchangedMax), family)
  if (restored !== original) {
    throw new Error(`after an exchange of DUMPs, redis-server with ours:\n${original}\nours with its:\n${restored}`)
  }
}

const pairs = (reply: Reply): Reply => {
  if (reply._tag !== "Array" && reply._tag !== "Map") return reply
  const values = reply._tag === "Map" ? reply.entries : reply.values
  return { _tag: "Map", entries: values }
}

export interface Options {
  readonly family: Family
  readonly seed: number
  /** About how many commands in all. */
  readonly commands: number
  readonly ours: TestClient
  readonly theirs: TestClient
}

const commandsPerCase = 40

/** Throws with the counterexample when the servers differ. */
export const compare = ({ family, seed, commands, ours, theirs }: Options): Promise<void> =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 6, arbitrary: family.command }, { weight: 1, arbitrary: generic }), {
        minLength: 1,
        maxLength: commandsPerCase * 2,
      }),
      async (requests) => {
        await Promise.all([ours.run("FLUSHALL"), theirs.run("FLUSHALL")])
        for (const request of requests) {
          ours.send(...request)
          theirs.send(...request)
        }
        const transcript: Array<string> = []
        for (const request of requests) {
          const [mine, real] = await Promise.all([ours.receive(), theirs.receive()])
          const expected = show(request, real, family)
          const actual = show(request, mine, family)
          transcript.push(`> ${request.map((word) => JSON.stringify(word)).join(" ")}`, expected)
          if (actual !== expected) {
            // The rest is received, so that the next case begins clean.
            for (let i = transcript.length / 2; i < requests.length; i++)
              await Promise.all([ours.receive(), theirs.receive()])
            throw new Error(`replies differ\n${transcript.join("\n")}\nbut ours was\n${actual}`)
          }
        }
        try {
          await compareContents(ours, theirs, family)
        } catch (cause) {
          throw new Error(`contents differ after\n${transcript.join("\n")}\n${String(cause)}`, { cause })
        }
      },
    ),
    { seed, numRuns: Math.max(1, Math.round(commands / commandsPerCase)) },
  )
