/**
 * What was promised survives whatever the disk does. Each seed draws a policy, a load of changes with snapshots and rewrites among them,
 * faults, and the moment and kind of the crash; then a new server starts from what is left.
 *
 * The promise: what is found is the state after some change, never an earlier one than the last that was acknowledged (`always`), or than
 * the last that was acknowledged two seconds before the crash or before writes were refused (`everysec`).
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { Chance, type ChanceService } from "../../src/clock/Chance.ts"
import { Clock, type ClockService } from "../../src/clock/Clock.ts"
import { Config, type ConfigService } from "../../src/config/Config.ts"
import { FileSystem } from "../../src/persistence/disk/FileSystem.ts"
import * as Files from "../../src/persistence/Files.ts"
import { Persistence, type PersistenceService } from "../../src/persistence/Persistence.ts"
import { Store, type StoreService } from "../../src/store/Store.ts"
import { stored } from "../../src/store/Value.ts"
import { chances, FailingDisk, noFaults } from "../support/FailingDisk.ts"
import * as VirtualClock from "../support/VirtualClock.ts"

type Policy = "always" | "everysec" | "no"

interface Choices {
  readonly policy: Policy
  readonly preamble: boolean
}

/**
 * Runs `use` with a server on `disk`. Two such servers are most of what a seed costs, and merging layers, each built in fibers of its own,
 * would be half of that: here they are built one after the other, with doubles for what is not under test.
 */
const withServer = <A, E>(
  disk: FailingDisk,
  time: VirtualClock.VirtualClock,
  { policy, preamble }: Choices,
  use: Effect.Effect<A, E, Clock | Persistence | Store>,
): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const store = yield* Layer.build(stores)
    const persistence = yield* Effect.provide(Layer.build(files), store)
    return yield* Effect.provide(use, Context.merge(store, persistence))
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Context.make(Clock, clockOf(time)).pipe(
        Context.add(Chance, chanceOf(chances(1))),
        Context.add(Config, settings(policy, preamble)),
        Context.add(FileSystem, disk.service),
      ),
    ),
    Effect.withClock(time),
  )

const stores = Store.layerMemory({ databases: 2 })
const files = Files.layer({ usedMemory: () => 0 })

const clockOf = (time: VirtualClock.VirtualClock): ClockService => ({
  now: () => time.unsafeCurrentTimeMillis(),
  nowMicros: () => time.unsafeCurrentTimeMillis() * 1000,
  sleepUntil: (atMs) => time.sleep(Duration.millis(Math.max(0, atMs - time.unsafeCurrentTimeMillis()))),
})

const chanceOf = (next: () => number): ChanceService => ({ next, below: (bound) => Math.floor(next() * bound) })

/** Reading the table of settings takes longer than a simulated crash, so it is done once for each choice. */
const settings = (policy: Policy, preamble: boolean): ConfigService => {
  const name = `${policy} ${preamble}`
  const known = configs.get(name)
  if (known !== undefined) return known
  const values = { dir: "/tmp", appendonly: true, appendfsync: policy, save: [], aofUseRdbPreamble: preamble }
  const config = Effect.runSync(Effect.provide(Config, Config.layer(values)))
  configs.set(name, config)
  return config
}
const configs = new Map<string, ConfigService>()

/** Carries out the few commands that the test logs. */
const apply = (store: StoreService, db: number, argv: ReadonlyArray<string>): void => {
  const database = store.database(db)!
  if (argv[0] === "SET") database.set(argv[1]!, stored(argv[2]!))
  else if (argv[0] === "DEL") database.remove(argv[1]!)
  else if (argv[0] === "FLUSHDB") database.clear()
}

const start = (persistence: PersistenceService, store: StoreService) => {
  let selected = 0
  return persistence.start({
    replay: {
      command: (argv) => {
        if (argv[0] === "SELECT") selected = Number(argv[1])
        else apply(store, selected, argv)
        return undefined
      },
      functionLibrary: () => undefined,
    },
    functionLibraries: () => [],
  })
}

const fingerprint = (store: StoreService): string => {
  const found: Array<string> = []
  for (const db of store.databases) {
    for (let i = 0; i < db.size; i++) {
      const key = db.keyspace.keyAt(i)
      found.push(`${db.index} ${key} ${String(db.keyspace.peek(key))}`)
    }
  }
  return found.sort().join("\n")
}

/** Lets other fibers run, and real immediates between slices of a snapshot. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

interface Outcome {
  /** States in order; the first is the empty one. */
  readonly states: ReadonlyArray<string>
  /** Index of the oldest state that may be found. */
  readonly promised: number
}

const load = (disk: FailingDisk, policy: Policy, chance: () => number, time: VirtualClock.VirtualClock) =>
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const store = yield* Store
    const clock = yield* Clock
    const states = [fingerprint(store)]
    /** For each state when it was acknowledged, -1 where it was not. */
    const acknowledgedAt = [clock.now()]
    /** When writes were last seen not to be refused. */
    let healthyAt = clock.now()
    const look = () => {
      if (persistence.refusal() === undefined && !disk.isDead) healthyAt = clock.now()
    }
    yield* start(persistence, store)
    disk.diesAt = disk.operations + Math.floor(chance() ** 2 * 400)
    const steps = 10 + Math.floor(chance() * 60)
    for (let step = 0; step < steps && !disk.isDead; step++) {
      look()
      const draw = chance()
      if (draw < 0.1) {
        disk.faults =
          chance() < 0.5
            ? noFaults
            : {
                write: chance() < 0.5 ? 0.3 : 0,
                sync: chance() < 0.3 ? 0.3 : 0,
                rename: chance() < 0.2 ? 0.3 : 0,
                open: chance() < 0.2 ? 0.3 : 0,
                truncate: chance() < 0.2 ? 0.5 : 0,
                space: chance() < 0.2 ? 600 + Math.floor(chance() * 2000) : Infinity,
              }
      } else if (draw < 0.14) persistence.rewriteLog()
      else if (draw < 0.17) persistence.saveInBackground(true)
      else if (draw < 0.35) {
        for (let left = Math.floor(chance() * 3000); left > 0; left -= 250) {
          yield* time.advance(Math.min(left, 250))
          look()
        }
      } else if (draw < 0.4) yield* turn
      else {
        if (persistence.refusal() !== undefined) {
          yield* turn
          continue
        }
        const changes = Array.from({ length: chance() < 0.2 ? 3 : 1 }, () => ({
          db: chance() < 0.8 ? 0 : 1,
          argv:
            chance() < 0.02
              ? ["FLUSHDB"]
              : chance() < 0.8
                ? ["SET", `k${Math.floor(chance() * 8)}`, `${step}-${"v".repeat(Math.floor(chance() * 40))}`]
                : ["DEL", `k${Math.floor(chance() * 8)}`],
        }))
        for (const { db, argv } of changes) apply(store, db, argv)
        const unit =
          changes.length === 1
            ? changes
            : [{ db: changes[0]!.db, argv: ["MULTI"] }, ...changes, { db: changes[0]!.db, argv: ["EXEC"] }]
        persistence.append(unit)
        states.push(fingerprint(store))
        acknowledgedAt.push(-1)
        const state = states.length - 1
        const result = persistence.mustCommit() ? yield* Effect.either(persistence.commit) : Either.void
        // No time passes between a change and its write beyond what the event loop takes.
        yield* Effect.repeatN(Effect.yieldNow(), 4)
        if (Either.isRight(result) && !disk.isDead) acknowledgedAt[state] = clock.now()
      }
    }
    // Virtual time is the crash's: what was acknowledged two seconds before must be there, unless writes were already refused.
    const limit = policy === "always" ? Infinity : policy === "everysec" ? healthyAt - 2000 : -Infinity
    let promised = 0
    acknowledgedAt.forEach((at, index) => {
      if (at >= 0 && at < limit) promised = index
    })
    return { states, promised } satisfies Outcome
  })

/** Carries out one seed; fails with what the disk did and the seed's number when a promise was broken. */
export const round = (seed: number) =>
  Effect.gen(function* () {
    const chance = chances(seed)
    const policy = (["always", "always", "everysec", "everysec", "no"] as const)[Math.floor(chance() * 5)]!
    const preamble = chance() < 0.7
    const disk = new FailingDisk(seed)
    const time = VirtualClock.make()
    const choices = { policy, preamble }
    const outcome = yield* withServer(disk, time, choices, load(disk, policy, chance, time))
    const powerCut = chance() < 0.5
    const left = powerCut ? disk.afterPowerCut() : disk.afterKill()
    const restart = Effect.gen(function* () {
      const store = yield* Store
      yield* start(yield* Persistence, store)
      return fingerprint(store)
    })
    const found = yield* Effect.either(withServer(left, time, choices, restart))
    const context = `seed ${seed} ${policy} ${powerCut ? "power cut" : "kill"}\n${disk.history.join("\n")}`
    if (Either.isLeft(found)) {
      // A sync that failed leaves a hole at a power cut unless the rest is cut off before, which failed or did not happen any more: three faults in a row, and no promise.
      const hole =
        powerCut && ["sync", "truncate"].every((kind) => disk.history.some((line) => line.includes(` ${kind} `)))
      if (hole && found.left._tag === "DamagedFile") return 0
    }
    if (Either.isLeft(found)) throw new Error(`${context}\ndid not start: ${String(found.left)}`)
    const index = outcome.states.lastIndexOf(found.right)
    if (index < 0)
      throw new Error(`${context}\nfound a state that never was:\n${found.right}\nlast: ${outcome.states.at(-1)}`)
    if (index < outcome.promised) {
      throw new Error(`${context}\nfound state ${index} of ${outcome.states.length - 1}, promised ${outcome.promised}`)
    }
    return index
  })
