/**
 * How slowly keys are written or loaded: the settings `rdb-key-save-delay` and `key-load-delay`, with which tests look at what goes on
 * meanwhile.
 *
 * The idea to hold: whoever works through keys counts them, and rests when they come to a millisecond, which is as short as timers are. A
 * long rest looks now and then whether the setting still asks for it.
 */
import * as Effect from "effect/Effect"

/** Between two looks at the setting. */
const lookMs = 100

export class Pace {
  /** The setting: microseconds a key; -n is one microsecond every n keys. */
  private readonly setting: () => number
  /** Keys that have not been waited for. */
  private keys = 0

  constructor(setting: () => number) {
    this.setting = setting
  }

  private get delayMs(): number {
    const setting = this.setting()
    return (setting < 0 ? -1 / setting : setting) / 1000
  }

  count(keys: number): void {
    if (this.setting() !== 0) this.keys += keys
  }

  get isDue(): boolean {
    return this.keys > 0 && this.keys * this.delayMs >= 1
  }

  /** Waits for the keys that have been counted, but for what makes less than a millisecond. */
  readonly rest: Effect.Effect<void> = Effect.suspend(() => {
    const { delayMs } = this
    if (delayMs === 0) this.keys = 0
    if (!this.isDue) return Effect.void
    const ms = Math.min(lookMs, Math.floor(this.keys * delayMs))
    return Effect.flatMap(Effect.sleep(ms), () => {
      this.keys -= ms / delayMs
      return this.rest
    })
  })
}
