"""Entry of the Python runtime: `python3.x bootstrap.py`, spoken to over a channel (../PROTOCOL.md).

It stays this small because a script is compiled at every start, whereas the package beside it can
come with byte code.
"""

# Programs that start Python processes of their own import this file again under another name.
if __name__ == "__main__":
    import os
    import sys

    # Neither this folder nor the function's is a place for byte code: on AWS both are read-only.
    sys.dont_write_bytecode = True
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [_here] + [entry for entry in sys.path if entry != _here]
    from hearth_guest import session

    if "_HEARTH_PREPARE" in os.environ:
        from hearth_guest import zygote

        if zygote.is_wanted():
            zygote.serve()
        del zygote

    # The function must not find its way around by the runtime's folder.
    sys.path.remove(_here)
    session.run()
