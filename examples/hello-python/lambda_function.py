import platform


def lambda_handler(event, context):
    name = event.get("name", "world")
    return {"message": f"Hello, {name}, from Python {platform.python_version()}"}
