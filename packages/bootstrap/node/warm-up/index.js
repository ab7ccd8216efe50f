'use strict';
// What the bootstrap rehearses with before a function is known; no function ever sees it.
const { setTimeout: sleep } = require('node:timers/promises');

class Item {
  constructor(values) {
    this.values = values;
  }

  total() {
    return this.values.reduce((sum, value) => sum + (Number(value) || 0), 0);
  }
}

exports.asynchronous = async (event, context) => {
  const { values } = JSON.parse(event.body);
  console.log('event', event, context.awsRequestId, process.env.AWS_REGION);
  console.error(new Error('text'));
  await sleep(0);
  await new Promise((resolve) => setTimeout(resolve, 0));
  await new Promise((resolve) => setImmediate(resolve));
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ total: new Item(values).total(), at: new Date().toISOString() }),
    left: context.getRemainingTimeInMillis(),
  };
};

exports.callback = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setImmediate(() => callback(null, event));
};

exports.throwing = async () => {
  throw new TypeError('text');
};

exports.streaming =
  globalThis.awslambda?.streamifyResponse(async (event, stream) => {
    const response = globalThis.awslambda.HttpResponseStream.from(stream, { statusCode: 200 });
    response.write('text');
    response.write(JSON.stringify(event));
    response.end();
    await new Promise((resolve) => stream.once('finish', resolve));
  }) ?? (async () => null);
