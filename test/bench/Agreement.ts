/**
 * Proof, before anything is timed, that two servers do the same work: the same commands in the same order must give the same
 * bytes. The commands are those of the load, with keys drawn from a small range so that they meet; their draws come from a
 * fixed seed. A server that answers faster because it answers something else is not compared.
 */
import type { Server } from "./Children.ts"
import { type Argv, Client } from "./Client.ts"
import { digits, type LoadTest, prepare, type Shape } from "./Load.ts"

const commandsPerTest = 400
const keys = 64

/** A repeatable source of draws in 0..limit-1 (a linear congruential generator; quality does not matter here). */
const draws = (seed: number): ((limit: number) => number) => {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

const sample = (test: LoadTest, sizeBytes: number): ReadonlyArray<Argv> => {
  const draw = draws(1)
  const fillIn = (argument: string): string => argument.replaceAll("__rand_int__", () => digits(draw(keys)))
  return Array.from({ length: commandsPerTest }, () => test.command(sizeBytes).map(fillIn))
}

const replies = async (server: Server, test: LoadTest, shape: Shape): Promise<ReadonlyArray<string>> => {
  await prepare(server, test, shape)
  const client = await Client.connect(server)
  const received = await client.send(sample(test, shape.sizeBytes))
  client.close()
  return test.unordered === true ? [...received].sort() : received
}

/** Throws with the first difference when `server` and `reference` answer a test differently. */
export const proveAgreement = async (
  reference: Server,
  server: Server,
  tests: ReadonlyArray<LoadTest>,
  sizeBytes: number,
): Promise<void> => {
  const shape: Shape = { clients: 1, pipeline: commandsPerTest, requests: commandsPerTest, sizeBytes, keys }
  for (const test of tests) {
    const expected = await replies(reference, test, shape)
    const actual = await replies(server, test, shape)
    const at = expected.findIndex((reply, i) => reply !== actual[i])
    if (at >= 0) {
      throw new Error(
        `${test.name}: ${server.name} and ${reference.name} differ at reply ${at}: ` +
          `${JSON.stringify(actual[at])?.slice(0, 200)} and ${JSON.stringify(expected[at])?.slice(0, 200)}`,
      )
    }
  }
}
