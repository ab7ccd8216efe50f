export type ExtensionErrorType =
  | 'Extension.MissingExtensionIdentifier'
  | 'Extension.InvalidExtensionIdentifier'
  | 'Extension.UnknownExtensionIdentifier'
  | 'Extension.InvalidExtensionName'
  | 'Extension.RegistrationClosed'
  | 'Extension.InvalidExtensionState'
  | 'Extension.MissingHeader'
  | 'Extension.TooManyExtensions'
  | 'Extension.InvalidEventType'
  | 'InvalidRequestFormat';

/** A request of an extension that is refused, with status 403 whatever the reason. */
export class ExtensionApiError extends Error {
  override readonly name = 'ExtensionApiError';
  readonly errorType: ExtensionErrorType;

  constructor(errorType: ExtensionErrorType, message: string) {
    super(message);
    this.errorType = errorType;
  }
}
