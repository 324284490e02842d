/**
 * Requests as others may see them (MONITOR, SLOWLOG): passwords are left out.
 */
const redacted = "(redacted)"

/** Settings whose values are not shown. */
const secretSettings = new Set(["masterauth", "masteruser", "requirepass"])

/** `argv` without secrets; the same array when there are none. */
export const redact = (name: string, argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (name === "auth") return argv.map((word, i) => (i === 0 ? word : redacted))
  if (name === "acl|setuser") return argv.map((word, i) => (i < 2 ? word : redacted))
  if (name === "hello") {
    const at = argv.findIndex((word, i) => i > 1 && word.toUpperCase() === "AUTH")
    return at < 0 ? argv : argv.map((word, i) => (i === at + 1 || i === at + 2 ? redacted : word))
  }
  if (name === "config|set") {
    // Where a value is missing nothing is set, and redis-server shows all.
    if (argv.length % 2 === 1) return argv
    return argv.map((word, i) =>
      i > 2 && i % 2 === 1 && secretSettings.has(argv[i - 1]!.toLowerCase()) ? redacted : word,
    )
  }
  return name === "migrate" ? withoutCredentials(argv) : argv
}

/** MIGRATE's options are looked at as far as they are understood; behind KEYS there are none. */
const withoutCredentials = (argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const shown = [...argv]
  for (let i = 6; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase()
    const secrets = word === "AUTH" ? 1 : word === "AUTH2" ? 2 : word === "COPY" || word === "REPLACE" ? 0 : undefined
    if (secrets === undefined || i + secrets >= argv.length) break
    for (const end = i + secrets; i < end;) shown[++i] = redacted
  }
  return shown
}
