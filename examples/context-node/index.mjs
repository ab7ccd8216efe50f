// Code outside the handler runs once, when the execution environment is initialised.
console.log('init: this line appears once per environment');
const initialisedAt = Date.now();

export const handler = async (event, context) => {
  console.log('handling', JSON.stringify(event));
  return {
    awsRequestId: context.awsRequestId,
    functionName: context.functionName,
    functionVersion: context.functionVersion,
    invokedFunctionArn: context.invokedFunctionArn,
    memoryLimitInMB: context.memoryLimitInMB,
    logGroupName: context.logGroupName,
    logStreamName: context.logStreamName,
    remainingTimeInMillis: context.getRemainingTimeInMillis(),
    millisSinceInit: Date.now() - initialisedAt,
  };
};
