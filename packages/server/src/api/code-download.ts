import { pipeline } from 'node:stream/promises';
import type { CodeStore } from '../artifacts/code-store.ts';
import type { FunctionRegistry } from '../domain/function-registry.ts';
import type { FunctionVersion } from '../domain/function.ts';
import { ADMIN_PREFIX, type AdminRoute } from './admin-router.ts';
import { sendLine } from './http-answer.ts';

const PATH = `${ADMIN_PREFIX}code/`;

/**
 * What GetFunction answers as the place of the code: an address of this server for an archive. Code
 * that is run in place has no archive; the text says so and does not tell the folder.
 */
export function codeLocation(version: FunctionVersion, endpoint: string): string {
  if (version.code.kind !== 'archive') return 'hot-reload: runs in place, there is no archive';
  const query = new URLSearchParams({ sha256: version.code.sha256 });
  const { accountId, region, functionName } = version;
  return `${endpoint}${PATH}${accountId}/${region}/${functionName}?${query.toString()}`;
}

/** Serves the archive that a function has now; an address of earlier code is gone. */
export function codeDownloadRoute(registry: FunctionRegistry, codeStore: CodeStore): AdminRoute {
  return {
    method: 'GET',
    path: PATH,
    handle: async (_request, response, url) => {
      const [accountId = '', region = '', functionName = ''] = url.pathname
        .slice(PATH.length)
        .split('/');
      const code = registry.get({ accountId, region, functionName })?.code;
      const asked = url.searchParams.get('sha256');
      if (
        code?.kind !== 'archive' ||
        code.sha256 !== asked ||
        !(await codeStore.has(code.sha256))
      ) {
        sendLine(response, 404, 'There is no such code: get its address anew with GetFunction');
        return;
      }
      response.writeHead(200, {
        'Content-Type': 'application/zip',
        'Content-Length': code.sizeBytes,
        'Content-Disposition': `attachment; filename="${functionName}.zip"`,
      });
      await pipeline(codeStore.archive(code.sha256), response);
    },
  };
}
