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
}

/** Keys drawn by all families. */
export const key = fc.constantFrom("a", "b", "c", "d")
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

/** The whole contents, read in a form that both servers give alike. */
const readAll = async (client: TestClient, family: Family): Promise<string> => {
  const lines: Array<string> = []
  const keys = formatReply(await client.run("KEYS", "*"), true)
  lines.push(...keys)
  for (const name of ["a", "b", "c", "d"]) {
    const type = formatReply(await client.run("TYPE", name))[0]!
    const read: ReadonlyArray<string> | undefined = {
      "+string": ["GET", name],
      "+list": ["LRANGE", name, "0", "-1"],
      "+set": ["SMEMBERS", name],
      "+zset": ["ZRANGE", name, "0", "-1", "WITHSCORES"],
      "+hash": ["HGETALL", name],
      "+stream": ["XINFO", "STREAM", name, "FULL", "COUNT", "0"],
    }[type]
    lines.push(type)
    if (read === undefined) continue
    const raw = await client.run(...read)
    const reply = family.normalize?.(raw) ?? raw
    lines.push(...formatReply(type === "+hash" ? pairs(reply) : reply, type === "+set" || type === "+hash"))
    lines.push(...formatReply(await client.run("OBJECT", "ENCODING", name)))
  }
  return lines.join("\n")
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
        const [mine, real] = await Promise.all([readAll(ours, family), readAll(theirs, family)])
        if (mine !== real)
          throw new Error(`contents differ after\n${transcript.join("\n")}\nredis-server:\n${real}\nours:\n${mine}`)
      },
    ),
    { seed, numRuns: Math.max(1, Math.round(commands / commandsPerCase)) },
  )
