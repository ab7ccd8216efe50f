import type { RuntimeFamily } from '../../domain/runtimes.ts';

/**
 * True where a setting of the function acts only on a process that is started with it, so that a
 * worker that runs already cannot take the function in.
 */
export function needsDirectStart(
  family: RuntimeFamily,
  environment: Readonly<Record<string, string>>,
): boolean {
  return Object.keys(environment).some(
    (name) =>
      /^(LD_|MALLOC_|GLIBC_|OPENSSL_|SSL_CERT_|LC_)/.test(name) ||
      name === 'LANG' ||
      name === 'AWS_LAMBDA_EXEC_WRAPPER' ||
      (family === 'python' ? name.startsWith('PYTHON') : /^(NODE_|UV_)/.test(name)),
  );
}
