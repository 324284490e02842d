/**
 * The one stream of changes as replicas know it: a name, how far it has come, and its last bytes.
 *
 * The idea to hold: two servers whose histories have the same id and offset have the same data. A server that was a replica and
 * goes on as a master takes a new id, and keeps the old one as far as it is the same history: `secondId` up to `secondOffset`.
 */
import type { ChanceService } from "../clock/Chance.ts"
import * as LogText from "../persistence/log/LogText.ts"
import type { Change } from "../persistence/Persistence.ts"
import { Backlog } from "./Backlog.ts"

/** The second id of a history that has none. */
export const noId = "0".repeat(40)

/** 40 hex digits. */
export const randomId = ({ below }: ChanceService): string => {
  let id = ""
  for (let i = 0; i < 10; i++) id += below(0x10000).toString(16).padStart(4, "0")
  return id
}

export class History {
  secondId = noId
  /** The first offset that is not `secondId`'s any more; -1 without one. */
  secondOffset = -1
  /** Bytes of the stream so far. */
  offset = 0
  /** Made when the first replica comes. Without one nothing is kept and the offset stands still. */
  backlog: Backlog | undefined = undefined
  /** Called with each piece of the stream. */
  readonly followers: Array<(text: string) => void> = []
  /** Called when the history has got another name, or become another one. */
  readonly renamed: Array<() => void> = []
  /**
   * The database that the stream has selected; -1: whoever begins to read it here knows none. A replica notes here what its master's
   * stream selects.
   */
  selected = -1
  private readonly feeder: LogText.Sink = { add: (text) => this.feed(text) }
  private readonly chance: ChanceService
  private ownId: string | undefined
  constructor(chance: ChanceService) {
    this.chance = chance
  }

  /** 40 hex digits, drawn when somebody asks, so that a server without replicas draws none. */
  get id(): string {
    return (this.ownId ??= randomId(this.chance))
  }

  /** Goes on as a history that nobody knows, from where it is. */
  begin(): void {
    this.ownId = randomId(this.chance)
    this.secondId = noId
    this.secondOffset = -1
  }

  /** A replica becomes a master: what it knows so far is also its old master's. */
  branch(): void {
    this.continueAs(randomId(this.chance))
  }

  /** The same history has another name from here on. */
  continueAs(id: string): void {
    this.secondId = this.id
    this.secondOffset = this.offset + 1
    this.ownId = id
    this.selected = -1
    this.tellRenamed()
  }

  /** Another server's history, with all its data, as of `offset`. */
  adopt(id: string, offset: number): void {
    this.ownId = id
    this.offset = offset
    this.secondId = noId
    this.secondOffset = -1
    this.selected = -1
    if (this.backlog !== undefined) this.backlog = new Backlog(this.backlog.size, offset)
    this.tellRenamed()
  }

  /**
   * A server begins with data that is this history as of `offset`. A replica has it as it was; of a master, which may have gone on
   * behind the snapshot, it is the past.
   */
  restore(id: string, offset: number, isMaster: boolean): void {
    this.offset = offset
    if (!isMaster) {
      this.ownId = id
      return
    }
    this.ownId = undefined
    this.secondId = id
    this.secondOffset = offset + 1
  }

  private tellRenamed(): void {
    for (let i = 0; i < this.renamed.length; i++) this.renamed[i]!()
  }

  /** Whether who has the history `id` up to the byte before `offset` can go on with what is kept here. */
  continues(id: string, offset: number): boolean {
    const name = id.toLowerCase()
    const isThis = name === this.id || (name === this.secondId && offset <= this.secondOffset)
    return isThis && this.backlog?.has(offset) === true
  }

  keep(bytes: number): void {
    this.backlog ??= new Backlog(bytes, this.offset)
  }

  /** Adds changes that belong together. */
  append(changes: ReadonlyArray<Change>): void {
    this.selected = LogText.write(changes, this.selected, this.feeder)
  }

  /** Adds bytes as they are, as a replica passes on what its master says. */
  feed(text: string): void {
    this.offset += text.length
    this.backlog?.write(text)
    for (let i = 0; i < this.followers.length; i++) this.followers[i]!(text)
  }
}
