/**
 * The documents tell the truth: every block of the README runs as it stands, but for the port; what is generated is up to date;
 * every difference from Redis that the code admits is told; and no link leads nowhere.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import * as Effect from "effect/Effect"
import * as RealServer from "./support/RealServer.ts"
import { fill, parts } from "./support/ReadmeParts.ts"
import type { TestClient } from "./support/TestServer.ts"

const root = join(import.meta.dirname, "..")
const readme = readFileSync(join(root, "README.md"), "utf8")
const tour = readFileSync(join(root, "src/README.md"), "utf8")

interface Block {
  readonly language: string
  readonly code: string
}

const blocks: ReadonlyArray<Block> = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
  language: match[1]!,
  code: match[2]!,
}))

const section = (name: string): string =>
  readme.slice(readme.indexOf(`<!-- ${name} -->`), readme.indexOf(`<!-- /${name} -->`))

const manifest: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
)

/** A project beside this one that has its packages, and this one as `tiny-redis`. */
const folder = mkdtempSync(join(tmpdir(), "tiny-redis-readme-"))
mkdirSync(join(folder, "node_modules"))
for (const name of readdirSync(join(root, "node_modules"))) {
  if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
}
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a block as a module of that project. What it declares with `it` becomes part of the suite it is called in. */
const runModule = (name: string, code: string): Promise<unknown> => {
  const path = join(folder, `${name}.ts`)
  writeFileSync(path, code.replaceAll('"tiny-redis"', JSON.stringify(join(root, "src/index.ts"))))
  return import(/* @vite-ignore */ pathToFileURL(path).href)
}

describe("the README", () => {
  it("has the parts that follow from the code as they are: npm run readme writes them", async () => {
    const generated = await Effect.runPromise(parts)
    const expected = Object.entries(generated).reduce((text, [name, part]) => fill(text, name, part), readme)
    expect(readme).toBe(expected)
  })

  it("tells every difference that the code admits, and no other", () => {
    const admitted = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .map((path) => `src/${path.replaceAll("\\", "/")}`)
      .filter((path) => path.endsWith(".ts") && readFileSync(join(root, path), "utf8").includes("Differs:"))
    const told = [...section("differences").matchAll(/\]\((src\/[^)]+)\)/g)].map((match) => match[1]!)
    expect([...new Set(told)].sort()).toEqual(admitted.sort())
  })

  it("has only blocks that a test here runs", () => {
    const languages = blocks.map(({ language }) => language)
    expect(languages).toEqual([
      ...["console", "console", "js", "ts", "ts", "ts", "ts", "console", "console", "console", "console"],
    ])
  })
})

const [virtualTime, onPort, inHooks, swapped] = blocks.filter(({ language }) => language === "ts")
// These two declare tests, which become tests of this file.
await runModule("virtualTime", virtualTime!.code)
await runModule("swapped", swapped!.code)

describe("a block of the README", () => {
  const printed = async (name: string, code: string): Promise<ReadonlyArray<unknown>> => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {})
    const before = process.cwd()
    // A server finds its data where it is started; nobody's is in that project.
    process.chdir(folder)
    try {
      await runModule(name, code)
      return log.mock.calls.map(([line]) => line)
    } finally {
      process.chdir(before)
      log.mockRestore()
    }
  }

  it("about a real port prints what it pops", async () => {
    expect(await printed("onPort", onPort!.code)).toEqual(["first"])
  })

  it("about tests without Effect moves the clock of a server on a real port", async () => {
    expect(await printed("inHooks", inHooks!.code)).toEqual([60, null])
  })

  describe("about a server", () => {
    let server: ChildProcess
    let port: number
    const [start, talk, come, goBack, measure, work] = blocks
      .filter(({ language }) => language === "console")
      .map(({ code }) => code)
    const commands = (code: string) =>
      code.split("\n").flatMap((line) => (line.startsWith("$ ") ? [line.slice(2)] : []))

    // The server is the one that the block starts, at a free port.
    beforeAll(async () => {
      // Its first line, npm ci, is how the machine came to run this.
      const words = commands(start!)[1]!.replace("7000", "0").split(" ")
      server = spawn(words[0]!, [...words.slice(1), "--dir", folder], { cwd: root })
      let said = ""
      port = await new Promise<number>((resolvePort, reject) => {
        server.stdout!.on("data", (chunk) => {
          said += chunk
          const found = /Ready to accept connections on 127\.0\.0\.1:(\d+)/.exec(said)
          if (found) resolvePort(Number(found[1]))
        })
        server.once("exit", () => reject(new Error(`the server ended: ${said}`)))
      })
    }, 60_000)
    afterAll(async () => {
      const client = await RealServer.connectTcp(port)
      client.send("SHUTDOWN", "NOSAVE")
      await new Promise((ended) => server.once("exit", ended))
    })

    it.skipIf(spawnSync("redis-cli", ["--version"]).status !== 0)("with redis-cli shows what redis-cli shows", () => {
      for (const [, command, output] of talk!.matchAll(/^\$ redis-cli (.*)\n((?:[^$].*\n)*)/gm)) {
        const words = command!.replace("7000", `${port}`).replaceAll('"', "").split(" ")
        expect(spawnSync("redis-cli", ["--no-raw", ...words], { encoding: "utf8" }).stdout).toBe(output)
      }
    })

    it("with a client prints what it counted", async () => {
      const client = await RealServer.connectTcp(port)
      await client.run("SET", "greeting", "hello", "EX", "10")
      client.destroy()
      const { code } = blocks.find(({ language }) => language === "js")!
      expect(await printed("client", code.replace("7000", `${port}`))).toEqual([
        expect.stringMatching(/^visit 1, (9|10) seconds left$/),
      ])
    })

    it.skipIf(!RealServer.isInstalled)("about coming from redis-server moves the data there, and back", async () => {
      const real = await RealServer.start(["--repl-diskless-sync-delay", "0"])
      const follow = (code: string) => {
        for (const [, command, output] of code.matchAll(/^\$ redis-cli (.*)\n((?:[^$].*\n)*)/gm)) {
          const words = command!.replace("7000", `${port}`).replace("6379", `${real.port}`).split(" ")
          expect(spawnSync("redis-cli", ["--no-raw", ...words], { encoding: "utf8" }).stdout).toBe(output)
        }
      }
      try {
        const theirs = await real.connect()
        const ours = await RealServer.connectTcp(port)
        await theirs.run("SET", "moved", "there")
        /** Ends when it is a replica that has come to the stream. */
        const follows = async (client: TestClient) => {
          const isConnected = async () => {
            const role = await client.run("ROLE")
            return role._tag === "Array" && role.values.some((word) => "value" in word && word.value === "connected")
          }
          while (!(await isConnected())) await new Promise((resolve) => setTimeout(resolve, 5))
        }
        follow(come!)
        await follows(theirs)
        expect(await ours.run("GET", "moved")).toMatchObject({ value: "there" })
        await ours.run("SET", "moved", "back")
        follow(goBack!)
        await follows(ours)
        expect(await theirs.run("GET", "moved")).toMatchObject({ value: "back" })
        expect(await theirs.run("SET", "moved", "again")).toMatchObject({ value: "OK" })
        ours.destroy()
      } finally {
        await real.stop()
      }
    })

    it.skipIf(!RealServer.isInstalled)(
      "about the fuzzer finds no difference",
      () => {
        const words = commands(measure!)
          .find((command) => command.includes("fuzz"))!
          .split(" ")
        const { status, stdout } = spawnSync(words[0]!, words.slice(1), { cwd: root, encoding: "utf8" })
        expect(stdout).toContain("no difference")
        expect(status).toBe(0)
      },
      60_000,
    )

    // The others would take minutes, or run this test inside of itself; the CI run does both.
    it("about measuring and working names scripts of the package, and modes that they know", () => {
      for (const command of [...commands(measure!), ...commands(work!)]) {
        const [, script] = /^npm (?:run )?([\w:]+)/.exec(command)!
        expect(Object.keys(manifest.scripts)).toContain(script)
        const mode = /^npm run bench -- (\w+)$/.exec(command)?.[1]
        if (mode !== undefined)
          expect(readFileSync(join(root, "test/bench/main.ts"), "utf8")).toContain(`case "${mode}":`)
      }
    })
  })
})

describe.each([
  ["README.md", readme],
  ["src/README.md", tour],
])("%s", (path, text) => {
  it("links to files and headings that exist", () => {
    const headings = new Set(
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => `#${title!.toLowerCase().replaceAll(" ", "-")}`),
    )
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
    const broken = targets.filter((target) =>
      target.startsWith("https://")
        ? false
        : target.startsWith("#")
          ? !headings.has(target)
          : !existsSync(resolve(root, dirname(path), target)),
    )
    expect(broken).toEqual([])
  })
})

it("the tour comes by every folder", () => {
  const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const visited = [...tour.matchAll(/\]\(([\w/]+)\.ts\)/g)].map((match) => match[1]!.split("/")[0])
  expect(folders.map(({ name }) => name).filter((name) => !visited.includes(name))).toEqual([])
})
