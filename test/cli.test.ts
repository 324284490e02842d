/**
 * The command line: redis-server's grammar of flags, that @effect/cli, which answers questions like --help, reads the same
 * from it, and the server as it is started by its command.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Arguments from "../src/cli/Arguments.ts"
import * as Cli from "../src/cli/Cli.ts"
import { Config, type ConfigService } from "../src/config/Config.ts"
import * as Sources from "../src/config/Sources.ts"

const folder = mkdtempSync(join(tmpdir(), "tiny-redis-cli-"))
afterAll(() => rmSync(folder, { recursive: true }))

const fileOf = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const config = (sources: Sources.Sources): ConfigService =>
  Effect.runSync(Effect.provide(Config, Sources.layer(sources)))

/** The one line a start is refused with. */
const refusedStart = (argv: ReadonlyArray<string>): string =>
  Effect.runSync(Effect.flip(Effect.provide(Config, Sources.layer(Arguments.parse(argv))))).message

/** The settings @effect/cli would start a server with. */
const throughCli = (argv: ReadonlyArray<string>): Promise<ConfigService> =>
  new Promise((resolve, reject) => {
    const run = Cli.run(argv, (sources) => Effect.sync(() => resolve(config(sources))))
    Effect.runPromise(Effect.provide(run, NodeContext.layer)).catch(reject)
  })

describe("the command line", () => {
  const shown = (argv: ReadonlyArray<string>, ...patterns: ReadonlyArray<string>) =>
    Object.fromEntries(config(Arguments.parse(argv)).get(patterns))

  it("takes as many words as a setting has", () => {
    expect(shown(["--save", "900", "1", "300", "10", "--port", "7000"], "save", "port")).toEqual({
      save: "900 1 300 10",
      port: "7000",
    })
    expect(shown(["--save", "900", "1", "--save", "300", "10"], "save")).toEqual({ save: "900 1 300 10" })
    expect(shown(["--save", "900 1 300 10"], "save")).toEqual({ save: "900 1 300 10" })
    expect(shown(["--save", ""], "save")).toEqual({ save: "" })
    expect(shown(["--save", "--port", "1"], "save", "port")).toEqual({ save: "", port: "1" })
    expect(shown(["--bind", "127.0.0.1", "-::1"], "bind")).toEqual({ bind: "127.0.0.1 -::1" })
    expect(
      shown(
        [
          "--client-output-buffer-limit",
          "normal",
          "1",
          "2",
          "3",
          "--client-output-buffer-limit",
          "pubsub",
          "1mb",
          "2mb",
          "3",
        ],
        "client-*",
      ),
    ).toMatchObject({
      "client-output-buffer-limit": "normal 1 2 3 slave 268435456 67108864 60 pubsub 1048576 2097152 3",
    })
  })

  it("takes negative numbers, values that look like flags, an equals sign, and a flag with its value in one word", () => {
    expect(shown(["--slowlog-log-slower-than", "-1"], "slowlog-log-slower-than")).toEqual({
      "slowlog-log-slower-than": "-1",
    })
    expect(shown(["--dbfilename", "--foo"], "dbfilename")).toEqual({ dbfilename: "--foo" })
    expect(shown(["--requirepass=a=b", "--MAXMEMORY=1kb"], "requirepass", "maxmemory")).toEqual({
      requirepass: "a=b",
      maxmemory: "1024",
    })
    expect(shown(["--maxmemory 5"], "maxmemory")).toEqual({ maxmemory: "5" })
  })

  it("adds save points to those of the file, as redis-server does", () => {
    expect(shown([fileOf("save.conf", "save 900 1\nsave 300 10\n"), "--save", "60", "5"], "save")).toEqual({
      save: "900 1 300 10 60 5",
    })
  })

  it.each([
    [["--port", "abc"], 'Invalid value "abc" for port (--port): port takes an integer from 0 to 65535'],
    [["--port"], 'Invalid value "" for port (--port): port takes an integer from 0 to 65535'],
    [
      ["--maxmemory-policy", "foo", "--port", "1"],
      'Invalid value "foo" for maxmemory-policy (--maxmemory-policy): maxmemory-policy takes one of volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction',
    ],
    [
      ["--appenddirname", ""],
      'Invalid value "" for appenddirname (--appenddirname): appenddirname takes a directory name without slashes',
    ],
    [
      ["--unixsocketperm", "1777"],
      'Invalid value "1777" for unixsocketperm (--unixsocketperm): unixsocketperm takes an octal number from 0 to 777',
    ],
    [["--nosuch", "3"], 'Unknown setting "nosuch" (--nosuch)'],
    [[fileOf("empty.conf", ""), "other.conf"], 'Unknown setting "other.conf" (the command line)'],
  ])("refuses %j", (argv, message) => {
    expect(refusedStart(argv)).toBe(message)
  })

  it.each([
    [["--help"]],
    [["-h"]],
    [["--version"]],
    [["-v"]],
    [["--completions", "bash"]],
    [["--port", "1", "--help"]],
  ])("knows that %j asks for something else than a server", (argv) => {
    expect(Arguments.asks(argv)).toBe(true)
  })

  it("does not take the words of a setting for questions", () => {
    expect(Arguments.asks(["--requirepass", "-h", "--port", "1"])).toBe(false)
  })
})

describe("@effect/cli", () => {
  it.each([
    [["--port", "7000", "--SAVE", "900", "1", "300", "10", "--save", "5 5"]],
    [["--save", "", "--dbfilename", "a b", "--requirepass", 'x"é\n', "--slowlog-log-slower-than", "-1"]],
    [["--bind", "127.0.0.1", "-::1", "--save", "--appendonly=yes", "--hash-max-ziplist-entries", "3"]],
    [[fileOf("some.conf", "timeout 5\n"), "--maxclients", "7"]],
    [[]],
  ])("reads the same settings from %j", async (argv) => {
    expect((await throughCli(argv)).current).toEqual(config(Arguments.parse(argv)).current)
  })
})
