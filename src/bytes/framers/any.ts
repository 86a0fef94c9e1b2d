/** Several framings on one connection. */
import { partialOption } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { invalid, type Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/**
 * `any{framer, …, partial}`: each frame is cut by the first framing whose `start` matches. All but the last need a
 * start (`bracket` and `hdlc` have one by nature). `max` and `check` belong to the alternatives; `partial` is the
 * longest of theirs unless given here.
 */
export function any(options: Options): FramerSpec {
  const partial = partialOption(options);
  options.done(true);
  const specs = options.list.map((item, i) => {
    if (item instanceof StreamSpec) return item;
    throw invalid(options.place, `alternative ${i + 1} must be a framer other than gap`);
  });
  const shapes = specs.flatMap((spec) => spec.shapes);
  if (shapes.length < 1 || shapes.length > 32) throw invalid(options.place, 'needs 1 to 32 alternatives');
  const open = shapes.slice(0, -1).findIndex((shape) => shape.starts.length === 0);
  if (open >= 0) {
    throw invalid(options.place, `alternative ${open + 1} needs a start: only the last may do without`);
  }
  const partials = specs.flatMap((spec) => spec.partial ?? []);
  return new StreamSpec('any', shapes, partial ?? (partials.length > 0 ? Math.max(...partials) : undefined));
}
