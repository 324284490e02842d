/**
 * Memory outside the heap for what is larger than a few records and smaller than a table: pages of one size, cut from regions so large
 * that the system's allocator maps each of them by itself, and each goes back to the system when the last of its pages does.
 *
 * Why: of pieces of this size the allocator takes more and more from its own heap, since whenever one that it had mapped is freed it maps
 * only larger ones from then on; and of its heap nothing goes back but what is free at the very end. Measured: after two sorted sets of a
 * million members were gone, 142 MiB of that heap stayed resident with nothing in it.
 *
 * The idea to hold: a page is a view of its region's buffer. Whoever is done with it gives it back; one that is garbage is found by the
 * collector and given back then. So whoever reads through another view of it has to hold the page as well.
 */
import * as Outside from "./Outside.ts"

export const pageBytes = 256 * 1024
const pageWords = pageBytes / 4
const pagesARegion = 128
/** So many pages of a collection lie in regions with those of others, the next ones in regions that nobody else takes pages from. */
const sharedMax = 16

interface Region {
  readonly words: Int32Array<ArrayBuffer>
  /** Pages that have been given back, and how many have ever been given out. */
  readonly free: Array<number>
  top: number
  /** Who alone takes pages from it. */
  readonly owner: PageSource | undefined
}

/** From the first made to the last: new pages come from the oldest one with a free page, so that the youngest become empty. */
const regions: Array<Region> = []
const regionOf = new Map<ArrayBufferLike, Region>()

const isPage = ({ byteLength, buffer }: Int32Array): boolean =>
  byteLength === pageBytes && buffer.byteLength > pageBytes

const freePages = ({ free, top }: Region): number => pagesARegion - top + free.length

/** Of pages that nobody gave back. */
const forgotten = new FinalizationRegistry<readonly [Region, page: number]>(([region, page]) => giveBack(region, page))

/** Regions there are: for tests. */
export const regionCount = (): number => regions.length

/** Where a collection takes its pages from, so that large ones that grew at the same time do not keep each other's regions. */
export class PageSource {
  private taken = 0

  /** So many words: a page when it is as many, and then they are whatever they were; otherwise an array of its own, all zero. */
  take(length: number): Int32Array<ArrayBuffer> {
    if (length !== pageWords) return Outside.take(length)
    const owner = this.taken++ < sharedMax ? undefined : this
    const region = regions.find((each) => each.owner === owner && freePages(each) > 0) ?? addRegion(owner)
    const page = region.free.pop() ?? region.top++
    Outside.addSpare(-pageBytes)
    const array = new Int32Array(region.words.buffer, page * pageBytes, pageWords)
    forgotten.register(array, [region, page], array)
    return array
  }
}

/** Nobody may use `array` or any view of its bytes any more. */
export const release = (array: Int32Array): void => {
  if (!isPage(array)) return Outside.release(array)
  if (forgotten.unregister(array)) giveBack(regionOf.get(array.buffer)!, array.byteOffset / pageBytes)
}

const addRegion = (owner: PageSource | undefined): Region => {
  const region: Region = { words: Outside.take(pagesARegion * pageWords), free: [], top: 0, owner }
  Outside.addSpare(pagesARegion * pageBytes)
  regions.push(region)
  regionOf.set(region.words.buffer, region)
  return region
}

const giveBack = (region: Region, page: number): void => {
  region.free.push(page)
  Outside.addSpare(pageBytes)
  if (freePages(region) < pagesARegion) return
  regions.splice(regions.indexOf(region), 1)
  regionOf.delete(region.words.buffer)
  Outside.addSpare(-pagesARegion * pageBytes)
  Outside.release(region.words)
}
