// Bundled and deployed by benchmarks: a function that lists buckets with the client of AWS's SDK.
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';

import type { FirstLine } from '../subjects.ts';

const ANSWER =
  '<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>';

/** The network is not part of the measurement: everything up to it is. */
const client = new S3Client({
  requestHandler: {
    handle: async () => ({
      response: { statusCode: 200, headers: {}, body: Buffer.from(ANSWER) },
    }),
  },
});

export async function handler(): Promise<FirstLine> {
  const firstLineNs = String(process.hrtime.bigint());
  const { Buckets: buckets } = await client.send(new ListBucketsCommand({}));
  if (buckets?.[0]?.Name !== 'b') throw new Error('Cannot read the answer of S3');
  return { firstLineNs, logStreamName: process.env['AWS_LAMBDA_LOG_STREAM_NAME'] ?? '' };
}
