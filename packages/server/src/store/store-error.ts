/** The store cannot be opened or read: one line that says what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
