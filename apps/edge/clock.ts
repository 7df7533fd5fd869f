/** Unix milliseconds that never run backwards: the wall clock at the start, carried on by the monotonic one. */
export function steadyClock(): () => number {
  const began = Date.now();
  const origin = performance.now();
  return () => began + Math.floor(performance.now() - origin);
}
