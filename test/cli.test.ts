/**
 * The command line: redis-server's grammar of flags, that @effect/cli, which answers questions like --help, reads the same
 * from it, and the server as it is started by its command.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import * as Effect from "effect/Effect"
import * as Arguments from "../src/cli/Arguments.ts"
import * as Cli from "../src/cli/Cli.ts"
import { Config, type ConfigService } from "../src/config/Config.ts"
import { entries } from "../src/config/Settings.ts"
import * as Sources from "../src/config/Sources.ts"
import { connectTcp } from "./support/RealServer.ts"

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
    Effect.runPromise(run).catch(reject)
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

  it("takes whatever follows a flag for its value, but for --save, and words after the file for a flag without dashes", () => {
    expect(
      shown(["--requirepass", "--save", "--save", "--loglevel", "verbose"], "requirepass", "save", "loglevel"),
    ).toEqual({ requirepass: "--save", save: "", loglevel: "verbose" })
    const file = fileOf("bare.conf", "loglevel debug\n")
    expect(shown([file, "loglevel", "verbose", "--maxmemory '700mb'"], "loglevel", "maxmemory")).toEqual({
      loglevel: "verbose",
      maxmemory: "734003200",
    })
    expect(refusedStart([file, "loglevel", "verbose", "maxmemory", "5"])).toContain(
      '"verbose maxmemory 5" for loglevel',
    )
    expect(refusedStart(["--port", "--loglevel", "verbose"])).toContain('"--loglevel verbose" for port (--port)')
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

it("warns of variables TINY_REDIS_* that name no setting, and starts", () => {
  vi.stubEnv("TINY_REDIS_MAXMEMROY", "1gb")
  expect(config({ file: undefined, flags: [] }).warnings).toEqual([
    "Variables that name no setting: TINY_REDIS_MAXMEMROY",
  ])
  vi.unstubAllEnvs()
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

const escape = (text: string): string => text.replace(/[^\w ]/g, "\\$&")

describe("the command tiny-redis", () => {
  const root = join(import.meta.dirname, "..")
  const started = new Set<ChildProcess>()

  // What is started is what is published.
  beforeAll(() => {
    const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, encoding: "utf8" })
    if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`)
  }, 60_000)
  afterAll(() => started.forEach((child) => child.kill("SIGKILL")))

  interface Ended {
    readonly code: number | null
    readonly out: string
    readonly err: string
  }

  it("runs what was compiled when it was built, under the flags of npm start", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { start: string } }
    const flags = scripts.start.split(" ").filter((word) => word.startsWith("--"))
    const main = JSON.stringify(pathToFileURL(join(root, "dist/bin/main.js")).href)
    const rejected = (nodeFlags: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [
        ...nodeFlags,
        ...["--input-type=module", "--eval"],
        `process.argv = ["node", "main.js", "--version"]
         process.exit((await import(${main})).script.cachedDataRejected ? 1 : 0)`,
      ]).status
    expect([rejected(flags), rejected(["--stack-size=900"])]).toEqual([0, 1])
  })

  const command = (argv: ReadonlyArray<string>, options: { readonly until?: RegExp; readonly cwd?: string } = {}) => {
    const child = spawn(process.execPath, [join(root, "dist/bin/main.js"), ...argv], { cwd: options.cwd ?? folder })
    started.add(child)
    let out = ""
    let err = ""
    child.stderr.on("data", (chunk) => (err += chunk))
    const said = new Promise<RegExpExecArray>((resolve) =>
      child.stdout.on("data", (chunk) => {
        out += chunk
        const found = options.until?.exec(out)
        if (found) resolve(found)
      }),
    )
    const ended = once(child, "close").then(([code]): Ended => ({ code, out, err }))
    return { child, said, ended }
  }

  const serving = /Ready to accept connections on 127\.0\.0\.1:(\d+)/

  it("serves with the settings of its flags until a signal ends it", async () => {
    const { child, said, ended } = command(["--port", "0", "--save", "", "--timeout", "77"], { until: serving })
    const port = Number((await said)[1])
    const client = await connectTcp(port)
    expect(await client.run("PING")).toMatchObject({ value: "PONG" })
    expect(await client.run("CONFIG", "GET", "timeout")).toMatchObject({
      values: [{ value: "timeout" }, { value: "77" }],
    })
    client.destroy()
    child.kill("SIGTERM")
    expect(await ended).toMatchObject({ code: 0, err: "" })
  })

  it("logs why it stops, what it saves, and that it has stopped", async () => {
    const logged = async (stop: (child: ChildProcess, port: number) => unknown) => {
      const { child, said, ended } = command(["--port", "0", "--save", "1000 1"], { until: serving })
      await stop(child, Number((await said)[1]))
      const { code, out, err } = await ended
      const lines = out.trim().split("\n")
      const messages = lines.map((line) => line.replace(/^.*? [*#] /, "").replace(/: \d+ bytes, .*$/, ": ..."))
      return { code, err, told: messages.slice(messages.findIndex((text) => text.startsWith("Ready")) + 1) }
    }
    const shutdown = async (_: ChildProcess, port: number) => (await connectTcp(port)).send("SHUTDOWN")
    expect(await logged((child) => child.kill("SIGTERM"))).toEqual({
      code: 0,
      err: "",
      told: ["SIGTERM has come", "snapshot written: ...", "Stopping, as a signal said", "Stopped"],
    })
    expect(await logged(shutdown)).toEqual({
      code: 0,
      err: "",
      told: ["snapshot written: ...", "Stopping, as SHUTDOWN said", "Stopped"],
    })
  })

  it("tells a taken port, an unusable directory, an unreadable file and a bad value in one line each, and ends with 1", async () => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    const ends = await Promise.all(
      [
        ["--port", `${port}`],
        ["--port", "0", "--dir", "/proc"],
        ["missing.conf"],
        ["--port", "abc"],
        ["--port", "0", "--logfile", "/nonexistent/log"],
        ["--completions"],
        ["--completions", "csh"],
        ["--completions=csh"],
        ["--port", "0", "--unixsocket", "/nonexistent/socket"],
        ["--port", "0", "--unixsocket", folder],
      ].map((argv) => command(argv).ended),
    )
    taken.close()
    expect(ends).toEqual(
      [
        `Cannot listen on 127.0.0.1:${port}: the address is already in use`,
        'Invalid value "/proc" for dir (no file can be created in it): No such file or directory',
        "Cannot read the settings file missing.conf: No such file or directory",
        'Invalid value "abc" for port (--port): port takes an integer from 0 to 65535',
        'Invalid value "/nonexistent/log" for logfile (the file is opened for writing): No such file or directory',
        ...["", "csh", "csh"].map(
          (shell) =>
            `Invalid value "${shell}" for completions (--completions): completions takes one of sh, bash, fish, zsh`,
        ),
        "Cannot listen on /nonexistent/socket: no such directory",
        `Cannot listen on ${folder}: the address is already in use`,
      ].map((line) => ({ code: 1, out: "", err: `tiny-redis: ${line}\n` })),
    )
  })

  it("answers --help with every setting, --version, and --completions with every flag", async () => {
    const [help, version, completions] = (await Promise.all(
      [["--help"], ["-v"], ["--completions", "bash"]].map((argv) => command(argv).ended),
    )) as [Ended, Ended, Ended]
    for (const { name } of entries) expect(completions.out).toContain(`--${name} `)
    for (const { name, setting } of entries.filter((entry) => !entry.setting.hidden))
      expect(help.out).toMatch(new RegExp(`^  --${name}[,:].*${escape(setting.about)}$`, "m"))
    // Two lines a setting, to be read and not to be scrolled through.
    expect(help.out.split("\n").length).toBeLessThan(2 * entries.length + 20)
    expect(help.code).toBe(0)
    // No codes for a terminal, which this is none.
    expect(help.out).not.toContain("\u001b")
    expect(version).toMatchObject({ code: 0, err: "", out: expect.stringMatching(/^\d+\.\d+\.\d+\s*$/) })
  })
})
