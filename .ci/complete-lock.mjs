/**
 * Completes package-lock.json after a dependency has changed: `node .ci/complete-lock.mjs`.
 *
 * Tools with native parts list one optional package per platform. Where the registry in use does not carry those of foreign
 * platforms, npm leaves them out of the lock file, and `npm ci` then refuses that lock file everywhere. This adds the
 * missing entries; their platform is read off their names, and without an `integrity` npm takes what the registry has.
 */
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("../package-lock.json", import.meta.url)
const systems = ["android", "darwin", "freebsd", "linux", "openbsd", "openharmony", "win32"]
const processors = ["arm64", "arm", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64"]

const lock = JSON.parse(readFileSync(file, "utf8"))
const packages = lock.packages
const added = []
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = [`node_modules/${name}`, `${path}/node_modules/${name}`].some((place) => place in packages)
    const words = name.slice(name.indexOf("/") + 1).split("-")
    const system = words.find((word) => systems.includes(word))
    const processor = words.find((word) => processors.includes(word))
    if (known || system === undefined || processor === undefined) continue
    const libc = words.find((word) => /^(gnu|musl)/.test(word))
    packages[`node_modules/${name}`] = {
      version,
      cpu: [processor],
      ...(entry.dev === true ? { dev: true } : {}),
      ...(system === "linux" && libc !== undefined ? { libc: [libc.startsWith("musl") ? "musl" : "glibc"] } : {}),
      license: entry.license,
      optional: true,
      os: [system],
      ...(entry.engines === undefined ? {} : { engines: entry.engines }),
    }
    added.push(name)
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en")))
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
console.log(added.length === 0 ? "nothing was missing" : `added ${added.length}: ${added.join(" ")}`)
