/**
 * The ACL file: a line for each user, as ACL LIST shows it. Reading gives all users or the reasons why there are none.
 */
import { mergeSelectors, User } from "./User.ts"
import { type CommandTable, hasSpaces, Refusal } from "./Selector.ts"

/** Cuts what C's `sdstrim` cuts, and no other white space. */
const trim = (text: string): string => text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "")

export interface ReadFile {
  readonly users: ReadonlyMap<string, User>
  /** Empty where every line is right. */
  readonly reasons: string
}

export const read = (text: string, path: string, table: CommandTable, allChannels: boolean): ReadFile => {
  const users = new Map<string, User>()
  let reasons = ""
  for (const [i, line] of text.split("\n").entries()) {
    const at = `${path}:${i + 1}`
    const trimmed = trim(line)
    if (trimmed === "") continue
    const [keyword, name, ...words] = trimmed.split(" ")
    if (keyword !== "user" || name === undefined) {
      reasons += `${at} should start with user keyword followed by the username. `
      continue
    }
    if (hasSpaces(name)) {
      reasons += `'${at}: username '${name}' contains invalid characters. `
      continue
    }
    if (users.has(name)) {
      reasons += `WARNING: Duplicate user '${name}' found on line ${i + 1}. `
      continue
    }
    const user = new User(name, allChannels)
    users.set(name, user)
    const { rules, unmatched } = mergeSelectors(words)
    if (unmatched !== undefined) reasons += `${at}: Unmatched parenthesis in selector definition.`
    let told = false
    for (const rule of rules.map((word) => word.replace(/^[\t\r\n]+|[\t\r\n]+$/g, ""))) {
      const refusal = user.apply(rule, table, allChannels)
      if (refusal === undefined) continue
      // Of the others only the first is told, since it may be a password, or have spoilt those behind it.
      if (refusal === Refusal.unknown) reasons += `${at}: Error in applying operation '${rule}': ${refusal}. `
      else if (!told) {
        reasons += `${at}: ${refusal}. `
        told = true
      }
    }
  }
  return { users, reasons: reasons === "" ? "" : `${reasons}${unchanged}` }
}

const unchanged = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
