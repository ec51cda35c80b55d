"""Describe what a Python command would run, without running it: one line of JSON on standard output.

    python3 -c TEXT [--same-args] [--include FILE]... RUN script.py arg ...
    python3 -c TEXT ... RUN -m module arg ...
    python3 -c TEXT ... RUN -c code arg ...
    python3 -c TEXT ... RUN - arg ...              (the program comes from standard input: only its options are told)
    python3 -c TEXT ... RUN -- -script.py arg ...  (a script whose name begins with a dash)

What is told is compared between the parties of a run before any of them starts: see spec/manifest.md. Nothing of the
program is executed or imported. Its imports are read from its syntax, and followed into files that are neither Python's
nor installed packages; the launcher checks at the start, and at each import, that they are still the same files.

The program's arguments are told only with --same-args, or if the program says `# didagent: same-args` in a line of its own
before its first statement. Standard library only, Python 3.9 or later.
"""

import argparse
import ast
import hashlib
import importlib.machinery
import importlib.metadata
import json
import os
import platform
import re
import site
import sys
import sysconfig

MAX_FILES = 2000
MAX_TOLD = 64  # modules that are named in a manifest
MAX_SOURCE = 4 << 20  # bytes of one file that is read for its imports
HEADER = re.compile(rb'^#\s*didagent:\s*same-args\s*$', re.MULTILINE)


class Unreadable(Exception):
    """Something that a person has to mend; the text says what."""


def main(words):
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument('--same-args', action='store_true')
    own.add_argument('--include', action='append', default=[])
    at = words.index('RUN')
    options = own.parse_args(words[:at])
    try:
        answer = describe(options, words[at + 1:])
    except Unreadable as error:
        answer = {'error': str(error)}
    json.dump(answer, sys.stdout, ensure_ascii=True)
    sys.stdout.write('\n')


def describe(options, words):
    kind, rest = words[0], words[1:]
    if kind in ('-m', '-c', '--'):
        named, arguments = rest[0], rest[1:]
    else:
        named, arguments = kind, rest
    tree = Tree()
    if kind == '-m':
        tree.search_from(os.getcwd())
        program = tree.module_as_program(named)
    elif kind == '-c':
        tree.search_from('')
        text = os.fsencode(named)
        program = {'name': '-c', 'sha256': digest(text)}
        tree.follow(text, '-c', '')
    elif kind == '-':
        tree.search_from('')
        text, program = b'', {'name': '-', 'sha256': None}
    else:
        program = tree.script(named)
    mpyc_options, left, shown = read_options(arguments)
    same_args = options.same_args or tree.says_same_args
    manifest = {
        'program': program,
        'modules': few(tree.modules),
        'files': {shown_name(name, tree.first): tree.cover(name) for name in options.include},
        'mpyc': mpyc(tree.paths),
        'options': mpyc_options,
        'environment': environment(),
        'arguments': [os.fsencode(word).decode('utf-8', 'replace') for word in left] if same_args else None,
        'shown': shown,
    }
    return {'manifest': manifest, 'local': {'libraries': tree.libraries, 'files': tree.files}}


class Tree:
    """The program's files: those that neither Python nor an installed package brings."""

    def __init__(self):
        self.first = ''        # the folder that Python looks in first
        self.paths = []        # where Python looks, in order
        self.local = []        # folders among them with modules of the program's own
        self.libraries = []    # folders with Python's modules and installed packages
        self.modules = {}      # name of a module -> digest of its file
        self.files = {}        # absolute path -> digest
        self.says_same_args = False
        self.own = None        # an installed package that the program is itself part of
        self.main = None       # the module that is the program

    def search_from(self, folder):
        """Look for modules where the program will, with this folder first; unless Python is told not to."""
        libraries = library_folders()
        paths = list(sys.path[1:])
        if sys.flags.isolated or getattr(sys.flags, 'safe_path', False):
            paths = list(sys.path)
        else:
            self.first = os.path.abspath(folder or os.getcwd())
            paths.insert(0, self.first)
        paths = [os.path.abspath(path or os.getcwd()) for path in paths]
        own = [path for path in paths if not any(is_below(path, library) for library in libraries)]
        self.paths, self.local = paths, list(dict.fromkeys(own))
        self.libraries = sorted(libraries)

    def script(self, name):
        path = os.path.join(os.getcwd(), name)
        if os.path.isdir(path):
            self.search_from(path)
            main = os.path.join(path, '__main__.py')
            return {'name': os.path.basename(path.rstrip(os.sep)), 'sha256': self.add(main, '__main__', '')}
        self.search_from(os.path.dirname(os.path.realpath(path)))
        return {'name': os.path.basename(path), 'sha256': self.add(path, '__main__', '')}

    def module_as_program(self, name):
        """What `python -m name` runs: a module, or a package's __main__, after the packages around it."""
        parts = name.split('.')
        # A package that was installed may be run too, and then it is the program.
        self.own = parts[0]
        spec = self.find(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += '.__main__'
            spec = self.find(name)
        if spec is None or spec.origin is None:
            raise Unreadable(f'there is no module {name} to run')
        self.main = name
        self.want_parents(name)
        package = name.rpartition('.')[0]
        return {'name': name, 'sha256': self.add(spec.origin, name, package)}

    def add(self, path, name, package):
        """Take a file in, follow its imports, and return its digest."""
        sha256 = self.cover(path)
        is_main = name.rpartition('.')[2] == '__main__' or name == self.main
        if path.endswith(('.py', '.pyw')) or is_main and not is_compiled(path):
            text = read(path)
            self.says_same_args |= is_main and says_same_args(text)
            self.follow(text, path, package)
        return sha256

    def cover(self, name):
        path = os.path.realpath(os.path.join(os.getcwd(), name))
        if path not in self.files:
            if len(self.files) >= MAX_FILES:
                raise Unreadable(f'the program has more than {MAX_FILES} files of its own')
            self.files[path] = digest_of_file(path)
        return self.files[path]

    def follow(self, text, path, package):
        try:
            syntax = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise Unreadable(f'{os.path.basename(path)} is no Python that can be read: {error}') from None
        for node in ast.walk(syntax):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.want(alias.name)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ''
                if node.level:
                    around = package.split('.') if package else []
                    around = around[:len(around) - node.level + 1]
                    base = '.'.join(around + ([base] if base else []))
                if base:
                    self.want(base)
                    for alias in node.names:
                        self.want(f'{base}.{alias.name}')
            elif isinstance(node, ast.Call) and node.args and called(node) in ('__import__', 'import_module'):
                constant = node.args[0]
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    self.want(constant.value)

    def want(self, name):
        """Take in a module, and the packages around it, if they are the program's own."""
        if not name or name.startswith('.') or name in self.modules:
            return
        self.want_parents(name)
        spec = self.find(name)
        if spec is None or spec.origin is None or not os.path.isfile(spec.origin):
            return  # Python's own, an installed package's, a folder without code, or no module at all
        self.modules[name] = ''  # modules may import each other in a circle
        package = name if spec.submodule_search_locations is not None else name.rpartition('.')[0]
        self.modules[name] = self.add(spec.origin, name, package)

    def want_parents(self, name):
        parts = name.split('.')
        for end in range(1, len(parts)):
            self.want('.'.join(parts[:end]))

    def find(self, name):
        """The spec of a module of the program's own, or None."""
        top = name.partition('.')[0]
        if top == 'mpyc' and self.own != top:
            return None  # it has a digest of its own
        if top in sys.builtin_module_names:
            return None
        path = self.paths if top == self.own else self.local
        parts = name.split('.')
        for end in range(1, len(parts) + 1):
            try:
                spec = importlib.machinery.PathFinder.find_spec('.'.join(parts[:end]), path)
            except (ImportError, ValueError, OSError):
                return None
            if spec is None:
                return None
            path = spec.submodule_search_locations
            if path is None and end < len(parts):
                return None
        return spec


def called(node):
    function = node.func
    return getattr(function, 'id', None) or getattr(function, 'attr', None)


def says_same_args(text):
    """Whether a comment before the first statement says that the arguments are the same for everybody."""
    head = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith(b'#'):
            break
        head.append(line.strip())
    return HEADER.search(b'\n'.join(head)) is not None


def is_compiled(path):
    """Whether a program is no text: compiled, or an archive."""
    with open_file(path) as file:
        return path.endswith('.pyc') or file.read(4) == b'PK\x03\x04'


def library_folders():
    """Where Python and installed packages are."""
    names = ('stdlib', 'platstdlib', 'purelib', 'platlib')
    folders = [sysconfig.get_paths().get(name) for name in names]
    folders += [os.path.dirname(os.__file__), site.getusersitepackages()]
    folders += getattr(site, 'getsitepackages', list)()
    version = f'python{sys.version_info[0]}{sys.version_info[1]}.zip'
    folders += [path for path in sys.path if os.path.basename(path) == version]
    both = [(os.path.abspath(folder), os.path.realpath(folder)) for folder in folders if folder]
    return {folder for pair in both for folder in pair}


def is_below(path, folder):
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def shown_name(name, first):
    """A name for an included file that is the same wherever the program is."""
    path = os.path.abspath(name)
    return os.path.relpath(path, first).replace(os.sep, '/') if first and is_below(path, first) else os.path.basename(path)


def open_file(path):
    if not os.path.isfile(path):
        raise Unreadable(f'there is no file {path}')
    try:
        return open(path, 'rb')
    except OSError as error:
        raise Unreadable(f'{path} cannot be read: {error.strerror}') from None


def read(path):
    with open_file(path) as file:
        text = file.read(MAX_SOURCE + 1)
    if len(text) > MAX_SOURCE:
        raise Unreadable(f'{path} has more than {MAX_SOURCE} bytes')
    return text


def digest(text):
    return hashlib.sha256(text).hexdigest()


def digest_of_file(path):
    sha256 = hashlib.sha256()
    with open_file(path) as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
    return sha256.hexdigest()


def mpyc(paths):
    """Version and digest of the MPyC that the program will find, or None; it is not imported."""
    spec = importlib.machinery.PathFinder.find_spec('mpyc', paths)
    if spec is None or spec.origin is None:
        return None
    folder = os.path.dirname(spec.origin)
    version = re.search(rb"^__version__\s*=\s*['\"]([^'\"]+)['\"]", read(spec.origin), re.MULTILINE)
    sha256 = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        if name.endswith('.py'):
            sha256.update(f'{name}\0{digest_of_file(os.path.join(folder, name))}\n'.encode())
    return {'version': version[1].decode('ascii', 'replace') if version else '?', 'sha256': sha256.hexdigest()}


class Options(argparse.ArgumentParser):
    def error(self, message):
        raise Unreadable(f'MPyC would not take the arguments: {message}')


def read_options(arguments):
    """What MPyC will take from the program's arguments, and what it leaves to the program."""
    # The options of MPyC 0.11. All of them, since a beginning of a long name counts if it fits one only.
    parser = Options(add_help=False)
    for flag in ('-V', '--VERSION'), ('-H', '--HELP'), ('-h', '--help'), ('--ssl',), ('--no-log',), ('--no-async',):
        parser.add_argument(*flag, action='store_true')
    for flag in '--no-barrier', '--no-gmpy2', '--no-numpy', '--no-uvloop', '--no-prss', '--mix32-64bit':
        parser.add_argument(flag, action='store_true')
    for flag in '--output-windows', '--output-file':
        parser.add_argument(flag, action='store_true')
    for flag in ('-C', '--config'), ('--log-level',), ('-f',):
        parser.add_argument(*flag)
    for flag in ('-M',), ('-I', '--index'), ('-T', '--threshold'), ('-B', '--base-port'), ('-W', '--workers'):
        parser.add_argument(*flag, type=int)
    parser.add_argument('-P', action='append')
    parser.add_argument('-L', '--bit-length', type=int, default=32)
    parser.add_argument('-K', '--sec-param', type=int, default=30)
    taken, left = parser.parse_known_args(arguments)
    return {
        'threshold': taken.threshold,
        'bit_length': taken.bit_length,
        'sec_param': taken.sec_param,
        'prss': not (taken.no_prss or os.getenv('MPYC_NOPRSS') == '1'),
        'barrier': not taken.no_barrier,
        'mix32_64bit': taken.mix32_64bit or os.getenv('MPYC_MIX32_64BIT') == '1',
    }, left, {
        'python': f'{platform.python_implementation()} {sys.version_info[0]}.{sys.version_info[1]}',
        'bits': 64 if sys.maxsize > 2 ** 32 else 32,
        'numpy': package('numpy', taken.no_numpy or os.getenv('MPYC_NONUMPY') == '1'),
        'gmpy2': package('gmpy2', taken.no_gmpy2 or os.getenv('MPYC_NOGMPY') == '1'),
    }


# What these decide is in the options, is shown, or concerns one machine only.
KNOWN_VARIABLES = {'MPYC_NOPRSS', 'MPYC_MIX32_64BIT', 'MPYC_NONUMPY', 'MPYC_NOGMPY', 'MPYC_NOUVLOOP', 'MPYC_MAXWORKERS'}


def environment():
    names = (name for name in os.environ if name.startswith('MPYC_') and name not in KNOWN_VARIABLES)
    return {name: os.environ[name].encode('utf-8', 'replace').decode() for name in sorted(names)}


def package(name, is_off):
    """The version of a package that MPyC uses if it is there, or None."""
    try:
        return None if is_off else importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def few(modules):
    """Modules by name; too many of them for a message are told by their number and one digest."""
    if len(modules) <= MAX_TOLD:
        return modules
    every = ''.join(f'{name}\0{modules[name]}\n' for name in sorted(modules))
    return {f'all {len(modules)} modules': digest(every.encode())}


if __name__ == '__main__':
    main(sys.argv[1:])
