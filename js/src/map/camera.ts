// Where one looks at the map: pure functions between data ([-1, 1]) and CSS pixels.

export interface Camera {
  /** The point of the data at the centre of the view. */
  readonly x: number;
  readonly y: number;
  /** Magnification: 1 shows [-1, 1] along the shorter side. */
  readonly zoom: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const HOME: Camera = { x: 0, y: 0, zoom: 1 };
const MIN_ZOOM = 0.5;
const MAX_ZOOM = 80;
const MAX_FIT = 12;
const MARGIN = 28;

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** CSS pixels per unit of data. */
export const unit = (camera: Camera, size: Size): number =>
  (camera.zoom * Math.min(size.width, size.height)) / 2;

export function project(camera: Camera, size: Size, x: number, y: number): [number, number] {
  const u = unit(camera, size);
  return [size.width / 2 + (x - camera.x) * u, size.height / 2 - (y - camera.y) * u];
}

export function unproject(camera: Camera, size: Size, px: number, py: number): [number, number] {
  const u = unit(camera, size);
  return [camera.x + (px - size.width / 2) / u, camera.y - (py - size.height / 2) / u];
}

export function pan(camera: Camera, size: Size, dx: number, dy: number): Camera {
  const u = unit(camera, size);
  return {
    zoom: camera.zoom,
    x: clamp(camera.x - dx / u, -1.5, 1.5),
    y: clamp(camera.y + dy / u, -1.5, 1.5),
  };
}

/** Zoom so that what lies at the pixel (px, py) stays there. */
export function zoomAt(
  camera: Camera,
  size: Size,
  factor: number,
  px = size.width / 2,
  py = size.height / 2,
): Camera {
  const [x, y] = unproject(camera, size, px, py);
  const zoom = clamp(camera.zoom * factor, MIN_ZOOM, MAX_ZOOM);
  const u = (zoom * Math.min(size.width, size.height)) / 2;
  return {
    zoom,
    x: clamp(x - (px - size.width / 2) / u, -1.5, 1.5),
    y: clamp(y + (py - size.height / 2) / u, -1.5, 1.5),
  };
}

/** Move no further than needed to have the point inside the view with some margin. */
export function reveal(camera: Camera, size: Size, x: number, y: number): Camera {
  if (!Number.isFinite(x + y)) return camera; // it has no place
  const u = unit(camera, size);
  const halfX = Math.max(0, size.width / 2 - 48) / u;
  const halfY = Math.max(0, size.height / 2 - 48) / u;
  return {
    zoom: camera.zoom,
    x: clamp(camera.x, x - halfX, x + halfX),
    y: clamp(camera.y, y - halfY, y + halfY),
  };
}

/** Look at the given rows, or at all, with some margin. */
export function fitRows(
  x: Float32Array,
  y: Float32Array,
  size: Size,
  rows: ArrayLike<number> | null,
): Camera {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  const length = rows ? rows.length : x.length;
  for (let i = 0; i < length; i++) {
    const row = rows ? rows[i]! : i;
    const px = x[row]!;
    const py = y[row]!;
    if (!Number.isFinite(px) || !Number.isFinite(py)) continue;
    left = Math.min(left, px);
    right = Math.max(right, px);
    bottom = Math.min(bottom, py);
    top = Math.max(top, py);
  }
  if (left > right || size.width === 0) return HOME;
  const shorter = Math.min(size.width, size.height);
  const room = (length: number) => (2 * Math.max(1, length - 2 * MARGIN)) / shorter;
  const zoom = Math.min(
    room(size.width) / Math.max(right - left, 0.1),
    room(size.height) / Math.max(top - bottom, 0.1),
  );
  return {
    x: (left + right) / 2,
    y: (bottom + top) / 2,
    zoom: clamp(zoom, MIN_ZOOM, MAX_FIT),
  };
}

/** Diameter of an ordinary point in CSS pixels: smaller where there are many, larger zoomed in. */
export function pointSize(count: number, camera: Camera, size: Size): number {
  const byCount = clamp(27 / Math.max(1, count) ** 0.2, 2.4, 10);
  const bySpace = clamp(Math.min(size.width, size.height) / 480, 0.7, 1.1);
  const byZoom = camera.zoom <= 1 ? 1 : Math.asinh(camera.zoom) / Math.asinh(1);
  return byCount * bySpace * byZoom;
}
