"""Run an MPyC program and record every byte between it and the ports that it was given.

    python3 tap.py FOLDER PROGRAM ARGUMENT ... -P HOST:PORT ... -I INDEX

MPyC dials a port of the tap in place of each later party's, and listens on a port that the tap chose; the tap listens on
the one that was meant for MPyC. The files in FOLDER, for party 1 of 3:

    1-dials-2.sent   1-dials-2.received       the connection to party 2
    1-takes-0.sent   1-takes-0.received       a connection that began with the pid 0

`sent` is what MPyC sent. Ends with the program's exit code.
"""

import asyncio
import pathlib
import signal
import socket
import sys


def parse(words):
    """Splits off -P and -I, wherever they are."""
    ports, index, rest = [], None, []
    words = iter(words)
    for word in words:
        if word == '-P':
            ports.append(int(next(words).rpartition(':')[2]))
        elif word == '-I':
            index = int(next(words))
        else:
            rest.append(word)
    return ports, index, rest


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


async def dial(port):
    """Dials until somebody listens, as the bridge and MPyC do."""
    while True:
        try:
            return await asyncio.open_connection('127.0.0.1', port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)


async def copy(reader, writer, record):
    with record.open('ab', buffering=0) as file:
        while piece := await reader.read(65536):
            file.write(piece)
            writer.write(piece)
            await writer.drain()
    writer.write_eof()


async def carry(near, far, sent, received):
    """Carries a connection between MPyC (near) and the bridge (far)."""
    await asyncio.gather(copy(near[0], far[1], sent), copy(far[0], near[1], received))
    near[1].close()
    far[1].close()


async def main():
    ports, me, rest = parse(sys.argv[1:])
    folder, program, arguments = pathlib.Path(rest[0]), rest[1], rest[2:]
    own = free_port()
    words = []
    servers = []
    for party, port in enumerate(ports):
        if party > me:
            async def later(reader, writer, party=party, port=port):
                name = f'{me}-dials-{party}'
                await carry((reader, writer), await dial(port), folder / f'{name}.sent', folder / f'{name}.received')
            servers.append(await asyncio.start_server(later, '127.0.0.1', 0))
            port = servers[-1].sockets[0].getsockname()[1]
        elif party == me:
            port = own
        words += ['-P', f'127.0.0.1:{port}']
    words += ['-I', str(me)]

    async def earlier(reader, writer):
        first = await reader.readexactly(2)
        name = f'{me}-takes-{int.from_bytes(first, "little")}'
        near = await dial(own)
        near[1].write(first)
        (folder / f'{name}.received').write_bytes(first)
        await carry(near, (reader, writer), folder / f'{name}.sent', folder / f'{name}.received')
    if me > 0:
        servers.append(await asyncio.start_server(earlier, '127.0.0.1', ports[me]))

    process = await asyncio.create_subprocess_exec(sys.executable, program, *words, *arguments)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.terminate)
    code = await process.wait()
    # The last bytes are those of connections that end now.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=10)
    return code


sys.exit(asyncio.run(main()))
