/** `2024-01-01T00:00:00.000+0000`, as the API writes times in text. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('Z', '+0000');
}
