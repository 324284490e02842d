/**
 * What an installation gets: the manifest's promises, checked without the network. That the packed archive really installs
 * and runs is a step of `.ci/run`.
 */
import { readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const json = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"))
const manifest = json("package.json")
const lock = json("package-lock.json")

it("effect and its platform are peers, so that an embedding program has one copy, and are there for development", () => {
  for (const name of ["effect", "@effect/platform", "@effect/platform-node"]) {
    expect(manifest.peerDependencies[name]).toBe(manifest.devDependencies[name])
    expect(manifest.dependencies).not.toHaveProperty(name)
  }
})

it("the binary is the compiled main.ts in one piece, which begins by naming its interpreter", () => {
  expect(manifest.bin).toEqual({ "tiny-redis": "dist/bin/main.js" })
  expect(readFileSync(join(root, "src/main.ts"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/)
})

it("the lock file knows the native parts of every platform; without them `npm ci` refuses it (.ci/complete-lock.mjs)", () => {
  const packages: Record<string, { optionalDependencies?: Record<string, string> }> = lock.packages
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  )
  expect(missing).toEqual([])
})

it("the lock file agrees with the manifest", () => {
  const { dependencies, devDependencies, peerDependencies } = lock.packages[""]
  expect({ dependencies, devDependencies, peerDependencies }).toEqual({
    dependencies: manifest.dependencies,
    devDependencies: manifest.devDependencies,
    peerDependencies: manifest.peerDependencies,
  })
})
