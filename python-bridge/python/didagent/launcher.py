"""Run a Python program with its asyncio servers kept on this machine.

    python3 launcher.py script.py arg ...
    python3 launcher.py -m module arg ...
    python3 launcher.py -c code arg ...
    python3 launcher.py - arg ...              (the program comes from standard input)
    python3 launcher.py -- -script.py arg ...  (a script whose name begins with a dash)

MPyC opens its port on every address of the machine and believes whoever connects. Under this launcher a server that
asks for every address (host None, '', '0.0.0.0' or '::') gets 127.0.0.1. Otherwise the program finds everything as if
Python ran it directly: sys.argv, sys.path, __main__, exit status and tracebacks.

Beside that, a file called `mpyc` next to this one, if there is one, says whether the program is inside MPyC: 1 from the start
of MPyC's runtime to the end of its shutdown, otherwise 0. Who bridges the program can then tell one that waits for a party
that is gone from one that has all it needs.

And a file called `agreed.json`, if there is one, has the digests of the program's own files on which all parties agreed. They
are checked at the start and at each import; a file that was changed meanwhile, or that nobody knew of, ends the program with
exit status 4 before it can compute something else than the others.

Only asyncio is covered, with any event loop that derives from asyncio's AbstractEventLoop, so uvloop too. A program
that opens sockets by other means does what it did before. Standard library only, Python 3.9 or later.
"""

import asyncio
import functools
import hashlib
import importlib.machinery
import importlib.util
import ipaddress
import json
import linecache
import os
import pkgutil
import runpy
import socket
import sys
import textwrap
import types


def keep_servers_local():
    """Make every event loop, also of a class that is defined later, serve on loopback by default."""
    wrap_create_server(asyncio.BaseEventLoop)
    base = asyncio.AbstractEventLoop

    def init_subclass(cls, **kwargs):
        super(base, cls).__init_subclass__(**kwargs)
        wrap_create_server(cls)

    base.__init_subclass__ = classmethod(init_subclass)


def wrap_create_server(loop_class):
    original = loop_class.create_server
    if getattr(original, 'serves_on_loopback', False):
        return

    @functools.wraps(original)
    async def create_server(self, protocol_factory, host=None, port=None, **kwargs):
        if kwargs.get('sock') is None:
            host = local_host(host, kwargs.get('family', socket.AF_UNSPEC))
        return await original(self, protocol_factory, host, port, **kwargs)

    create_server.serves_on_loopback = True
    loop_class.create_server = create_server


def local_host(host, family):
    """The host, or hosts, to serve on when a program asks for this one."""
    if isinstance(host, (list, tuple, set, frozenset)):
        # Two names for every address become one address, which can be bound once.
        return list(dict.fromkeys(local_host(one, family) for one in host))
    if not means_every_address(host):
        return host
    return '::1' if family == socket.AF_INET6 else '127.0.0.1'


def means_every_address(host):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode('ascii', 'replace')
    if host is None or host == '':
        return True
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        pass
    try:
        return socket.inet_aton(host) == bytes(4)  # '0' and its like
    except OSError:
        return False


class RuntimeFinder:
    """Find mpyc.runtime where Python does, and watch its class Runtime once it is loaded."""

    def __init__(self, state):
        self.state = state

    def find_spec(self, name, path=None, target=None):
        if name != 'mpyc.runtime':
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and hasattr(spec.loader, 'exec_module'):
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                watch(getattr(module, 'Runtime', None), self.state)

            spec.loader.exec_module = exec_module
        return spec


def watch(runtime, state):
    """Have the file say 1 as soon as the runtime starts, and 0 when it has shut down."""

    def note(digit):
        try:
            with open(state, 'r+') as file:
                file.write(digit)
        except OSError:
            pass  # the folder may be gone or full; the program is none of that

    def noted(name, before, after):
        original = getattr(runtime, name, None)
        if original is None:
            return

        @functools.wraps(original)
        async def method(self, *args, **kwargs):
            if before:
                note('1')
            result = await original(self, *args, **kwargs)
            if after:
                note('0')
            return result

        setattr(runtime, name, method)

    noted('start', True, False)
    noted('shutdown', False, True)
    noted('__aexit__', False, True)  # after an exception it closes the connections by itself


def watch_mpyc():
    state = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'mpyc')
    if os.path.isfile(state):
        sys.meta_path.insert(0, RuntimeFinder(state))


class Agreed:
    """Refuse modules of the program's own that are not those on which all parties agreed."""

    def __init__(self, agreed):
        self.files = agreed['files']
        self.libraries = tuple(folder.rstrip(os.sep) + os.sep for folder in agreed['libraries'])
        for path in self.files:
            self.check(path)
        sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.has_location and os.path.isfile(spec.origin):
            origin = os.path.realpath(spec.origin)
            both = (os.path.abspath(spec.origin), origin)
            if origin in self.files or not any(path.startswith(self.libraries) for path in both):
                self.check(origin)
        return None  # Python finds it by itself

    def check(self, path):
        sha256 = hashlib.sha256()
        try:
            with open(path, 'rb') as file:
                while chunk := file.read(1 << 20):
                    sha256.update(chunk)
        except OSError as error:
            stop(f'{path} cannot be read any more: {error.strerror}')
        if path not in self.files:
            stop(f'the program imports {path}, which the parties did not compare: add --include {os.path.basename(path)}')
        if self.files[path] != sha256.hexdigest():
            stop(f'{path} was changed after the parties had compared it')


def stop(why):
    """End at once: whatever catches exceptions must not go on with something that others do not run."""
    sys.stdout.flush()
    print(f'didagent: {why}', file=sys.stderr, flush=True)
    os._exit(4)


def keep_to_what_was_agreed():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'agreed.json')
    if os.path.isfile(path):
        with open(path, encoding='utf-8') as file:
            Agreed(json.load(file))


def run(arguments):
    """Run the program that the arguments name as Python itself would."""
    if not arguments:
        sys.exit(__doc__)
    kind, rest = arguments[0], arguments[1:]
    if kind in ('-m', '-c', '--') and not rest:
        sys.exit(__doc__)
    if kind == '-m':
        prepare(['-m'] + rest[1:], os.getcwd())
        runpy._run_module_as_main(rest[0])  # what Python calls for -m
    elif kind == '-c':
        main = prepare(['-c'] + rest[1:], '')
        source = textwrap.dedent(rest[0]) if sys.version_info >= (3, 14) else rest[0]
        code = compile(source, '<string>', 'exec', dont_inherit=True)
        if sys.version_info >= (3, 13):  # tracebacks quote the lines; the first 3.13 knew them by file name
            linecache._register_code(code if hasattr(linecache, '_code_key') else '<string>', source, '<string>')
        execute(code, main)
    elif kind == '-':
        main = prepare(['-'] + rest, '')
        set_file(main, '<stdin>')
        execute(compile(sys.stdin.buffer.read(), '<stdin>', 'exec', dont_inherit=True), main)
    else:
        run_script(rest if kind == '--' else arguments)


def run_script(argv):
    path = os.path.join(os.getcwd(), argv[0])  # not normalised: __file__ is not either
    if pkgutil.get_importer(path) is not None:
        # A folder or archive with a __main__ module: it is itself the first place to import from.
        prepare(argv, path)
        runpy._run_module_as_main('__main__', False)
        return
    main = prepare(argv, os.path.dirname(os.path.realpath(path)))
    set_file(main, path)
    try:
        if path.endswith('.pyc'):
            main.__loader__ = importlib.machinery.SourcelessFileLoader('__main__', path)
            code = main.__loader__.get_code('__main__')
        else:
            main.__loader__ = importlib.machinery.SourceFileLoader('__main__', path)
            with open(path, 'rb') as file:
                code = compile(file.read(), path, 'exec', dont_inherit=True)
    except OSError as error:
        python = getattr(sys, 'orig_argv', [sys.executable])[0]
        print(f"{python}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)
    execute(code, main)


def prepare(argv, folder):
    """Set sys.argv and sys.path, and put a fresh __main__ module in place of the launcher's."""
    sys.argv[:] = argv
    # With -I or -P Python does not put the launcher's folder first, nor would it the program's.
    if not (sys.flags.isolated or getattr(sys.flags, 'safe_path', False)):
        sys.path[0] = folder
    main = types.ModuleType('__main__')
    main.__builtins__ = sys.modules['builtins']
    if '__annotations__' in globals():  # which names Python sets differs between its versions
        main.__annotations__ = {}
    main.__loader__ = importlib.machinery.BuiltinImporter
    # The program may keep the launcher's module alive through functions of asyncio; nobody finds it by name.
    sys.modules['__main__'] = main
    return main


def set_file(main, path):
    main.__file__ = path
    if '__cached__' in globals():
        main.__cached__ = None


def execute(code, main):
    exec(code, main.__dict__)


def hide_launcher():
    """Leave the launcher's own frames out of a traceback, whoever prints it."""
    show = sys.excepthook
    launcher = run.__code__.co_filename

    def excepthook(kind, error, trace):
        while trace is not None and trace.tb_frame.f_code.co_filename == launcher:
            trace = trace.tb_next
        show(kind, error.with_traceback(trace), trace)

    sys.excepthook = excepthook


if __name__ == '__main__':
    keep_servers_local()
    keep_to_what_was_agreed()
    watch_mpyc()
    try:
        run(sys.argv[1:])
    except SystemExit:
        raise
    except BaseException:
        hide_launcher()
        raise
