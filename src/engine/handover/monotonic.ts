/** Milliseconds of the machine's monotonic clock, which all its processes have; that of `performance` begins with each. */
export function monotonic(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
