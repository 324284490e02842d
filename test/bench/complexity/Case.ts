/**
 * What the cases of all types are made of. `commands(i, n)` gives the i-th round of a case on a value of n elements; a round
 * that adds also takes away, so that n stays n. What a command costs "at the documented place" is meant: LINDEX at the ends
 * is O(1), in the middle O(N).
 */
import { type Argv, type Client, fill } from "../Client.ts"
import { digits } from "../Load.ts"

/** As Redis documents it, in the size of the value (or of the database): what else a command depends on stays the same. */
export type Complexity = "O(1)" | "O(log N)" | "O(N)" | "O(N log N)"

export interface Case {
  readonly name: string
  readonly documented: Complexity
  readonly commands: (round: number, n: number) => ReadonlyArray<Argv>
}

export interface Family {
  readonly name: string
  readonly fill: (client: Client, n: number) => Promise<void>
  readonly cases: ReadonlyArray<Case>
  /** What redis-server 7.0.15 does not have, so that there is nothing to compare with. */
  readonly oursOnly?: boolean
}

/**
 * What one name costs that comes and goes in a large value, as a lock does: tables that only mark a removed entry can grow a
 * long trail of marks behind that one name.
 */
export const comesAndGoes = (come: Argv, go: Argv): Case => ({
  name: `${come[0]}, ${go[0]} of one name`,
  documented: "O(1)",
  commands: () => [come, go],
})

/** The same scattered index each time: 7919 is prime, so the walk meets every element of a size that it does not divide. */
const pick = (round: number, n: number): number => (round * 7919) % n

export const member = (index: number): string => `m${digits(index)}`

/** Elements a command when a value is filled. */
const chunk = 200

export const fillWith =
  (command: ReadonlyArray<string>, element: (index: number) => ReadonlyArray<string>) =>
  (client: Client, n: number): Promise<void> =>
    fill(client, Math.ceil(n / chunk), (part) => {
      const elements = Array.from({ length: Math.min(chunk, n - part * chunk) }, (_, i) => element(part * chunk + i))
      return [...command, ...elements.flat()]
    })

/** A command on the whole value, or on a fixed place of it. */
export const fixed = (documented: Complexity, ...argv: ReadonlyArray<string>): Case => {
  const key = argv[0] === "XINFO" ? 2 : 1
  return { name: argv.filter((_, i) => i !== key).join(" "), documented, commands: () => [argv] }
}

/** A command on an element drawn anew each time. */
export const at = (name: string, documented: Complexity, argv: (index: number, n: number) => Argv): Case => ({
  name,
  documented,
  commands: (round, n) => [argv(pick(round, n), n)],
})

/** Several commands that leave the size as it was. */
export const named = (
  name: string,
  documented: Complexity,
  commands: (round: number, n: number) => ReadonlyArray<Argv>,
): Case => ({ name, documented, commands })

/** The same, named after the commands. */
export const together = (documented: Complexity, commands: (round: number, n: number) => ReadonlyArray<Argv>): Case =>
  named(
    commands(1, 1000)
      .map(([command]) => command)
      .join(", "),
    documented,
    commands,
  )
