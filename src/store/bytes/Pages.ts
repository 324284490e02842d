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
 *
 * A region of which much is free again keeps all that was ever used of it. So in quiet moments its pages are copied to other regions, one
 * at a time (`tidy`, 0.1 ms), and it goes: whoever took a page says how another one takes its place. Measured: of ten million strings of
 * 16 + 32 bytes a tenth was left, and of the list of their positions one page in the last region, which kept 32 MiB.
 */
import * as Outside from "./Outside.ts"

export const pageBytes = 256 * 1024
const pageWords = pageBytes / 4
const pagesARegion = 128
/** So many pages of a collection lie in regions with those of others, the next ones in regions that nobody else takes pages from. */
const sharedMax = 16
/** A region is left when so many of its pages are free, and more than half as many as are used. */
const sparseMin = 4

type Page = Int32Array<ArrayBuffer>
/** Puts `to`, which holds the same, in the place of `from`, which is given back then. */
type Move = (from: Page, to: Page) => void

/** Held weakly: what is garbage must not be kept by its region. */
interface Taken {
  readonly source: WeakRef<PageSource>
  readonly page: WeakRef<Page>
}

interface Region {
  readonly words: Page
  /** Pages that have been given back, and how many have ever been given out. */
  readonly free: Array<number>
  top: number
  /** By number, those that are given out. */
  readonly taken: Array<Taken | undefined>
  /** The number of the source that alone takes pages from it, or 0. */
  readonly owner: number
}

/** From the first made to the last: new pages come from the oldest one with a free page, so that the youngest become empty. */
const regions: Array<Region> = []
const regionOf = new Map<ArrayBufferLike, Region>()

const isPage = ({ byteLength, buffer }: Int32Array): boolean =>
  byteLength === pageBytes && buffer.byteLength > pageBytes

const freePages = ({ free, top }: Region): number => pagesARegion - top + free.length

const isSparse = ({ free, top }: Region): boolean => free.length >= sparseMin && free.length * 2 > top - free.length

/** Of pages that nobody gave back. */
const forgotten = new FinalizationRegistry<readonly [Region, page: number]>(([region, page]) => giveBack(region, page))

/** Regions there are, and pages in them that were given back: for tests. */
export const regionCount = (): number => regions.length
export const idleCount = (): number => regions.reduce((sum, { free }) => sum + free.length, 0)

let sources = 0

/** Where a collection takes its pages from, so that large ones that grew at the same time do not keep each other's regions. */
export class PageSource {
  private readonly self = new WeakRef(this)
  private readonly number = ++sources
  private readonly onMove: Move
  /** Pages that it has. */
  private count = 0

  constructor(onMove: Move) {
    this.onMove = onMove
  }

  /** So many words: a page when it is as many, and then they are whatever they were; otherwise an array of its own, all zero. */
  take(length: number): Page {
    return length === pageWords ? this.takePage(isAny) : Outside.take(length)
  }

  private takePage(isFit: (region: Region) => boolean): Page {
    const owner = this.count++ < sharedMax ? 0 : this.number
    const region =
      regions.find((each) => each.owner === owner && freePages(each) > 0 && isFit(each)) ?? addRegion(owner)
    const page = region.free.pop() ?? region.top++
    Outside.addSpare(-pageBytes)
    const array = new Int32Array(region.words.buffer, page * pageBytes, pageWords)
    region.taken[page] = { source: this.self, page: new WeakRef(array) }
    forgotten.register(array, [region, page], array)
    return array
  }

  /** Moves a page to another region. */
  move(page: Page): void {
    const to = this.takePage((region) => !isSparse(region))
    to.set(page)
    this.onMove(page, to)
    release(page)
  }

  /** One of its pages was given back. */
  gave(): void {
    this.count--
  }
}

const isAny = (): boolean => true

/** Nobody may use `array` or any view of its bytes any more. */
export const release = (array: Int32Array): void => {
  if (!isPage(array)) return Outside.release(array)
  if (forgotten.unregister(array)) giveBack(regionOf.get(array.buffer)!, array.byteOffset / pageBytes)
}

const addRegion = (owner: number): Region => {
  const region: Region = { words: Outside.take(pagesARegion * pageWords), free: [], top: 0, taken: [], owner }
  Outside.addSpare(pagesARegion * pageBytes)
  regions.push(region)
  regionOf.set(region.words.buffer, region)
  return region
}

const giveBack = (region: Region, page: number): void => {
  region.taken[page]!.source.deref()?.gave()
  region.taken[page] = undefined
  region.free.push(page)
  Outside.addSpare(pageBytes)
  if (freePages(region) < pagesARegion) {
    if (isTidy && isSparse(region)) {
      isTidy = false
      for (const onSparse of listeners) onSparse()
    }
    return
  }
  regions.splice(regions.indexOf(region), 1)
  regionOf.delete(region.words.buffer)
  Outside.addSpare(-pagesARegion * pageBytes)
  Outside.release(region.words)
}

/** Whether nobody has been told of a sparse region since the last one was left. */
let isTidy = true
const listeners = new Set<() => void>()

/** Calls `onSparse` when there is something for `tidy` to do, until the function returned is called. */
export const listen = (onSparse: () => void): (() => void) => {
  listeners.add(onSparse)
  return () => listeners.delete(onSparse)
}

/** Moves a page out of a sparse region. False when there is none: those of garbage wait for the collector. */
export const tidy = (): boolean => {
  for (const region of regions) {
    if (!isSparse(region)) continue
    for (const taken of region.taken) {
      const page = taken?.page.deref()
      const source = taken?.source.deref()
      if (page === undefined || source === undefined) continue
      source.move(page)
      return true
    }
  }
  isTidy = true
  return false
}
