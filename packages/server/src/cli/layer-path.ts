/** Path of a layer's versions, or of one of them, in the Lambda API. */
export function layerPath(name: string, version?: string): string {
  const path = `/2018-10-31/layers/${encodeURIComponent(name)}/versions`;
  return version === undefined ? path : `${path}/${encodeURIComponent(version)}`;
}
