// Great-circle distances, and a search for the nearest of many places that looks at few of them.

/** A place on the globe, in degrees. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
}

const earthRadiusKm = 6371.0088

/** The great-circle distance by the haversine formula, on a sphere of the earth's mean radius. */
export function distanceKm(from: Place, to: Place): number {
  const latitude = radians(to.latitude - from.latitude)
  const longitude = radians(to.longitude - from.longitude)
  const chord =
    Math.sin(latitude / 2) ** 2 +
    Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * Math.sin(longitude / 2) ** 2
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(chord)))
}

/**
 * A search for the nearest of these places; of several as near, the one that stands first in the list.
 *
 * The places lie in a k-d tree as points of the unit sphere: there the straight distance grows with the great-circle
 * distance, and neither the poles nor the date line need a thought. A search looks at some dozens of 42,000.
 */
export function nearestTo<P extends Place>(
  places: readonly P[],
): (to: Place) => { readonly nearest: P; readonly km: number } {
  if (places.length === 0) throw new RangeError('There is no nearest of no places.')
  const points = places.map(pointOnSphere)
  const order = Uint32Array.from(points.keys())
  arrange(order, points, { from: 0, to: order.length - 1, axis: 0 })
  return (to) => {
    const found = { index: -1, distance: Number.POSITIVE_INFINITY }
    search(pointOnSphere(to), { order, points, found }, { from: 0, to: order.length - 1, axis: 0 })
    const nearest = places[found.index]!
    return { nearest, km: distanceKm(to, nearest) }
  }
}

type Point = readonly [number, number, number]

/** A stretch of the order and the axis by which its middle divides it. */
interface Stretch {
  readonly from: number
  readonly to: number
  readonly axis: number
}

function pointOnSphere({ latitude, longitude }: Place): Point {
  const [phi, lambda] = [radians(latitude), radians(longitude)]
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)]
}

/** Orders a stretch as a tree: its middle divides the rest by one axis, each half is divided by the next axis. */
function arrange(order: Uint32Array, points: readonly Point[], { from, to, axis }: Stretch): void {
  if (from >= to) return
  const middle = (from + to) >> 1
  selectMiddle(order, (index) => points[index]![axis]!, { from, to, middle })
  const next = (axis + 1) % 3
  arrange(order, points, { from, to: middle - 1, axis: next })
  arrange(order, points, { from: middle + 1, to, axis: next })
}

/** Hoare's selection: what is smaller than the middle one comes before it, what is larger after it. */
function selectMiddle(
  order: Uint32Array,
  valueOf: (index: number) => number,
  { from, to, middle }: { from: number; to: number; readonly middle: number },
): void {
  while (from < to) {
    const pivot = valueOf(order[(from + to) >> 1]!)
    let left = from
    let right = to
    while (left <= right) {
      while (valueOf(order[left]!) < pivot) left++
      while (valueOf(order[right]!) > pivot) right--
      if (left > right) break
      const swapped = order[left]!
      order[left++] = order[right]!
      order[right--] = swapped
    }
    if (right < middle) from = left
    if (left > middle) to = right
  }
}

interface Tree {
  readonly order: Uint32Array
  readonly points: readonly Point[]
  readonly found: { index: number; distance: number }
}

function search(to: Point, tree: Tree, stretch: Stretch): void {
  if (stretch.from > stretch.to) return
  const middle = (stretch.from + stretch.to) >> 1
  const index = tree.order[middle]!
  offer(index, squaredDistance(to, tree.points[index]!), tree.found)
  const axis = (stretch.axis + 1) % 3
  const before = { from: stretch.from, to: middle - 1, axis }
  const after = { from: middle + 1, to: stretch.to, axis }
  const offset = to[stretch.axis]! - tree.points[index]![stretch.axis]!
  search(to, tree, offset < 0 ? before : after)
  // The other half is looked at where something as near may still lie beyond the dividing plane.
  if (offset ** 2 <= tree.found.distance) search(to, tree, offset < 0 ? after : before)
}

function offer(index: number, distance: number, found: Tree['found']): void {
  if (distance > found.distance || (distance === found.distance && index > found.index)) return
  found.index = index
  found.distance = distance
}

function squaredDistance(left: Point, right: Point): number {
  return (left[0] - right[0]) ** 2 + (left[1] - right[1]) ** 2 + (left[2] - right[2]) ** 2
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
