/**
 * How the cost of a command grows with the size of what it works on. Each command runs at n = 1,000, 4,000, ... elements; the
 * server's CPU time per command is fitted by c * n^k over the larger half of the sizes, and k is printed beside the
 * complexity that Redis documents. A command is worse than documented when k is above what that complexity allows (0 with
 * room for logarithms, or 1 with room for noise) and redis-server's k in the same run is clearly lower: what both show is
 * memory that no longer fits the processor's caches. Where little else costs, only ours shows it (searching a packed list is a
 * fraction of a nanosecond an element as long as the caches hold it): steeper than redis-server, but still faster at the largest
 * size, is told as "steeper" and is not worse. Commands that change the size come in pairs that undo each other.
 * The fixed cost of reading a request hides growth at small n only, which is why the larger sizes decide.
 *
 * One step in the figures is of our own making and no growth: a reply of some ten thousand nested parts (XRANGE - +) outlives
 * the young generation, and from there on each part costs the collector up to four times what it did. With a young generation
 * of 128 MiB the step moves up with it.
 *
 * The verdict is the same on a busy machine: the least of several runs counts, processor time is read when the server has come to
 * rest, and what looks worse is measured twice more before it is called so.
 */
import { type Measurable, sleep, startOurs, startRedis } from "./Children.ts"
import { type Argv, Client } from "./Client.ts"
import type { Case, Complexity, Family } from "./complexity/Case.ts"
import { families } from "./complexity/index.ts"
import { table } from "./Report.ts"
import { growthExponent } from "./Statistics.ts"

const smallest = 1000
const factor = 4
/** Processor time is known to the nanosecond; this is long enough for the request that asks for nothing else not to count. */
const enoughSeconds = 0.008
const runs = 5
/** Runs of this length are dear, and two of them already tell a disturbed one. */
const longSeconds = 0.1
const repetitionsMax = 10_000
const replyBytesMax = 32 * 2 ** 20
/** Milliseconds after which a server counts as at rest although it goes on: collecting garbage, say. */
const settlingMax = 50
/** So often what looks worse is measured again: what disturbed it once does not come each time. */
const secondLooks = 2

/** The largest exponent that still counts as the documented complexity. */
const allowed: Readonly<Record<Complexity, number>> = {
  "O(1)": 0.3,
  "O(log N)": 0.35,
  "O(N)": 1.2,
  "O(N log N)": 1.3,
}

/** How much steeper than redis-server's growth ours must be to count. */
const clearly = 0.25

const sizesUpTo = (largest: number): ReadonlyArray<number> => {
  const sizes = [smallest]
  while (sizes[sizes.length - 1]! * factor <= largest) sizes.push(sizes[sizes.length - 1]! * factor)
  return sizes
}

/**
 * The processor time of a server that has come to rest. Until it waits again, up to a tick of the system's timer is missing: the least of
 * several runs would be the one that was read too soon.
 */
const settledSeconds = async (server: Measurable): Promise<number> => {
  let last = server.process.cpuSeconds()
  for (let left = settlingMax; left > 0; left--) {
    await sleep(1)
    const now = server.process.cpuSeconds()
    if (now === last) break
    last = now
  }
  return last
}

/** Server CPU in microseconds for one round of the case at size n: the least of several runs, each of enough repetitions. */
const costMicros = async (server: Measurable, client: Client, one: Case, n: number): Promise<number> => {
  let serial = 0
  const spend = async (repetitions: number): Promise<{ readonly seconds: number; readonly bytes: number }> => {
    const commands: Array<Argv> = []
    for (let i = 0; i < repetitions; i++) commands.push(...one.commands(serial++, n))
    const before = await settledSeconds(server)
    const replies = await client.send(commands)
    const seconds = (await settledSeconds(server)) - before
    const error = replies.find((reply) => reply.startsWith("-"))
    if (error !== undefined) throw new Error(`${one.name}: ${error.trim()}`)
    return { seconds, bytes: replies.reduce((sum, reply) => sum + reply.length, 0) }
  }
  let repetitions = 1
  for (;;) {
    const { seconds, bytes } = await spend(repetitions)
    const most = Math.min(repetitionsMax, Math.max(repetitions, (repetitions * replyBytesMax) / bytes))
    const more = Math.ceil(Math.min(most, repetitions * 8, (repetitions * enoughSeconds * 1.5) / seconds))
    if (seconds < enoughSeconds && more > repetitions) {
      repetitions = more
      continue
    }
    // A collection of garbage can make one run look long enough; the least of several cannot be taken in by it.
    let least = seconds
    for (let i = 1; i < (least > longSeconds ? 2 : runs); i++)
      least = Math.min(least, (await spend(repetitions)).seconds)
    if (least >= enoughSeconds / 3 || more <= repetitions) return Math.max((least * 1e6) / repetitions, 0.01)
    repetitions = more
  }
}

/** Cost by case name, one entry a size. */
type Costs = Map<string, Array<number>>

/** Measures cases of a family at the sizes from the `from`-th on, and keeps the least of each that was seen so far. */
const measureCases = async (
  server: Measurable,
  { family, cases, sizes, from = 0 }: Measurement,
  costs: Costs,
): Promise<void> => {
  // The smallest size twice: the first time the compiler has not yet seen the commands.
  const order = sizes.map((_, i) => i).slice(from)
  for (const i of from === 0 ? [0, ...order] : order) {
    const client = await Client.connect(server)
    await client.call("FLUSHALL")
    await family.fill(client, sizes[i]!)
    for (const one of cases) {
      const seen = costs.get(one.name) ?? []
      seen[i] = Math.min(seen[i] ?? Infinity, await costMicros(server, client, one, sizes[i]!))
      costs.set(one.name, seen)
    }
    client.close()
  }
}

interface Measurement {
  readonly family: Family
  readonly cases: ReadonlyArray<Case>
  readonly sizes: ReadonlyArray<number>
  readonly from?: number
}

interface Finding {
  readonly one: Case
  readonly exponent: number
  readonly reference: number | undefined
  readonly costs: ReadonlyArray<number>
  readonly redisLargest: number | undefined
  readonly verdict: "ok" | "steeper" | "WORSE"
}

/** The exponent of the larger half of the sizes. */
const exponentOf = (sizes: ReadonlyArray<number>, costs: ReadonlyArray<number>): number =>
  growthExponent(sizes.map((n, i) => [n, costs[i]!] as const).slice(sizes.length >> 1))

const judge = (
  one: Case,
  sizes: ReadonlyArray<number>,
  costs: ReadonlyArray<number>,
  theirs?: Array<number>,
): Finding => {
  const exponent = exponentOf(sizes, costs)
  const reference = theirs === undefined ? undefined : exponentOf(sizes, theirs)
  const redisLargest = theirs?.at(-1)
  const isSteeper = exponent > allowed[one.documented] && exponent > (reference ?? 0) + clearly
  const isFaster = redisLargest !== undefined && costs.at(-1)! < redisLargest
  return { one, exponent, reference, costs, redisLargest, verdict: !isSteeper ? "ok" : isFaster ? "steeper" : "WORSE" }
}

const findingsOf = async (
  ours: Measurable,
  redis: Measurable,
  family: Family,
  sizes: ReadonlyArray<number>,
): Promise<ReadonlyArray<Finding>> => {
  const mine: Costs = new Map()
  const theirs: Costs = new Map()
  const measure = async (measured: Measurement) => {
    await measureCases(ours, measured, mine)
    if (family.oursOnly !== true) await measureCases(redis, measured, theirs)
  }
  const judged = (): ReadonlyArray<Finding> =>
    family.cases.map((one) => judge(one, sizes, mine.get(one.name)!, theirs.get(one.name)))
  await measure({ family, cases: family.cases, sizes })
  for (let look = 0; look < secondLooks; look++) {
    const cases = judged()
      .filter(({ verdict }) => verdict === "WORSE")
      .map(({ one }) => one)
    if (cases.length > 0) await measure({ family, cases, sizes, from: sizes.length >> 1 })
  }
  return judged()
}

const shown = (micros: number): string => micros.toFixed(micros < 100 ? 1 : 0)

const named = (findings: ReadonlyArray<Finding>): string =>
  findings
    .map(
      ({ one, exponent, reference }) => `${one.name} (${exponent.toFixed(2)}, redis ${reference?.toFixed(2) ?? "-"})`,
    )
    .join(", ")

/** The family of that name, otherwise those that have it in their name. */
const familiesNamed = (name: string | undefined): ReadonlyArray<Family> => {
  if (name === undefined) return families
  const exact = families.filter((family) => family.name === name)
  return exact.length > 0 ? exact : families.filter((family) => family.name.includes(name))
}

export const measureComplexity = async (options: {
  readonly main: string | undefined
  readonly only: string | undefined
  readonly largest: number
}): Promise<number> => {
  const sizes = sizesUpTo(options.largest)
  const findings: Array<Finding> = []
  for (const family of familiesNamed(options.only)) {
    const began = performance.now()
    // A process of its own for each family: what one leaves behind, for the collector above all, is not the next one's.
    const [ours, redis] = [await startOurs(options.main), await startRedis()]
    findings.push(...(await findingsOf(ours, redis, family, sizes)))
    await Promise.all([ours.process.stop(), redis.process.stop()])
    console.error(`${family.name}: ${Math.round((performance.now() - began) / 1000)} s`)
  }
  const lines = findings.map(({ one, exponent, reference, costs, redisLargest, verdict }) => [
    ...[one.name, one.documented, exponent.toFixed(2), reference?.toFixed(2) ?? "-", ...costs.map(shown)],
    ...[redisLargest === undefined ? "-" : shown(redisLargest), verdict],
  ])
  console.log(
    table(["command", "documented", "growth", "redis", ...sizes.map((n) => `us at ${n}`), "redis there", ""], lines),
  )
  const worse = findings.filter(({ verdict }) => verdict === "WORSE")
  const steeper = findings.filter(({ verdict }) => verdict === "steeper")
  if (steeper.length > 0) console.log(`Steeper than redis-server, but faster at ${sizes.at(-1)}: ${named(steeper)}`)
  console.log(
    worse.length === 0
      ? `None of ${findings.length} commands is worse than documented`
      : `${worse.length} of ${findings.length} commands are worse than documented: ${named(worse)}`,
  )
  return worse.length === 0 ? 0 : 1
}
