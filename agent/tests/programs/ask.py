"""Like vote.py, but each person is asked for the number: it is on no command line."""

from mpyc.runtime import mpc


async def main():
    number = int(input('your number: \n'))
    secint = mpc.SecInt(32)
    await mpc.start()
    total = await mpc.output(mpc.sum(mpc.input(secint(number))))
    print(f'sum: {total}', flush=True)
    await mpc.shutdown()

mpc.run(main())
