/**
 * Joins what the program `tiny-redis` is made of, as tsc compiled it, to `dist/bin`: one file that a start loads, and further
 * ones that are loaded when `--help` and the like ask for them. src/README.md says what that saves.
 *
 * A file is replaced in one step, and only when it changed: a server may be starting from it just now.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = join(root, "dist/bin")

const license = readFileSync(join(root, "node_modules/effect/LICENSE"), "utf8").trim()

const { outputFiles } = await build({
  entryPoints: [join(root, "dist/main.js")],
  outdir: folder,
  bundle: true,
  splitting: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // It brings a file that is looked for beside it.
  external: ["wasmoon-lua5.1"],
  banner: { js: `/*! What comes from effect, @effect/* and their dependencies:\n\n${license}\n*/` },
  absWorkingDir: root,
  write: false,
})

const current = (path) => {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

mkdirSync(folder, { recursive: true })
for (const { path, contents } of outputFiles) {
  if (current(path)?.equals(contents)) continue
  const whole = `${path}.${process.pid}`
  writeFileSync(whole, contents, { mode: basename(path) === "main.js" ? 0o755 : 0o644 })
  renameSync(whole, path)
}
// Only the parts of former builds: another build may be writing its own.
const kept = new Set(outputFiles.map(({ path }) => basename(path)))
for (const name of readdirSync(folder)) if (name.endsWith(".js") && !kept.has(name)) rmSync(join(folder, name))
