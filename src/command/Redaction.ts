/**
 * Requests as others may see them (MONITOR, SLOWLOG): passwords are left out.
 */
const redacted = "(redacted)"

/** `argv` without secrets; the same array when there are none. */
export const redact = (name: string, argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (name === "auth") return argv.map((word, i) => (i === 0 ? word : redacted))
  if (name === "acl|setuser") return argv.map((word, i) => (i < 2 ? word : redacted))
  if (name === "hello") {
    const at = argv.findIndex((word, i) => i > 1 && word.toUpperCase() === "AUTH")
    return at < 0 ? argv : argv.map((word, i) => (i === at + 1 || i === at + 2 ? redacted : word))
  }
  if (name === "config|set") {
    return argv.map((word, i) =>
      i > 2 && i % 2 === 1 && argv[i - 1]!.toLowerCase() === "requirepass" ? redacted : word,
    )
  }
  return argv
}
