import { pipeline } from 'node:stream/promises';
import type { CodeStore } from '../artifacts/code-store.ts';
import type { LayerRegistry } from '../domain/layer-registry.ts';
import type { LayerVersion } from '../domain/layer.ts';
import { ADMIN_PREFIX, type AdminRoute } from './admin-router.ts';
import { sendLine } from './http-answer.ts';

const PATH = `${ADMIN_PREFIX}layers/`;

/** What GetLayerVersion answers as the place of the content: an address of this server. */
export function layerLocation(layer: LayerVersion, endpoint: string): string {
  const { accountId, region, layerName, version, sha256 } = layer;
  const query = new URLSearchParams({ sha256 });
  return `${endpoint}${PATH}${accountId}/${region}/${layerName}/${version}?${query.toString()}`;
}

/** Serves the archive of a layer version; the address of one that was deleted is gone. */
export function layerDownloadRoute(layers: LayerRegistry, codeStore: CodeStore): AdminRoute {
  return {
    method: 'GET',
    path: PATH,
    handle: async (_request, response, url) => {
      const [accountId = '', region = '', layerName = '', version = ''] = url.pathname
        .slice(PATH.length)
        .split('/');
      const layer = layers.get({ accountId, region, layerName }, Number(version));
      const asked = url.searchParams.get('sha256');
      if (layer === undefined || layer.sha256 !== asked || !(await codeStore.has(layer.sha256))) {
        sendLine(
          response,
          404,
          'There is no such layer: get its address anew with GetLayerVersion',
        );
        return;
      }
      response.writeHead(200, {
        'Content-Type': 'application/zip',
        'Content-Length': layer.sizeBytes,
        'Content-Disposition': `attachment; filename="${layerName}-${version}.zip"`,
      });
      await pipeline(codeStore.archive(layer.sha256), response);
    },
  };
}
