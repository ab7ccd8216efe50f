"""What runs inside an execution environment next to a Python function. No dependencies.

Every import here is paid at each cold start: modules that most functions never need (`traceback`,
`logging`, `json` with its `re`) are loaded when they are first needed.
"""
