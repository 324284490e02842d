/**
 * The stream of changes as a replica takes it: runs what is whole, passes the same bytes on to the history, and knows how far it has come.
 *
 * The idea to hold: the offset counts whole units only. A transaction that is torn has not begun, so who takes over, or asks the master
 * to go on, stands between two units.
 */
import { Pieces } from "../../bytes/Pieces.ts"
import { LogReader } from "../../persistence/log/LogText.ts"
import { Damaged } from "../../persistence/rdb/Format.ts"
import type { Applier } from "./Applier.ts"
import type { History } from "../History.ts"

/** Failed requests that are told one by one. */
const failuresTold = 10

export class Stream {
  /** The master asked how far we are. */
  wantsAck = false
  /** To be told the operator. */
  readonly warnings: Array<string> = []
  private readonly applier: Applier
  private readonly history: History
  private readonly reader: LogReader
  /** What has come and is not part of a whole unit yet. */
  private readonly text = new Pieces()
  private failures = 0

  constructor(applier: Applier, history: History) {
    this.applier = applier
    this.history = history
    this.reader = new LogReader(
      {
        command: (argv) => this.command(argv),
        transaction: (commands) => this.run(commands),
        timestamp: () => false,
      },
      history.offset,
    )
  }

  /** Bytes that wait for the rest of their unit. */
  get waitingBytes(): number {
    return this.text.length
  }

  /** Takes what comes next. Throws `Damaged`; what came before the damage has been run and counted. */
  feed(chunk: Buffer): void {
    const { applier, history, reader } = this
    this.text.add(chunk.latin1Slice())
    applier.tick()
    try {
      reader.feed(chunk)
      if (reader.stopped) throw new Damaged(reader.offset, "an annotation, which only logs have")
    } finally {
      const { offset } = reader
      if (offset > history.offset) {
        while (history.offset < offset) history.feed(this.text.take(offset - history.offset))
        history.selected = applier.database()
      }
      applier.tock()
    }
  }

  private command(argv: ReadonlyArray<string>): void {
    const name = argv[0]!
    // What keeps the link alive is for nobody else.
    if (name.length === 4 && name.toLowerCase() === "ping") return
    if (name.length === 8 && name.toLowerCase() === "replconf") {
      if (argv[1]?.toLowerCase() === "getack") this.wantsAck = true
      return
    }
    this.run([argv])
  }

  private run(commands: ReadonlyArray<ReadonlyArray<string>>): void {
    const failed = this.applier.apply(commands)
    if (failed.length === 0) return
    for (const reason of failed) {
      if (++this.failures <= failuresTold) this.warnings.push(reason)
      if (this.failures === failuresTold) this.warnings.push("further ones are not told")
    }
    const select = commands.find(([name]) => name!.toLowerCase() === "select")
    // What follows would change another database.
    if (select !== undefined) throw new Damaged(this.reader.offset, `this server has no database ${select[1]}`)
  }
}
