/**
 * A user: whether it may come at all, by which passwords, and what it may do then. Rules change it one by one, as ACL SETUSER
 * gives them, and `describe` says in such rules what it has come to.
 *
 * The invariant: a request is allowed when one selector allows all of it. Only hashes of passwords are kept.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { flat } from "../bytes/Bytes.ts"
import { splitArguments } from "../bytes/Quoting.ts"
import type { Command } from "../command/Command.ts"
import type { Denial, Identity } from "../command/Identity.ts"
import type { Obstacle } from "../errors/AclErrors.ts"
import { type CommandTable, Refusal, Selector } from "./Selector.ts"

const hashOf = (password: string): string => createHash("sha256").update(password, "latin1").digest("hex")
const isHash = (word: string): boolean => /^[\da-f]{64}$/.test(word)

/** Which of two obstacles is told, when selectors meet different ones: the one further on. */
const rank: Readonly<Record<Obstacle, number>> = { command: 1, key: 2, channel: 4 }

export class User implements Identity {
  readonly name: string
  isUnrestricted = false
  enabled = false
  needsNoPassword = false
  /** Whether `sanitize-dump-payload clients` means this user's RESTORE. */
  private sanitize: "sanitize-payload" | "skip-sanitize-payload" | undefined
  private passwords: Array<string> = []
  /** The user's own selector first. */
  selectors: Array<Selector>

  constructor(name: string, allChannels: boolean) {
    this.name = name
    this.selectors = [new Selector(allChannels)]
  }

  copy(): User {
    const copy = new User(this.name, false)
    copy.become(this)
    return copy
  }

  /** Takes over everything but the name. */
  become(other: User): void {
    this.enabled = other.enabled
    this.needsNoPassword = other.needsNoPassword
    this.sanitize = other.sanitize
    this.passwords = [...other.passwords]
    this.selectors = other.selectors.map((selector) => selector.copy())
    this.refresh()
  }

  private refresh(): void {
    this.isUnrestricted = this.selectors.some((selector) => selector.isUnrestricted)
  }

  get skipsSanitizing(): boolean {
    return this.sanitize === "skip-sanitize-payload"
  }

  // --- rules -------------------------------------------------------------------------------------------------------

  /** Follows one rule; answers why it cannot. `allChannels` is what a reset, or a new selector, gives of channels. */
  apply(rule: string, table: CommandTable, allChannels: boolean): string | undefined {
    const refusal = this.follow(rule, table, allChannels)
    this.refresh()
    return refusal
  }

  private follow(rule: string, table: CommandTable, allChannels: boolean): string | undefined {
    if (rule === "") return undefined
    switch (rule.toLowerCase()) {
      case "on":
        this.enabled = true
        return undefined
      case "off":
        this.enabled = false
        return undefined
      case "nopass":
        this.needsNoPassword = true
        this.passwords = []
        return undefined
      case "resetpass":
        this.needsNoPassword = false
        this.passwords = []
        return undefined
      case "sanitize-payload":
      case "skip-sanitize-payload":
        this.sanitize = rule.toLowerCase() as "sanitize-payload" | "skip-sanitize-payload"
        return undefined
      case "clearselectors":
        this.selectors.length = 1
        return undefined
      case "reset":
        this.enabled = this.needsNoPassword = false
        this.sanitize = "sanitize-payload"
        this.passwords = []
        this.selectors = [new Selector(allChannels)]
        return undefined
    }
    const sign = rule[0]
    if (sign === ">" || sign === "#") return this.addPassword(rule)
    if (sign === "<" || sign === "!") return this.removePassword(rule)
    if (sign === "(" && rule.endsWith(")")) return this.addSelector(rule.slice(1, -1), table, allChannels)
    return this.selectors[0]!.apply(flat(rule), table)
  }

  private addPassword(rule: string): string | undefined {
    const isPlain = rule[0] === ">"
    if (!isPlain && !isHash(rule.slice(1))) return Refusal.badHash
    const hash = isPlain ? hashOf(rule.slice(1)) : flat(rule.slice(1))
    if (!this.passwords.includes(hash)) this.passwords.push(hash)
    this.needsNoPassword = false
    return undefined
  }

  private removePassword(rule: string): string | undefined {
    const isPlain = rule[0] === "<"
    if (!isPlain && !isHash(rule.slice(1))) return Refusal.badHash
    const at = this.passwords.indexOf(isPlain ? hashOf(rule.slice(1)) : rule.slice(1))
    if (at < 0) return Refusal.noSuchPassword
    this.passwords.splice(at, 1)
    return undefined
  }

  private addSelector(rules: string, table: CommandTable, allChannels: boolean): string | undefined {
    const selector = new Selector(allChannels)
    for (const rule of splitArguments(rules) ?? []) {
      const refusal = selector.apply(flat(rule), table)
      if (refusal !== undefined) return refusal
    }
    this.selectors.push(selector)
    return undefined
  }

  // --- questions ---------------------------------------------------------------------------------------------------

  accepts(password: string): boolean {
    if (!this.enabled) return false
    if (this.needsNoPassword) return true
    const given = Buffer.from(hashOf(password))
    // All are compared, so that the time taken does not tell which.
    return this.passwords.filter((hash) => timingSafeEqual(Buffer.from(hash), given)).length > 0
  }

  denial(command: Command, argv: ReadonlyArray<string>): Denial | undefined {
    let told: (Denial & { readonly position: number }) | undefined
    for (const selector of this.selectors) {
      const denial = selector.denial(command, argv)
      if (denial === undefined) return undefined
      const further = told === undefined ? 1 : rank[denial.obstacle] - rank[told.obstacle]
      if (further > 0 || (further === 0 && denial.position > told!.position)) told = denial
    }
    return told
  }

  readsAnyKey(command: Command, argv: ReadonlyArray<string>): boolean {
    return this.selectors.some((selector) => selector.readsAll && selector.denial(command, argv) === undefined)
  }

  // --- as text -----------------------------------------------------------------------------------------------------

  get flags(): ReadonlyArray<string> {
    return [
      this.enabled ? "on" : "off",
      ...(this.needsNoPassword ? ["nopass"] : []),
      ...(this.sanitize === undefined ? [] : [this.sanitize]),
    ]
  }

  get hashes(): ReadonlyArray<string> {
    return this.passwords
  }

  /** The rules that make a new user this one. */
  describe(table: CommandTable): string {
    const [own, ...others] = this.selectors.map((selector) => selector.describe(table))
    const words = [...this.flags, ...this.passwords.map((hash) => `#${hash}`), own!]
    return [...words, ...others.map((text) => `(${text})`)].join(" ")
  }
}

/** Puts selectors together that were given as several words; the word where one begins that does not end, if there is one. */
export const mergeSelectors = (
  words: ReadonlyArray<string>,
): { readonly rules: ReadonlyArray<string>; readonly unmatched: string | undefined } => {
  const rules: Array<string> = []
  let open: { readonly first: string; readonly text: string } | undefined
  for (const word of words) {
    if (open === undefined && word.startsWith("(") && !word.endsWith(")")) open = { first: word, text: word }
    else if (open === undefined) rules.push(word)
    else if (word.endsWith(")")) {
      rules.push(`${open.text} ${word}`)
      open = undefined
    } else open = { first: open.first, text: `${open.text} ${word}` }
  }
  return { rules, unmatched: open?.first }
}
