/** @file What a step costs besides time. */

/** A task whose report has the kernels, submits and compilations of its last run. */
export function counted(device, step, more = {}) {
  let last = {};
  const run = async () => {
    const before = { ...device.counters };
    const value = await step();
    last = Object.fromEntries(
      Object.entries(device.counters).map(([name, count]) => [name, count - before[name]]),
    );
    return value;
  };
  return { run, report: () => ({ ...last, ...more }) };
}
