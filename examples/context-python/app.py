import json
import logging
import time

logger = logging.getLogger()
logger.setLevel(logging.INFO)

# Code outside the handler runs once, when the execution environment is initialised.
logger.info("init: this line appears once per environment")
initialised_at = time.monotonic()


def handler(event, context):
    logger.info("handling %s", json.dumps(event))
    return {
        "aws_request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "remaining_time_in_millis": context.get_remaining_time_in_millis(),
        "millis_since_init": round((time.monotonic() - initialised_at) * 1000),
    }
