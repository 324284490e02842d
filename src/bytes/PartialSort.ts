/**
 * Sorting of which only a part of the result is wanted (SORT LIMIT, GEOSEARCH COUNT): the wanted positions get what a full
 * sort would put there. It is the quicksort of Bentley and McIlroy ("Engineering a sort function", 1993) that leaves out the
 * parts outside of the range, O(n + m log m) on average.
 *
 * The idea to hold: it is not stable, and Redis uses the same algorithm. Its choices are therefore kept to the letter, down
 * to the pivots, so that elements that compare equal come out in Redis's order.
 */

type Compare<T> = (left: T, right: T) => number

const swap = <T>(values: Array<T>, i: number, j: number): void => {
  const value = values[i]!
  values[i] = values[j]!
  values[j] = value
}

const swapRuns = <T>(values: Array<T>, i: number, j: number, count: number): void => {
  for (let n = 0; n < count; n++) swap(values, i + n, j + n)
}

/** Which of three positions holds the middle value. */
const middleOf = <T>(values: Array<T>, a: number, b: number, c: number, compare: Compare<T>): number => {
  const x = values[a]!
  const y = values[b]!
  const z = values[c]!
  if (compare(x, y) < 0) return compare(y, z) < 0 ? b : compare(x, z) < 0 ? c : a
  return compare(y, z) > 0 ? b : compare(x, z) < 0 ? a : c
}

const insertionSort = <T>(values: Array<T>, start: number, count: number, compare: Compare<T>): void => {
  for (let i = start + 1; i < start + count; i++) {
    for (let j = i; j > start && compare(values[j - 1]!, values[j]!) > 0; j--) swap(values, j, j - 1)
  }
}

/** The median of three for medium parts, and of three medians of three for large ones. */
const pivotOf = <T>(values: Array<T>, start: number, count: number, compare: Compare<T>): number => {
  const middle = start + (count >>> 1)
  if (count <= 7) return middle
  const last = start + count - 1
  if (count <= 40) return middleOf(values, start, middle, last, compare)
  const step = count >>> 3
  const low = middleOf(values, start, start + step, start + 2 * step, compare)
  const center = middleOf(values, middle - step, middle, middle + step, compare)
  const high = middleOf(values, last - 2 * step, last - step, last, compare)
  return middleOf(values, low, center, high, compare)
}

/** Sorts `values` in place as far as the positions `first` to `last`, both included, are concerned. */
export const partialSort = <T>(values: Array<T>, compare: Compare<T>, first: number, last: number): void =>
  sortPart(values, 0, values.length, compare, first, last)

const sortPart = <T>(
  values: Array<T>,
  from: number,
  length: number,
  compare: Compare<T>,
  first: number,
  last: number,
): void => {
  let start = from
  let count = length
  for (;;) {
    if (count < 7) return insertionSort(values, start, count, compare)
    swap(values, start, pivotOf(values, start, count, compare))
    const pivot = values[start]!
    // Equal values gather at both ends, smaller ones before `b`, greater ones after `c`.
    let a = start + 1
    let b = a
    let c = start + count - 1
    let d = c
    for (;;) {
      for (let order = 0; b <= c && (order = compare(values[b]!, pivot)) <= 0; b++)
        if (order === 0) swap(values, a++, b)
      for (let order = 0; b <= c && (order = compare(values[c]!, pivot)) >= 0; c--)
        if (order === 0) swap(values, c, d--)
      if (b > c) break
      swap(values, b++, c--)
    }
    const end = start + count
    const equalLeft = Math.min(a - start, b - a)
    swapRuns(values, start, b - equalLeft, equalLeft)
    const equalRight = Math.min(d - c, end - d - 1)
    swapRuns(values, b, end - equalRight, equalRight)
    const smaller = b - a
    const greater = d - c
    if (smaller > 1 && first < start + smaller && last >= start) sortPart(values, start, smaller, compare, first, last)
    if (greater <= 1 || first >= end || last < end - greater) return
    start = end - greater
    count = greater
  }
}
