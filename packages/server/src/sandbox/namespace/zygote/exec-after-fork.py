# A guest of tests: forked like any other, then replaced by the program that its channel names.
import sys

sys.path.insert(0, "/var/runtime")
from hearth_guest import zygote

if zygote.is_wanted():
    zygote.serve()

import json
import os
import signal


def read(size):
    data = b""
    while len(data) < size:
        part = os.read(3, size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


command = json.loads(read(int.from_bytes(read(4), "big")))
# What an interpreter has of its own.
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
for descriptor in (3, 4):
    if command["descriptors"] == "channel":
        os.set_inheritable(descriptor, True)
        os.set_blocking(descriptor, True)
    else:
        os.close(descriptor)
program = command["argv"][0]
try:
    os.execve(program, command["argv"], command["environment"])
except OSError as error:
    os.write(2, ("%s: %s\n" % (program, error.strerror)).encode())
    os._exit(126 if isinstance(error, PermissionError) else 127)
