/**
 * Joins what the program `tiny-redis` is made of, as tsc compiled it, to one file in `dist/bin`, and lays beside it what V8 makes of that
 * file and `main.js`, which launches it. src/README.md says what that saves.
 *
 * A file is replaced in one step, and only when it changed: a server may be starting from it just now.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = join(root, "dist/bin")

const hash = (text) => createHash("sha256").update(text).digest("hex").slice(0, 12)

const license = readFileSync(join(root, "node_modules/effect/LICENSE"), "utf8").trim()

const options = {
  outdir: folder,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  charset: "ascii",
  // `require` in place of `import()`: V8 asks for more than a compiled script to have that.
  supported: { "dynamic-import": false },
  // It brings a file that is looked for beside it.
  external: ["wasmoon-lua5.1"],
  define: { "import.meta.url": "programUrl" },
  banner: {
    js: `/*! What comes from effect, @effect/* and their dependencies:\n\n${license}\n*/
const programUrl = require("node:url").pathToFileURL(__filename).href`,
  },
  absWorkingDir: root,
  write: false,
}

/** One file out of the module and all it imports. */
const joined = async (module, plugins) => {
  const { outputFiles } = await build({ ...options, entryPoints: [join(root, "dist", module)], plugins })
  return outputFiles[0].text
}

/** A module that the program imports only when it needs it, with all that it imports, whether the program has it too or not. */
const later = { specifier: "./Cli.js", text: await joined("cli/Cli.js") }
const laterName = `cli-${hash(later.text)}.cjs`

/**
 * What a module imports while it runs, esbuild keeps whole with all that it needs, used or not, in the same file: 960 of then 2680 KB. So
 * scripts, which the program has anyway, are imported as everything else is, and what is imported later becomes a file of its own.
 */
const imports = {
  name: "imports",
  setup: ({ onLoad, onResolve }) => {
    onLoad({ filter: /dist\/Server\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8")
      const engine = /import\((".\/scripting\/LuaEngine.js")\)/
      if (!engine.test(text)) throw new Error(`${path} does not import the engine of scripts any more`)
      return {
        contents: `import * as engine from ${engine.exec(text)[1]}\n${text.replace(engine, "Promise.resolve(engine)")}`,
      }
    })
    onResolve({ filter: /.*/ }, ({ kind, path }) => {
      if (kind !== "dynamic-import") return undefined
      if (path !== later.specifier) throw new Error(`${path} is imported later, and has no file`)
      return { path: `./${laterName}`, external: true }
    })
  },
}

/** The `#!` of src/main.ts is that of the launcher. */
const program = (await joined("main.js", [imports])).replace(/^#!.*\n/, "")
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const flags = scripts.start.split(" ").filter((word) => word.startsWith("--"))
/** What was compiled is of use to this version of Node under these flags only. */
const name = `program-${hash([process.version, ...flags, program].join("\n"))}`
const launcher = readFileSync(join(root, ".ci/launch.cjs"), "utf8").replace("PROGRAM", name)

const current = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const put = (file, contents, mode) => {
  const path = join(folder, file)
  if (current(path) === contents) return
  const whole = `${path}.${process.pid}`
  writeFileSync(whole, contents, { mode })
  renameSync(whole, path)
}

mkdirSync(folder, { recursive: true })
put(laterName, later.text, 0o644)
put(`${name}.cjs`, program, 0o644)
// Loading what loads modules of the newer kind costs 17 ms.
put("package.json", '{ "type": "commonjs" }\n', 0o644)
put("main.js", launcher, 0o755)

const compiled = join(folder, `${name}.cjs.compiled`)
if (!existsSync(compiled)) {
  const args = [...flags, join(root, ".ci/precompile.mjs"), join(folder, "main.js"), compiled]
  const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], timeout: 60_000 })
  // Where no server can be started while building (no Unix sockets, say), one that is started later takes longer, and no more.
  if (status !== 0) console.warn("the program could not be started to compile it ahead: its start will take longer")
}

// Only what former builds left: another build may be writing its own.
for (const file of readdirSync(folder)) {
  if (/\.(c?js|compiled)$/.test(file) && !["main.js", laterName].includes(file) && !file.startsWith(name))
    rmSync(join(folder, file))
}
