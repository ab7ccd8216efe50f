import { fileURLToPath } from 'node:url';

import type { Runtime } from '@aws-sdk/client-lambda';
import { build } from 'esbuild';

/** A function that is measured. Its handler answers when its first line ran, on the monotonic clock. */
export interface Subject {
  readonly name: string;
  readonly runtime: Runtime;
  readonly file: string;
  readonly source: string;
}

/** What a handler answers. */
export interface FirstLine {
  /** Nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
  readonly firstLineNs: string;
  /** Tells one environment from another. */
  readonly logStreamName: string;
}

/** `holdMs` keeps the environment busy, so that no two events share one. */
export function nodeSubject(holdMs = 0): Subject {
  return {
    name: 'node',
    runtime: 'nodejs24.x',
    file: 'index.js',
    source: `exports.handler = async () => {
  const firstLineNs = String(process.hrtime.bigint());
  if (${holdMs} > 0) await new Promise((resolve) => setTimeout(resolve, ${holdMs}));
  return { firstLineNs, logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME };
};
${'// A function of one kilobyte, as they are without packages.\n'.repeat(12)}`,
  };
}

export function pythonSubject(holdMs = 0): Subject {
  return {
    name: 'python',
    runtime: 'python3.13',
    file: 'index.py',
    source: `import os
import time


def handler(event, context):
    first_line_ns = str(time.monotonic_ns())
    time.sleep(${holdMs / 1_000})
    return {"firstLineNs": first_line_ns, "logStreamName": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]}
`,
  };
}

/** Uses the S3 client of the AWS SDK, bundled with it into one file, as deployed functions are. */
export async function nodeS3Subject(): Promise<Subject> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('functions/s3-client.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    write: false,
    logLevel: 'silent',
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('Cannot bundle the S3 client');
  return { name: 'node-s3', runtime: 'nodejs24.x', file: 'index.js', source: bundle.text };
}
