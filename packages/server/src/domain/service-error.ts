/** How the message key of an error body is spelt; it follows the API model, shape by shape. */
type MessageKey = 'message' | 'Message';

interface ErrorDefinition {
  readonly httpStatus: number;
  readonly messageKey: MessageKey;
  /** Whose fault it is, as the body's `Type` says. */
  readonly type: 'User' | 'Service';
  /** The name sent in `x-amzn-ErrorType` where it differs from the model's. */
  readonly wireName?: string;
}

/** Every error that the Lambda API answers, by the name its clients catch. */
export const SERVICE_ERRORS = {
  AccessDeniedException: { httpStatus: 403, messageKey: 'Message', type: 'User' },
  InvalidParameterValueException: { httpStatus: 400, messageKey: 'message', type: 'User' },
  InvalidRequestContentException: { httpStatus: 400, messageKey: 'message', type: 'User' },
  InvalidRuntimeException: { httpStatus: 502, messageKey: 'Message', type: 'Service' },
  /** Hearth's own: an operation or setting that is not built. */
  NotImplementedException: { httpStatus: 501, messageKey: 'message', type: 'Service' },
  PreconditionFailedException: { httpStatus: 412, messageKey: 'message', type: 'User' },
  RequestTooLargeException: {
    httpStatus: 413,
    messageKey: 'message',
    type: 'User',
    wireName: 'RequestEntityTooLargeException',
  },
  ResourceConflictException: { httpStatus: 409, messageKey: 'message', type: 'User' },
  ResourceNotFoundException: { httpStatus: 404, messageKey: 'Message', type: 'User' },
  SerializationException: { httpStatus: 400, messageKey: 'Message', type: 'User' },
  ServiceException: { httpStatus: 500, messageKey: 'Message', type: 'Service' },
  TooManyRequestsException: { httpStatus: 429, messageKey: 'message', type: 'User' },
  UnknownOperationException: { httpStatus: 404, messageKey: 'Message', type: 'User' },
  UnsupportedMediaTypeException: { httpStatus: 415, messageKey: 'message', type: 'User' },
  ValidationException: { httpStatus: 400, messageKey: 'message', type: 'User' },
} as const satisfies Record<string, ErrorDefinition>;

export type ServiceErrorCode = keyof typeof SERVICE_ERRORS;

/** A caller's mistake or a fault of the platform, as the API answers it. */
export class ServiceError extends Error {
  readonly code: ServiceErrorCode;
  /** `Reason` of a TooManyRequestsException. */
  readonly reason: string | undefined;

  constructor(
    code: ServiceErrorCode,
    message: string,
    options: { cause?: unknown; reason?: string } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = code;
    this.code = code;
    this.reason = options.reason;
  }

  get definition(): ErrorDefinition {
    return SERVICE_ERRORS[this.code];
  }
}
