/**
 * The shape of the tree, held by a test: which folder may import which, that nothing goes round in a circle, that time and
 * chance come from one place, and that a file can be read in one sitting. To change a rule, change the table below in one
 * deliberate step. It reads only the text of `src`; what the imports mean is the type checker's part.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/** A folder (or file) of `src`, and what of ours it may import beside itself. A line names only lines above it. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  bytes: [],
  errors: ["bytes"],
  clock: [],
  config: ["bytes", "errors"],
  cli: ["bytes", "errors", "config"],
  codec: ["bytes", "errors"],
  store: ["bytes", "errors", "clock", "config"],
  command: ["bytes", "errors", "clock", "config", "codec", "store"],
  pubsub: ["bytes", "errors", "clock", "config", "codec", "store", "command"],
  persistence: ["bytes", "errors", "clock", "config", "codec", "store"],
  replication: ["bytes", "errors", "clock", "config", "codec", "store", "command", "persistence"],
  acl: ["bytes", "errors", "clock", "config", "command", "persistence", "replication"],
  scripting: ["bytes", "errors", "clock", "config", "codec", "store", "command"],
  commands: [
    ...["bytes", "errors", "clock", "config", "codec", "store", "command"],
    ...["acl", "pubsub", "persistence", "replication", "scripting"],
  ],
  dispatch: [
    ...["bytes", "errors", "clock", "config", "codec", "store", "command"],
    ...["acl", "pubsub", "persistence", "replication", "scripting"],
  ],
  // A connection holds its replies back until the disk has what they acknowledge, hence store and persistence.
  socket: [
    ...["bytes", "errors", "clock", "config", "codec", "store", "command"],
    ...["acl", "persistence", "replication", "dispatch"],
  ],
}

/** The files beside the folders put everything together, so they may import everything. */
const compositions = ["Process.ts", "Server.ts", "Signals.ts", "index.ts", "main.ts"]

const linesMax = 600

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const src = join(root, "src")

interface Source {
  readonly path: string
  readonly folder: string
  readonly text: string
  /** Every specifier. */
  readonly imports: ReadonlyArray<string>
  /** Those that are still there when types are erased. */
  readonly runtimeImports: ReadonlyArray<string>
}

const importPattern = /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g

const readSource = (path: string): Source => {
  const text = readFileSync(join(src, path), "utf8")
  const found = [...text.matchAll(importPattern)].map((match) => ({
    specifier: (match[1] ?? match[2])!,
    erased: /^\s*(?:import|export)\s+type\s/.test(match[0]),
  }))
  return {
    path,
    folder: path.includes("/") ? path.slice(0, path.indexOf("/")) : path,
    text,
    imports: found.map(({ specifier }) => specifier),
    runtimeImports: found.filter(({ erased }) => !erased).map(({ specifier }) => specifier),
  }
}

const sources = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map(readSource)

/** The path below `src` of a relative import. */
const target = (from: Source, specifier: string): string =>
  relative(src, resolve(src, dirname(from.path), specifier)).replaceAll("\\", "/")

const isRelative = (specifier: string): boolean => specifier.startsWith(".")

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1")

describe("the import rule", () => {
  it("names every folder of src", () => {
    const known = [...Object.keys(mayImport), ...compositions]
    expect([...new Set(sources.map((source) => source.folder))].filter((folder) => !known.includes(folder))).toEqual([])
  })

  it("lets a folder import only folders listed above it, so that folders cannot form a circle", () => {
    const order = Object.keys(mayImport)
    for (const [folder, allowed] of Object.entries(mayImport)) {
      expect(allowed.filter((name) => order.indexOf(name) >= order.indexOf(folder) || !order.includes(name))).toEqual(
        [],
      )
    }
  })

  it("holds for every file", () => {
    const broken = sources.flatMap((source) => {
      if (compositions.includes(source.folder)) return []
      return source.imports
        .filter(isRelative)
        .map((specifier) => target(source, specifier))
        .filter((path) => {
          const folder = path.split("/")[0]!
          return folder !== source.folder && !mayImport[source.folder]?.includes(folder)
        })
        .map((path) => `${source.path} imports ${path}`)
    })
    expect(broken).toEqual([])
  })

  it("keeps src apart from test, and every relative import on a file that exists", () => {
    const broken = sources.flatMap((source) =>
      source.imports
        .filter(isRelative)
        .filter((specifier) => {
          const path = target(source, specifier)
          return path.startsWith("..") || !path.endsWith(".ts") || !existsSync(join(src, path))
        })
        .map((specifier) => `${source.path}: ${specifier}`),
    )
    expect(broken).toEqual([])
  })

  it("takes effect's modules one by one, which halves the time a start takes", () => {
    const barrel = /^(effect|@effect\/[a-z-]+)$/
    const broken = sources.flatMap((source) =>
      source.imports.filter((name) => barrel.test(name)).map((name) => `${source.path}: ${name}`),
    )
    expect(broken).toEqual([])
  })

  it("uses only packages that an installation brings", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const installed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const packageName = (specifier: string): string =>
      specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/")
    const broken = sources.flatMap((source) =>
      source.imports
        .filter((name) => !isRelative(name) && !name.startsWith("node:") && !installed.includes(packageName(name)))
        .map((name) => `${source.path}: ${name}`),
    )
    expect(broken).toEqual([])
  })
})

it("no file leads back to itself through its imports, those of types alone apart", () => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const finished = new Set<string>()
  const circles: Array<string> = []
  const visit = (source: Source, trail: ReadonlyArray<string>): void => {
    if (finished.has(source.path)) return
    const seenAt = trail.indexOf(source.path)
    if (seenAt >= 0) {
      circles.push([...trail.slice(seenAt), source.path].join(" -> "))
      return
    }
    for (const specifier of source.runtimeImports.filter(isRelative)) {
      const next = byPath.get(target(source, specifier))
      if (next !== undefined) visit(next, [...trail, source.path])
    }
    finished.add(source.path)
  }
  for (const source of sources) visit(source, [])
  expect(circles).toEqual([])
})

describe("every file", () => {
  it("opens with a comment that says what it is for", () => {
    const opens = (text: string): boolean => text.replace(/^#!.*\n/, "").startsWith("/**")
    expect(sources.filter((source) => !opens(source.text)).map((source) => source.path)).toEqual([])
  })

  it(`has at most ${linesMax} lines`, () => {
    const lines = (text: string): number => text.split("\n").length - 1
    expect(sources.filter((source) => lines(source.text) > linesMax).map((source) => source.path)).toEqual([])
  })

  it("asks the one clock for the time, and leaves waiting and chance to effect", () => {
    const hidden = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bsetTimeout\b|\bsetInterval\b/
    const broken = sources
      .filter((source) => source.folder !== "clock")
      .flatMap((source) =>
        withoutComments(source.text)
          .split("\n")
          .filter((line) => hidden.test(line))
          .map((line) => `${source.path}: ${line.trim()}`),
      )
    expect(broken).toEqual([])
  })
})

it("main.ts only composes: it declares no function and takes no decision", () => {
  const main = sources.find((source) => source.path === "main.ts")
  if (main === undefined) return
  expect(withoutComments(main.text)).not.toMatch(/\bfunction\s*\w|\bclass\b|\bif\s*\(|\bfor\s*\(|\bwhile\s*\(/)
})
