const { readFile, writeFile } = require('node:fs/promises');

// Memory and /tmp belong to the execution environment: both are kept while it stays warm, and a new
// environment begins without them.
const bornAt = new Date().toISOString();
let invocations = 0;

exports.handler = async () => {
  invocations += 1;
  return { bornAt, invocations, invocationsOnDisk: await countOnDisk() };
};

async function countOnDisk() {
  const path = '/tmp/invocations';
  const before = await readFile(path, 'utf8').catch(() => '0');
  const count = Number(before) + 1;
  await writeFile(path, String(count));
  return count;
}
