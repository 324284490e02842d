/** Users and their rights beyond what the transcripts play: rules against their own text, time, other clients, and no users at all. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import { tableOf } from "../src/acl/Acl.ts"
import { mergeSelectors, User } from "../src/acl/User.ts"
import type { Reply } from "../src/codec/Reply.ts"
import { Acl, Registry, Server } from "../src/index.ts"
import { splitArguments } from "../src/bytes/Quoting.ts"
import * as RealServer from "./support/RealServer.ts"
import { atStartTime, connect, run, type TestClient, withServer } from "./support/TestServer.ts"
import { formatReply, parseTranscript } from "./support/Transcript.ts"

const commandRule = fc.constantFrom(
  ...["+@all", "-@all", "+@read", "-@write", "+@hash", "-@dangerous", "+@connection", "-@slow", "+@admin", "-@fast"],
  ...["+get", "-get", "+set", "-del", "+config", "-config|set", "+config|get", "-client|kill", "+select|0", "+get|x"],
  ...["-select", "+acl", "-acl|log", "+hexpire", "allcommands", "nocommands"],
)
const otherRule = fc.constantFrom(
  ...["~a*", "%R~b", "%W~b", "%RW~c*", "resetkeys", "allkeys", "&x", "&y*", "resetchannels", "allchannels"],
)
const userRule = fc.constantFrom(
  ...["on", "off", "nopass", "resetpass", ">one", ">two", "<one", "sanitize-payload", "skip-sanitize-payload"],
  ...["reset", "clearselectors"],
)
const selector = fc.array(fc.oneof(commandRule, otherRule), { maxLength: 4 }).map((rules) => `(${rules.join(" ")})`)
const rules = fc.array(fc.oneof({ weight: 4, arbitrary: commandRule }, otherRule, userRule, selector), {
  maxLength: 12,
})

const requests: ReadonlyArray<ReadonlyArray<string>> = [
  ["get", "a1"],
  ["get", "b"],
  ["get", "x"],
  ["set", "b", "1"],
  ["set", "c1", "1", "GET"],
  ["del", "a1", "b"],
  ["hset", "a", "f", "v"],
  ["hexpire", "a", "1", "FIELDS", "1", "f"],
  ["config", "get", "x"],
  ["config", "set", "x", "y"],
  ["client", "kill", "x"],
  ["select", "0"],
  ["select", "1"],
  ["acl", "log"],
  ["publish", "x", "m"],
  ["subscribe", "x", "y1"],
  ["psubscribe", "y*"],
  ["flushall"],
]

describe("the text of a user", () => {
  it.effect("makes the same user again, by whatever rules it came to be", () =>
    withServer(() =>
      Effect.map(Registry, (registry) => {
        const table = tableOf(registry)
        const answers = (user: User) =>
          requests.map((argv) => {
            const top = registry.find(argv[0]!)!
            return user.denial((top.subcommands.get(argv[1] ?? "") ?? top).command, argv)
          })
        fc.assert(
          fc.property(rules, fc.boolean(), (given, allChannels) => {
            const user = new User("u", allChannels)
            for (const rule of given) user.apply(rule, table, allChannels)
            const text = user.describe(table)
            const again = new User("u", false)
            for (const rule of mergeSelectors(splitArguments(text)!).rules) {
              expect(again.apply(rule, table, false)).toBe(undefined)
            }
            expect(again.describe(table)).toBe(text)
            expect(answers(again)).toEqual(answers(user))
            expect(again.isUnrestricted).toBe(user.isUnrestricted)
            if (user.isUnrestricted) expect(new Set(answers(user))).toEqual(new Set([undefined]))
          }),
          { numRuns: 150 },
        )
      }),
    ),
  )
})

const text = (reply: Reply): string => (reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : reply._tag)

describe("users", () => {
  it.effect("are shown with their clients, ended by name, and kept out of the slow log", () =>
    withServer(
      (admin) =>
        Effect.gen(function* () {
          const alice = yield* connect
          yield* run(admin, "ACL", "SETUSER", "alice", "on", ">secret", "+@all", "~*")
          yield* run(alice, "AUTH", "alice", "secret")
          // What this server is to a master is a secret too, also where it is said among others.
          yield* run(admin, "CONFIG", "SET", "masterauth", "secret", "timeout", "0", "MASTERUSER", "secret")
          expect(text(yield* run(admin, "CLIENT", "LIST"))).toContain(" user=alice ")
          expect(yield* run(admin, "CLIENT", "KILL", "USER", "alice")).toEqual({ _tag: "Int", value: 1 })
          yield* Effect.promise(() => alice.closed)
          const slow = JSON.stringify(yield* run(admin, "SLOWLOG", "GET", "10"))
          expect(slow).toContain('"SETUSER"},{"_tag":"Bulk","value":"(redacted)"')
          expect(slow).not.toContain("secret")
        }),
      { slowlogLogSlowerThan: 0 },
    ),
  )

  it.effect("are not shown the passwords of this server, its own and its master's", () =>
    withServer(
      (admin) =>
        Effect.gen(function* () {
          yield* run(admin, "CONFIG", "SET", "MasterAuth", "a", "maxmemory", "0", "requirepass", "b")
          yield* run(admin, "CONFIG", "SET", "masteruser", "c")
          yield* run(admin, "CONFIG", "SET", "masterauth", "d", "requirepass")
          expect(yield* run(admin, "SLOWLOG", "GET", "3")).toMatchObject({
            values: [
              ["masterauth", "d", "requirepass"],
              ["masteruser", "(redacted)"],
              ["MasterAuth", "(redacted)", "maxmemory", "0", "requirepass", "(redacted)"],
            ].map((words) => ({
              values: [{}, {}, {}, { values: ["CONFIG", "SET", ...words].map((value) => ({ value })) }, {}, {}],
            })),
          })
        }),
      { slowlogLogSlowerThan: 0 },
    ),
  )

  it.effect("are refused the same thing as one entry of the log for a minute", () =>
    withServer((admin) =>
      Effect.gen(function* () {
        const alice = yield* connect
        yield* run(admin, "ACL", "SETUSER", "alice", "on", "nopass", "+get", "~a")
        yield* run(alice, "AUTH", "alice", "x")
        const counts = Effect.map(run(admin, "ACL", "LOG"), (reply) =>
          reply._tag !== "Array"
            ? []
            : reply.values.map((entry) =>
                entry._tag === "Array" ? [1, 11].map((i) => JSON.stringify(entry.values[i])) : [],
              ),
        )
        const int = (value: number) => JSON.stringify({ _tag: "Int", value })
        const seconds = (value: string) => JSON.stringify({ _tag: "Bulk", value })
        yield* run(alice, "GET", "b")
        yield* TestClock.adjust("60 seconds")
        yield* run(alice, "GET", "b")
        expect(yield* counts).toEqual([[int(2), seconds("0")]])
        yield* TestClock.adjust("60500 millis")
        expect(yield* counts).toEqual([[int(2), seconds("60.5")]])
        yield* run(alice, "GET", "b")
        expect((yield* counts).map(([count]) => count)).toEqual([int(1), int(2)])
      }),
    ),
  )

  it.effect("lose their connections when they are removed: their own after the answer", () =>
    withServer((admin) =>
      Effect.gen(function* () {
        const alice = yield* connect
        const waiting = yield* connect
        yield* run(admin, "ACL", "SETUSER", "alice", "on", "nopass", "+@all", "~*")
        yield* run(alice, "AUTH", "alice", "x")
        yield* run(waiting, "AUTH", "alice", "x")
        waiting.send("BLPOP", "list", "0")
        expect(yield* run(alice, "ACL", "DELUSER", "alice")).toEqual({ _tag: "Int", value: 1 })
        yield* Effect.promise(() => Promise.all([alice.closed, waiting.closed]))
        expect(yield* run(admin, "ACL", "WHOAMI")).toEqual({ _tag: "Bulk", value: "default" })
        expect(yield* run(admin, "RPUSH", "list", "x")).toEqual({ _tag: "Int", value: 1 })
        expect(yield* run(admin, "LLEN", "list")).toEqual({ _tag: "Int", value: 1 })
      }),
    ),
  )

  it.effect("can be left out by a program that is alone with its server", () =>
    Effect.gen(function* () {
      const client = yield* connect
      expect(yield* run(client, "SET", "k", "v")).toEqual({ _tag: "Simple", value: "OK" })
      expect((yield* run(client, "ACL", "SETUSER", "alice"))._tag).toBe("Failure")
      expect((yield* run(client, "AUTH", "alice", "x"))._tag).toBe("Failure")
      expect(text(yield* run(client, "ACL", "WHOAMI"))).toBe("default")
    }).pipe(
      Effect.provide(Server.layerTest({ requirepass: "unasked" }, { acl: Acl.layerAllowAll })),
      atStartTime,
      Effect.scoped,
    ),
  )
})

/** Every request of the transcripts, once. */
const recorded = (): ReadonlyArray<ReadonlyArray<string>> => {
  const folder = join(import.meta.dirname, "transcripts")
  const found = new Map<string, ReadonlyArray<string>>()
  for (const name of readdirSync(folder).filter((file) => !file.endsWith(".additions.txt"))) {
    for (const { _tag, argv } of parseTranscript(readFileSync(join(folder, name), "utf8"))) {
      if (_tag === "Request") found.set(JSON.stringify(argv), argv)
    }
  }
  return [...found.values()]
}

/** Where redis-server looks at no key although there is one: see Selector.ts. */
const overlooked = (argv: ReadonlyArray<string>): boolean =>
  (/^pfmerge$/i.test(argv[0]!) && argv.length === 2) ||
  (/^z(union|inter|diff)store$/i.test(argv[0]!) && !/^[1-9]\d*$/.test(argv[2] ?? ""))

it.effect("a destination that is named like an option is a destination", () =>
  withServer((admin) =>
    Effect.gen(function* () {
      yield* run(admin, "ACL", "SETUSER", "u", "+@all", "~g")
      const reply = yield* run(admin, "ACL", "DRYRUN", "u", "GEORADIUS", "g", "1", "2", "3", "km", "STORE", "STOREDIST")
      expect(text(reply)).toBe("This user has no permissions to access the 'STOREDIST' key")
    }),
  ),
)

describe.skipIf(!RealServer.isInstalled)("the keys and channels of every request", () => {
  it.effect("are asked for as in redis-server: to be read, written, heard and spoken on", () =>
    withServer((ours) =>
      Effect.gen(function* () {
        const real = yield* Effect.acquireRelease(
          Effect.promise(() => RealServer.start()),
          (server) => Effect.promise(server.stop),
        )
        const theirs = yield* Effect.promise(real.connect)
        const users = [
          ["reader", "+@all", "%R~*"],
          ["writer", "+@all", "%W~*"],
          ["nobody", "+@all"],
          ["silent", "+@all", "~*"],
        ]
        const requests = [
          ...users.map((words) => ["ACL", "SETUSER", ...words]),
          ...recorded()
            .filter((argv) => !overlooked(argv))
            .flatMap((argv) => users.map(([name]) => ["ACL", "DRYRUN", name!, ...argv])),
        ]
        const told = (client: TestClient) => {
          for (const argv of requests) client.send(...argv)
          return Effect.forEach(requests, (argv) =>
            Effect.map(
              Effect.promise(client.receive),
              (reply) => `${argv.slice(2).join(" ")}: ${formatReply(reply).join()}`,
            ),
          )
        }
        const [here, there] = [yield* told(ours), yield* told(theirs)]
        expect(here.length).toBeGreaterThan(10_000)
        expect(here.filter((line, i) => line !== there[i])).toEqual([])
      }).pipe(Effect.scoped),
    ),
  )
})
