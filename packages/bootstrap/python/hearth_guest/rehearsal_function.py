"""The function of a rehearsal: what a small one does."""


def handler(event, context):
    context.get_remaining_time_in_millis()
    if "fail" in event:
        raise ValueError("as rehearsed")
    return {"statusCode": 200, "body": event.get("key"), "requestId": context.aws_request_id}
