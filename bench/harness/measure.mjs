/**
 * @file Runs a group: contenders that do the same tasks, in rounds that take turns. A contender that cannot start or do a
 * task gets `{ error }` for it; the others go on.
 */
import { Contender } from './contender.mjs';
import { summary } from './statistics.mjs';

async function attempt(entry, action) {
  if (entry.error !== undefined) return;
  try {
    await action();
  } catch (error) {
    entry.error = error.message;
  }
}

/** All contenders do one task. `{ [contender]: { first, median, …, report } | { error } }` */
async function measureTask(children, { task, params }, { rounds, budget, least }, note) {
  const entries = new Map([...children.keys()].map((name) => [name, { times: [] }]));
  const each = async (action) => {
    for (const [name, child] of children)
      await attempt(entries.get(name), () => action(child, entries.get(name), name));
  };
  await each(async (child, entry, name) => {
    note(`${name} …`);
    Object.assign(entry, await child.ask('prepare', { task, params }));
  });
  for (let round = 0; round < rounds; round++) {
    note(`round ${round + 1} of ${rounds}`);
    await each(async (child, entry) => {
      entry.times.push(...(await child.ask('round', { budget, least })).times);
    });
  }
  await each(async (child, entry) => {
    entry.report = await child.ask('report');
    await child.ask('release');
  });
  return Object.fromEntries([...entries].map(([name, entry]) => [name, condensed(entry)]));
}

function condensed({ times, error, ...rest }) {
  return error === undefined ? { ...rest, ...summary(times) } : { error };
}

/**
 * Measures a group `{ contenders, tasks, effort? }`. `apart`: each task in processes of its own, so that peak memory is
 * the task's. Results by task, then contender.
 */
export async function measureGroup({ contenders, tasks, apart = false }, effort, note) {
  const open = () =>
    new Map(Object.entries(contenders).map(([name, spec]) => [name, new Contender(spec)]));
  const close = (children) => Promise.all([...children.values()].map((child) => child.end()));
  const results = {};
  let children = open();
  for (const [label, task] of Object.entries(tasks)) {
    if (apart && Object.keys(results).length > 0) {
      await close(children);
      children = open();
    }
    results[label] = await measureTask(children, task, effort, (text) => note(`${label}: ${text}`));
  }
  await close(children);
  return results;
}
