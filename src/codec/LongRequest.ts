/**
 * A request with one long argument, which is still bytes: it becomes a string when somebody reads it as one, like any other argument,
 * and the one command that only stores it takes the bytes as they are.
 *
 * The idea to hold: an argument is a string for everybody (MONITOR, the log, MULTI's queue, scripts), who need not know this class. Of a
 * SET of 64 KiB at 19 us in redis-server, making the string and copying it out again cost 9 us and filled the young generation.
 *
 * How: its place in the array is empty, and reading it finds a getter in the prototype. That leaves the array in V8's usual form; a
 * getter in the array itself would turn it into a dictionary, and make all code that has met one slower by 5 ns an argument.
 */
import * as BufferPool from "../bytes/BufferPool.ts"

export class LongRequest extends Array<string> {
  /** What methods of arrays make is a plain array. */
  static override get [Symbol.species]() {
    return Array
  }

  private bytes: Buffer | undefined
  private bytesLength = 0
  private text: string | undefined
  private isTaken = false

  /**
   * Makes a request of `args`, whose place at `position` is empty, with the first `length` of `bytes` there. Both belong to it from now
   * on. Filling a new array of this kind would cost 400 ns, since V8 has to look at the prototype for each place; this takes 60.
   */
  static make(args: Array<string>, position: number, bytes: Buffer, length: number): LongRequest {
    const request = Object.setPrototypeOf(args, (position === 2 ? third : fourth).prototype) as LongRequest
    request.bytes = bytes
    request.bytesLength = length
    request.text = undefined
    request.isTaken = false
    return request
  }

  /** Whether a long argument at this position can stay bytes. Commands that store a string have it there. */
  static isPosition(position: number): boolean {
    return position === 2 || position === 3
  }

  /** Bytes and length of the argument at `position`, which belong to the caller then; absent when it is a string. */
  take(position: number): { readonly bytes: Buffer; readonly length: number } | undefined {
    if (this.bytes === undefined || this.isTaken || Object.hasOwn(this, position)) return undefined
    this.isTaken = true
    return { bytes: this.bytes, length: this.bytesLength }
  }

  /** The argument as a string. Taken by somebody, the bytes are still there until the command has run, or the string is. */
  read(): string {
    if (this.text === undefined) {
      this.text = this.bytes!.latin1Slice(0, this.bytesLength)
      if (!this.isTaken) BufferPool.give(this.bytes!)
      this.bytes = undefined
    }
    return this.text
  }
}

const at = (position: number): typeof LongRequest => {
  const kind = class extends LongRequest {}
  Object.defineProperty(kind.prototype, position, {
    get(this: LongRequest) {
      return position < this.length ? this.read() : undefined
    },
  })
  return kind
}
const third = at(2)
const fourth = at(3)
